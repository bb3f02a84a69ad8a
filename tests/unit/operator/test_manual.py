"""Run now: once for each token, whatever is repeated, and refused with a reason."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from councilor_operator.api.status import RunNow
from councilor_operator.builders import build_manual_job
from councilor_operator.errors import RejectedError, TransientError
from councilor_operator.observed import ObservedCouncilor
from councilor_operator.runs.manual import TOKEN_LIMIT, RefuseRun, StartRun, asked_for
from councilor_runner.contract import scheduled_time
from tests import factories
from tests.factories import NOW, Body, FixedClock
from tests.unit.operator.fake_cluster import FakeCluster
from tests.unit.operator.test_builders import build
from tests.unit.operator.test_reconciler import Operator, settled

ANNOTATION = "conductor.community/run-now"


@dataclass(frozen=True)
class Case:
    """What a token asks for beside these Jobs (name to whether it has ended)."""

    token: str | None
    expected: str
    handled: str | None = None
    policy: str = "Forbid"
    jobs: dict[str, bool] = field(default_factory=dict)


CASES = {
    "no annotation": Case(None, "nothing"),
    "an empty one": Case("", "nothing"),
    "blanks": Case("  \n", "nothing"),
    "a first token": Case("a", "start"),
    "the same again": Case("a", "nothing", handled="a"),
    "the same with blanks around": Case(" a ", "nothing", handled="a"),
    "another one": Case("b", "start", handled="a"),
    "an old one again": Case("a", "start", handled="b"),
    "beside an ended run": Case("a", "start", jobs={"scheduled": True}),
    "beside a run": Case("a", "AlreadyRunning", jobs={"scheduled": False}),
    "beside a run, allowed": Case("a", "start", policy="Allow", jobs={"scheduled": False}),
    "instead of a run": Case(
        "a", "start, replacing scheduled", policy="Replace", jobs={"scheduled": False, "old": True}
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_a_token_asks_for(case: Case) -> None:
    jobs = [
        factories.job(name=name, uid=name, scheduled_at=NOW, end="Complete" if ended else None)
        for name, ended in case.jobs.items()
    ]
    handled = None if case.handled is None else RunNow(token=case.handled, at=NOW)
    match asked_for(factories.councilor(), case.token, handled, case.policy, jobs):  # type: ignore[arg-type]
        case None:
            found = "nothing"
        case RefuseRun(reason=reason, message=message):
            found = reason
            assert "scheduled" in message
        case StartRun(replaces=replaces):
            found = ", replacing ".join(["start", *(job.name for job in replaces)])
    assert found == case.expected


def test_the_job_of_a_crash_before_the_status_write_is_no_reason_to_refuse() -> None:
    asked = asked_for(factories.councilor(), "a", None, "Forbid", [])
    assert isinstance(asked, StartRun)
    made = factories.job(name=asked.job_name, uid="made", scheduled_at=None)
    assert asked_for(factories.councilor(), "a", None, "Forbid", [made]) == asked


def test_a_long_token_counts_as_far_as_the_status_holds_it() -> None:
    token = "x" * 1000
    asked = asked_for(factories.councilor(), token, None, "Forbid", [])
    assert isinstance(asked, StartRun)
    handled = asked.done(NOW)
    assert len(handled.token) == TOKEN_LIMIT
    assert asked_for(factories.councilor(), token, handled, "Forbid", []) is None


@pytest.mark.parametrize("name", ["a", "x" * 52, "x" * 53, "x" * 253])
def test_the_name_fits_and_is_not_taken_for_a_scheduled_one(name: str) -> None:
    for token in map(str, range(50)):
        asked = asked_for(factories.councilor(name=name), token, None, "Forbid", [])
        assert isinstance(asked, StartRun)
        assert len(asked.job_name) <= 63
        assert scheduled_time(asked.job_name, asked.job_name.rpartition("-")[0]) is None


def test_the_job_is_what_kubectl_makes() -> None:
    manifest = build()
    job = build_manual_job(manifest, "cron-job-uid", "by-hand")
    template = manifest["spec"]["jobTemplate"]
    assert job["spec"] == template["spec"]
    assert job["metadata"]["labels"] == template["metadata"]["labels"]
    assert job["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    assert job["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "name": manifest["metadata"]["name"],
            "uid": "cron-job-uid",
            "controller": True,
        }
    ]


# --- Through the reconciler ------------------------------------------------------------------------------------------


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster(FixedClock())


def annotate(cluster: FakeCluster, token: str) -> None:
    cluster.councilor["metadata"].setdefault("annotations", {})[ANNOTATION] = token
    cluster.touch_councilor()


def run_now(cluster: FakeCluster) -> Body:
    found: Body = cluster.status["lastRunNow"]
    return found


async def test_a_token_makes_one_job(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    annotate(cluster, "one")
    assert (await operator.catch_up())[:3] == ["create-job", "status", "event"]
    assert run_now(cluster)["token"] == "one"
    assert [event.reason for _, event in cluster.events][-1] == "RunNowStarted"
    cluster.touch_councilor()
    assert await operator.catch_up() == []
    assert await operator.pass_over() == []
    assert len(cluster.jobs) == 1


async def test_a_token_that_comes_back_later_is_another_run(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    for number, token in enumerate(["a", "b", "a"], start=1):
        annotate(cluster, token)
        await operator.catch_up()
        assert len(cluster.jobs) == number
        for uid in cluster.jobs:
            cluster.end_job(uid, factories.report_message())
        cluster.clock.advance(seconds=1)
        await operator.catch_up()


async def test_a_foreign_job_of_the_name_is_not_taken_for_the_run(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    asked = asked_for(ObservedCouncilor.from_object(cluster.councilor), "one", None, "Forbid", [])
    assert isinstance(asked, StartRun)
    cluster.jobs["foreign"] = factories.job_body(name=asked.job_name, uid="foreign", councilor_uid="somebody")
    annotate(cluster, "one")
    await operator.catch_up()
    assert run_now(cluster)["reason"] == "JobRefused"


async def test_while_paused(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    cluster.edit_councilor(spec={"schedule": {"enabled": False}})
    await operator.catch_up()
    annotate(cluster, "one")
    assert "create-job" in await operator.catch_up()
    assert cluster.cron_job["spec"]["suspend"] is True


async def test_a_crash_between_job_and_status_makes_no_second_job(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    annotate(cluster, "one")
    cluster.fail("status", TransientError("the process died", status=503))
    assert (await operator.catch_up()).count("create-job") == 1
    await Operator(cluster).pass_over()
    assert len(cluster.jobs) == 1
    assert run_now(cluster)["jobName"] == next(iter(cluster.jobs.values()))["metadata"]["name"]


async def test_a_lost_answer_makes_no_second_job(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    annotate(cluster, "one")
    cluster.fail("create-job", TransientError("connection reset"), carried_out=True)
    await operator.catch_up()
    await operator.wait(5)
    assert len(cluster.jobs) == 1
    assert "reason" not in run_now(cluster)


async def test_a_run_that_goes_on_forbids_another(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    cluster.start_job()
    await operator.catch_up()
    annotate(cluster, "one")
    assert "create-job" not in await operator.catch_up()
    assert run_now(cluster)["reason"] == "AlreadyRunning"
    assert [event.reason for _, event in cluster.events][-1] == "RunNowRefused"


async def test_a_run_that_goes_on_is_replaced(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    cluster.edit_councilor(spec={"concurrencyPolicy": "Replace"})
    old = cluster.start_job()
    await operator.catch_up()
    annotate(cluster, "one")
    assert (await operator.catch_up())[:2] == ["delete-job", "create-job"]
    assert old not in cluster.jobs
    assert len(cluster.jobs) == 1


@pytest.mark.parametrize("spec", [{"schedule": {"value": "nonsense"}}, {"execution": {"cwd": None}}])
async def test_an_invalid_spec_runs_nothing(cluster: FakeCluster, spec: Body) -> None:
    operator = await settled(cluster)
    cluster.edit_councilor(spec=spec)
    await operator.catch_up()
    annotate(cluster, "one")
    assert "create-job" not in await operator.catch_up()
    assert run_now(cluster)["reason"] in {"InvalidSchedule", "WorkingDirectoryMissing"}


async def test_a_job_that_is_refused_is_told_once(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    cluster.fail("create-job", RejectedError("exceeded quota: count/jobs.batch", status=403), times=9)
    annotate(cluster, "one")
    assert await operator.catch_up() == ["status", "event"]
    assert run_now(cluster)["reason"] == "JobRefused"
    assert "quota" in run_now(cluster)["message"]
    assert await operator.pass_over() == []


async def test_a_token_that_cannot_be_noted_makes_no_second_job_after_the_first_is_gone(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    annotate(cluster, "t")
    cluster.fail("status", RejectedError("forbidden", status=403), times=9)
    assert await operator.catch_up() == ["create-job"]
    (job,) = cluster.jobs.values()
    cluster.deliver(operator.observer)
    cluster.collect_job(job["metadata"]["uid"])
    for _ in range(3):
        await operator.catch_up()
        assert await operator.wait(600) == []
    cluster.recover()
    await operator.wait(600)
    assert run_now(cluster)["jobName"] == job["metadata"]["name"]
    assert (cluster.jobs, cluster.status["stats"]["unknown"]) == ({}, 1)
