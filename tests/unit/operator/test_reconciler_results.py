"""Passes over runs that died, were refused or vanished: order of writes, crashes in between, and what is asked anew."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from councilor_operator.constants import ANNOTATION_RUN_NOW
from councilor_operator.errors import NotFoundError, RejectedError, TransientError
from councilor_operator.names import report_job_name
from councilor_operator.observed import ObservedJob
from tests import factories
from tests.factories import NAME, Body, FixedClock
from tests.unit.operator.fake_cluster import FakeCluster
from tests.unit.operator.test_reconciler import Operator, conditions, settled, stats

LOST = TransientError("lost", status=503)


async def dead_run(cluster: FakeCluster, operator: Operator) -> str:
    """Let a run be noted, then die of its memory; returns its UID."""
    uid = cluster.start_job(scheduled=False)
    await operator.catch_up()
    cluster.writes.clear()
    cluster.events.clear()
    cluster.end_job(uid, "", exit_code=137, reason="OOMKilled")
    return uid


def report_jobs(cluster: FakeCluster) -> list[Body]:
    return [body for body in cluster.jobs.values() if ObservedJob.from_object(body).reports]


def sample(operator: Operator, name: str, **labels: str) -> float:
    return operator.metrics.registry.get_sample_value(name, labels) or 0.0


async def test_the_report_job_is_made_before_the_run_is_counted(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    uid = await dead_run(cluster, operator)
    assert await operator.catch_up() == ["create-job", "status", "event"]
    (job,) = report_jobs(cluster)
    assert job["metadata"]["name"] == cluster.status["lastRun"]["reportJob"] == report_job_name(NAME, uid)
    assert await operator.pass_over() == []
    assert sample(operator, "councilor_report_jobs_total", result="made") == 1


@pytest.mark.parametrize("operation", ["create-job", "status"])
@pytest.mark.parametrize("carried_out", [False, True], ids=["before", "after"])
async def test_a_crash_around_the_writes_makes_one_report_job(
    cluster: FakeCluster, operation: Any, carried_out: bool
) -> None:
    operator = await settled(cluster)
    await dead_run(cluster, operator)
    cluster.fail(operation, LOST, carried_out=carried_out)
    await operator.catch_up()
    successor = Operator(cluster)
    await successor.observer.list()
    await successor.catch_up()
    assert len(report_jobs(cluster)) == 1
    assert (stats(cluster)["failed"], stats(cluster)["totalExecutions"]) == (1, 1)
    assert await successor.pass_over() == []


async def test_a_refused_report_job_does_not_hold_up_the_count(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    await dead_run(cluster, operator)
    cluster.fail("create-job", RejectedError("jobs is forbidden:\nexceeded quota", status=403))
    assert await operator.catch_up() == ["status", "event", "event"]
    assert stats(cluster)["failed"] == 1
    assert "reportJob" not in cluster.status["lastRun"]
    notes = {event.reason: event.note for _, event in cluster.events}
    assert (
        "change the Councilor or the rule that it breaks: jobs is forbidden: exceeded quota" in notes["ReportRefused"]
    )
    assert cluster.status["lastRun"]["executionId"] in notes["ReportRefused"]
    assert await operator.pass_over() == []
    assert sample(operator, "councilor_report_jobs_total", result="refused") == 1


async def test_a_report_job_that_vanishes_while_it_is_made_is_made_again(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    await dead_run(cluster, operator)
    cluster.fail("create-job", NotFoundError("jobs not found", status=404))
    assert await operator.catch_up() == []
    assert operator.passes("retried") == 1
    assert await operator.wait(5) == ["create-job", "status", "event"]
    assert stats(cluster)["failed"] == 1


async def test_each_of_several_dead_runs_gets_one(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    uids = [cluster.start_job(scheduled=False) for _ in range(3)]
    for uid in uids:
        cluster.end_job(uid, "", exit_code=137, reason="OOMKilled")
    await operator.catch_up()
    names = {job["metadata"]["name"] for job in report_jobs(cluster)}
    assert names == {report_job_name(NAME, uid) for uid in uids}


async def test_a_report_job_that_ended_is_read_once(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    await dead_run(cluster, operator)
    await operator.catch_up()
    (job,) = report_jobs(cluster)
    execution = cluster.status["lastRun"]["executionId"]
    cluster.reads.clear()
    cluster.end_job(job["metadata"]["uid"], factories.report_message(executionId=execution, recorded=True))
    assert await operator.catch_up() == ["status", "event"]
    assert cluster.reads == ["pods"]
    last = cluster.status["lastRun"]
    assert (last["reportResult"], last["recorded"]) == ("succeeded", True)
    assert await operator.pass_over() == []
    # Its TTL takes it away: that it leaves the list of those worked in can wait for the next write.
    cluster.collect_job(job["metadata"]["uid"])
    assert await operator.catch_up() == []
    assert (await operator.pass_over(), stats(cluster).get("unknown", 0)) == ([], 0)
    assert sample(operator, "councilor_report_jobs_total", result="succeeded") == 1


async def test_the_end_of_an_older_runs_report_job_is_told(cluster: FakeCluster, clock: FixedClock) -> None:
    operator = await settled(cluster)
    await dead_run(cluster, operator)
    await operator.catch_up()
    (job,) = report_jobs(cluster)
    clock.advance(minutes=5)
    cluster.run(scheduled=False)
    await operator.catch_up()
    cluster.events.clear()
    cluster.end_job(job["metadata"]["uid"], None)
    assert await operator.catch_up() == ["status", "event"]
    assert [event.reason for _, event in cluster.events] == ["ReportFailed"]
    assert sample(operator, "councilor_report_jobs_total", result="failed") == 1
    cluster.reads.clear()
    assert (await operator.pass_over(), cluster.reads) == ([], [])


async def test_a_report_job_that_is_gone_before_it_was_read_is_told_once(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    await dead_run(cluster, operator)
    await operator.catch_up()
    (job,) = report_jobs(cluster)
    cluster.events.clear()
    cluster.collect_job(job["metadata"]["uid"])
    assert await operator.catch_up() == ["status", "event"]
    assert [event.reason for _, event in cluster.events] == ["ReportLost"]
    assert await operator.pass_over() == []
    assert sample(operator, "councilor_report_jobs_total", result="unknown") == 1


async def test_notifications_of_a_report_job_are_counted(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    await dead_run(cluster, operator)
    await operator.catch_up()
    (job,) = report_jobs(cluster)
    told = factories.report_message(
        executionId=cluster.status["lastRun"]["executionId"],
        notified=[{"channel": "panel", "delivered": True}, {"channel": "ops", "delivered": False, "reason": "r"}],
    )
    cluster.end_job(job["metadata"]["uid"], told)
    for _ in range(2):
        await operator.catch_up()
        await operator.pass_over()
        for outcome in ("delivered", "failed"):
            assert sample(operator, "councilor_notifications_total", outcome=outcome) == 1


# --- absence ----------------------------------------------------------------------------------------------------------


async def test_a_watch_that_lags_behind_makes_no_run_missed(cluster: FakeCluster, clock: FixedClock) -> None:
    operator = await settled(cluster, spec={"schedule": {"type": "interval", "value": "10m"}})
    clock.advance(minutes=10)
    cluster.start_job()
    cluster.drop_events()
    clock.advance(minutes=2)
    assert await operator.wait(720) != []
    assert cluster.reads[:3] == ["exists", "find", "jobs"]
    assert stats(cluster).get("missed", 0) == 0
    assert cluster.status["phase"] == "Running"


async def test_a_watch_that_lags_behind_makes_no_run_unknown(cluster: FakeCluster, clock: FixedClock) -> None:
    """The CronJob's own state is told, the Job's is not."""
    operator = await settled(cluster, spec={"schedule": {"type": "interval", "value": "10m"}})
    clock.advance(minutes=10)
    uid = cluster.start_job()
    cluster.drop_events()
    cluster.edit_cron_job({})
    clock.advance(minutes=2)
    await operator.catch_up()
    assert "jobs" in cluster.reads
    assert stats(cluster).get("unknown", 0) == 0
    cluster.end_job(uid, factories.report_message())
    await operator.catch_up()
    assert (stats(cluster)["success"], stats(cluster).get("unknown", 0)) == (1, 0)


async def test_a_job_that_vanished_is_asked_for_and_then_unknown(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    uid = cluster.start_job(scheduled=False)
    await operator.catch_up()
    cluster.reads.clear()
    cluster.events.clear()
    cluster.collect_job(uid)
    assert await operator.catch_up() == ["status", "event"]
    assert cluster.reads == ["exists", "find", "jobs"]
    assert [event.reason for _, event in cluster.events] == ["ResultUnknown"]
    assert stats(cluster)["unknown"] == 1
    assert conditions(cluster)["Healthy"] == ("Unknown", "ResultUnknown")
    assert sample(operator, "councilor_unknown_runs_total") == 1
    assert await operator.pass_over() == []


@pytest.mark.parametrize("carried_out", [False, True], ids=["before", "after"])
async def test_a_status_write_that_fails_counts_an_unknown_run_once(cluster: FakeCluster, carried_out: bool) -> None:
    operator = await settled(cluster)
    uid = cluster.start_job(scheduled=False)
    await operator.catch_up()
    cluster.end_job(uid, None)
    cluster.drop_events()
    cluster.collect_job(uid)
    cluster.fail("status", LOST, carried_out=carried_out)
    await operator.catch_up()
    await operator.wait(60)
    await operator.catch_up()
    assert stats(cluster)["unknown"] == 1
    assert await operator.pass_over() == []


async def test_runs_that_went_while_the_operator_was_down_are_counted_by_the_next(
    cluster: FakeCluster, clock: FixedClock
) -> None:
    await settled(cluster, spec={"schedule": {"type": "interval", "value": "10m"}})
    gone = []
    for _ in range(5):
        clock.advance(minutes=10)
        gone.append(cluster.run())
    for uid in gone[:3]:
        cluster.collect_job(uid)
    cluster.drop_events()
    clock.advance(minutes=5)
    for _ in range(2):
        operator = Operator(cluster)
        await operator.observer.list()
        await operator.catch_up()
        found = stats(cluster)
        assert (found["success"], found["unknown"], found.get("missed", 0)) == (2, 3, 0)


@pytest.mark.parametrize("change", [{"value": "2m"}, {"value": "2m", "enabled": False}])
async def test_a_run_that_went_unseen_just_before_its_schedule_was_changed_is_unknown(
    cluster: FakeCluster, clock: FixedClock, change: Body
) -> None:
    await settled(cluster, spec={"schedule": {"type": "interval", "value": "1m"}})
    clock.advance(minutes=1)
    cluster.collect_job(cluster.start_job())
    cluster.drop_events()
    cluster.edit_councilor(spec={"schedule": change})
    clock.advance(seconds=10)
    operator = Operator(cluster)
    await operator.observer.list()
    await operator.catch_up()
    assert (stats(cluster)["unknown"], stats(cluster)["missed"]) == (1, 0)
    clock.advance(seconds=100)
    await operator.pass_over()
    assert (stats(cluster)["unknown"], stats(cluster)["missed"]) == (1, 0)


async def test_a_run_of_a_moment_ago_survives_a_change_of_its_schedule(cluster: FakeCluster, clock: FixedClock) -> None:
    operator = await settled(cluster, spec={"schedule": {"type": "interval", "value": "1m"}})
    clock.advance(minutes=1)
    uid = cluster.start_job()
    cluster.drop_events()
    cluster.edit_cron_job({})
    cluster.edit_councilor(spec={"schedule": {"value": "2m"}})
    clock.advance(seconds=10)
    await operator.catch_up()
    assert (stats(cluster)["unknown"], cluster.status["phase"]) == (0, "Running")
    cluster.end_job(uid, factories.report_message())
    await operator.catch_up()
    assert (stats(cluster)["unknown"], stats(cluster)["success"]) == (0, 1)


async def test_jobs_of_a_councilor_that_is_gone_are_not_remembered(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    uid = cluster.start_job(scheduled=False)
    await operator.catch_up()
    cluster.delete_councilor()
    cluster.collect_job(uid)
    await operator.catch_up()
    assert operator.cache.jobs.deleted(factories.UID) == []


async def test_a_councilor_whose_deletion_nobody_told_misses_nothing(cluster: FakeCluster, clock: FixedClock) -> None:
    operator = await settled(cluster, spec={"schedule": {"type": "interval", "value": "1m"}})
    cluster.delete_councilor()
    cluster.delete_cron_job()
    cluster.drop_events()
    clock.advance(seconds=130)
    assert await operator.pass_over() == []
    assert cluster.reads == ["exists"]
    assert len(operator.cache.councilors) == 0


async def test_whether_a_councilor_exists_is_tried_again(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    cluster.delete_cron_job()
    cluster.fail("exists", LOST)
    assert await operator.catch_up() == []
    assert operator.passes("retried") == 1
    assert await operator.wait(5) == ["apply", "status"]


@pytest.mark.parametrize(
    ("policy", "writes", "started"),
    [
        ("Forbid", ["status", "event"], False),
        ("Replace", ["delete-job", "create-job", "status", "event"], True),
        ("Allow", ["create-job", "status", "event"], True),
    ],
)
async def test_a_run_by_hand_knows_of_the_run_that_the_watch_has_not_told(
    cluster: FakeCluster, policy: str, writes: list[str], started: bool
) -> None:
    operator = await settled(cluster, spec={"concurrencyPolicy": policy})
    running = cluster.start_job()
    cluster.drop_events()
    cluster.councilor["metadata"].setdefault("annotations", {})[ANNOTATION_RUN_NOW] = "t"
    cluster.touch_councilor()
    cluster.deliver(operator.observer)
    await operator.drain()
    assert cluster.writes == writes
    assert ("jobName" in cluster.status["lastRunNow"]) is started
    assert (running in cluster.jobs) is (policy != "Replace")


# --- the API server's words -------------------------------------------------------------------------------------------


async def test_the_words_of_the_api_server_are_asked_for_when_there_is_no_pod(
    cluster: FakeCluster, clock: FixedClock
) -> None:
    operator = await settled(cluster)
    uid = cluster.start_job(scheduled=False, active=0, ready=0)
    cluster.refusals[uid] = "exceeded quota: none"
    await operator.catch_up()
    assert cluster.reads == []
    clock.advance(seconds=20)
    await operator.wait(20)
    assert cluster.reads == ["pods", "refusal"]
    assert "exceeded quota: none" in cluster.status["active"][0]["message"]
    assert conditions(cluster)["Healthy"] == ("False", "RunnerCannotStart")


async def test_a_pod_that_is_there_needs_no_words(cluster: FakeCluster, clock: FixedClock) -> None:
    operator = await settled(cluster)
    uid = cluster.start_job(scheduled=False, ready=0)
    cluster.pods[uid] = [factories.pod_body(waiting={"reason": "ImagePullBackOff"})]
    await operator.catch_up()
    clock.now += timedelta(seconds=20)
    await operator.wait(20)
    assert cluster.reads == ["pods"]
