"""`councilor-runner report` while MongoDB refuses, goes and comes back, and while its Pods are killed at every step."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from councilor_runner.contract import ExitCode
from tests.mongodb import Mongod
from tests.runner.process import job_name, wait_for
from tests.runner.world import APPLICATION, World, channels, held, outcome, quiet, world_on


def test_mongodb_goes_and_comes_back(world: World) -> None:
    with Mongod("standalone") as server:
        world.setup.mongodb_uri = server.uri
        server.kill()
        told = world.told(reason="DatabaseUnreachable", message="MongoDB could not be reached")
        for _ in range(2):
            away = world.setup.report(told)
            world.finished(away, ExitCode.TEMPORARY, recorded=False, reason="DatabaseUnreachable", exit_code=137)
            assert outcome(away) == [("panel", False)]
            assert "MongoDB could not be reached" in (away.report.message or "")
            assert world.told_events == [], "each attempt would tell again"
        server.restart()
        back = world.setup.report(told)
        world.finished(back, recorded=True, message="MongoDB could not be reached")
        assert outcome(back) == [("panel", True)]
        assert len(world.told_events) == 1
        with MongoClient[dict[str, Any]](server.uri) as client:
            (record,) = client.conductor_state.councilor_executions.find()
        assert (record["status"], record["reason"]) == ("error", "DatabaseUnreachable")


@pytest.mark.parametrize(
    ("command", "collection", "recorded"),
    [("find", "councilor_executions", False), ("update", "councilor_executions", False), ("update", "agents", True)],
)
@pytest.mark.parametrize("code", [13, 121])
def test_mongodb_refuses_for_good(world: World, command: str, collection: str, recorded: bool, code: int) -> None:
    with world.mongod.fail_command(
        command, errorCode=code, namespace=f"conductor_state.{collection}", appName=APPLICATION
    ):
        pod = world.setup.report(world.told())
        world.finished(pod, ExitCode.NOT_RECORDED, recorded=recorded, reason="OOMKilled")
    assert (pod.report.message or "").startswith("MongoDB refused to ")
    assert "ran out of memory" in (pod.report.message or "")
    assert outcome(pod) == [("panel", False)]
    assert world.told_events == []
    world.finished(world.setup.report(world.told()), recorded=True)
    assert len(world.records) == world.statistics["total_executions"] == len(world.told_events) == 1


def test_a_task_that_cannot_be_marked_holds_nothing_up(world: World) -> None:
    with world.mongod.fail_command("update", errorCode=13, namespace="conductor_state.tasks", appName=APPLICATION):
        world.finished(world.setup.report(world.told()), recorded=True)
    assert len(world.told_events) == 1


@pytest.mark.parametrize("uri", ["mysql://root:hunter2@db/", "mongodb://root:hun:ter2@db/", "mongodb://db:port/"])
def test_an_unusable_connection_string(world: World, uri: str) -> None:
    world.setup.mongodb_uri = uri
    told = world.told(reason="DatabaseRefused", notified=channels(("toast", True)))
    pod = world.setup.report(told)
    world.finished(pod, ExitCode.NOT_RECORDED, recorded=False, execution_id=told.execution_id)
    assert outcome(pod) == [("toast", True), ("panel", False)]
    assert "MONGODB_URI" in (pod.report.message or "")
    assert "ter2" not in pod.log + pod.message.decode()


STEPS = [
    ("createIndexes", "councilor_executions"),
    ("find", "councilor_executions"),
    ("update", "councilor_executions"),
    ("find", "agents"),
    ("update", "agents"),
    ("update", "tasks"),
]


def killed_at_every_step(world: World) -> None:
    started, runs = datetime.now(UTC), 0
    for command, collection in STEPS:
        # The killed Pod's write is lost, or arrives when the next one is already at work.
        for data in ({"errorCode": 11600}, {}) if command == "update" else ({"errorCode": 11600},):
            runs += 1
            world.setup.job = job_name("licences", started + timedelta(minutes=runs))
            told = world.told()
            with held(world.mongod, command, collection, **data) as reached:
                pod = world.setup.start_report(told)
                reached()
                pod.kill()
                world.finished(world.setup.report(told), recorded=True)
            wait_for(lambda: quiet(world.mongod))
            assert len(world.records) == world.statistics["total_executions"] == runs, (command, collection, data)
            assert {record["status"] for record in world.records} == {"error"}
    assert len(world.told_events) == runs
    world.stub.faults.next("event", kind="hang")
    world.setup.job = job_name("licences", started + timedelta(minutes=runs + 1))
    pod = world.setup.start_report(world.told())
    wait_for(lambda: len(world.stub.requests.of("event")) > runs)
    pod.kill()
    again = world.setup.report(world.told())
    world.finished(again, recorded=True)
    assert outcome(again) == [("panel", True)]
    assert len(world.records) == world.statistics["total_executions"] == runs + 1
    assert world.submissions == 0


def test_killed_at_every_step(mongod_replica_set: Mongod, mongod_standalone: Mongod, tmp_path: Path) -> None:
    with contextlib.ExitStack() as worlds, ThreadPoolExecutor() as side_by_side:
        both = []
        for mongod in (mongod_replica_set, mongod_standalone):
            mongod.drop_databases()
            both.append(worlds.enter_context(world_on(mongod, tmp_path)))
        list(side_by_side.map(killed_at_every_step, both))


def test_asked_to_end_before_anything_is_written(world: World) -> None:
    told = world.told(notified=channels(("toast", True)))
    with held(world.mongod, "find", "councilor_executions") as reached:
        pod = world.setup.start_report(told)
        reached()
        pod.terminate()
    world.finished(pod, ExitCode.TEMPORARY, recorded=False, reason="OOMKilled")
    assert "asked to end" in (pod.report.message or "")
    assert outcome(pod) == [("toast", True), ("panel", False)]
    assert world.records == []
    world.finished(world.setup.report(told), recorded=True)


@pytest.mark.parametrize("collection", ["councilor_executions", "agents", "tasks"])
def test_asked_to_end_in_the_middle_it_finishes(world: World, collection: str) -> None:
    with held(world.mongod, "update", collection) as reached:
        pod = world.setup.start_report(world.told())
        reached()
        pod.terminate()
    world.finished(pod, recorded=True)
    assert outcome(pod) == [("panel", True)]
    assert len(world.records) == world.statistics["total_executions"] == 1


def test_a_pod_that_finishes_the_run_in_the_same_moment(both: World) -> None:
    """A node that was given up may come back: what was recorded first is counted and told."""
    run = both.setup.run()
    record = both.record
    both.database.councilor_executions.delete_many({})
    both.database.agents.update_one({"agent_id": "A_Agent"}, {"$unset": {"stats": 1, "councilor_runs": 1}})
    both.stub.requests.clear()
    with held(both.mongod, "update", "councilor_executions") as reached:
        pod = both.setup.start_report(both.told())
        reached()
        both.database.councilor_executions.insert_one(record)
        pod.finish()
    both.finished(pod, recorded=True, status="completed", severity="warning", summary=run.report.summary)
    assert both.record == record
    assert [event["severity"] for event in both.told_events] == ["warning"]
    assert both.statistics["total_executions"] == 1
    task = both.database.tasks.find_one()
    assert task is not None
    assert task["severity"] == "warning"
