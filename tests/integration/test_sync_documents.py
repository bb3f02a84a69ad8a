"""Documents in a genuine MongoDB and what the sync makes of them: which are read, with which fields, and that the API
server takes every Councilor that comes of them, whatever they hold."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pymongo
import pytest
from pymongo.database import Database

from councilor_operator.sync.documents import FILTERS, PROJECTIONS, source_document
from councilor_operator.sync.plan import manifest
from councilor_operator.sync.source import COLLECTIONS, Source
from councilor_operator.sync.translation import TranslationRules, one_for_each_name, translate
from tests.controlplane.api import COUNCILORS, Api
from tests.controlplane.sync import DATABASE, Document
from tests.mongodb import Mongod
from tests.unit.sync.conductor_documents import AGENT, INSTANCE, REMOVED, SIMPLE_AGENT, changed

RULES = TranslationRules()
C = "councilor_config"


@pytest.fixture
def database(mongod: Mongod) -> Iterator[Database[Document]]:
    with pymongo.MongoClient[Document](mongod.uri) as client:
        yield client[DATABASE]


@pytest.fixture
async def source(mongod: Mongod) -> AsyncIterator[Source]:
    opened = Source(mongod.uri, DATABASE)
    yield opened
    await opened.close()


LIVE: dict[str, dict[str, Any]] = {
    "as promoted": {},
    "paused": {f"{C}.schedule.enabled": False},
    "without the pause flag": {f"{C}.schedule.enabled": REMOVED},
    "not deleted": {"isDeleted": False},
    "deletion null": {"isDeleted": None},
    "empty configuration": {C: {}},
    "configuration of another type": {C: "x"},
    "invalid": {f"{C}.schedule.value": "bogus"},
}
ENDED: dict[str, dict[str, Any]] = {
    "flag off": {"is_councilor": False, "is_councilor_instance": False},
    "flag missing": {"is_councilor": REMOVED, "is_councilor_instance": REMOVED},
    "flag null": {"is_councilor": None, "is_councilor_instance": None},
    "flag a number": {"is_councilor": 1, "is_councilor_instance": 1},
    "flag text": {"is_councilor": "true", "is_councilor_instance": "true"},
    "configuration missing": {C: REMOVED},
    "configuration null": {C: None},
    "deleted": {"isDeleted": True},
}


async def test_which_documents_are_councilors(database: Database[Document], source: Source) -> None:
    for collection, document, id_field in (
        ("agents", AGENT, "agent_id"),
        ("agent_instances", INSTANCE, "instance_id"),
    ):
        database[collection].insert_many(
            [changed(document, {**changes, id_field: name}) for name, changes in (LIVE | ENDED).items()]
        )
    # Each flag counts in its own collection alone.
    database.agents.insert_one(
        changed(AGENT, {"is_councilor": REMOVED, "is_councilor_instance": True, "agent_id": "x"})
    )

    found = await source.read()

    assert sorted(translate(document, RULES).document for document in found) == sorted(
        f"{collection}/{name}" for collection in ("agents", "agent_instances") for name in LIVE
    )


PARTLY_OF_OTHER_TYPES: list[dict[str, Any]] = [
    {},
    *(
        {path: junk}
        for path in (
            C,
            f"{C}.title",
            f"{C}.schedule",
            f"{C}.task",
            f"{C}.notifications",
            f"{C}.notifications.channels",
            "customization",
            "definition",
            "emoji",
            "cwd",
            "agent_id",
        )
        for junk in ("text", 5, True, [], [{"name": "x", "prompt": "y"}], {}, {"unknown": 1})
    ),
]


async def test_a_document_is_decoded_again_only_when_it_changed(database: Database[Document], source: Source) -> None:
    ids = ["A_Agent", "B_Agent", "C_Agent"]
    database.agents.insert_many([changed(AGENT, {"agent_id": name}) for name in ids])
    # The same content in the other collection is another document.
    same = database.agents.find_one({"agent_id": "A_Agent"}) or {}
    database.agent_instances.insert_one({**same, "is_councilor_instance": True})
    before = await source.read()
    database.agents.update_one({"agent_id": "B_Agent"}, {"$set": {f"{C}.task.prompt": "Another one"}})
    # What nobody reads is no change.
    database.agents.update_one({"agent_id": "A_Agent"}, {"$set": {"stats.total_executions": 7}})
    database.agents.delete_one({"agent_id": "C_Agent"})
    after = await source.read()
    assert [document.collection for document in after] == ["agents", "agents", "agent_instances"]
    assert after[0] is before[0]
    assert after[1].body[C]["task"]["prompt"] == "Another one"
    assert {**after[1].body, C: None} == {**before[1].body, C: None}
    assert after[2] is before[3]
    database.agents.update_one({"agent_id": "B_Agent"}, {"$set": {C: before[1].body[C]}})
    assert (await source.read())[1] == before[1]


def test_the_projection_leaves_nothing_out(database: Database[Document]) -> None:
    """A document as it is read asks for the same as the whole of it, but for an absence told in place of a type."""
    for collection, document in (("agents", AGENT), ("agents", SIMPLE_AGENT), ("agent_instances", INSTANCE)):
        for changes in PARTLY_OF_OTHER_TYPES:
            whole = changed(document, changes)
            database[collection].drop()
            database[collection].insert_one(whole)
            (found,) = database[collection].find(FILTERS[collection], PROJECTIONS[collection])  # type: ignore[index]
            read = translate(source_document(collection, found), RULES)  # type: ignore[arg-type]
            wanted = translate(source_document(collection, whole), RULES)  # type: ignore[arg-type]
            assert (read.document, read.name, read.spec) == (wanted.document, wanted.name, wanted.spec)
            assert (read.problem is None) == (wanted.problem is None), changes
            assert {"persona", "stats", "statistics", "status", "position"}.isdisjoint(found)


AT_THE_BOUNDS: list[dict[str, Any]] = [
    {"agent_id": "A" * 253},
    {f"{C}.title": "é" * 200, "customization.display_name": "📜" * 200, "definition.emoji": "👩‍⚖️" * 4},
    {f"{C}.title": "é" * 5000, "customization.display_name": "📜" * 5000, "definition.emoji": "👩‍⚖️" * 400},
    {"customization.color": "#FFF", "cwd": "/" + "é" * 1023},
    {f"{C}.task.prompt": "📜" * 10000},
    {f"{C}.task.prompt": "a\x00\x01\x7f\x85\u2028b {{x}} \\ \" ' <script>"},
    {f"{C}.task.name": "a" * 201, f"{C}.task.context_files": ["é" * 1024] * 50},
    {f"{C}.notifications.channels": [f"channel-{number}" for number in range(20)]},
    {f"{C}.notifications.channels": [".a", "a.b", "_", "-", "a" * 253]},
    {f"{C}.notifications.channels": []},
    {f"{C}.schedule": {"type": "interval", "value": "007h"}},
    {f"{C}.schedule.value": "0,1" + ",2" * 119 + " 9 * * *"},
    {"instance_id": "x" * 1024},
    {"instance_id": "a\nb\x00: {é}/📜"},
]
BROKEN: list[dict[str, Any]] = [
    {"agent_id": "A" * 300},
    {"agent_id": "a/b c"},
    {"agent_id": None, "instance_id": None},
    {"agent_id": 5, "instance_id": "x" * 5000},
    {C: "x"},
    {f"{C}.schedule": []},
    {f"{C}.schedule.value": "bogus"},
    {f"{C}.schedule.value": "99 99 * * 9"},
    {f"{C}.schedule.value": "0 0 9 * * 1"},
    {f"{C}.schedule.value": "30m"},
    {f"{C}.schedule.value": "30 m"},
    {f"{C}.schedule.value": "x" * 300},
    {f"{C}.schedule.value": "0 9\n\x00* *"},
    {f"{C}.schedule": {"type": "interval", "value": "0m"}},
    {f"{C}.schedule": {"type": "interval", "value": "99999d"}},
    {f"{C}.schedule": {"type": "weekly", "value": "MON"}},
    {f"{C}.schedule.enabled": "yes"},
    {f"{C}.task.prompt": " \n\t\x0b "},
    {f"{C}.task.prompt": "a" * 10001},
    {f"{C}.task.context_files": ["a\nb"]},
    {f"{C}.task.output_format": "haiku"},
    {f"{C}.notifications.channels": ["https://hooks.example.com/x"]},
    {f"{C}.notifications.channels": ["..a"]},
    {"cwd": "x" * 2000},
]


async def test_every_councilor_is_taken(database: Database[Document], source: Source, api: Api, namespace: str) -> None:
    bodies = [*AT_THE_BOUNDS, *BROKEN]
    for collection, document, id_field in (
        ("agents", AGENT, "agent_id"),
        ("agent_instances", INSTANCE, "instance_id"),
    ):
        database[collection].insert_many(
            [changed(document, {id_field: f"number-{position}", **changes}) for position, changes in enumerate(bodies)]
        )

    documents = await source.read()
    candidates = one_for_each_name(translate(document, RULES) for document in documents)

    assert len(documents) == len(COLLECTIONS) * len(bodies)
    assert sum(candidate.problem is None for candidate in candidates) >= len(AT_THE_BOUNDS)
    for candidate in candidates:
        taken = api.create(COUNCILORS, namespace, manifest(candidate, namespace))
        assert taken["metadata"]["name"] == candidate.name
        assert taken["spec"]["schedule"]["enabled"] is (candidate.problem is None)
