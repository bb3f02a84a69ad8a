"""The control port `/_stub/...`: the in-process interface over HTTP, for processes other than the tests."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body, FastAPI, HTTPException
from pydantic import ValidationError

from tests.conductor.answers import Answer
from tests.conductor.documents import agent_document
from tests.conductor.faults import OPERATIONS, Fault, Operation
from tests.conductor.state import StubState
from tests.conductor.watcher import Watcher


def control_app(state: StubState, watcher: Watcher) -> FastAPI:
    app = FastAPI(title="stub control")

    @app.put("/_stub/agents/{agent_id}", status_code=204)
    async def put_agent(agent_id: str, fields: Annotated[dict[str, Any] | None, Body()] = None) -> None:
        document = {**agent_document(agent_id), **(fields or {}), "agent_id": agent_id}
        await state.database.agents.replace_one({"agent_id": agent_id}, document, upsert=True)

    @app.delete("/_stub/agents/{agent_id}", status_code=204)
    async def delete_agent(agent_id: str) -> None:
        await state.database.agents.delete_one({"agent_id": agent_id})

    @app.put("/_stub/scripts/{agent_id}", status_code=204)
    async def put_script(agent_id: str, answers: list[Answer], prompt: str | None = None) -> None:
        try:
            state.scripts.set(agent_id, answers, prompt)
        except ValueError as error:
            raise HTTPException(422, str(error)) from error

    @app.delete("/_stub/scripts", status_code=204)
    async def delete_scripts() -> None:
        state.scripts.clear()

    @app.post("/_stub/faults", status_code=204)
    async def post_fault(fault: Fault) -> None:
        state.faults.add(fault)

    @app.get("/_stub/faults")
    async def get_faults() -> list[Fault]:
        return state.faults.pending()

    @app.delete("/_stub/faults", status_code=204)
    async def delete_faults() -> None:
        state.faults.clear()

    @app.get("/_stub/requests")
    async def get_requests(operation: Operation | None = None) -> list[dict[str, Any]]:
        wanted = OPERATIONS if operation is None else (operation,)
        return [request.as_dict() for request in state.requests if request.operation in wanted]

    @app.delete("/_stub/requests", status_code=204)
    async def delete_requests() -> None:
        state.requests.clear()

    @app.get("/_stub/executions")
    async def get_executions() -> dict[str, int]:
        return watcher.executions

    @app.get("/_stub/settings")
    async def get_settings() -> Any:
        return state.settings.model_dump(mode="json")

    @app.patch("/_stub/settings")
    async def patch_settings(changes: Annotated[dict[str, Any], Body()]) -> Any:
        try:
            changed = state.settings.model_validate({**state.settings.model_dump(), **changes})
        except ValidationError as error:
            raise HTTPException(422, error.errors(include_url=False, include_context=False)) from error
        for name in changes:
            setattr(state.settings, name, getattr(changed, name))
        return state.settings.model_dump(mode="json")

    return app
