"""Rounds against a namespace and a database in memory: what asks for one, what it writes, and what it does when
something fails."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from councilor_operator.constants import LABEL_SOURCE
from councilor_operator.errors import (
    ApiError,
    Cause,
    ConfigurationError,
    ConflictError,
    NamespaceGoneError,
    NotFoundError,
    RejectedError,
    TransientError,
)
from councilor_operator.events import Event
from councilor_operator.observed import ObservedCouncilor, Page, Reference
from councilor_operator.recorder import EventRecorder
from councilor_operator.sync.candidate import SourceDocument
from councilor_operator.sync.config import SyncConfig
from councilor_operator.sync.existing import Existing
from councilor_operator.sync.identity import councilor_name
from councilor_operator.sync.metrics import SyncMetrics
from councilor_operator.sync.rounds import Rounds
from councilor_operator.sync.source import SourceError
from tests.controlplane.sync import agent
from tests.factories import FixedClock
from tests.unit.operator.fake_cluster import merge_patched

Body = dict[str, Any]
SECRET = "a-prompt-that-nobody-may-see"


class Namespace:
    """Councilors in memory, and the events about them."""

    def __init__(self) -> None:
        self.bodies: dict[str, Body] = {}
        self.writes: list[str] = []
        self.events: list[tuple[str, Event]] = []
        self.failures: list[ApiError] = []
        self.lists = 0
        self._versions = itertools.count(10)

    def put(self, name: str, body: Mapping[str, Any]) -> Body:
        made: Body = deepcopy(dict(body))
        version = next(self._versions)
        metadata = made.setdefault("metadata", {})
        metadata.setdefault("uid", f"uid-{version}")
        metadata.setdefault("generation", 1)
        metadata.setdefault("creationTimestamp", "2026-03-01T09:00:00Z")
        metadata |= {"name": name, "namespace": "councilors", "resourceVersion": str(version)}
        self.bodies[name] = made
        return made

    def edit(self, name: str, patch: Mapping[str, Any]) -> Body:
        return self.put(name, merge_patched(self.bodies[name], dict(patch)))

    async def list(self) -> AsyncIterator[Page[ObservedCouncilor]]:
        self._fail()
        self.lists += 1
        items = [ObservedCouncilor.from_object(deepcopy(body)) for body in self.bodies.values()]
        yield Page(items, next(self._versions))

    async def create(self, manifest: Mapping[str, Any]) -> Existing:
        self._fail()
        name = manifest["metadata"]["name"]
        if name in self.bodies:
            raise ConflictError("there is one", status=409)
        self.writes.append(f"create {name}")
        return Existing.of(ObservedCouncilor.from_object(self.put(name, manifest)))

    async def change(self, existing: Existing, patch: Mapping[str, Any]) -> Existing:
        self._fail()
        if existing.name not in self.bodies:
            raise NotFoundError("gone", status=404)
        if self.bodies[existing.name]["metadata"]["resourceVersion"] != existing.resource_version:
            raise ConflictError("written in between", status=409)
        self.writes.append(f"update {existing.name}")
        return Existing.of(ObservedCouncilor.from_object(self.edit(existing.name, patch)))

    async def delete(self, existing: Existing) -> None:
        self._fail()
        if self.bodies[existing.name]["metadata"]["resourceVersion"] != existing.resource_version:
            raise ConflictError("written in between", status=409)
        self.writes.append(f"delete {existing.name}")
        del self.bodies[existing.name]

    async def send_event(self, about: Reference, event: Event, _now: object) -> None:
        self.events.append((about.name, event))

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)


class World:
    """A database, a namespace and the rounds between them."""

    def __init__(self, **settings: Any) -> None:
        self.clock = FixedClock()
        self.documents: dict[str, Body] = {}
        self.failure: SourceError | None = None
        self.namespace = Namespace()
        self.metrics = SyncMetrics()
        self.recorder = EventRecorder(self.namespace, self.metrics.event_failures)
        config = SyncConfig(mongodb_uri="mongodb://db", namespace="councilors", **settings)
        self.rounds = Rounds(
            source=self,
            target=self.namespace,
            config=config,
            recorder=self.recorder,
            metrics=self.metrics,
            clock=self.clock,
        )

    async def read(self) -> Sequence[SourceDocument]:
        if self.failure is not None:
            raise self.failure
        return [SourceDocument("agents", key, deepcopy(body)) for key, body in self.documents.items()]

    def add(self, agent_id: str, **config: Any) -> None:
        self.documents[agent_id] = agent(agent_id, **config)

    async def round(self) -> str:
        """Make a round, and send the events that follow."""
        result, _, _ = await self.rounds._round()
        sending = asyncio.create_task(self.recorder.work())
        await self.recorder.sent()
        sending.cancel()
        return result

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"councilor_sync_{name}", labels)

    def reasons(self) -> list[str]:
        return [event.reason for _, event in self.namespace.events]

    @property
    def asked(self) -> bool:
        return self.rounds._asked.is_set()

    def rest(self) -> None:
        """Forget what asked for a round so far."""
        self.rounds._asked.clear()


async def settled(*agents: str, **settings: Any) -> World:
    world = World(**settings)
    for name in agents or ("Auditor_Agent",):
        world.add(name)
    assert await world.round() == "changed"
    assert await world.round() == "unchanged"
    world.rest()
    world.namespace.writes.clear()
    return world


async def test_a_round_right_after_another_one_writes_nothing() -> None:
    world = await settled("A_Agent", "B_Agent")
    assert await world.round() == "unchanged"
    assert world.namespace.writes == []
    assert world.namespace.lists == 1
    assert world.sample("documents", collection="agents", state="enabled") == 2


# What happens to the one Councilor, and whether a round is asked for.
Watched = dict[str, tuple[Body, bool]]
WATCHED: Watched = {
    "a status": ({"status": {"phase": "Running"}}, False),
    "an annotation of others": ({"metadata": {"annotations": {"conductor.community/run-now": "1"}}}, False),
    "a label of others": ({"metadata": {"labels": {"team": "legal"}}}, False),
    "a default written out": ({"spec": {"concurrencyPolicy": "Forbid"}}, False),
    "the prompt": ({"spec": {"task": {"prompt": SECRET}}}, True),
    "a field that the document does not have": ({"spec": {"suspendAfterFailures": 1}}, True),
    "a note": ({"metadata": {"annotations": {"conductor.community/document-note": "mine"}}}, True),
    "the label": ({"metadata": {"labels": {LABEL_SOURCE: None}}}, True),
    "on its way out": ({"metadata": {"deletionTimestamp": "2026-03-02T10:00:00Z"}}, False),
}


@pytest.mark.parametrize("case", WATCHED)
async def test_what_asks_for_a_round(case: str) -> None:
    patch, asks = WATCHED[case]
    world = await settled()
    (name,) = world.namespace.bodies
    world.rounds.observe(False, world.namespace.edit(name, patch))
    assert world.asked is asks


async def test_a_deletion_asks_for_a_round_and_is_undone() -> None:
    world = await settled()
    (name,) = world.namespace.bodies
    world.rounds.observe(True, world.namespace.bodies.pop(name))
    assert world.asked
    assert await world.round() == "changed"
    assert world.namespace.writes == [f"create {name}"]
    assert world.reasons() == ["Recreated"]


async def test_an_edit_is_undone_and_told() -> None:
    world = await settled()
    (name,) = world.namespace.bodies
    world.rounds.observe(False, world.namespace.edit(name, {"spec": {"task": {"prompt": SECRET}}}))
    assert await world.round() == "changed"
    assert world.namespace.writes == [f"update {name}"]
    assert world.reasons() == ["EditReverted"]
    assert SECRET not in str(world.namespace.events)


async def test_a_changed_document_is_no_edit() -> None:
    world = await settled()
    world.add("Auditor_Agent", title="Another")
    assert await world.round() == "changed"
    assert world.reasons() == []


async def test_strangers_ask_for_nothing() -> None:
    world = await settled()
    stranger = world.namespace.put("stranger", {"spec": {"agentId": "x"}})
    world.rounds.observe(False, stranger)
    world.rounds.observe(True, stranger)
    assert not world.asked


async def test_a_document_that_is_mended_once_is_looked_at_once() -> None:
    """Documents that have not changed are not translated again: at thousands of them that is most of a round."""
    world = await settled("A_Agent", "B_Agent")
    before = dict(world.rounds._translated)
    world.add("B_Agent", title="Another")
    await world.round()
    assert world.rounds._translated["agents", "A_Agent"] is before["agents", "A_Agent"]
    assert world.rounds._translated["agents", "B_Agent"] is not before["agents", "B_Agent"]


@pytest.mark.parametrize("cause", ["unreachable", "credentials", "refused"])
async def test_a_source_that_cannot_be_read_changes_nothing(cause: Any) -> None:
    world = await settled("A_Agent", "B_Agent")
    world.failure = SourceError("MongoDB could not be reached", cause)
    for _ in range(3):
        assert await world.round() == "failed"
    assert world.namespace.writes == []
    assert world.sample("source_errors_total", cause=cause) == 3
    assert world.reasons() == ["SourceFailed"]
    world.failure = None
    assert await world.round() == "unchanged"
    world.failure = SourceError("MongoDB could not be reached", cause)
    await world.round()
    assert world.reasons() == ["SourceFailed", "SourceFailed"]


async def test_a_failed_read_confirms_nothing() -> None:
    world = await settled("A_Agent", "B_Agent", confirmation_seconds=30)
    world.documents.clear()
    await world.round()
    world.clock.advance(seconds=60)
    world.failure = SourceError("MongoDB could not be reached", "unreachable")
    await world.round()
    assert world.namespace.writes == []
    world.failure = None
    assert await world.round() == "changed"
    assert sorted(world.namespace.writes) == sorted(f"delete {name}" for name in [*_names("A_Agent", "B_Agent")])
    assert world.reasons() == ["SourceEmpty", "SourceFailed", "Removed", "Removed"]
    assert world.sample("refusals_total", reason="SourceEmpty") == 2


def _names(*agents: str) -> list[str]:
    return [councilor_name(f"agents/{name}") for name in agents]


# What the API server answers to the write, whether everything is listed anew, and the metric's cause.
FAILURES: dict[str, tuple[ApiError, bool, str]] = {
    "conflict": (ConflictError("changed", status=409), True, "conflict"),
    "gone": (NotFoundError("gone", status=404), True, "conflict"),
    "busy": (TransientError("too many requests", status=429, retry_after=7.0), False, "transient"),
    "quota": (RejectedError("exceeded quota: none", status=403), False, "refused"),
    "field": (
        RejectedError("invalid", status=422, causes=(Cause("spec.task.prompt", f'Invalid value: "{SECRET}"'),)),
        False,
        "refused",
    ),
    "namespace gone": (NamespaceGoneError("the namespace is gone", status=404), False, "refused"),
}


@pytest.mark.parametrize("case", FAILURES)
@pytest.mark.parametrize("write", ["create", "update", "delete"])
async def test_a_write_that_fails_is_made_in_a_later_round(
    case: str, write: str, caplog: pytest.LogCaptureFixture
) -> None:
    error, lists, cause = FAILURES[case]
    world = await settled("A_Agent", "B_Agent", "C_Agent")
    if write == "create":
        world.add("D_Agent")
    elif write == "update":
        world.add("A_Agent", title="Another")
    else:
        del world.documents["A_Agent"]
    world.namespace.failures = [error]
    assert await world.round() == "incomplete"
    assert world.namespace.writes == []
    assert world.sample("write_failures_total", cause=cause) == 1
    listed = world.namespace.lists
    assert await world.round() == "changed"
    assert [line.split()[0] for line in world.namespace.writes] == [write]
    assert world.namespace.lists - listed == lists
    assert await world.round() == "unchanged"
    assert SECRET not in str(world.namespace.events) + caplog.text
    assert ("CouncilorRefused" in world.reasons()) is isinstance(error, RejectedError)


async def test_how_long_the_api_server_wants_to_be_left_alone() -> None:
    world = await settled()
    world.add("B_Agent")
    world.namespace.failures = [TransientError("too many requests", status=429, retry_after=7.0)]
    assert (await world.rounds._round())[2] == timedelta(seconds=7)


async def test_without_the_crd_the_process_ends() -> None:
    world = World()
    world.namespace.failures = [NotFoundError("no such resource", status=404)]
    with pytest.raises(ConfigurationError, match="install the CRD first"):
        await world.round()


async def test_a_list_that_fails_is_made_in_the_next_round() -> None:
    world = World()
    world.add("A_Agent")
    world.namespace.failures = [TransientError("etcd is away")]
    assert await world.round() == "failed"
    assert world.namespace.writes == []
    assert await world.round() == "changed"


async def test_one_invalid_document_keeps_no_other_back() -> None:
    world = World()
    world.add("Good_Agent")
    world.documents["Bad_Agent"] = {**agent("Bad_Agent"), "councilor_config": "bogus"}
    world.documents["None_Agent"] = {"is_councilor": True, "councilor_config": {}, "agent_id": None}
    assert await world.round() == "changed"
    assert len(world.namespace.bodies) == 3
    assert world.sample("documents", collection="agents", state="enabled") == 1
    assert world.sample("documents", collection="agents", state="invalid") == 2
    assert await world.round() == "unchanged"


async def test_a_name_that_is_taken_is_told_once_and_freed() -> None:
    world = World()
    world.add("A_Agent")
    (name,) = _names("A_Agent")
    theirs = world.namespace.put(name, {"spec": {"agentId": "Mine_Agent"}})
    for _ in range(3):
        assert await world.round() == "unchanged"
    assert world.reasons() == ["NameTaken"]
    assert world.namespace.bodies[name] == theirs
    assert world.sample("collisions") == 1
    world.rest()
    world.rounds.observe(False, world.namespace.edit(name, {"status": {"phase": "Running"}}))
    before = world.asked
    world.rounds.observe(True, world.namespace.bodies.pop(name))
    assert (before, world.asked) == (False, True)
    assert await world.round() == "changed"
    assert world.sample("collisions") == 0
    # Nobody deleted anything of the sync's.
    assert world.reasons() == ["NameTaken"]


async def test_a_flag_of_another_type_is_a_change() -> None:
    """For Python 1 and True are equal; for a document they are not."""
    world = await settled()
    schedule = world.documents["Auditor_Agent"]["councilor_config"]["schedule"]
    for value, state in ((1, "invalid"), (True, "enabled"), (1.0, "invalid"), (False, "paused"), (0, "invalid")):
        schedule["enabled"] = value
        assert await world.round() == "changed"
        assert world.sample("documents", collection="agents", state=state) == 1


async def test_an_edit_that_comes_in_between_is_seen() -> None:
    """The version is a precondition: without it the answer to the sync's own patch would hide the edit."""
    world = await settled()
    (name,) = world.namespace.bodies
    world.namespace.edit(name, {"spec": {"suspendAfterFailures": 1}})
    world.add("Auditor_Agent", title="Another")
    assert await world.round() == "incomplete"
    assert await world.round() == "changed"
    assert "suspendAfterFailures" not in world.namespace.bodies[name]["spec"]
    assert world.namespace.bodies[name]["spec"]["title"] == "Another"


class _PausedError(Exception):
    """The pause after a round begins."""


async def test_the_pause_after_a_round_leaves_its_writes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    world, now, pauses = World(), [100.0], list[float]()
    world.add("A_Agent")
    read, create = world.read, world.namespace.create

    async def read_slowly() -> Sequence[SourceDocument]:
        now[0] += 2
        return await read()

    async def create_slowly(manifest: Mapping[str, Any]) -> Existing:
        now[0] += 40
        return await create(manifest)

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        raise _PausedError

    monkeypatch.setattr(world, "read", read_slowly)
    monkeypatch.setattr(world.namespace, "create", create_slowly)
    monkeypatch.setattr("councilor_operator.sync.rounds.monotonic", lambda: now[0])
    monkeypatch.setattr("councilor_operator.sync.rounds.asyncio.sleep", pause)
    with pytest.raises(_PausedError):
        await world.rounds.work()
    assert world.sample("writes_total", verb="create") == 1
    assert pauses == [2]
