"""The conductor port: health, the recommended protocol, and the seed era's second protocol.

Source of every status, key and fragment: the HTTP contract of Conductor df11f30 and, for the era `seed`, 73d8d7f.
"""

from __future__ import annotations

import time
import traceback
from typing import Any

from bson import ObjectId
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from tests.conductor.documents import FINAL_STATES, Document, as_json, provider_of, task_document, wrap_prompt
from tests.conductor.state import StubState


class ExecuteRequest(BaseModel):
    """Body of `POST /agents/{agent_id}/execute`; unknown fields are ignored, as upstream does."""

    task_id: str
    user_input: str
    cwd: str
    timeout: int = 1800
    provider: str | None = "claude"
    instance_id: str | None = None
    context_mode: str = "stateless"
    conversation_id: str | None = None
    screenplay_id: str | None = None
    wait_for_result: bool = True
    is_councilor_execution: bool = False
    councilor_config: dict[str, Any] | None = None


class _NotFoundError(Exception):
    """Unknown agent; the recommended protocol swallows it into a 500."""


def conductor_app(state: StubState) -> FastAPI:
    app = FastAPI(title="stub conductor")

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/agents/{agent_id}/execute")
    async def execute(agent_id: str, request: ExecuteRequest) -> Any:
        try:
            _require_mongo_uri(state)
            return await _execute(state, agent_id, request)
        except _NotFoundError as error:
            raise HTTPException(500, f"404: {error}") from error
        except Exception as error:  # upstream catches everything: its clients see the text of any exception
            raise HTTPException(500, str(error)) from error

    @app.post("/conductor/execute")
    async def execute_second(payload: dict[str, Any]) -> Any:
        return await _second_protocol(state, payload.get("agent_name") or payload.get("agent_id"), payload)

    @app.post("/conductor/agents/{agent_id}/execute")
    async def execute_second_by_path(agent_id: str, payload: dict[str, Any]) -> Any:
        return await _second_protocol(state, agent_id, payload)

    return app


def _require_mongo_uri(state: StubState) -> None:
    if not state.settings.mongo_uri_set:
        raise ValueError("MONGO_URI não está definida no ambiente")


async def _find_agent(state: StubState, agent_id: str) -> Document:
    agent = await state.database.agents.find_one({"agent_id": agent_id})
    if agent is None:
        raise _NotFoundError(f"Agente '{agent_id}' não encontrado")
    return agent


async def _execute(state: StubState, agent_id: str, request: ExecuteRequest) -> Any:
    agent = await _find_agent(state, agent_id)
    councilor = request.is_councilor_execution
    if not councilor and not (request.conversation_id and request.screenplay_id):
        raise ValueError("conversation_id e screenplay_id são campos obrigatórios")
    task = task_document(
        task_id=ObjectId(request.task_id),
        agent_id=agent_id,
        provider=provider_of(agent, request.provider),
        prompt=wrap_prompt(agent, request.user_input, with_history=not councilor),
        cwd=request.cwd,
        timeout=request.timeout,
        instance_id=request.instance_id,
        councilor_config=request.councilor_config,
        is_councilor_execution=councilor,
    )
    task |= {
        "conversation_id": request.conversation_id,
        "screenplay_id": request.screenplay_id,
        "source": "dispatch_api",
    }
    # Stored before the answer: a caller that loses the answer finds the task, and its second try the duplicate key.
    await state.database.tasks.insert_one(task)
    state.submitted.set()
    if not request.wait_for_result:
        if state.settings.accept_finished:
            await _finished(state, task["_id"], request.timeout)
        return {"_id": request.task_id, "status": "pending", "message": "Task accepted"}
    return as_json(await _finished(state, task["_id"], request.timeout))


async def _finished(state: StubState, task_id: ObjectId, timeout: int) -> Document:  # noqa: ASYNC109 - theirs, in the body
    """Polls in steps, as upstream does: a task that vanished is waited for until the time is over."""
    deadline = time.monotonic() + timeout
    while True:
        await state.pause(state.settings.sync_step)
        task = await state.database.tasks.find_one({"_id": task_id})
        if task is not None and task["status"] in FINAL_STATES:
            return task
        if time.monotonic() >= deadline:
            raise TimeoutError(f"Tempo de espera excedido ({timeout}s) para a tarefa {task_id}")


async def _second_protocol(state: StubState, agent_id: Any, payload: dict[str, Any]) -> Any:
    prompt = payload.get("prompt") or payload.get("input_text")
    try:
        _require_mongo_uri(state)
        if state.settings.era == "current":
            _fail_as_current(payload)
        _require_fields(agent_id, prompt)
        return await _execute_second(state, str(agent_id), str(prompt), payload)
    except HTTPException:
        raise
    except _NotFoundError as error:
        raise HTTPException(404, str(error)) from error
    except Exception as error:
        raise HTTPException(
            500,
            {
                "error": str(error),
                "error_type": type(error).__name__,
                "traceback": traceback.format_exc(),
                "agent_id": agent_id,
                "context": {"instance_id": payload.get("instance_id"), "cwd": payload.get("cwd")},
            },
        ) from error


def _require_fields(agent_id: Any, prompt: Any) -> None:
    if not agent_id:
        raise HTTPException(400, "agent_name ou agent_id é obrigatório")
    if not prompt:
        raise HTTPException(400, "prompt ou input_text é obrigatório")


def _fail_as_current(payload: dict[str, Any]) -> None:
    """Raises ValueError or InvalidId: the task id this version invents is no ObjectId, so no request succeeds."""
    if not (payload.get("conversation_id") and payload.get("screenplay_id")):
        raise ValueError("conversation_id e screenplay_id são campos obrigatórios")
    ObjectId(f"task_{time.time_ns()}")


async def _execute_second(state: StubState, agent_id: str, prompt: str, payload: dict[str, Any]) -> Any:
    agent = await _find_agent(state, agent_id)
    timeout = int(payload.get("timeout") or 600)
    task = task_document(
        task_id=ObjectId(),
        agent_id=agent_id,
        provider=provider_of(agent, payload.get("ai_provider")),
        prompt=wrap_prompt(agent, prompt, with_history=payload.get("context_mode") == "stateful"),
        cwd=str(payload.get("cwd") or "/app"),
        timeout=timeout,
        instance_id=payload.get("instance_id"),
        councilor_config=None,
        is_councilor_execution=False,
    )
    await state.database.tasks.insert_one(task)
    state.submitted.set()
    return as_json(await _finished(state, task["_id"], timeout))
