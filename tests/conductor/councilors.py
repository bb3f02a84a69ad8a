"""What the gateway's councilor endpoints (`/api/councilors/…`) do to the documents of `conductor_state`: one function
for each, with the same fields, the same forms of dates, and no more validation than the endpoint has.

Conductor's UI makes, changes and removes councilors through these alone.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeVar

from bson import ObjectId
from pydantic import BaseModel, Field, StringConstraints, ValidationError, field_validator, model_validator
from pymongo.database import Database

from tests.conductor.documents import Document, display_name, emoji, now

Councilors = Database[Document]
Model = TypeVar("Model", bound=BaseModel)
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]

NEVER_RUN: Final[Document] = {
    "task_count": 0,
    "total_execution_time": 0.0,
    "average_execution_time": 0.0,
    "last_task_duration": 0.0,
    "last_task_completed_at": None,
    "success_count": 0,
    "error_count": 0,
    "last_exit_code": None,
    "total_executions": 0,
    "success_rate": 0.0,
    "last_execution": None,
}
"""`statistics` of an instance that was just made."""


class EndpointError(Exception):
    """The endpoint answers with an HTTP status that is an error and changes nothing."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status


class Schedule(BaseModel):
    """When; of a cron expression only the fields are counted."""

    type: Literal["interval", "cron"]
    value: str
    enabled: bool = True

    @model_validator(mode="after")
    def _has_the_form(self) -> Schedule:
        fits = re.fullmatch(r"\d+[mhd]", self.value) if self.type == "interval" else len(self.value.split()) == 5
        if not fits:
            raise ValueError(f"invalid {self.type}")
        return self


class Task(BaseModel):
    """What is asked."""

    name: Label
    prompt: Annotated[Label, Field(max_length=10_000)]
    context_files: list[str] | None = None
    output_format: Literal["summary", "detailed", "checklist"] = "checklist"


class Notifications(BaseModel):
    """Who is told."""

    on_success: bool = False
    on_warning: bool = True
    on_error: bool = True
    channels: Annotated[list[Literal["panel", "toast", "email"]], Field(min_length=1)] = ["panel"]

    @field_validator("channels")
    @classmethod
    def _each_once(cls, channels: list[str]) -> list[str]:
        # The order is another one in each process.
        return list(set(channels))


class Config(BaseModel):
    """A `councilor_config`."""

    title: Label
    schedule: Schedule
    task: Task
    notifications: Notifications


class Customization(BaseModel):
    """A `customization`; it stands beside the configuration."""

    enabled: bool = True
    display_name: str | None = None
    avatar_url: str | None = None
    color: Annotated[str, StringConstraints(pattern="^#")] | None = None


class ConfigChange(BaseModel):
    """Body of `PATCH /{agent_id}/councilor-config`: parts, each of them whole."""

    schedule: Schedule | None = None
    task: Task | None = None
    notifications: Notifications | None = None


@dataclass(frozen=True, slots=True)
class Promoted:
    """What `POST /promote` answers with."""

    instance_id: str
    screenplay_id: str
    conversation_id: str


# --- one for each agent: documents of `agents` ------------------------------------------------------------------------


def promote_councilor(
    database: Councilors,
    agent_id: str,
    councilor_config: Mapping[str, Any],
    customization: Mapping[str, Any] | None = None,
) -> None:
    """`POST /{agent_id}/promote-councilor`. Raises EndpointError 404, 409 for a councilor, 422."""
    config, custom = _promotion(councilor_config, customization)
    if _agent(database, agent_id).get("is_councilor"):
        raise EndpointError(409, "the agent is a councilor already")
    change = {"is_councilor": True, "councilor_config": config, "customization": custom, "updated_at": now()}
    database.agents.update_one({"agent_id": agent_id}, {"$set": change})


def demote_councilor(database: Councilors, agent_id: str) -> None:
    """`DELETE /{agent_id}/demote-councilor`: customization and statistics stay. Raises EndpointError 404."""
    change = {"$set": {"is_councilor": False, "updated_at": now()}, "$unset": {"councilor_config": ""}}
    _change_councilor(database, agent_id, change)


def councilor_schedule(database: Councilors, agent_id: str, *, enabled: bool) -> None:
    """`PATCH /{agent_id}/councilor-schedule`: pause and resume. Raises EndpointError 404."""
    change = {"councilor_config.schedule.enabled": enabled, "updated_at": now()}
    _change_councilor(database, agent_id, {"$set": change})


def councilor_config(database: Councilors, agent_id: str, **parts: Any) -> None:
    """`PATCH /{agent_id}/councilor-config`: `schedule`, `task`, `notifications`. Raises EndpointError 404, 422."""
    stored = _validated(ConfigChange, parts).model_dump(exclude_none=True)
    change = {f"councilor_config.{name}": part for name, part in stored.items()}
    _change_councilor(database, agent_id, {"$set": {**change, "updated_at": now()}})


# --- several for each agent: documents of `agent_instances` -----------------------------------------------------------


def promote(
    database: Councilors,
    agent_id: str,
    councilor_config: Mapping[str, Any],
    customization: Mapping[str, Any] | None = None,
    cwd: str | None = None,
) -> Promoted:
    """`POST /promote`: an instance with its screenplay and conversation. Raises EndpointError 404, 422."""
    config, custom = _promotion(councilor_config, customization)
    agent = _agent(database, agent_id)
    title, moment = display_name(agent, agent_id), datetime.now(UTC)
    written = moment.replace(tzinfo=None).isoformat()
    screenplay, conversation_id = ObjectId(), str(uuid.uuid4())
    promoted = Promoted(f"councilor_{agent_id}_{int(moment.timestamp() * 1000)}", str(screenplay), conversation_id)
    dates = {"created_at": now(), "updated_at": now()}
    database.screenplays.insert_one({"_id": screenplay, "name": f"Councilor {title}", "isDeleted": False, **dates})
    database.conversations.insert_one(
        {"conversation_id": conversation_id, "screenplay_id": promoted.screenplay_id, "messages": [], **dates}
    )
    database.agent_instances.insert_one(
        {
            "instance_id": promoted.instance_id,
            "agent_id": agent_id,
            "screenplay_id": promoted.screenplay_id,
            "conversation_id": conversation_id,
            "position": {"x": 100, "y": 100},
            "status": "idle",
            "created_at": written,
            "updated_at": written,
            "last_execution": None,
            "cwd": cwd,
            "emoji": emoji(agent),
            "display_order": 0,
            # Another shape than the agent's.
            "definition": {
                "title": title,
                "description": (agent.get("definition") or {}).get("description", ""),
                "unicode": "",
            },
            "statistics": dict(NEVER_RUN),
            "is_councilor_instance": True,
            "councilor_config": config,
            "customization": custom,
        }
    )
    return promoted


def delete_instance(database: Councilors, instance_id: str) -> None:
    """`DELETE /instances/{instance_id}`: the document stays, marked. Raises EndpointError 404."""
    _change_instance(database, instance_id, {"isDeleted": True})


def instance_schedule(database: Councilors, instance_id: str, *, enabled: bool) -> None:
    """`PATCH /instances/{instance_id}/schedule`: pause and resume; answers 500, after this is stored. Raises
    EndpointError 404."""
    _change_instance(database, instance_id, {"councilor_config.schedule.enabled": enabled})


def instance_config(database: Councilors, instance_id: str, **fields: Any) -> None:
    """`PATCH /instances/{instance_id}/config`: any of `title`, `task`, `schedule`, `notifications`, `display_name` and
    `cwd`, merged without validation. Raises EndpointError 404."""
    found = _instance(database, instance_id)
    change: Document = {}
    for name, value in fields.items():
        match name:
            case "cwd":
                change["cwd"] = value
            case "display_name":
                change["customization"] = {**(found.get("customization") or {}), "display_name": value}
            case _:
                before = found["councilor_config"].get(name)
                is_merged = isinstance(value, Mapping) and isinstance(before, Mapping)
                change[f"councilor_config.{name}"] = {**before, **value} if is_merged else value
    _change_instance(database, instance_id, change)


# --- what they share --------------------------------------------------------------------------------------------------


def _promotion(config: Mapping[str, Any], customization: Mapping[str, Any] | None) -> tuple[Document, Document | None]:
    custom = None if customization is None else _validated(Customization, customization).model_dump()
    return _validated(Config, config).model_dump(), custom


def _validated(model: type[Model], body: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise EndpointError(422, str([item["loc"] for item in error.errors()])) from None


def _agent(database: Councilors, agent_id: str) -> Document:
    found = database.agents.find_one({"agent_id": agent_id})
    if found is None:
        raise EndpointError(404, f"no agent {agent_id}")
    return found


def _instance(database: Councilors, instance_id: str) -> Document:
    found = database.agent_instances.find_one({"instance_id": instance_id, "isDeleted": {"$ne": True}})
    if found is None:
        raise EndpointError(404, f"no instance {instance_id}")
    return found


def _change_councilor(database: Councilors, agent_id: str, change: Document) -> None:
    if not database.agents.update_one({"agent_id": agent_id, "is_councilor": True}, change).matched_count:
        raise EndpointError(404, f"no councilor {agent_id}")


def _change_instance(database: Councilors, instance_id: str, change: Document) -> None:
    # Text when the document was made, a date from its first change on.
    key = _instance(database, instance_id)["_id"]
    database.agent_instances.update_one({"_id": key}, {"$set": {**change, "updated_at": now()}})
