"""Counting runs in a real MongoDB: exact rates, whatever was there before and whoever writes beside us."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from councilor_runner.contract import Severity
from councilor_runner.records import COUNTERS, KEEP
from councilor_runner.store import Store

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
Documents = AsyncDatabase[dict[str, Any]]


async def count(store: Store, number: int, severity: Severity = "success", instance: str | None = None) -> bool | None:
    return await store.count(
        agent_id="A_Agent",
        instance_id=instance,
        task_id=f"{number:024x}",
        severity=severity,
        completed_at=NOON + timedelta(minutes=number),
    )


async def agent(database: Documents) -> dict[str, Any]:
    document = await database.agents.find_one({"agent_id": "A_Agent"})
    assert document is not None
    return document


async def test_each_run_counts_once(store: Store, database: Documents) -> None:
    await database.agents.insert_one({"agent_id": "A_Agent"})
    severities: list[Severity] = ["success", "warning", "error", "success", "success", "warning", "success"]
    for number, severity in enumerate(severities):
        assert await count(store, number, severity) is True
        assert await count(store, number, severity) is False
    assert (await agent(database))["stats"] == {
        "total_executions": 7,
        "success_rate": pytest.approx(400 / 7, abs=1e-9),
        "last_execution": NOON + timedelta(minutes=6),
    }


async def test_nobody_to_count_for(store: Store, database: Documents) -> None:
    assert await count(store, 1) is None
    assert await count(store, 1, instance="councilor_A_Agent_1") is None
    assert await database.agents.count_documents({}) == 0


async def test_parallel_runs(store: Store, database: Documents) -> None:
    await database.agents.insert_one({"agent_id": "A_Agent"})
    counted = await asyncio.gather(*(count(store, number % 40, "success") for number in range(80)))
    assert sorted(map(bool, counted)) == [False] * 40 + [True] * 40
    assert (await agent(database))["stats"]["total_executions"] == 40


@pytest.mark.parametrize(
    ("stats", "total", "rate"),
    [
        ({"total_executions": 3, "success_rate": 66.7}, 4, 75.0),
        ({"total_executions": 8, "success_rate": 50.0}, 9, 500 / 9),
        ({"total_executions": 0, "last_execution": None, "success_rate": 0.0}, 1, 100.0),
        ({"total_executions": 3.0, "success_rate": 100}, 4, 100.0),
        ({"total_executions": 3}, 4, 25.0),
        ({"total_executions": 3, "success_rate": 900.0}, 4, 100.0),
        ({"total_executions": 3, "success_rate": -5.0}, 4, 25.0),
        ({"total_executions": "3", "success_rate": "x"}, 1, 100.0),
        ({"total_executions": -3, "success_rate": 50}, 1, 100.0),
        ({}, 1, 100.0),
        (None, 1, 100.0),
    ],
)
async def test_what_was_there_before(
    store: Store, database: Documents, stats: dict[str, Any] | None, total: int, rate: float
) -> None:
    await database.agents.insert_one({"agent_id": "A_Agent", "stats": stats})
    assert await count(store, 1) is True
    after = (await agent(database))["stats"]
    assert (after["total_executions"], after["success_rate"]) == (total, pytest.approx(rate, abs=1e-9))
    assert isinstance(after["total_executions"], int)


async def test_no_drift(store: Store, database: Documents) -> None:
    await database.agents.insert_one({"agent_id": "A_Agent", "stats": {"total_executions": 3, "success_rate": 33.33}})
    for number in range(100):
        await count(store, number, "success" if number % 3 == 0 else "error")
    after = (await agent(database))["stats"]
    assert (after["total_executions"], after["success_rate"]) == (103, pytest.approx(100 * 35 / 103, abs=1e-9))


async def test_a_thousand_runs(store: Store, database: Documents) -> None:
    """Equal to the fraction after each of them, to the last bit."""
    await database.agents.insert_one({"agent_id": "A_Agent"})
    chance, successes = random.Random(20260302), 0
    for number in range(1, 1001):
        severity: Severity = chance.choice(("success", "success", "warning", "error"))
        successes += severity == "success"
        assert await count(store, number, severity) is True
        stats = (await agent(database))["stats"]
        assert (stats["total_executions"], stats["success_rate"]) == (number, float(Fraction(100 * successes, number)))


async def test_somebody_else_counts_too(store: Store, database: Documents) -> None:
    await database.agents.insert_one({"agent_id": "A_Agent"})
    await count(store, 1)
    foreign = {"stats.total_executions": 10, "stats.success_rate": 40.0}
    await database.agents.update_one({"agent_id": "A_Agent"}, {"$set": foreign})
    await count(store, 2)
    after = (await agent(database))["stats"]
    assert (after["total_executions"], after["success_rate"]) == (11, pytest.approx(500 / 11, abs=1e-9))


async def test_the_latest_run_is_the_last(store: Store, database: Documents) -> None:
    await database.agents.insert_one({"agent_id": "A_Agent"})
    await count(store, 9)
    await count(store, 3)
    assert (await agent(database))["stats"]["last_execution"] == NOON + timedelta(minutes=9)


async def test_the_last_one_outlives_the_watcher(store: Store, database: Documents) -> None:
    """It overwrites the statistics as a whole, and a run that ended before may be counted after that."""
    await database.agent_instances.insert_one({"instance_id": "i-1", "agent_id": "A_Agent"})
    await count(store, 9, instance="i-1")
    await database.agent_instances.update_one({"instance_id": "i-1"}, {"$set": {"statistics": {"task_count": 1}}})
    await count(store, 3, instance="i-1")
    instance = await database.agent_instances.find_one({"instance_id": "i-1"})
    assert instance is not None
    assert instance["statistics"]["last_execution"] == NOON + timedelta(minutes=9)
    assert instance["statistics"]["total_executions"] == 2


async def test_an_instance_keeps_its_own(store: Store, database: Documents) -> None:
    await database.agents.insert_one({"agent_id": "A_Agent", "stats": {"total_executions": 5, "success_rate": 80.0}})
    watched = {"task_count": 4, "success_count": 4, "last_exit_code": 0}
    await database.agent_instances.insert_one({"instance_id": "i-1", "agent_id": "A_Agent", "statistics": watched})
    await count(store, 1, "warning", "i-1")
    await count(store, 2, "success", "i-1")
    # The watcher replaces the whole sub-document after each task.
    await database.agent_instances.update_one({"instance_id": "i-1"}, {"$set": {"statistics": watched}})
    await count(store, 3, "success", "i-1")
    assert await count(store, 3, "success", "i-1") is False
    instance = await database.agent_instances.find_one({"instance_id": "i-1"})
    assert instance is not None
    assert instance["statistics"] == {
        **watched,
        "total_executions": 3,
        "success_rate": pytest.approx(200 / 3, abs=1e-9),
        "last_execution": NOON + timedelta(minutes=3),
    }
    assert (await agent(database))["stats"] == {"total_executions": 5, "success_rate": 80.0}


async def test_an_agent_that_exists_twice(store: Store, database: Documents) -> None:
    await database.agents.insert_many([{"agent_id": "A_Agent"}, {"agent_id": "A_Agent"}])
    assert await count(store, 1) is True
    assert await count(store, 1) is False
    assert await database.agents.count_documents({"stats": {"$exists": True}}) == 1


async def test_the_guard_list_stays_short(store: Store, database: Documents) -> None:
    await database.agents.insert_one({"agent_id": "A_Agent"})
    for number in range(KEEP + 3):
        await count(store, number)
    recent = (await agent(database))[COUNTERS]["recent"]
    assert len(recent) == KEEP
    assert await count(store, KEEP + 2) is False
    assert await count(store, 3) is False
    # Forgotten, so counted again: why KEEP has to exceed what can happen between two attempts.
    assert await count(store, 0) is True
