"""Eight runs of one agent at once, as processes, some of them killed: the statistics are exact."""

from __future__ import annotations

import copy
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import partial
from typing import Any, Final

import pytest
from pymongo import MongoClient

from councilor_runner.contract import ExitCode
from tests.conductor import Answer
from tests.mongodb import Mongod
from tests.runner import RunnerSetup
from tests.runner.process import job_name, wait_for
from tests.runner.world import World

AT_ONCE: Final = 8
ROUNDS: Final = 3
ANSWERS: Final = (
    Answer(result="SEVERITY: success", delay=0.4),
    Answer(result="SEVERITY: warning", delay=0.3),
    Answer(result="SEVERITY: success", delay=0.2),
    Answer(result="Stopped half way.", exit_code=3, delay=0.1),
    Answer(result="SEVERITY: success", delay=0.5),
)
WATCHED: Final = {"task_count": 4, "success_count": 4, "error_count": 0, "last_exit_code": 0}


def rounds(world: World) -> None:
    """Let eight Jobs run at once, kill some Pods of each round while their agent works, and start others instead."""
    world.stub.script("A_Agent", *ANSWERS)
    chance, moment = random.Random(20260302), datetime.now(UTC)
    for number in range(ROUNDS):
        jobs = [
            another_job(world.setup, moment + timedelta(minutes=AT_ONCE * number + each)) for each in range(AT_ONCE)
        ]
        pods = {setup.task_id: setup.start() for setup in jobs}
        for setup in chance.sample(jobs, 3):
            wait_for(partial(runs, world, setup.task_id))
            pods[setup.task_id].kill()
            pods[setup.task_id] = setup.start()
        for pod in pods.values():
            assert pod.finish().exit_code in (ExitCode.COMPLETED, ExitCode.AGENT_FAILED), pod.log


def runs(world: World, task_id: str) -> bool:
    return task_id in world.stub.executions


def another_job(setup: RunnerSetup, moment: datetime) -> RunnerSetup:
    other = copy.deepcopy(setup)
    other.job = job_name("licences", moment)
    return other


def exact(statistics: dict[str, Any], world: World) -> None:
    """Assert that the statistics say of all records what the records say themselves."""
    records = world.records
    successes = sum(record["severity"] == "success" for record in records)
    assert set(world.stub.executions.values()) == {1}
    assert len(records) == len(world.stub.executions)
    assert statistics["total_executions"] == len(records)
    assert statistics["success_rate"] == float(Fraction(100 * successes, len(records)))
    assert statistics["last_execution"] == max(record["completed_at"] for record in records)


def test_eight_runs_of_an_agent(both: World) -> None:
    rounds(both)
    exact(both.statistics, both)
    assert both.statistics["total_executions"] == AT_ONCE * ROUNDS


@contextmanager
def watcher(mongod: Mongod) -> Iterator[None]:
    """Overwrite the instance's statistics again and again, as the real watcher does after each task."""
    ending = threading.Event()

    def overwrite() -> None:
        with MongoClient[dict[str, Any]](mongod.uri) as client:
            tasks = client.conductor_state.tasks
            seen = 0
            while not ending.wait(0.02):
                ended = tasks.count_documents({"status": {"$in": ["completed", "error"]}})
                if ended != seen:
                    seen = ended
                    client.conductor_state.agent_instances.update_one(
                        {"instance_id": "i-1"}, {"$set": {"statistics": {**WATCHED, "task_count": ended}}}
                    )

    thread = threading.Thread(target=overwrite)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def test_eight_runs_of_an_instance_beside_the_watcher(both: World) -> None:
    both.setup.document["agent"]["instanceId"] = "i-1"
    instances = both.database.agent_instances
    instances.insert_one({"instance_id": "i-1", "agent_id": "A_Agent", "statistics": WATCHED, "cwd": "/srv/project"})
    with watcher(both.mongod):
        rounds(both)
    # The watcher may have had the last word; the next run brings everything back.
    last = another_job(both.setup, datetime.now(UTC) - timedelta(days=1)).run()
    assert last.exit_code in (ExitCode.COMPLETED, ExitCode.AGENT_FAILED), last.log
    (instance,) = instances.find()
    exact(instance["statistics"], both)
    assert instance["statistics"]["total_executions"] == AT_ONCE * ROUNDS + 1
    assert {name: instance["statistics"][name] for name in WATCHED} == {
        **WATCHED,
        "task_count": instance["statistics"]["task_count"],
    }
    assert instance["cwd"] == "/srv/project"
    assert both.statistics == {}, "the agent's own are not those of its instance"


@pytest.fixture
def both(both: World) -> World:
    """With room for all at once in the fake host, and time for all on a busy machine."""
    both.stub.settings.workers = AT_ONCE
    both.setup.document["execution"]["timeoutSeconds"] = 120
    return both
