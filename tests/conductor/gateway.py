"""The gateway port: task look-up, task events and the WebSocket that broadcasts them."""

from __future__ import annotations

from typing import Annotated, Any

from bson import ObjectId
from fastapi import FastAPI, HTTPException, Query, WebSocket
from pydantic import BaseModel

from tests.conductor.documents import Document, as_json, display_name, emoji
from tests.conductor.hub import TASK_EVENTS
from tests.conductor.state import StubState


class TaskEvent(BaseModel):
    """Body of `POST /api/internal/task-event`."""

    type: str
    data: dict[str, Any]


def gateway_app(state: StubState) -> FastAPI:
    app = FastAPI(title="stub gateway")

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy", "service": "conductor_gateway", "version": "3.1.0"}

    @app.get("/api/tasks")
    async def tasks(
        agent_id: str | None = None,
        status: str | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        offset: Annotated[int, Query(ge=0)] = 0,
        sort: str = "-created_at",
    ) -> Any:
        wanted = {"agent_id": agent_id, "status": status}
        query = {name: value for name, value in wanted.items() if value is not None}
        direction = -1 if sort.startswith("-") else 1
        cursor = state.database.tasks.find(query).sort(sort.lstrip("-+"), direction).skip(offset).limit(limit)
        found = [as_json(task) async for task in cursor]
        total = await state.database.tasks.count_documents(query)
        return {"success": True, "count": len(found), "total": total, "tasks": found}

    @app.get("/api/tasks/{task_id}")
    async def task(task_id: str) -> Any:
        # Upstream looks for the field `task_id`, which tasks made by the conductor do not have.
        found = await state.database.tasks.find_one({"task_id": task_id})
        if found is None:
            raise HTTPException(404, f"Task '{task_id}' not found")
        return {"success": True, "task": as_json(found)}

    @app.get("/api/tasks/{task_id}/details")
    async def details(task_id: str) -> Any:
        by_id: list[Document] = [{"_id": ObjectId(task_id)}] if ObjectId.is_valid(task_id) else []
        found = await state.database.tasks.find_one({"$or": [*by_id, {"task_id": task_id}]})
        if found is None:
            raise HTTPException(404, f"Task '{task_id}' not found")
        agent = await state.database.agents.find_one({"agent_id": found.get("agent_id")}) or {}
        return as_json({"success": True, "task": _details(found, agent)})

    @app.post("/api/internal/task-event")
    async def task_event(event: TaskEvent) -> Any:
        if event.type not in TASK_EVENTS:
            raise HTTPException(400, f"Invalid event type: {event.type}. Valid types: {sorted(TASK_EVENTS)}")
        listeners = state.hub.clients_count
        await state.hub.broadcast(event.type, event.data)
        return {"success": True, "message": f"Event {event.type} broadcast", "clients_count": listeners}

    @app.websocket("/ws/gamification")
    async def gamification(listener: WebSocket) -> None:
        await state.hub.attend(listener)

    return app


def _details(task: Document, agent: Document) -> Document:
    """What the UI shows; there is no `exit_code`, and no id for a task made by the conductor."""
    agent_id = task.get("agent_id", "")
    return {
        "task_id": task.get("task_id", ""),
        "agent_id": agent_id,
        "agent_name": display_name(agent, agent_id),
        "agent_emoji": emoji(agent),
        "prompt": task.get("prompt", ""),
        "result": task.get("result"),
        "status": task.get("status"),
        "severity": task.get("severity"),
        "created_at": task.get("created_at"),
        "completed_at": task.get("completed_at"),
        "duration": task.get("duration"),
        "error": task.get("error"),
        "is_councilor": bool(task.get("is_councilor_execution")),
    }
