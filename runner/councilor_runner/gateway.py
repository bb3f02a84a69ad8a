"""The gateway shows tasks and announces them to the user interface.

Like `conductor` it gathers only.
"""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

import httpx

from councilor_runner.answers import FINAL_STATUSES, AnswerKind, TaskState, read_task
from councilor_runner.connection import ANSWER_SECONDS, NoAnswerError, Reply, request
from councilor_runner.excerpt import ANSWER, FIELDS, ExcerptLimits
from councilor_runner.polling import SourceUnavailableError
from councilor_runner.tls import GATEWAY

POLL_SECONDS = ANSWER_SECONDS
"""For one look; an answer of many megabytes needs its time."""


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
        reply = await self._get(f"/api/tasks/{quote(task_id, safe='')}/details")
        status, body = reply.status, reply.body
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
        """Complete the task by what the list says, of whose texts nothing is needed: it has ten answers of any size."""
        query = {"agent_id": self._agent_id, "status": task.status, "limit": "10", "sort": "-created_at"}
        try:
            reply = await self._get("/api/tasks", query, FIELDS)
        except SourceUnavailableError:
            return task
        listed = reply.body.get("tasks") if reply.status == 200 and isinstance(reply.body, Mapping) else None
        for document in listed if isinstance(listed, list) else ():
            if isinstance(document, Mapping) and task_id in (document.get("_id"), document.get("task_id")):
                found = read_task(document)
                if found is not None:
                    return replace(task, exit_code=found.exit_code, exit_code_known=found.exit_code_known)
        return task

    async def _get(self, path: str, query: Mapping[str, str] | None = None, limits: ExcerptLimits = ANSWER) -> Reply:
        try:
            return await request(
                self._client, GATEWAY, "GET", self._url + path, seconds=POLL_SECONDS, query=query, limits=limits
            )
        except NoAnswerError as error:
            refused = error.kind is AnswerKind.CREDENTIALS_REFUSED
            raise SourceUnavailableError(self.name, error.message, refused=refused) from None

    async def post_event(self, event: Mapping[str, object]) -> str | None:
        """Post a task event; return why it was not delivered, None when it was. Whoever calls sets the limit of time.

        `POST /api/internal/task-event` (gateway e8df455), the only way to the user interface's WebSocket.
        """
        url = f"{self._url}/api/internal/task-event"
        try:
            reply = await request(self._client, GATEWAY, "POST", url, seconds=ANSWER_SECONDS, body=event, limits=FIELDS)
        except NoAnswerError as error:
            return error.message
        return None if 200 <= reply.status < 300 else f"the gateway answered {reply.status}"
