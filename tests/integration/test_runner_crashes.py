"""A share of the trials of `make trials`: Pods killed at every message of two runs, and at random places of others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.crashes import series
from tests.crashes.campaign import Sites, Tally, carry_out, random_trials
from tests.crashes.job import Kill, LastWord, run_job
from tests.crashes.judgement import Traces, judge, traces
from tests.crashes.scenario import Scenario
from tests.crashes.site import Site, open_site
from tests.crashes.tap import Exchange, Moment, Point
from tests.crashes.trial import overtaken, struck
from tests.mongodb import Mongod
from tests.runner import RunnerSetup

RANDOM = 20
SEED = 20260302


@pytest.fixture
def sites(mongod_replica_set: Mongod, mongod_standalone: Mongod, tmp_path: Path) -> Iterator[Sites]:
    with contextlib.ExitStack() as ending:
        exchange = ending.enter_context(Exchange())
        opened: Sites = {}
        for mongod in (mongod_replica_set, mongod_standalone):
            mongod.drop_databases()
            opened[mongod.shape] = ending.enter_context(open_site(mongod, exchange, tmp_path))
        yield opened


def test_killed_anywhere(sites: Sites) -> None:
    tally = Tally()
    scenarios = (Scenario("replica-set"), Scenario("standalone", "mongodb", "failed", "manual"))

    def walk(scenario: Scenario) -> Callable[[], Any]:
        return lambda: series.killed(sites[scenario.shape], scenario)

    carry_out(tally, [("killed everywhere", walk(scenario)) for scenario in scenarios])
    random_trials(tally, sites, SEED, RANDOM)
    assert [f"{trial}: {trial.judgement.violations}\n{trial.log}" for trial in tally.violations] == []
    # Some twelve messages of each run, each struck at three moments.
    assert tally.total.trials > RANDOM + 60
    assert tally.total.kills >= tally.total.trials


@pytest.mark.parametrize("moment", Moment)
def test_two_pods_at_once(sites: Sites, moment: Moment) -> None:
    """The third message is the claim, the fourth the submission; both Pods say the same in the end."""
    for number in (2, 3, 7):
        trial = overtaken(sites["standalone"], Scenario("standalone"), Point(number, moment))
        assert trial.judgement.violations == [], trial.log
        assert trial.reached


def test_a_blow_that_comes_too_late_strikes_nothing(sites: Sites) -> None:
    trial = struck(sites["standalone"], Scenario("standalone"), Kill(Point(99, Moment.BEFORE)))
    assert (trial.reached, trial.kills, trial.judgement.violations) == (False, 0, [])
    assert "findAndModify councilor_executions" in trial.messages
    assert "POST /api/internal/task-event" in trial.messages


Tampering = Callable[[Site, RunnerSetup], object]


@pytest.mark.parametrize(
    ("kind", "tamper"),
    [
        ("lost", lambda site, setup: site.database.councilor_executions.delete_one({"task_id": setup.task_id})),
        (
            "lost",
            lambda site, setup: site.database.councilor_executions.update_one(
                {"task_id": setup.task_id}, {"$set": {"status": "running"}}
            ),
        ),
        (
            "lost",
            lambda site, setup: site.database.councilor_executions.update_one(
                {"task_id": setup.task_id}, {"$set": {"output": "something else"}}
            ),
        ),
        (
            "double",
            lambda site, setup: site.database.councilor_executions.insert_one(
                {"agent_id": setup.agent_id, "execution_id": "another"}
            ),
        ),
        (
            "lost",
            lambda site, setup: site.database.agents.update_one(
                {"agent_id": setup.agent_id}, {"$set": {"stats.total_executions": 0}}
            ),
        ),
        (
            "double",
            lambda site, setup: site.database.agents.update_one(
                {"agent_id": setup.agent_id}, {"$inc": {"stats.total_executions": 1}}
            ),
        ),
        (
            "lost",
            lambda site, setup: site.database.tasks.update_one(
                {"agent_id": setup.agent_id}, {"$set": {"severity": None}}
            ),
        ),
        (
            "double",
            lambda site, setup: site.database.tasks.insert_one({"agent_id": setup.agent_id, "status": "completed"}),
        ),
        ("lost", lambda site, _: site.stub.requests.clear()),
        (
            "wrong",
            lambda site, setup: site.database.councilor_executions.update_one(
                {"task_id": setup.task_id}, {"$set": {"severity": "success"}}
            ),
        ),
    ],
)
def test_the_judgement_finds_it(sites: Sites, kind: str, tamper: Tampering) -> None:
    site, scenario = sites["standalone"], Scenario("standalone")
    setup = site.setup(scenario)
    end = run_job(site, scenario, setup, [Kill(LastWord.WRITTEN)])

    def left() -> Traces:
        return traces(site, setup, end)

    assert judge(scenario, left()).violations == []
    tamper(site, setup)
    assert getattr(judge(scenario, left()), kind)
