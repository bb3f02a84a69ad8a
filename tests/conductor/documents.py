"""The documents of `conductor_state` that Conductor writes, and their form in HTTP bodies."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from xml.sax.saxutils import escape, unescape

from bson import ObjectId
from fastapi.encoders import jsonable_encoder
from pymongo.asynchronous.database import AsyncDatabase

Document = dict[str, Any]
Database = AsyncDatabase[Document]

DATABASE: Final = "conductor_state"
FINAL_STATES: Final = frozenset({"completed", "error"})

_REQUEST_OPEN: Final = "<user_request>"
_REQUEST_CLOSE: Final = "</user_request>"


def now() -> datetime:
    """UTC without zone, in milliseconds: what comes back from BSON."""
    moment = datetime.now(UTC).replace(tzinfo=None)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def as_json(document: Document) -> Any:
    """A document for an HTTP body: ObjectId as hex digits, dates as ISO 8601 without zone."""
    return jsonable_encoder(document, custom_encoder={ObjectId: str})


def wrap_prompt(agent: Document, user_input: str, *, with_history: bool) -> str:
    """Persona, instructions, playbook, history and request as one XML text; escaped, so that any request fits."""
    definition = agent.get("definition") or {}
    persona = (agent.get("persona") or {}).get("content") or agent.get("prompt") or ""
    parts = [
        f"<persona>{escape(persona)}</persona>",
        f"<instructions>{escape(str(definition.get('description') or agent.get('description') or ''))}</instructions>",
        "<playbook></playbook>",
        *(["<conversation_history></conversation_history>"] if with_history else []),
        f"{_REQUEST_OPEN}{escape(user_input)}{_REQUEST_CLOSE}",
    ]
    return f"<prompt>{''.join(parts)}</prompt>"


def requested(prompt: str) -> str:
    """The request inside a wrapped prompt; a prompt that is not wrapped is its own request."""
    _, opened, rest = prompt.partition(_REQUEST_OPEN)
    if not opened:
        return prompt
    return unescape(rest.rpartition(_REQUEST_CLOSE)[0])


def provider_of(agent: Document, requested_provider: str | None) -> str:
    """The agent's own `ai_provider` counts only when the request says null."""
    if requested_provider is not None:
        return requested_provider
    return str((agent.get("definition") or {}).get("ai_provider") or "claude")


def agent_document(agent_id: str, ai_provider: str | None = None, **fields: Any) -> Document:
    """An agent in the full schema; `fields` replace whole top-level fields."""
    moment = now()
    definition: Document = {
        "name": agent_id,
        "version": "1.0.0",
        "schema_version": "1.0",
        "description": f"Test agent {agent_id}",
        "author": "tests",
        "tags": [],
        "capabilities": [],
        "allowed_tools": [],
        "mcp_configs": [],
        "emoji": "📜",
    }
    if ai_provider is not None:
        definition["ai_provider"] = ai_provider
    return {
        "agent_id": agent_id,
        "definition": definition,
        "squads": ["other"],
        "group": "other",
        "persona": {"content": f"# {agent_id}\nYou are a test agent."},
        "created_at": moment,
        "updated_at": moment,
        **fields,
    }


def task_document(
    *,
    task_id: ObjectId,
    agent_id: str,
    provider: str,
    prompt: str,
    cwd: str,
    timeout: int,
    instance_id: str | None,
    councilor_config: Document | None,
    is_councilor_execution: bool,
) -> Document:
    """A pending task as both protocols store it; the recommended one adds `conversation_id` and its neighbours."""
    moment = now()
    return {
        "_id": task_id,
        "agent_id": agent_id,
        "provider": provider,
        "prompt": prompt,
        "cwd": cwd,
        "timeout": timeout,
        "status": "pending",
        "instance_id": instance_id,
        "context": {},
        "created_at": moment,
        "updated_at": moment,
        "result": "",
        "exit_code": None,
        "duration": None,
        "is_councilor_execution": is_councilor_execution,
        "councilor_config": councilor_config,
        "severity": None,
    }


def display_name(agent: Document, agent_id: str) -> str:
    definition = agent.get("definition") or {}
    return str(definition.get("name") or agent.get("name") or agent_id)


def emoji(agent: Document) -> str:
    definition = agent.get("definition") or {}
    return str(definition.get("emoji") or agent.get("emoji") or "🤖")
