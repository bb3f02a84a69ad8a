"""Reading councilors out of a real MongoDB: all of them or an error, whatever documents and server are like."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson import ObjectId
from bson.codec_options import CodecOptions
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument
from pymongo import WriteConcern
from pymongo.asynchronous.database import AsyncDatabase

from councilor_operator.sync.source import Source, SourceError
from tests.integration.listener import FORGOTTEN, reading, sockets_collected
from tests.mongodb import Mongod
from tests.ports import free_port

__all__ = ["sockets_collected"]

pytestmark = FORGOTTEN

Database = AsyncDatabase[dict[str, Any]]

CONFIGURATION = {
    "title": "Licence counsel",
    "schedule": {"type": "cron", "value": "0 9 * * MON", "enabled": True},
    "task": {"name": "Licence check", "prompt": "List dependencies."},
    "notifications": {},
}


def agent(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "agent_id": f"Agent{number}",
        "is_councilor": True,
        "councilor_config": CONFIGURATION,
        "persona": {"content": "not needed"},
        "stats": {"total_executions": 4},
        **fields,
    }


def instance(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "instance_id": f"councilor_{number}",
        "agent_id": "Agent1",
        "is_councilor_instance": True,
        "councilor_config": CONFIGURATION,
        "statistics": {"task_count": 1},
        **fields,
    }


@pytest.fixture
async def source(any_mongod: Mongod) -> AsyncIterator[Source]:
    async with reading(any_mongod.uri) as source:
        yield source


# --- documents --------------------------------------------------------------------------------------------------------


async def test_nothing_there_is_empty(source: Source, database: Database) -> None:
    assert await source.read() == []
    await database.agents.insert_one(agent())
    assert len(await source.read()) == 1, "the other collection does not exist"


async def test_live_councilors_by_collection_and_id(source: Source, database: Database) -> None:
    late, early = ObjectId("698b3e954f1a7c20d8e6b359"), ObjectId("598b3e954f1a7c20d8e6b359")
    await database.agent_instances.insert_many(
        [instance(1, _id=late), instance(2, _id=early), instance(3, isDeleted=True), instance(4, isDeleted=False)]
    )
    await database.agents.insert_many(
        [agent(1, _id=late), agent(2, _id=early), agent(3, is_councilor=False), agent(4, councilor_config=None)]
    )
    paused = {**CONFIGURATION, "schedule": {"type": "interval", "value": "30m", "enabled": False}}
    await database.agents.insert_one(agent(5, councilor_config=paused))
    found = await source.read()
    assert [(one.collection, one.body["agent_id"], one.body.get("instance_id")) for one in found] == [
        ("agents", "Agent2", None),
        ("agents", "Agent1", None),
        ("agents", "Agent5", None),
        ("agent_instances", "Agent1", "councilor_2"),
        ("agent_instances", "Agent1", "councilor_1"),
        ("agent_instances", "Agent1", "councilor_4"),
    ]
    assert found[0].key == str(early)
    assert found[0].body["councilor_config"] == CONFIGURATION
    for one in found:
        assert one.body.keys().isdisjoint({"_id", "persona", "stats", "statistics"})


async def test_a_document_of_rubbish_costs_no_other(source: Source, database: Database) -> None:
    far = DatetimeMS(2**62)
    # A text that is no UTF-8, put into the bytes of a document that otherwise is one.
    encoded = agent(2, _id="bytes", name="AAAA")
    damaged = RawBSONDocument(bson.encode(encoded).replace(b"AAAA", b"\xff\xfeAA"))
    await database.get_collection("agents", CodecOptions(document_class=RawBSONDocument)).insert_one(damaged)
    await database.agents.insert_one(agent(1, _id="dates", name=far, cwd=datetime(2026, 3, 2, 9, tzinfo=UTC)))
    await database.agents.insert_one(agent(3, _id="plain"))
    found = {one.key: one.body for one in await source.read()}
    assert found.keys() == {"bytes", "dates", "plain"}
    assert found["bytes"]["name"] == "\ufffd\ufffdAA"
    assert found["dates"]["name"] == far
    assert found["dates"]["cwd"] == datetime(2026, 3, 2, 9, tzinfo=UTC)


async def test_five_thousand_documents_are_read_completely(source: Source, database: Database) -> None:
    prompt = "ä" * 10_000
    task = {**CONFIGURATION, "task": {"name": "long", "prompt": prompt}}
    for start in range(0, 2500, 500):
        numbers = range(start, start + 500)
        await database.agents.insert_many([agent(n, councilor_config=task) for n in numbers])
        await database.agent_instances.insert_many([instance(n, councilor_config=task) for n in numbers])
    found = await source.read()
    assert len({(one.collection, one.key) for one in found}) == len(found) == 5000
    assert {one.body["councilor_config"]["task"]["prompt"] for one in found} == {prompt}
    assert [one.key for one in found[:2500]] == sorted(one.key for one in found[:2500])


async def test_documents_near_the_limit_of_size_are_read(source: Source, database: Database) -> None:
    for number in range(3):
        await database.agents.insert_one(agent(number, name="x" * 15_900_000))
    assert [len(one.body["name"]) for one in await source.read()] == [15_900_000] * 3


# --- faults -----------------------------------------------------------------------------------------------------------


async def enough_for_batches(database: Database) -> None:
    await database.agents.insert_many([agent(number) for number in range(2500)])


@pytest.mark.parametrize(
    "fault",
    [
        {"closeConnection": True},
        {"errorCode": 43},
        {"errorCode": 175},
        {"errorCode": 237},
    ],
    ids=str,
)
async def test_a_cursor_lost_on_the_way_begins_again_once(
    any_mongod: Mongod, source: Source, database: Database, fault: dict[str, Any]
) -> None:
    await enough_for_batches(database)
    with any_mongod.fail_command("getMore", times=1, appName="councilor-sync", **fault):
        assert len({one.key for one in await source.read()}) == 2500
    with any_mongod.fail_command("getMore", appName="councilor-sync", **fault), pytest.raises(SourceError) as caught:
        await source.read()
    assert caught.value.cause == "unreachable"
    assert caught.value.passing
    assert len(await source.read()) == 2500


@pytest.mark.parametrize("code", [189, 10107, 11602])
async def test_a_primary_that_is_none_any_more(mongod: Mongod, code: int) -> None:
    async with reading(mongod.uri) as source:
        await enough_for_batches(source.database)
        with mongod.fail_command("getMore", times=1, appName="councilor-sync", errorCode=code):
            assert len({one.key for one in await source.read()}) == 2500


@pytest.mark.parametrize("command", ["find", "getMore"])
@pytest.mark.parametrize(("code", "cause"), [(13, "credentials"), (18, "credentials"), (2, "refused"), (96, "refused")])
async def test_a_refusal_is_no_empty_answer(
    any_mongod: Mongod, source: Source, database: Database, command: str, code: int, cause: str
) -> None:
    await enough_for_batches(database)
    fault = any_mongod.fail_command(command, times=1, appName="councilor-sync", errorCode=code)
    with fault, pytest.raises(SourceError) as caught:
        await source.read()
    assert caught.value.cause == cause
    assert not caught.value.passing
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("command", ["find", "getMore"])
async def test_a_server_that_answers_too_late(any_mongod: Mongod, database: Database, command: str) -> None:
    await enough_for_batches(database)
    async with reading(any_mongod.uri, timeout_seconds=1.0) as source:
        fault = any_mongod.fail_command(command, appName="councilor-sync", blockConnection=True, blockTimeMS=3000)
        with fault, pytest.raises(SourceError, match="in time") as caught:
            await source.read()
    assert caught.value.cause == "unreachable"


@pytest.mark.parametrize("shape", ["replica-set", "standalone"])
async def test_unreachable_at_first_killed_later_and_back(shape: Any) -> None:
    server = Mongod(shape, port=free_port("127.0.0.1"))
    async with reading(server.uri, timeout_seconds=3.0) as source:
        with pytest.raises(SourceError, match="could not be reached") as caught:
            await source.read()
        assert caught.value.cause == "unreachable"
        assert str(server.port) not in caught.value.message
        with server:
            acknowledged = source.database.agents.with_options(write_concern=WriteConcern("majority", j=True))
            await acknowledged.insert_one(agent())
            assert len(await source.read()) == 1
            server.kill()
            with pytest.raises(SourceError) as caught:
                await source.read()
            assert caught.value.cause == "unreachable"
            server.restart()
            assert len(await source.read()) == 1
