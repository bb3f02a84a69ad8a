"""The reconciler against a cluster in memory: how often it writes, what it does about errors, what a crash leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from councilor_operator.cache import Cache
from councilor_operator.config import OperatorConfig
from councilor_operator.constants import ANNOTATION_FAST_FORWARD
from councilor_operator.errors import (
    ApiError,
    ConflictError,
    NamespaceGoneError,
    NotFoundError,
    RejectedError,
    TransientError,
)
from councilor_operator.metrics import Metrics
from councilor_operator.observer import Observer
from councilor_operator.reconciler import Reconciler
from councilor_operator.recorder import EventRecorder
from councilor_operator.workqueue import FIRST_RETRY_SECONDS, WorkQueue
from tests import factories
from tests.factories import UID, Body, FixedClock
from tests.unit.operator.fake_cluster import FakeCluster, Lists, Operation

TRANSIENT = TransientError("etcd is not there", status=503)
TERMINATING = NamespaceGoneError("the namespace is being deleted", status=403)
REFUSED = RejectedError('CronJob "x" is invalid: spec.jobTemplate: must be a quantity', status=422)


class Operator:
    """One process of the operator: its cache, queue and reconciler. A restart is a new one."""

    def __init__(self, cluster: FakeCluster, config: OperatorConfig | None = None) -> None:
        self.cluster = cluster
        self.cache = Cache()
        self.seconds = 0.0
        self.queue: WorkQueue[str] = WorkQueue(lambda: self.seconds)
        self.metrics = Metrics()
        self.recorder = EventRecorder(cluster, self.metrics.event_failures)
        self.observer = Observer(
            cache=self.cache, queue=self.queue, lists=Lists(cluster), metrics=self.metrics, clock=cluster.clock
        )
        self.reconciler = Reconciler(
            cache=self.cache,
            queue=self.queue,
            cluster=cluster,
            recorder=self.recorder,
            config=config or factories.config(),
            metrics=self.metrics,
            clock=cluster.clock,
        )

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        """A worker, and who sends its events, for the time of the block."""
        tasks = [asyncio.create_task(part) for part in (self.reconciler.work(), self.recorder.work())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def drain(self) -> None:
        """Let a worker process what waits now; the cluster, being in memory, answers at once."""
        async with self.worker():
            await turns()
            assert not len(self.queue)

    async def catch_up(self) -> list[str]:
        """Take in everything the cluster has to tell, and reconcile until nothing is left; returns the writes."""
        before = len(self.cluster.writes)
        for _ in range(20):
            self.cluster.deliver(self.observer)
            if not len(self.queue):
                return self.cluster.writes[before:]
            await self.drain()
        raise AssertionError(f"no end of it: {self.cluster.writes[before:]}")

    async def pass_over(self, uid: str = UID) -> list[str]:
        """One pass over one Councilor, whether anything changed or not; returns the writes."""
        before = len(self.cluster.writes)
        self.queue.add(uid)
        await self.drain()
        return self.cluster.writes[before:]

    async def wait(self, seconds: float) -> list[str]:
        """Let so much time pass for the queue, and reconcile what has come due."""
        before = len(self.cluster.writes)
        self.seconds += seconds
        await self.drain()
        return self.cluster.writes[before:]

    def passes(self, result: str) -> float:
        return self.metrics.registry.get_sample_value("councilor_operator_reconciles_total", {"result": result}) or 0.0

    def counted_runs(self) -> float:
        return sum(
            sample.value
            for family in self.metrics.registry.collect()
            for sample in family.samples
            if sample.name == "councilor_runs_total"
        )


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def operator(cluster: FakeCluster) -> Operator:
    return Operator(cluster)


async def settled(cluster: FakeCluster, **over: Any) -> Operator:
    """An operator that has seen one Councilor and made its CronJob."""
    cluster.create_councilor(**over)
    operator = Operator(cluster)
    await operator.catch_up()
    cluster.writes.clear()
    cluster.reads.clear()
    cluster.events.clear()
    return operator


def conditions(cluster: FakeCluster) -> dict[str, tuple[str, str]]:
    return {entry["type"]: (entry["status"], entry["reason"]) for entry in cluster.status["conditions"]}


def stats(cluster: FakeCluster) -> Body:
    found: Body = cluster.status["stats"]
    return found


# --- how often it writes ----------------------------------------------------------------------------------------------


async def test_the_first_pass_writes_cron_job_and_status_once(operator: Operator, cluster: FakeCluster) -> None:
    cluster.create_councilor()
    assert await operator.catch_up() == ["apply", "status", "event"]
    assert conditions(cluster)["Ready"] == ("True", "Reconciled")
    assert cluster.cron_job["spec"]["suspend"] is False


async def test_further_passes_write_nothing(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    for _ in range(5):
        assert await operator.pass_over() == []
    assert operator.passes("changed") == 1
    assert operator.passes("unchanged") >= 5


async def test_a_pass_without_news_reads_nothing_either(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    await operator.pass_over()
    assert cluster.reads == []


async def test_its_own_writes_are_no_news(operator: Operator, cluster: FakeCluster) -> None:
    cluster.create_councilor()
    cluster.deliver(operator.observer)
    await operator.drain()
    cluster.deliver(operator.observer)
    assert len(operator.queue) == 0


async def test_a_restart_writes_nothing(cluster: FakeCluster) -> None:
    await settled(cluster)
    successor = Operator(cluster)
    await successor.observer.list()
    assert await successor.catch_up() == []


async def test_a_resync_writes_nothing(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    await operator.observer.list()
    assert len(operator.queue) == 1
    assert await operator.catch_up() == []


@pytest.mark.parametrize(
    ("change", "writes"),
    [
        ({"task": {"prompt": "And now?"}}, ["apply", "status"]),
        ({"schedule": {"value": "5 9 * * *"}}, ["fast-forward", "apply", "status"]),
        ({"schedule": {"enabled": False}}, ["apply", "status", "event"]),
        ({"schedule": {"value": "nonsense"}}, ["suspend", "status", "event"]),
        ({"suspendAfterFailures": 7}, ["apply", "status"]),
    ],
)
async def test_an_edit_costs_as_little_as_it_can(cluster: FakeCluster, change: Body, writes: list[str]) -> None:
    operator = await settled(cluster)
    cluster.edit_councilor(spec=change)
    assert await operator.catch_up() == writes
    assert await operator.pass_over() == []


async def test_a_run_costs_two_writes_of_status(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    uid = cluster.start_job()
    assert await operator.catch_up() == ["status"]
    cluster.end_job(uid, factories.report_message())
    assert await operator.catch_up() == ["status", "event"]
    assert stats(cluster)["success"] == 1


async def test_writes_are_counted(operator: Operator, cluster: FakeCluster) -> None:
    cluster.create_councilor()
    await operator.catch_up()
    sample = operator.metrics.registry.get_sample_value
    for kind, verb in (("cronjob", "apply"), ("status", "patch")):
        assert sample("councilor_operator_api_writes_total", {"object": kind, "verb": verb}) == 1


async def test_a_deleted_councilor_is_forgotten(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    cluster.delete_councilor()
    assert await operator.catch_up() == []
    assert await operator.wait(10 * 86400) == []


async def test_a_councilor_that_is_being_deleted_is_left_alone(operator: Operator, cluster: FakeCluster) -> None:
    cluster.create_councilor(deleting=True)
    assert await operator.catch_up() == []
    assert cluster.cron_jobs == {}


async def test_an_unknown_key_is_no_fault(operator: Operator) -> None:
    assert await operator.pass_over("nobody") == []
    assert operator.passes("failed") == 0


# --- repair -----------------------------------------------------------------------------------------------------------


async def test_a_deleted_cron_job_comes_back(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    cluster.delete_cron_job()
    assert await operator.catch_up() == ["apply", "status"]
    assert await operator.pass_over() == []


@pytest.mark.parametrize(
    ("edit", "writes"),
    [
        ({"spec": {"suspend": True}}, ["fast-forward", "apply"]),
        ({"spec": {"schedule": "* * * * *"}}, ["fast-forward", "apply"]),
        ({"spec": {"failedJobsHistoryLimit": 9}}, ["apply"]),
        ({"metadata": {"annotations": None}}, ["apply"]),
        ({"metadata": {"ownerReferences": None}}, ["apply"]),
        ({"metadata": {"labels": None}}, ["apply"]),
        ({"metadata": {"labels": {"app.kubernetes.io/managed-by": "somebody"}}}, ["apply"]),
    ],
)
async def test_a_foreign_edit_is_undone_once(cluster: FakeCluster, edit: Body, writes: list[str]) -> None:
    operator = await settled(cluster)
    before = factories.merged(cluster.cron_job, {})
    cluster.edit_cron_job(edit)
    assert [write for write in await operator.catch_up() if write != "status"] == writes
    for part in ("labels", "annotations", "ownerReferences"):
        now = cluster.cron_job["metadata"][part]
        if part == "annotations":
            now = {key: value for key, value in now.items() if key != ANNOTATION_FAST_FORWARD}
        assert now == before["metadata"][part]
    assert cluster.cron_job["spec"] == before["spec"]
    assert await operator.pass_over() == []


async def test_after_its_label_was_restored_a_cron_job_is_watched_again(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    cluster.edit_cron_job({"metadata": {"labels": None}})
    await operator.catch_up()
    cluster.edit_cron_job({"spec": {"suspend": True}})
    assert "apply" in await operator.catch_up()


async def test_a_variable_that_somebody_adds_is_not_fought_over(cluster: FakeCluster) -> None:
    """`env` merges by name: what another field manager added stays, and applying again would not change that."""
    operator = await settled(cluster)
    spec = factories.merged(cluster.cron_job["spec"], {})
    variables = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["env"]
    variables.append({"name": "HTTPS_PROXY", "value": "http://proxy:3128"})
    cluster.edit_cron_job({"spec": spec})
    assert await operator.catch_up() == ["apply", "status"]
    assert cluster.cron_job["spec"] == spec
    assert await operator.pass_over() == []


async def test_a_second_operator_is_harmless(cluster: FakeCluster) -> None:
    first = await settled(cluster)
    second = Operator(cluster)
    await second.observer.list()
    cluster.run()
    await second.observer.list()
    await first.catch_up()
    await second.observer.list()
    for operator in (second, first, second, first):
        await operator.wait(3600)
        await operator.observer.list()
        await operator.drain()
    assert stats(cluster)["totalExecutions"] == 1
    assert cluster.writes.count("status") == 1
    assert cluster.writes.count("event") == 1


# --- resume -----------------------------------------------------------------------------------------------------------


async def test_the_past_is_written_off_before_the_cron_job_resumes(cluster: FakeCluster, clock: FixedClock) -> None:
    operator = await settled(cluster, spec={"schedule": {"enabled": False}})
    clock.advance(hours=30)
    cluster.edit_councilor(spec={"schedule": {"enabled": True}})
    assert [write for write in await operator.catch_up() if write != "event"] == ["fast-forward", "apply", "status"]
    assert cluster.cron_job["status"]["lastScheduleTime"] == factories.rfc3339(clock())


async def test_a_crash_between_the_two_steps_resumes_later_without_a_surprise(
    cluster: FakeCluster, clock: FixedClock
) -> None:
    operator = await settled(cluster, spec={"schedule": {"enabled": False}})
    cluster.edit_councilor(spec={"schedule": {"enabled": True}})
    cluster.fail("fast-forward", TRANSIENT, carried_out=True)
    cluster.deliver(operator.observer)
    await operator.drain()
    assert cluster.writes == ["fast-forward"]
    assert cluster.cron_job["spec"]["suspend"] is True
    clock.advance(seconds=2)
    assert (await operator.wait(2))[:2] == ["fast-forward", "apply"]
    assert cluster.cron_job["status"]["lastScheduleTime"] == factories.rfc3339(clock())


# --- errors -----------------------------------------------------------------------------------------------------------


async def test_a_spec_that_will_be_refused_is_found_out_before_anything_is_written(
    cluster: FakeCluster, clock: FixedClock
) -> None:
    """A fast-forward at every pass would move the CronJob, and with it ask for the next pass, for ever."""
    operator = await settled(cluster, spec={"schedule": {"enabled": False}})
    cluster.edit_councilor(spec={"schedule": {"enabled": True}, "runner": {"resources": {"limits": {"cpu": "lots"}}}})
    cluster.fail("apply", REFUSED, times=50)
    assert await operator.catch_up() == ["status", "event"]
    clock.advance(minutes=1)
    assert await operator.pass_over() == []
    assert cluster.cron_job["spec"]["suspend"] is True


@pytest.mark.parametrize("operation", ["apply", "status"])
@pytest.mark.parametrize(
    "error",
    [TRANSIENT, ConflictError("modified", status=409), TransientError("no connection")],
    ids=lambda e: type(e).__name__,
)
async def test_what_passes_by_is_tried_again(
    operator: Operator, cluster: FakeCluster, operation: Operation, error: ApiError
) -> None:
    cluster.create_councilor()
    cluster.fail(operation, error, times=3)
    await operator.catch_up()
    assert operator.passes("retried") == 1
    assert await operator.wait(0.7 * FIRST_RETRY_SECONDS) == []
    for _ in range(3):
        await operator.wait(10)
    assert conditions(cluster)["Ready"] == ("True", "Reconciled")
    assert operator.passes("retried") == 3
    assert await operator.pass_over() == []


async def test_the_server_may_say_when_to_come_back(operator: Operator, cluster: FakeCluster) -> None:
    cluster.create_councilor()
    cluster.fail("apply", TransientError("too many requests", status=429, retry_after=60))
    await operator.catch_up()
    assert await operator.wait(59) == []
    assert await operator.wait(1) == ["apply", "status", "event"]


async def test_a_conflict_is_solved_by_reading_again(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    cluster.run()
    cluster.deliver(operator.observer)
    cluster.touch_councilor()  # somebody wrote, and the watch has not told yet
    await operator.drain()
    assert "status" not in cluster.writes
    assert operator.passes("retried") == 1
    assert await operator.catch_up() == ["status", "event"]
    await operator.wait(3600)
    assert stats(cluster)["success"] == 1


async def test_a_councilor_whose_deletion_nobody_told_gets_no_cron_job_again(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    cluster.councilors.clear()
    cluster.delete_cron_job()
    assert await operator.catch_up() == []
    assert operator.passes("retried") == operator.passes("failed") == 0
    assert await operator.wait(3600) == []


async def test_a_councilor_whose_deletion_began_unheard_gets_no_cron_job_again(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    cluster.begin_to_delete_councilor()
    cluster.drop_events()
    cluster.delete_cron_job()
    assert await operator.catch_up() == []
    assert cluster.reads == ["exists"]
    cluster.touch_councilor()
    assert await operator.catch_up() == []
    assert cluster.cron_jobs == {}
    assert operator.passes("retried") == operator.passes("failed") == 0
    assert await operator.wait(3600) == []


async def test_a_namespace_that_takes_the_cron_job_first_gets_none_again(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    cluster.delete_cron_job()
    cluster.fail("apply", TERMINATING)
    assert await operator.catch_up() == []
    assert operator.passes("retried") == operator.passes("failed") == 0
    assert operator.queue.backing_off == 0
    assert await operator.wait(3600) == []
    cluster.delete_councilor()
    assert await operator.catch_up() == []


async def test_a_replaced_cron_job_is_not_written_over(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    manifest = factories.merged(cluster.cron_job, {"metadata": {"ownerReferences": None, "labels": None}})
    cluster.edit_councilor(spec={"task": {"prompt": "x"}})
    cluster.deliver(operator.observer)
    cluster.delete_cron_job()
    theirs = factories.merged(cluster.create_cron_job(manifest), {})
    await operator.drain()
    assert cluster.cron_job == theirs
    await operator.catch_up()
    await operator.wait(5)
    assert cluster.cron_job == theirs
    assert conditions(cluster)["Ready"] == ("False", "NameConflict")


async def test_a_refused_cron_job_becomes_a_condition(operator: Operator, cluster: FakeCluster) -> None:
    cluster.create_councilor()
    cluster.fail("apply", REFUSED, times=50)
    assert await operator.catch_up() == ["status", "event"]
    assert conditions(cluster)["Ready"] == conditions(cluster)["Scheduled"] == ("False", "CronJobRefused")
    assert cluster.status["phase"] == "Invalid"
    (ready,) = [entry for entry in cluster.status["conditions"] if entry["type"] == "Ready"]
    assert "must be a quantity" in ready["message"]
    # No retry by itself, no second event.
    assert await operator.wait(60) == []
    assert await operator.pass_over() == []
    assert operator.passes("failed") == operator.passes("retried") == 0


async def test_a_refusal_ends_with_the_spec_that_caused_it(operator: Operator, cluster: FakeCluster) -> None:
    cluster.create_councilor()
    cluster.fail("apply", REFUSED)
    await operator.catch_up()
    cluster.edit_councilor(spec={"title": "T"})
    assert await operator.catch_up() == ["apply", "status", "event"]
    assert conditions(cluster)["Ready"] == ("True", "Reconciled")


async def test_a_cron_job_does_not_go_on_with_a_spec_that_was_replaced_by_a_refused_one(cluster: FakeCluster) -> None:
    """The status says that no run will come; so none may come."""
    operator = await settled(cluster)
    cluster.edit_councilor(spec={"runner": {"resources": {"limits": {"cpu": "2"}}}})
    cluster.fail("apply", REFUSED, times=50)
    await operator.catch_up()
    assert conditions(cluster)["Scheduled"] == ("False", "CronJobRefused")
    assert cluster.cron_job["spec"]["suspend"] is True
    assert await operator.pass_over() == []
    cluster.recover()
    cluster.edit_councilor(spec={"runner": {"resources": {"limits": {"cpu": "1"}}}})
    assert await operator.catch_up() == ["fast-forward", "apply", "status", "event"]
    assert cluster.cron_job["spec"]["suspend"] is False


async def test_a_refused_status_is_tried_again(operator: Operator, cluster: FakeCluster) -> None:
    cluster.create_councilor()
    cluster.fail("status", RejectedError("forbidden", status=403))
    assert await operator.catch_up() == ["apply"]
    assert operator.passes("failed") == 1
    # The CronJob is as it should be; only the status can say so, and it does not.
    assert await operator.wait(5) == ["apply", "status", "event"]


async def test_a_suspension_that_is_refused_is_told_and_tried_again(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    cluster.edit_councilor(spec={"schedule": {"value": "nonsense"}})
    cluster.fail("suspend", RejectedError("forbidden", status=403))
    await operator.catch_up()
    assert conditions(cluster)["Ready"][0] == "False"
    await operator.pass_over()
    assert conditions(cluster)["Ready"] == ("False", "InvalidSchedule")
    assert cluster.cron_job["spec"]["suspend"] is True
    assert await operator.pass_over() == []


async def test_what_vanished_during_the_pass_is_forgotten(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    cluster.edit_councilor(spec={"title": "T"})
    cluster.deliver(operator.observer)
    cluster.delete_councilor()
    await operator.drain()
    assert operator.passes("retried") == operator.passes("failed") == 0
    assert await operator.catch_up() == []


async def test_a_cron_job_that_vanished_during_the_pass_comes_back(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    cluster.edit_councilor(spec={"schedule": {"value": "5 9 * * *"}})
    cluster.deliver(operator.observer)
    cluster.delete_cron_job()
    await operator.drain()
    await operator.catch_up()
    await operator.wait(5)
    assert cluster.cron_job["spec"]["schedule"] == "5 9 * * *"
    assert conditions(cluster)["Ready"] == ("True", "Reconciled")


@pytest.mark.parametrize("value", ["5 9 * * *", "0 9 * * *", "nonsense"])
async def test_a_cron_job_of_whose_deletion_nobody_told_is_not_believed_in_for_ever(
    cluster: FakeCluster, value: str
) -> None:
    operator = await settled(cluster)
    cluster.delete_cron_job()
    cluster.drop_events()
    cluster.edit_councilor(spec={"title": "T", "schedule": {"value": value}})
    await operator.catch_up()
    assert operator.passes("retried") == 1
    await operator.wait(5)
    assert len(cluster.cron_jobs) == (value != "nonsense")
    assert operator.passes("retried") == 1
    assert conditions(cluster)["Ready"][0] == ("False" if value == "nonsense" else "True")


async def test_one_bad_councilor_does_not_stop_the_others(operator: Operator, cluster: FakeCluster) -> None:
    uids = [f"uid-{number}" for number in range(5)]
    for number, uid in enumerate(uids):
        cluster.create_councilor(uid=uid, name=f"c-{number}")
    # What only a fault in the operator's own code raises.
    cluster.fail("apply", RuntimeError("a fault"))
    cluster.deliver(operator.observer)
    await operator.drain()
    phases = [cluster.councilors[uid].get("status", {}).get("phase") for uid in uids]
    assert sorted(phases, key=str) == [None, *["Scheduled"] * 4]
    assert operator.passes("failed") == 1
    await operator.wait(5)
    assert all(cluster.councilors[uid]["status"]["phase"] == "Scheduled" for uid in uids)


async def test_a_fault_of_the_operator_backs_off(operator: Operator, cluster: FakeCluster) -> None:
    cluster.create_councilor()
    cluster.fail("apply", ZeroDivisionError("a fault of ours"), times=2)
    await operator.catch_up()
    assert operator.passes("failed") == 1
    await operator.wait(5)
    assert operator.passes("failed") == 2
    await operator.wait(5)
    assert conditions(cluster)["Ready"] == ("True", "Reconciled")


# --- events -----------------------------------------------------------------------------------------------------------


async def test_no_event_without_the_status_that_it_speaks_of(operator: Operator, cluster: FakeCluster) -> None:
    cluster.create_councilor()
    cluster.fail("status", TRANSIENT)
    assert await operator.catch_up() == ["apply"]
    assert cluster.events == []
    # The CronJob is as it should be; only the status can say so, and it does not.
    assert await operator.wait(5) == ["apply", "status", "event"]


@pytest.mark.parametrize(
    "error",
    [TRANSIENT, RejectedError("no", status=403), NotFoundError("n"), TERMINATING],
    ids=lambda e: type(e).__name__,
)
async def test_an_event_that_cannot_be_sent_harms_nothing(
    operator: Operator, cluster: FakeCluster, error: ApiError
) -> None:
    cluster.create_councilor()
    cluster.fail("event", error)
    assert await operator.catch_up() == ["apply", "status"]
    assert operator.passes("changed") == 1
    assert await operator.wait(60) == []


async def test_events_are_about_their_councilor(operator: Operator, cluster: FakeCluster) -> None:
    cluster.create_councilor(uid="a", name="a")
    cluster.create_councilor(uid="b", name="b", spec={"schedule": {"value": "nonsense"}})
    await operator.catch_up()
    assert sorted((uid, event.reason) for uid, event in cluster.events) == [
        ("a", "Reconciled"),
        ("b", "InvalidSchedule"),
    ]


# --- crash windows ----------------------------------------------------------------------------------------------------

WINDOWS: list[tuple[str, Operation, bool]] = [
    ("before the apply", "apply", False),
    ("after the apply", "apply", True),
    ("before the status", "status", False),
    ("after the status", "status", True),
    ("before the event", "event", False),
    ("after the event", "event", True),
]


@pytest.mark.parametrize(("operation", "carried_out"), [row[1:] for row in WINDOWS], ids=[row[0] for row in WINDOWS])
async def test_whatever_is_lost_the_next_operator_finishes(
    cluster: FakeCluster, operation: Operation, carried_out: bool
) -> None:
    first = await settled(cluster, spec={"schedule": {"enabled": False}})
    cluster.run()
    cluster.edit_councilor(spec={"schedule": {"enabled": True, "value": "5 9 * * *"}})
    cluster.fail(operation, ConnectionResetError("the process died"), carried_out=carried_out)
    cluster.deliver(first.observer)
    await first.drain()
    second = Operator(cluster)
    await second.observer.list()
    await second.catch_up()
    assert cluster.cron_job["spec"]["schedule"] == "5 9 * * *"
    assert cluster.cron_job["spec"]["suspend"] is False
    assert conditions(cluster)["Scheduled"] == ("True", "Active")
    assert stats(cluster)["totalExecutions"] == stats(cluster)["success"] == 1
    assert cluster.status["countedJobs"] == list(cluster.jobs)
    assert await second.pass_over() == []


@pytest.mark.parametrize("carried_out", [False, True])
async def test_an_answer_that_got_lost_counts_no_run_twice(cluster: FakeCluster, carried_out: bool) -> None:
    """The same process goes on with a cache that does not know whether its write arrived."""
    operator = await settled(cluster)
    cluster.run()
    cluster.fail("status", TransientError("connection reset"), carried_out=carried_out)
    cluster.deliver(operator.observer)
    await operator.drain()
    await operator.wait(5)
    await operator.catch_up()
    await operator.wait(5)
    assert stats(cluster)["totalExecutions"] == 1
    assert cluster.writes.count("status") == 1


async def test_a_restart_with_ended_runs_counts_each_once(cluster: FakeCluster, clock: FixedClock) -> None:
    operator = await settled(cluster)
    for _ in range(3):
        cluster.run()
        clock.advance(minutes=10)
    await operator.catch_up()
    for _ in range(2):
        cluster.run()
        clock.advance(minutes=10)
    for _ in range(3):
        successor = Operator(cluster)
        await successor.observer.list()
        await successor.catch_up()
    assert stats(cluster)["totalExecutions"] == stats(cluster)["success"] == 5
    assert [event.reason for _, event in cluster.events] == ["RunCompleted"] * 5


async def test_runs_that_ended_while_no_operator_was_there_are_counted(cluster: FakeCluster, clock: FixedClock) -> None:
    await settled(cluster)
    cluster.run(exit_code=10)
    clock.advance(minutes=10)
    cluster.run()
    successor = Operator(cluster)
    await successor.observer.list()
    await successor.catch_up()
    assert (stats(cluster)["failed"], stats(cluster)["success"], stats(cluster)["consecutiveFailures"]) == (1, 1, 0)
    assert cluster.status["lastRun"]["result"] == "success"
    assert successor.counted_runs() == 2


async def test_counted_jobs_leave_the_list_with_their_jobs(cluster: FakeCluster, clock: FixedClock) -> None:
    operator = await settled(cluster)
    for _ in range(5):
        uid = cluster.run()
        await operator.catch_up()
        clock.advance(minutes=10)
        cluster.collect_job(uid)
        # Its UID waits for the next run that is counted: it is worth no write of its own.
        assert await operator.catch_up() == []
        assert cluster.status["countedJobs"] == [uid]
    assert stats(cluster)["totalExecutions"] == 5


async def test_a_job_that_came_and_went_for_a_time_accounted_for_is_worked_in_once(
    cluster: FakeCluster, clock: FixedClock
) -> None:
    """Somebody made the Job of a counted run again from its manifest, and it went before a pass saw it."""
    operator = await settled(cluster, spec={"schedule": {"type": "interval", "value": "1m"}})
    clock.advance(minutes=1)
    due = clock()
    cluster.run()
    await operator.catch_up()
    clock.advance(seconds=20)
    again = cluster.start_job(at=due)
    cluster.end_job(again, factories.report_message())
    cluster.deliver(operator.observer)
    cluster.collect_job(again)
    assert await operator.catch_up() == ["status"]
    assert operator.cache.jobs.deleted(UID) == []
    cluster.reads.clear()
    passes = operator.passes("unchanged")
    assert await operator.wait(1) == []
    assert await operator.pass_over() == []
    assert cluster.reads == []
    assert operator.passes("unchanged") == passes + 1
    assert stats(cluster)["totalExecutions"] == 1


async def test_a_watch_that_lags_behind_a_list_counts_no_run_twice(cluster: FakeCluster) -> None:
    """The list no longer has the Job, so it leaves the list of counted ones; then the watch still speaks of its end."""
    operator = await settled(cluster)
    uid = cluster.run()
    ended = factories.merged(cluster.jobs[uid], {})
    await operator.catch_up()
    cluster.collect_job(uid)
    following = cluster.run(scheduled=False)
    await operator.observer.list()
    await operator.drain()
    assert cluster.status["countedJobs"] == [following]
    ended["metadata"]["resourceVersion"] = str(int(ended["metadata"]["resourceVersion"]) + 1)
    operator.observer.job(False, ended)
    await operator.drain()
    assert stats(cluster)["totalExecutions"] == 2


async def test_the_metrics_count_what_the_status_counts(cluster: FakeCluster) -> None:
    operator = await settled(cluster)
    cluster.run()
    cluster.fail("status", TRANSIENT, times=2)
    await operator.catch_up()
    assert operator.counted_runs() == 0
    await operator.wait(5)
    await operator.wait(5)
    assert operator.counted_runs() == stats(cluster)["totalExecutions"] == 1


STEPS = st.lists(
    st.one_of(
        st.sampled_from(
            ["run", "fail run", "deliver", "work", "restart", "list", "delete job", "edit", "touch", "drop job events"]
        ),
        st.tuples(st.sampled_from(["apply", "status", "event", "pods"]), st.booleans()),
    ),
    max_size=30,
)


@given(steps=STEPS)
@settings(max_examples=60, deadline=None)
def test_whatever_happens_it_converges_and_counts_every_run_once(steps: list[str | tuple[Operation, bool]]) -> None:
    """Runs, edits, stale caches, restarts and lost answers in any order; afterwards all is as after a quiet life."""
    asyncio.run(_live(steps))


async def _live(steps: list[str | tuple[Operation, bool]]) -> None:
    cluster = FakeCluster(FixedClock())
    operator = await settled(cluster, spec={"suspendAfterFailures": 0})
    expected = {"success": 0, "failed": 0}
    for step in steps:
        cluster.clock.advance(minutes=3)
        match step:
            case "run":
                cluster.run()
                expected["success"] += 1
            case "fail run":
                cluster.run(exit_code=10)
                expected["failed"] += 1
            case "deliver":
                cluster.deliver(operator.observer)
            case "work":
                await operator.wait(600)
            case "restart":
                cluster.drop_events()
                operator = Operator(cluster)
                await operator.observer.list()
            case "list":
                await operator.observer.list()
            case "drop job events":
                cluster.drop_events()
            case "delete job":
                counted = cluster.status.get("countedJobs", [])
                if uids := [uid for uid in cluster.jobs if uid in counted]:
                    cluster.collect_job(uids[0])
            case "edit":
                cluster.edit_councilor(spec={"task": {"prompt": f"Question {len(cluster.writes)}"}})
            case "touch":
                cluster.touch_councilor()
            case (operation, carried_out):
                cluster.fail(operation, TransientError("lost"), carried_out=carried_out)
    cluster.recover()
    await operator.observer.list()
    for _ in range(4):
        await operator.catch_up()
        await operator.wait(600)
    counted = stats(cluster)
    assert {key: counted[key] for key in expected} == expected
    assert counted["totalExecutions"] == sum(expected.values())
    assert conditions(cluster)["Ready"] == ("True", "Reconciled")
    assert cluster.status["observedGeneration"] == cluster.councilor["metadata"]["generation"]
    assert set(cluster.status.get("countedJobs", [])) >= set(cluster.jobs)
    assert await operator.pass_over() == []


# --- the next look ----------------------------------------------------------------------------------------------------


async def test_next_runs_are_brought_up_to_date_without_any_event(cluster: FakeCluster, clock: FixedClock) -> None:
    operator = await settled(cluster, spec={"schedule": {"type": "interval", "value": "10m"}})
    first = cluster.status["nextRunTimes"][0]
    clock.advance(minutes=10, seconds=5)
    assert await operator.wait(605) == ["status"]
    assert cluster.status["nextRunTimes"][0] > first


async def test_a_run_that_does_not_get_going_is_noticed(cluster: FakeCluster, clock: FixedClock) -> None:
    operator = await settled(cluster)
    uid = cluster.start_job(ready=0)
    cluster.pods[uid] = [factories.pod_body(waiting={"reason": "ImagePullBackOff", "message": "m"})]
    await operator.catch_up()
    assert conditions(cluster)["Healthy"] == ("Unknown", "NoRunYet")
    clock.advance(seconds=20)
    assert await operator.wait(20) == ["status", "event"]
    assert conditions(cluster)["Healthy"] == ("False", "RunnerCannotStart")


async def test_the_breaker_suspends_and_a_run_by_hand_resumes(cluster: FakeCluster, clock: FixedClock) -> None:
    operator = await settled(cluster, spec={"suspendAfterFailures": 2})
    for _ in range(2):
        cluster.run(exit_code=10)
        clock.advance(minutes=10)
        await operator.catch_up()
    assert (cluster.cron_job["spec"]["suspend"], cluster.status["phase"]) == (True, "Suspended")
    clock.advance(hours=5)
    cluster.run(scheduled=False)
    assert "fast-forward" in await operator.catch_up()
    assert (cluster.cron_job["spec"]["suspend"], cluster.status["phase"]) == (False, "Scheduled")
    assert cluster.cron_job["status"]["lastScheduleTime"] == factories.rfc3339(clock())


def test_the_clock_of_these_tests_stands_still() -> None:
    clock = FixedClock()
    assert clock() == clock()
    assert clock.advance(minutes=1) - factories.NOW == timedelta(minutes=1)
