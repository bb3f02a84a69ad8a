"""Claiming a run in a real MongoDB: who was first, how many Pods, and what a finished record keeps."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from councilor_runner.contract import Reason
from councilor_runner.outcome import Outcome
from councilor_runner.records import Finished, result_fields
from councilor_runner.store import Store, StoreError

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TASK = "d25315c9d47428a48cefb956"
FIELDS = {"execution_id": "exec_A_Agent_1772452800_d25315c9", "task_id": TASK, "started_at": NOON}
Executions = AsyncCollection[dict[str, Any]]


@pytest.fixture
def executions(database: AsyncDatabase[dict[str, Any]]) -> Executions:
    return database.councilor_executions


async def the_record(executions: Executions) -> dict[str, Any]:
    (record,) = await executions.find().to_list()
    return record


async def test_each_pod_is_counted_and_told_what_was_there_before(store: Store, executions: Executions) -> None:
    assert await store.claim(FIELDS) is None
    for attempts in (1, 2):
        before = await the_record(executions)
        assert (before["_id"], before["status"], before["attempts"]) == (ObjectId(TASK), "running", attempts)
        assert await store.claim({**FIELDS, "started_at": datetime.now(UTC)}) == before
    record = await the_record(executions)
    assert (record["attempts"], record["started_at"]) == (3, NOON)


async def test_a_claim_without_a_count_starts_one(store: Store, executions: Executions) -> None:
    await store.claim(FIELDS)
    await executions.update_one({}, {"$unset": {"attempts": 1}})
    before = await store.claim(FIELDS)
    assert before is not None
    assert "attempts" not in before
    assert (await the_record(executions))["attempts"] == 1


async def test_a_note_is_handed_over_once(store: Store, executions: Executions) -> None:
    await store.claim(FIELDS)
    await store.postpone(TASK, Reason.CONDUCTOR_UNREACHABLE, "no connection")
    before = await store.claim(FIELDS)
    assert before is not None
    assert (before["reason"], before["error"]) == ("ConductorUnreachable", "no connection")
    record = await the_record(executions)
    assert (record["reason"], record["error"], record["status"]) == (None, None, "running")


async def test_a_finished_record_stays_as_it_is(store: Store, executions: Executions) -> None:
    await store.claim(FIELDS)
    outcome = Outcome(Reason.CONDUCTOR_UNREACHABLE, message="no connection", given_up=True)
    await store.finish(FIELDS, result_fields(Finished(outcome, "error", NOON, NOON)))
    finished = await the_record(executions)
    assert (finished["status"], finished["attempts"]) == ("error", 1)
    assert await store.claim(FIELDS) == finished
    assert await the_record(executions) == finished


async def test_a_claim_that_comes_in_between_is_finished(
    store: Store, executions: Executions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is reported while its late Pod claims it: what the server calls a duplicate is no finished record."""
    update = store._executions.update_one

    async def overtaken(*arguments: Any, **options: Any) -> Any:
        if options.get("upsert"):
            await store.claim(FIELDS)
            raise DuplicateKeyError("what the server says to an upsert that another one overtakes", 11000)
        return await update(*arguments, **options)

    monkeypatch.setattr(store._executions, "update_one", overtaken)
    result = result_fields(Finished(Outcome("OOMKilled", message="out of memory"), "error", NOON, NOON))
    assert await store.finish(FIELDS, result) is None
    record = await the_record(executions)
    assert (record["status"], record["reason"], record["attempts"]) == ("error", "OOMKilled", 1)


async def test_a_job_made_again_under_another_agent_is_the_same_run(store: Store, executions: Executions) -> None:
    await store.prepare()
    await store.claim({**FIELDS, "agent_id": "A_Agent"})
    changed = {**FIELDS, "execution_id": "exec_B_Agent_1772452800_d25315c9", "agent_id": "B_Agent"}
    before = await store.claim(changed)
    assert before is not None
    assert (before["agent_id"], before["attempts"]) == ("A_Agent", 1)
    outcome = Outcome(Reason.COMPLETED, "fine")
    assert await store.finish(changed, result_fields(Finished(outcome, "success", NOON, NOON))) is None
    record = await the_record(executions)
    assert (record["agent_id"], record["status"], record["attempts"]) == ("A_Agent", "completed", 2)
    assert await store.claim(changed) == record


@pytest.mark.parametrize("operation", ["claim", "finish"])
async def test_an_execution_id_that_another_run_has(store: Store, executions: Executions, operation: str) -> None:
    await store.prepare()
    other = {"_id": ObjectId(), "execution_id": FIELDS["execution_id"], "status": "completed"}
    await executions.insert_one(other)
    result = result_fields(Finished(Outcome(Reason.COMPLETED, "fine"), "success", NOON, NOON))
    with pytest.raises(StoreError, match="the record of another run") as raised:
        await (store.claim(FIELDS) if operation == "claim" else store.finish(FIELDS, result))
    assert raised.value.reason is Reason.DATABASE_REFUSED
    assert await the_record(executions) == other


@pytest.mark.parametrize("wrong_by", [timedelta(), timedelta(hours=-1), timedelta(hours=1)])
async def test_the_clock_of_the_server(store: Store, wrong_by: timedelta) -> None:
    difference = await store.clock_difference(lambda: datetime.now(UTC) + wrong_by)
    assert abs(difference + wrong_by) < timedelta(minutes=1)


@pytest.mark.parametrize("index", [True, False])
async def test_pods_at_the_same_moment(store: Store, executions: Executions, index: bool) -> None:
    if index:
        await store.prepare()
    found = await asyncio.gather(*(store.claim(FIELDS) for _ in range(8)))
    assert sorted(0 if before is None else before["attempts"] for before in found) == list(range(8))
    assert (await the_record(executions))["attempts"] == 8
