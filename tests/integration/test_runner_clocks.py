"""Pods of one run on nodes whose clocks disagree by an hour: MongoDB's clock counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from councilor_runner import contract as contracts
from councilor_runner.clock import SystemClock
from councilor_runner.connection import http_client
from councilor_runner.contract import Reason, RunContract, RunReport
from councilor_runner.interruption import Interruption
from councilor_runner.session import Session
from councilor_runner.settings import Settings, read_settings
from councilor_runner.store import Store
from tests.conductor import Answer
from tests.runner.process import job_name, wait_for
from tests.runner.world import World

AN_HOUR = timedelta(hours=1)


class SkewedClock(SystemClock):
    """The clock of a node that is wrong."""

    def __init__(self, wrong_by: timedelta) -> None:
        self._wrong_by = wrong_by

    def now(self) -> datetime:
        return super().now() + self._wrong_by


@dataclass
class Node:
    """A Pod's place: everything but the clock is that of the real process."""

    world: World
    store: Store
    clock: SkewedClock

    async def run(self) -> RunReport:
        settings = settings_of(self.world)
        async with http_client({}, None, trust=False) as client:
            return await Session(
                settings, client=client, store=self.store, clock=self.clock, interruption=Interruption()
            ).run()


def settings_of(world: World) -> Settings:
    contract = RunContract.model_validate(world.setup.document)
    return read_settings(
        {
            contracts.ENV_CONTRACT: contract.model_dump_json(by_alias=True),
            contracts.ENV_JOB_NAME: world.setup.job,
            contracts.ENV_JOB_UID: "job-uid",
        }
    )


@pytest.fixture
async def store(both: World) -> AsyncIterator[Store]:
    opened = Store(both.mongod.uri, "conductor_state")
    try:
        yield opened
    finally:
        await opened.close()


@pytest.mark.parametrize("wrong_by", [AN_HOUR, -AN_HOUR], ids=["ahead", "behind"])
async def test_a_pod_that_goes_on_with_the_run_of_another(both: World, store: Store, wrong_by: timedelta) -> None:
    both.stub.script("A_Agent", Answer(result="SEVERITY: warning", delay=7))
    pod = both.setup.start()
    await asyncio.to_thread(wait_for, lambda: both.stub.executions)
    pod.kill()
    # Its own clock says that the time limit was over long ago, or that it has not begun.
    report = await Node(both, store, SkewedClock(wrong_by)).run()
    assert (report.reason, report.severity) == (Reason.COMPLETED, "warning")
    assert timedelta(seconds=6) < report.completed_at - report.started_at < timedelta(minutes=2)
    assert abs(report.completed_at - datetime.now(UTC)) < timedelta(minutes=2)
    record = both.record
    assert (record["started_at"], record["completed_at"]) == (report.started_at, report.completed_at)
    assert record["duration_ms"] == report.duration_ms
    assert both.statistics["last_execution"] == report.completed_at


async def test_the_time_limit_holds_for_a_pod_whose_clock_is_behind(both: World, store: Store) -> None:
    both.stub.script("A_Agent", Answer(ends="never"))
    both.setup.document["execution"]["timeoutSeconds"] = 3
    pod = both.setup.start()
    await asyncio.to_thread(wait_for, lambda: both.stub.executions)
    pod.kill()
    async with asyncio.timeout(60):
        report = await Node(both, store, SkewedClock(-AN_HOUR)).run()
    assert report.reason == Reason.AGENT_TIMED_OUT


async def test_the_run_before_is_the_run_before(both: World, store: Store) -> None:
    """A recovery is one after a failure, on whichever nodes the two ran."""
    both.setup.document["notifications"] = {"onSuccess": False}
    both.stub.script("A_Agent", Answer(exit_code=3), Answer(result="SEVERITY: success"))
    moments: list[dict[str, Any]] = []
    for minute, wrong_by in enumerate((AN_HOUR, -AN_HOUR)):
        both.setup.job = job_name("licences", datetime.now(UTC) + timedelta(minutes=minute))
        report = await Node(both, store, SkewedClock(wrong_by)).run()
        moments.append({"started_at": report.started_at, "completed_at": report.completed_at})
    assert moments[0]["completed_at"] <= moments[1]["started_at"]
    assert [event["result_summary"].split(":")[0] for event in both.told_events] == ["ERROR", "RECOVERED from error"]
    assert both.statistics["last_execution"] == moments[1]["completed_at"]
