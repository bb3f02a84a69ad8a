"""Changes in a real MongoDB and the words that follow them: streams, their ends, and polling where there are none."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from pymongo import WriteConcern
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import AutoReconnect

from councilor_operator.sync.feed import PIPELINE
from councilor_operator.sync.source import Source
from councilor_runner.store import Store
from tests.integration.listener import (
    DATABASE,
    DEADLINE,
    FORGOTTEN,
    POLLING,
    Listener,
    listening,
    reading,
    sockets_collected,
)
from tests.integration.test_sync_source import CONFIGURATION, agent, instance
from tests.mongodb import Mongod, ReplicaSet

__all__ = ["sockets_collected"]

pytestmark = FORGOTTEN

Database = AsyncDatabase[dict[str, Any]]


@pytest.fixture
async def source(mongod: Mongod) -> AsyncIterator[Source]:
    async with reading(mongod.uri) as source:
        yield source


async def change(database: Database) -> None:
    """A change that is heard: also what has to be heard before it has been by then."""
    await database.agents.with_options(write_concern=WriteConcern("majority")).insert_one(agent(0))


async def hears_one(listener: Listener, database: Database) -> None:
    """After what came before, nothing was heard, and the next change is."""
    await change(database)
    assert await listener.next() == "change"
    assert listener.silent()


# --- which changes ----------------------------------------------------------------------------------------------------


async def test_a_stream_begins_with_a_word(source: Source) -> None:
    async with listening(source) as listener:
        assert await listener.next() == "restarted"
        assert listener.mode == "stream"
        await hears_one(listener, source.database)
    assert listener.obstacles == []


async def test_councilors_made_changed_replaced_removed(source: Source) -> None:
    for collection, document in ((source.database.agents, agent()), (source.database.agent_instances, instance())):
        async with listening(source) as listener:
            assert await listener.next() == "restarted"
            document = {**document, "_id": "one", "padding": "x" * 1000}
            await collection.insert_one(document)
            assert await listener.next() == "change"
            for update in (
                {"$set": {"councilor_config.schedule.enabled": False}},
                {"$unset": {"councilor_config": ""}},
                {"$set": {"councilor_config": CONFIGURATION, "updated_at": "now"}},
                {"$set": {"agent_id": "Other"}},
                [{"$set": {"councilor_config.task.prompt": "computed"}}],
            ):
                assert (await collection.update_one({"_id": "one"}, update)).modified_count == 1
                assert await listener.next() == "change"
            await collection.replace_one({"_id": "one"}, document)
            assert await listener.next() == "change"
            await collection.delete_one({"_id": "one"})
            assert await listener.next() == "change"
            assert listener.silent()


async def test_whole_collections_and_databases(source: Source) -> None:
    database = source.database
    await database.agents.insert_one(agent())
    async with listening(source) as listener:
        assert await listener.next() == "restarted"
        await database.agents.rename("agents_old")
        assert await listener.next() == "change"
        await database.agents_old.rename("agents")
        assert await listener.next() == "change"
        await database.agents.drop()
        assert await listener.next() == "change"
        await hears_one(listener, database)
        await database.client.drop_database(DATABASE)
        await listener.until("restarted")
        assert listener.obstacles == ["invalidated"]
        await hears_one(listener, database)


async def test_what_the_runner_counts_asks_for_nothing(mongod: Mongod, source: Source) -> None:
    padding: dict[str, Any] = {"persona": {"content": "You check licences. " * 50}}
    await source.database.agents.insert_one(agent(7, **padding))
    await source.database.agent_instances.insert_one(instance(7, **padding))
    store = Store(mongod.uri, DATABASE)
    try:
        async with listening(source) as listener:
            assert await listener.next() == "restarted"
            for instance_id in (None, "councilor_7"):
                for _ in range(600):  # more than are remembered
                    assert await store.count(
                        agent_id="Agent7",
                        instance_id=instance_id,
                        task_id=str(ObjectId()),
                        severity="success",
                        completed_at=datetime.now(UTC),
                    )
            await hears_one(listener, source.database)
    finally:
        await store.close()


async def test_what_conductor_writes_all_day_asks_for_nothing(source: Source) -> None:
    database = source.database
    padding: dict[str, Any] = {"padding": "x" * 1000}
    await database.agents.insert_one(agent(**padding))
    await database.agent_instances.insert_one(instance(**padding))
    async with listening(source) as listener:
        assert await listener.next() == "restarted"
        for update in (
            {"$set": {"position": {"x": 1, "y": 2}, "updated_at": datetime.now(UTC)}},
            {"$set": {"position.x": 3, "status": "running", "display_order": 4}},
            {"$set": {"statistics": {"task_count": 2, "success_count": 1}}},
            {"$inc": {"statistics.task_count": 1, "stats.total_executions": 1}},
            {"$unset": {"statistics": "", "stats": ""}},
            {"$set": {"persona.content": "another", "councilor_configuration": 1}},
            {"$push": {"councilor_runs.recent": {"$each": ["a", "b"], "$slice": -1}}},
        ):
            assert (await database.agent_instances.update_many({}, update)).modified_count == 1
            await database.agents.update_many({}, update)
        for name in ("tasks", "history", "councilor_executions", "agents_backup"):
            await database[name].insert_one({"agent_id": "x"})
            await database[name].drop()
        await database.client["another"].agents.insert_one(agent())
        await hears_one(listener, database)


async def test_events_carry_names_and_nothing_else(source: Source) -> None:
    database = source.database
    async with await database.watch(PIPELINE) as stream:
        await database.agents.insert_one(agent(1, _id="content", name="content" * 300_000))
        await database.agents.update_one({"_id": "content"}, {"$set": {"name": "content" * 300_001}})
        await database.agents.update_one({"_id": "content"}, {"$unset": {"name": ""}, "$set": {"emoji": "content"}})
        await database.agents.replace_one({"_id": "content"}, agent(2, name="content" * 300_002))
        await database.agents.delete_one({"_id": "content"})
        events = [await stream.next() for _ in range(5)]
    assert [(event["operationType"], event["fields"]) for event in events] == [
        ("insert", []),
        ("update", ["name"]),
        ("update", ["emoji", "name"]),
        ("replace", []),
        ("delete", []),
    ]
    assert all(event.keys() == {"_id", "operationType", "fields"} for event in events)
    assert all("content" not in str(event) for event in events)


async def test_documents_near_the_limit_of_size_do_not_end_the_stream(source: Source) -> None:
    async with listening(source) as listener:
        assert await listener.next() == "restarted"
        await source.database.agents.insert_one(agent(1, _id=1, name="x" * 16_700_000))
        assert await listener.next() == "change"
        await source.database.agents.update_one({"_id": 1}, {"$set": {"name": "y" * 16_700_000}})
        assert await listener.next() == "change"
        await hears_one(listener, source.database)
    assert listener.obstacles == []


async def test_nothing_falls_between_watching_and_reading(source: Source) -> None:
    async def write() -> None:
        for number in range(300):
            await source.database.agents.insert_one(agent(number))

    writer = asyncio.create_task(write())
    async with asyncio.timeout(DEADLINE), listening(source) as listener:
        found = 0
        while found < 300:
            await listener.next()
            while not listener.silent():
                await listener.next()
            found = len(await source.read())
    await writer


# --- interruptions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "obstacle"),
    [
        ({"errorCode": 9}, "unresumable"),
        ({"errorCode": 136}, "unresumable"),
        ({"errorCode": 260}, "unresumable"),
        ({"errorCode": 280}, "unresumable"),
        ({"errorCode": 286}, "unresumable"),
        ({"errorCode": 286, "errorLabels": []}, "unresumable"),
        ({"errorCode": 50, "errorLabels": ["NonResumableChangeStreamError"]}, "unresumable"),
        ({"errorCode": 10334}, "unresumable"),
        ({"errorCode": 237, "errorLabels": []}, "unreachable"),
        ({"errorCode": 18}, "credentials"),
    ],
    ids=str,
)
async def test_an_error_on_the_way(mongod: Mongod, source: Source, fault: dict[str, Any], obstacle: str) -> None:
    async with listening(source) as listener:
        assert await listener.next() == "restarted"
        with mongod.fail_command("getMore", times=1, appName="councilor-sync", **fault):
            assert await listener.next() == ("restarted" if obstacle == "unresumable" else "resumed")
        assert listener.obstacles == [obstacle]
        await hears_one(listener, source.database)


@pytest.mark.parametrize("fault", [{"errorCode": 189}, {"closeConnection": True}, {"errorCode": 43}], ids=str)
async def test_the_driver_rides_out_a_single_interruption(
    mongod: Mongod, source: Source, fault: dict[str, Any]
) -> None:
    async with listening(source) as listener:
        assert await listener.next() == "restarted"
        with mongod.fail_command("getMore", times=1, appName="councilor-sync", **fault):
            await hears_one(listener, source.database)
        assert listener.obstacles == []


@pytest.mark.parametrize("fault", [{"errorCode": 189}, {"closeConnection": True}], ids=str)
async def test_changes_during_a_lasting_interruption_are_heard_of(
    mongod: Mongod, source: Source, fault: dict[str, Any]
) -> None:
    async with reading(mongod.uri) as another, listening(source) as listener:
        assert await listener.next() == "restarted"
        with mongod.fail_command("getMore", "aggregate", appName="councilor-sync", **fault):
            await listener.interrupted()
            await change(another.database)
        assert await listener.next() == "resumed"
        assert await listener.next() == "change"
        assert set(listener.obstacles) == {"unreachable"}


async def test_a_token_of_rubbish_is_dropped(source: Source) -> None:
    async with listening(source, token="82not-a-token") as listener:
        assert await listener.next() == "restarted"
        assert listener.obstacles == ["unresumable"]
        await hears_one(listener, source.database)


async def test_the_token_of_a_quiet_stream_advances(source: Source) -> None:
    async with listening(source) as listener:
        assert await listener.next() == "restarted"
        first = listener.feed._token
        await source.database.tasks.insert_one({"elsewhere": True})
        async with asyncio.timeout(DEADLINE):
            while listener.feed._token == first:  # noqa: ASYNC110 - nobody is told of it
                await asyncio.sleep(0.05)
        assert listener.silent()


async def test_killed_and_restarted() -> None:
    with Mongod("replica-set") as server:
        async with reading(server.uri) as source, listening(source) as listener:
            assert await listener.next() == "restarted"
            await hears_one(listener, source.database)
            server.kill()
            await listener.interrupted()
            server.restart()
            async with reading(server.uri) as another:
                await change(another.database)
            assert await listener.next() == "resumed"
            assert await listener.next() == "change"
            assert set(listener.obstacles) == {"unreachable"}


async def test_a_server_that_falls_silent() -> None:
    """As behind a network that loses every packet: no connection ends."""
    with Mongod("replica-set") as server:
        async with reading(server.uri) as source, listening(source) as listener:
            assert await listener.next() == "restarted"
            os.kill(server.pid, signal.SIGSTOP)
            try:
                await listener.interrupted()
            finally:
                os.kill(server.pid, signal.SIGCONT)
            assert await listener.next() == "resumed"
            await hears_one(listener, source.database)
            assert set(listener.obstacles) == {"unreachable"}


async def test_unreachable_at_first() -> None:
    server = Mongod("replica-set")
    async with reading(server.uri) as source, listening(source, POLLING) as listener:
        await listener.until("poll")
        assert listener.mode == "connecting"
        with server:
            await listener.until("restarted")
            while not listener.silent():
                await listener.next()
            await hears_one(listener, source.database)


async def put(database: Database, key: int) -> None:
    """Write as a client does that outlasts elections."""
    agents = database.agents.with_options(write_concern=WriteConcern("majority"))
    async with asyncio.timeout(DEADLINE):
        while True:
            with suppress(AutoReconnect):
                await agents.replace_one({"_id": key}, agent(key), upsert=True)
                return


async def test_another_primary() -> None:
    with ReplicaSet() as servers:
        async with reading(servers.uri) as source, reading(servers.uri) as writer, listening(source) as listener:
            assert await listener.next() == "restarted"
            await asyncio.to_thread(servers.step_down)
            await put(writer.database, 1)
            await listener.until("change")
            assert len(await source.read()) == 1

            killed = await asyncio.to_thread(servers.primary)
            killed.kill()
            await put(writer.database, 2)
            await listener.until("change")
            assert len(await source.read()) == 2

            await asyncio.to_thread(killed.restart)
            await put(writer.database, 3)
            await listener.until("change")
            assert len(await source.read()) == 3
            assert set(listener.obstacles) <= {"unreachable"}
            assert listener.mode == "stream"


# --- polling ----------------------------------------------------------------------------------------------------------


async def test_a_standalone_is_polled(mongod_standalone: Mongod, caplog: pytest.LogCaptureFixture) -> None:
    mongod_standalone.drop_databases()
    caplog.set_level("INFO")
    async with reading(mongod_standalone.uri) as source, listening(source, POLLING) as listener:
        for _ in range(20):
            assert await listener.next() == "poll"
        assert listener.mode == "poll"
        await source.database.agents.insert_one(agent())
        await listener.until("poll")
        assert len(await source.read()) == 1
        async with asyncio.timeout(DEADLINE):
            while len(listener.obstacles) < 3:
                await listener.next()
        assert set(listener.obstacles) == {"standalone"}
    assert [record.getMessage() for record in caplog.records if "replica set" in record.getMessage()] == [
        "MongoDB is no replica set and has no change streams: changes are noticed by polling"
    ]


@pytest.mark.parametrize(
    ("code", "obstacle"),
    [(40573, "standalone"), (13, "forbidden"), (59, "unsupported"), (40324, "unsupported"), (115, "unsupported")],
)
async def test_a_stream_that_can_be_had_later_takes_over(
    mongod: Mongod, source: Source, caplog: pytest.LogCaptureFixture, code: int, obstacle: str
) -> None:
    caplog.set_level("INFO")
    async with listening(source, POLLING) as listener:
        await listener.until("restarted")
        with mongod.fail_command("getMore", "aggregate", appName="councilor-sync", errorCode=code):
            await listener.until("poll")
            async with asyncio.timeout(DEADLINE):
                while listener.obstacles.count(obstacle) < 3:  # type: ignore[arg-type]
                    await listener.next()
            assert listener.mode == "poll"
        await listener.until("restarted")
        while not listener.silent():
            await listener.next()
        await hears_one(listener, source.database)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("councilor_operator")]
    assert len([message for message in said if "polling" in message]) == 1
    assert said[-1] == "changes are noticed by a change stream again"
