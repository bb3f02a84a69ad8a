"""What MongoDB acknowledged to the runner survives SIGKILL of the server, on either shape."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from pymongo import MongoClient

from councilor_runner.contract import Reason
from councilor_runner.outcome import Outcome
from councilor_runner.records import Finished, result_fields
from councilor_runner.store import Store, StoreError
from tests.mongodb import Mongod
from tests.mongodb.server import Shape
from tests.runner.process import wait_for

NOON: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CRASHES: Final = 2
WRITERS: Final = 4
RESULT: Final = result_fields(Finished(Outcome(Reason.COMPLETED, "fine"), "success", NOON, NOON))


async def record_until_the_end(store: Store, writer: int, acknowledged: list[str]) -> None:
    """Claim, finish and count runs, and note each once all of it has been acknowledged."""
    with contextlib.suppress(StoreError):
        for number in range(1_000_000):
            task = f"{writer:04x}{number:020x}"
            fields = {"execution_id": f"exec_{task}", "task_id": task, "agent_id": f"Agent_{writer}"}
            await store.claim(fields)
            await store.finish(fields, RESULT)
            await store.count(
                agent_id=f"Agent_{writer}", instance_id=None, task_id=task, severity="success", completed_at=NOON
            )
            acknowledged.append(task)


def have_grown(acknowledged: list[str], wanted: int) -> bool:
    return len(acknowledged) >= wanted


@pytest.mark.parametrize("shape", ["replica-set", "standalone"])
async def test_nothing_acknowledged_is_lost(shape: Shape, tmp_path: Path) -> None:
    acknowledged: list[str] = []
    with Mongod(shape, dbpath=tmp_path) as server, MongoClient[dict[str, Any]](server.uri) as client:
        for agent in range(CRASHES * WRITERS):
            client.conductor_state.agents.insert_one({"agent_id": f"Agent_{agent}"})
        for crash in range(CRASHES):
            store = Store(server.uri, "conductor_state")
            writers = [
                asyncio.create_task(record_until_the_end(store, crash * WRITERS + writer, acknowledged))
                for writer in range(WRITERS)
            ]
            await asyncio.to_thread(wait_for, partial(have_grown, acknowledged, len(acknowledged) + 100))
            server.kill()
            await asyncio.gather(*writers)
            await store.close()
            await asyncio.to_thread(server.restart)
        records = client.conductor_state.councilor_executions
        kept = {record["task_id"] for record in records.find({"status": "completed"}, {"task_id": 1})}
        assert set(acknowledged) <= kept
        # The run that was under way may have been counted as well.
        for agent in range(CRASHES * WRITERS):
            document = client.conductor_state.agents.find_one({"agent_id": f"Agent_{agent}"})
            assert document is not None
            runs = sum(task.startswith(f"{agent:04x}") for task in acknowledged)
            assert document["stats"]["total_executions"] in (runs, runs + 1)
