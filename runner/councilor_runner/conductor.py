"""Conductor takes the task: the only module that can ask for an agent to be run.

It gathers, the meaning is decided in `answers`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from councilor_runner import logs
from councilor_runner.answers import Answer, AnswerKind, classify, retry_after_seconds
from councilor_runner.clock import Clock
from councilor_runner.connection import ANSWER_SECONDS, NoAnswerError, request
from councilor_runner.contract import RunContract
from councilor_runner.tls import CONDUCTOR

SYNCHRONOUS_MARGIN_SECONDS = 10.0
"""Conductor looks at a task every 2 s and answers up to 5 s after its own time limit."""


@dataclass(frozen=True, slots=True)
class Submission:
    """An answer, and whether Conductor may have stored the task."""

    answer: Answer
    maybe_dispatched: bool


_NOT_DISPATCHED = (AnswerKind.AGENT_UNKNOWN, AnswerKind.REFUSED, AnswerKind.CREDENTIALS_REFUSED)


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
        try:
            reply = await request(self._client, CONDUCTOR, "POST", self._url + path, seconds=answer_seconds, body=body)
        except NoAnswerError as error:
            logs.warning("no answer from Conductor", detail=error.message, maybeDispatched=error.sent)
            return Submission(Answer(error.kind, error.message), error.sent)
        answer = classify(reply.status, reply.body)
        if answer.kind is AnswerKind.UNAVAILABLE:
            wait = retry_after_seconds(reply.headers.get("Retry-After"), reply.headers.get("Date"), self._clock.now())
            answer = Answer(answer.kind, answer.message, retry_after=wait)
            # 429 and 503 come before the work; behind a 502 or 504 the request may have reached Conductor.
            return Submission(answer, reply.status not in (429, 503))
        logs.info("Conductor answered", httpStatus=reply.status, answer=answer.kind.name)
        return Submission(answer, answer.kind not in _NOT_DISPATCHED)
