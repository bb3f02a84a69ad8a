"""Requests as a caller of Conductor makes them, for the stub's own tests."""

from __future__ import annotations

from typing import Any, Final

import httpx
from bson import ObjectId
from pymongo.database import Database

from tests.conductor.condition import wait_until

AGENT: Final = "LicenseAuditor_Agent"
DB = Database[dict[str, Any]]
"""The database the stub writes to."""


def execution_request(**fields: Any) -> dict[str, Any]:
    """A complete councilor request, asynchronous; `fields` replace or add, and those that are `...` are left out."""
    request = {
        "task_id": str(ObjectId()),
        "user_input": "List dependencies without a known licence.",
        "cwd": "/srv/project",
        "wait_for_result": False,
        "is_councilor_execution": True,
        **fields,
    }
    return {name: value for name, value in request.items() if value is not ...}


def submit(http: httpx.Client, agent_id: str = AGENT, **fields: Any) -> httpx.Response:
    """Sends `execution_request(**fields)` for an agent."""
    return http.post(f"/agents/{agent_id}/execute", json=execution_request(**fields))


def stored_task(database: DB, task_id: str) -> dict[str, Any]:
    """The task's document. Raises AssertionError when there is none."""
    task = database.tasks.find_one({"_id": ObjectId(task_id)})
    assert task is not None, f"no task {task_id}"
    return task


def finished_task(database: DB, task_id: str) -> dict[str, Any]:
    """Waits for the task's final state and returns its document."""
    wait_until(lambda: stored_task(database, task_id)["status"] in ("completed", "error"))
    return stored_task(database, task_id)
