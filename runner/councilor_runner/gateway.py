"""The gateway shows tasks and announces them to the user interface.

Like `conductor` it gathers only, and keeps connection errors to itself, because their texts name addresses.
"""

from collections.abc import Mapping
from urllib.parse import quote

import httpx

from councilor_runner.answers import FINAL_STATUSES, TaskState, read_task
from councilor_runner.connection import CONNECT_SECONDS, json_body
from councilor_runner.polling import SourceUnavailableError

POLL_SECONDS = 10.0
EVENT_SECONDS = 5.0


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
        return response.status_code, json_body(response)

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
