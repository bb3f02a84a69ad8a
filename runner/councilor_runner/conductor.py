"""The HTTP clients: Conductor takes the task, the gateway shows and announces it.

They gather, the meaning is decided in `answers`. Connection errors do not leave this module as exceptions, because
their texts name addresses.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from councilor_runner import logs
from councilor_runner.answers import (
    FINAL_STATUSES,
    Answer,
    AnswerKind,
    TaskState,
    classify,
    read_task,
    retry_after_seconds,
)
from councilor_runner.clock import Clock
from councilor_runner.contract import RunContract

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
POLL_SECONDS = 10.0
EVENT_SECONDS = 5.0
SYNCHRONOUS_MARGIN_SECONDS = 10.0
"""Conductor looks at a task every 2 s and answers up to 5 s after its own time limit."""

# The connection was not made, so nothing was sent.
_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@dataclass(frozen=True, slots=True)
class Submission:
    """An answer, and whether Conductor may have stored the task."""

    answer: Answer
    maybe_dispatched: bool


_NOT_DISPATCHED = (AnswerKind.AGENT_UNKNOWN, AnswerKind.REFUSED, AnswerKind.CREDENTIALS_REFUSED)


def http_client(headers: Mapping[str, str], token: str | None) -> httpx.AsyncClient:
    """Return the client for both services; the extra headers and the token are for a proxy in front of them."""
    credentials = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(
        headers={**headers, **credentials}, timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    )


def execution_request(
    contract: RunContract, *, task_id: str, prompt: str, instance_id: str, wait_for_result: bool
) -> tuple[str, dict[str, object]]:
    """Return path and body of the request that starts the agent, in the protocol of the operator's configuration."""
    execution = contract.execution
    if contract.endpoints.protocol == "seed":
        return "/conductor/execute", {
            "agent_name": contract.agent.id,
            "prompt": prompt,
            "context_mode": execution.context_mode,
            "timeout": execution.timeout_seconds,
            "instance_id": instance_id,
            "cwd": execution.cwd,
            **({"ai_provider": execution.provider} if execution.provider else {}),
        }
    return f"/agents/{quote(contract.agent.id, safe='')}/execute", {
        "task_id": task_id,
        "user_input": prompt,
        "cwd": execution.cwd,
        "timeout": execution.timeout_seconds,
        # Null on purpose: only then does the agent's own provider count.
        "provider": execution.provider,
        "instance_id": instance_id,
        "context_mode": execution.context_mode,
        "wait_for_result": wait_for_result,
        "is_councilor_execution": True,
        "councilor_config": {
            "title": contract.councilor.title or contract.councilor.name,
            "namespace": contract.councilor.namespace,
            "councilor": contract.councilor.name,
        },
    }


class Conductor:
    """Submits tasks."""

    def __init__(self, client: httpx.AsyncClient, url: str, clock: Clock) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._clock = clock

    async def submit(self, path: str, body: Mapping[str, object], answer_seconds: float = ANSWER_SECONDS) -> Submission:
        """Send the request once and classify what comes back."""
        timeout = httpx.Timeout(answer_seconds, connect=min(CONNECT_SECONDS, answer_seconds))
        try:
            response = await self._client.post(self._url + path, json=body, timeout=timeout)
        except httpx.HTTPError as error:
            sent = not isinstance(error, _NOTHING_SENT)
            logs.warning("no answer from Conductor", error=type(error).__name__, maybeDispatched=sent)
            message = "Conductor did not answer" if sent else "no connection to Conductor"
            return Submission(Answer(AnswerKind.UNREACHABLE, message), sent)
        answer = classify(response.status_code, _json(response))
        if answer.kind is AnswerKind.UNAVAILABLE:
            wait = retry_after_seconds(response.headers.get("Retry-After"), self._clock.now())
            answer = Answer(answer.kind, answer.message, retry_after=wait)
            # 429 and 503 come before the work; behind a 502 or 504 the request may have reached Conductor.
            return Submission(answer, response.status_code not in (429, 503))
        logs.info("Conductor answered", httpStatus=response.status_code, answer=answer.kind.name)
        return Submission(answer, answer.kind not in _NOT_DISPATCHED)


class SourceUnavailableError(Exception):
    """A poll source did not answer; `refused` when it did, and will not let us read."""

    def __init__(self, name: str, detail: str, *, refused: bool = False) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name
        self.detail = detail
        self.refused = refused


class Gateway:
    """Shows tasks (a poll source) and passes events to the user interface."""

    name = "gateway"

    def __init__(self, client: httpx.AsyncClient, url: str, agent_id: str) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._agent_id = agent_id

    async def read(self, task_id: str) -> TaskState | None:
        """Return the task, None when the gateway does not know it. Raises SourceUnavailableError.

        `GET /api/tasks/{id}/details` (gateway e8df455) leaves out the exit code; for a finished task the list has it.
        """
        status, body = await self._get(f"/api/tasks/{quote(task_id, safe='')}/details")
        # Without our own marker a 404 may also come from a proxy that leads somewhere else: then there is no `detail`.
        if status == 404 and isinstance(body, Mapping) and "detail" in body:
            return None
        document = body.get("task") if status == 200 and isinstance(body, Mapping) else None
        task = read_task(document) if isinstance(document, Mapping) else None
        if task is None:
            raise SourceUnavailableError(
                self.name, f"answered {status} in an unknown form", refused=status in (401, 403)
            )
        if task.status in FINAL_STATUSES and not task.exit_code_known:
            return await self._from_list(task_id, task)
        return task

    async def _from_list(self, task_id: str, task: TaskState) -> TaskState:
        try:
            status, body = await self._get(
                "/api/tasks", {"agent_id": self._agent_id, "status": task.status, "limit": "10", "sort": "-created_at"}
            )
        except SourceUnavailableError:
            return task
        listed = body.get("tasks") if status == 200 and isinstance(body, Mapping) else None
        for document in listed if isinstance(listed, list) else ():
            if isinstance(document, Mapping) and task_id in (document.get("_id"), document.get("task_id")):
                return read_task(document) or task
        return task

    async def _get(self, path: str, query: Mapping[str, str] | None = None) -> tuple[int, object]:
        try:
            timeout = httpx.Timeout(POLL_SECONDS, connect=CONNECT_SECONDS)
            response = await self._client.get(self._url + path, params=query, timeout=timeout)
        except httpx.HTTPError as error:
            raise SourceUnavailableError(self.name, type(error).__name__) from None
        return response.status_code, _json(response)

    async def post_event(self, event: Mapping[str, object]) -> str | None:
        """Post a task event; return why it was not delivered, None when it was.

        `POST /api/internal/task-event` (gateway e8df455), the only way to the user interface's WebSocket.
        """
        try:
            response = await self._client.post(
                f"{self._url}/api/internal/task-event", json=event, timeout=EVENT_SECONDS
            )
        except httpx.HTTPError as error:
            return f"the gateway did not answer ({type(error).__name__})"
        return None if response.is_success else f"the gateway answered {response.status_code}"


_JSON_TYPE = re.compile(r"^application/(?:[\w.+-]*\+)?json\b", re.IGNORECASE)


def _json(response: httpx.Response) -> object:
    # A proxy's error page is no answer of Conductor, even where it happens to parse.
    if not _JSON_TYPE.match(response.headers.get("Content-Type", "application/json")):
        return None
    try:
        return response.json()
    except ValueError:
        return None
