"""Runs whose Jobs are gone before they were read: nothing is made up, nothing is lost, each counts once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from councilor_operator.api.status import Stats
from councilor_operator.runs.missed import LIMIT, TOLERANCE
from councilor_operator.runs.unseen import times_started
from councilor_operator.schedule import compile_expression, times_between
from tests import factories
from tests.factories import NOW, Body, ended_pod_body, report_message, rfc3339
from tests.unit.operator.world import Step, World

HOUR = timedelta(hours=1)


def hourly(value: str = "0 * * * *", kind: str = "cron", **spec: Any) -> World:
    """A Councilor whose CronJob was made at NOW, half past nine."""
    return World.settled({"schedule": {"type": kind, "value": value}, **spec})


def at(text: str) -> datetime:
    """A time of the day of NOW, 2 March 2026."""
    return datetime.fromisoformat(f"2026-03-02T{text}").replace(tzinfo=UTC)


def fire(world: World, time: datetime, uid: str | None = None, **over: Any) -> str:
    """Let the CronJob controller make the Job of a scheduled time."""
    uid = uid or f"job-{time:%d%H%M%S}"
    world.edit_cron_job({"status": {"lastScheduleTime": rfc3339(time)}})
    values: Body = {"scheduled_at": time, "active": 1, "ready": 1}
    world.add_job(uid, **(values | over))
    return uid


def end(world: World, uid: str, ended_at: datetime, *, report: bool = True) -> None:
    """Let a Job complete, with the runner's report."""
    status = world.jobs[uid]["status"]
    status.pop("active", None)
    status |= {
        "succeeded": 1,
        "conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": rfc3339(ended_at)}],
    }
    message = report_message(startedAt=rfc3339(ended_at - timedelta(seconds=9)), completedAt=rfc3339(ended_at))
    world.pods[uid] = [ended_pod_body(message)] if report else []


def collect(world: World, uid: str, *, told: bool = False) -> None:
    """Delete a Job and its Pods; `told`: the watch brings its last state."""
    body = world.jobs.pop(uid)
    world.pods.pop(uid, None)
    if told:
        world.deleted[uid] = body


def stats(step: Step) -> Stats:
    assert step.report.status.stats is not None
    return step.report.status.stats


def unknown_in(world: World) -> int:
    counters: Body = world.councilor["status"]["stats"]
    unknown: int = counters["unknown"]
    return unknown


# --- one Job ----------------------------------------------------------------------------------------------------------


def test_a_job_that_was_active_and_is_gone_is_unknown() -> None:
    world = hourly()
    world.now = at("10:00:05")
    uid = fire(world, at("10:00"))
    world.step()
    world.now = at("10:20")
    collect(world, uid)
    step = world.step()
    assert (stats(step).unknown, stats(step).total_executions, stats(step).missed) == (1, 0, 0)
    assert step.events == [("Warning", "ResultUnknown")]
    assert step.reasons["Healthy"] == ("Unknown", "ResultUnknown")
    assert step.report.status.last_unknown_time == at("10:00")
    assert step.report.status.active is None
    again = world.step()
    assert (again.patch, again.events) == ({}, [])


def test_what_the_watch_saw_last_is_said() -> None:
    world = hourly()
    world.now = at("10:00:05")
    uid = fire(world, at("10:00"))
    world.step()
    end(world, uid, at("10:01"))
    collect(world, uid, told=True)
    step = world.step()
    assert stats(step).unknown == 1
    (event,) = step.report.events
    assert f"{factories.scheduled_job_name(at('10:00'))} (Complete)" in event.note
    assert "2026-03-02T10:00:00Z" in event.note
    assert "councilor_executions" in event.note
    # Its UID stays until the watch has forgotten it too.
    assert world.step().events == []
    assert unknown_in(world) == 1
    assert world.step().patch == {}


def test_a_deleted_job_whose_pods_are_still_there_is_read() -> None:
    world = hourly()
    world.now = at("10:02")
    uid = fire(world, at("10:00"))
    end(world, uid, at("10:01"))
    pods = world.pods[uid]
    collect(world, uid, told=True)
    world.pods[uid] = pods
    step = world.step()
    assert (stats(step).unknown, stats(step).success) == (0, 1)


@pytest.mark.parametrize("ended", [True, False], ids=["ended", "going on"])
def test_a_run_by_hand_that_came_and_went_between_two_passes_is_unknown(ended: bool) -> None:
    world = hourly()
    world.add_job("hand", name="by-hand", scheduled_at=None, created_at=NOW, active=1, ready=1)
    if ended:
        end(world, "hand", NOW)
    collect(world, "hand", told=True)
    world.now += timedelta(seconds=1)
    step = world.step()
    assert stats(step).unknown == 1
    assert step.report.status.last_unknown_time == NOW
    world.step()
    assert unknown_in(world) == 1


def test_a_job_that_completed_and_has_no_pods_is_unknown() -> None:
    world = hourly()
    world.now = at("10:05")
    uid = fire(world, at("10:00"))
    end(world, uid, at("10:01"), report=False)
    step = world.step()
    assert (stats(step).unknown, stats(step).failed) == (1, 0)
    assert step.decision.reports == ()
    collect(world, uid)
    world.step()
    assert unknown_in(world) == 1


def test_a_job_that_was_counted_may_go() -> None:
    world = hourly()
    world.now = at("10:05")
    uid = fire(world, at("10:00"))
    end(world, uid, at("10:01"))
    assert stats(world.step()).success == 1
    collect(world, uid, told=True)
    step = world.step()
    assert (stats(step).unknown, stats(step).success, step.events) == (0, 1, [])


def test_a_list_that_is_ahead_of_the_watch_counts_once() -> None:
    """The list lacks a Job whose deletion the watch tells only afterwards."""
    world = hourly()
    world.now = at("10:02")
    uid = fire(world, at("10:00"))
    end(world, uid, at("10:01"))
    world.step()
    body = world.jobs.pop(uid)
    world.lingering = frozenset({uid})
    world.step()
    world.lingering = frozenset()
    world.deleted[uid] = body
    world.pods.pop(uid)
    world.step()
    world.step()
    assert unknown_in(world) == 0


@pytest.mark.parametrize("ended", [False, True])
def test_a_missed_time_whose_job_came_late_and_went_unseen_is_a_run(ended: bool) -> None:
    world = hourly()
    world.now = at("10:02")
    assert stats(world.step()).missed == 1
    uid = fire(world, at("10:00"))
    if ended:
        end(world, uid, at("10:03"))
    collect(world, uid, told=True)
    world.now = at("10:04")
    step = world.step()
    assert (stats(step).missed, stats(step).unknown) == (0, 1)
    assert world.step().patch == {}


# --- times without a Job ----------------------------------------------------------------------------------------------


def test_runs_that_came_and_went_while_the_operator_was_down_are_unknown() -> None:
    world = hourly()
    for time in ("10:00", "11:00", "12:00"):
        uid = fire(world, at(time))
        end(world, uid, at(time) + timedelta(minutes=1))
    for uid in list(world.jobs)[:2]:
        collect(world, uid)
    world.now = at("12:30")
    step = world.step()
    assert (stats(step).unknown, stats(step).success, stats(step).missed) == (2, 1, 0)
    assert [event.reason for event in step.report.events if event.type == "Warning"] == ["ResultUnknown"]
    note = next(event.note for event in step.report.events if event.reason == "ResultUnknown")
    assert "2026-03-02T10:00:00Z to 2026-03-02T11:00:00Z" in note
    assert step.report.status.accounted_until == at("12:00")
    assert world.step().patch == {}


def test_what_was_missed_before_is_not_unknown_afterwards() -> None:
    world = hourly()
    world.now = at("10:01:01")
    assert stats(world.step()).missed == 1
    world.now = at("11:00:05")
    fire(world, at("11:00"))
    step = world.step()
    assert (stats(step).missed, stats(step).unknown) == (1, 0)


def test_a_time_that_is_made_up_for_late_was_not_missed() -> None:
    world = hourly()
    world.now = at("11:01:01")
    assert stats(world.step()).missed == 2
    uid = fire(world, at("11:00"), created_at=at("11:10"))
    world.now = at("11:10:05")
    step = world.step()
    assert (stats(step).missed, step.report.status.last_missed_time) == (1, None)
    assert step.reasons["Healthy"][1] != "RunMissed"
    end(world, uid, at("11:12"))
    step = world.step()
    assert (stats(step).missed, stats(step).success, stats(step).unknown) == (1, 1, 0)


def test_the_job_of_a_moment_ago_may_not_have_been_heard_of() -> None:
    world = hourly()
    world.now = at("10:00:02")
    world.edit_cron_job({"status": {"lastScheduleTime": rfc3339(at("10:00"))}})
    step = world.step()
    assert stats(step).unknown == 0
    assert step.report.look_again == at("10:00") + TOLERANCE
    world.now = at("10:01")
    assert stats(world.step()).unknown == 1


def test_paused_time_is_not_unknown() -> None:
    world = hourly()
    world.edit({"schedule": {"enabled": False}})
    world.step()
    world.now += timedelta(days=3)
    world.edit({"schedule": {"enabled": True}})
    assert stats(world.step()).unknown == 0
    world.now += timedelta(minutes=2)
    assert stats(world.step()).unknown == 0


def test_a_crash_after_a_resume_makes_nothing_unknown() -> None:
    """The CronJob is resumed, and the status still speaks of before."""
    world = hourly()
    world.edit({"schedule": {"enabled": False}})
    world.step()
    world.now += timedelta(days=3)
    world.edit({"schedule": {"enabled": True}})
    before = factories.merged(world.councilor["status"], {})
    world.step()
    world.councilor["status"] = before
    world.now += timedelta(minutes=5)
    step = world.step()
    assert (stats(step).unknown, stats(step).missed) == (0, 0)


@pytest.mark.parametrize("paused", [False, True], ids=["going on", "paused"])
def test_what_passed_under_an_old_schedule_is_not_unknown_under_the_new_one(paused: bool) -> None:
    world = hourly("0 0 * * *")
    world.now = at("23:30") + timedelta(minutes=31)
    uid = fire(world, at("23:00") + HOUR)
    end(world, uid, world.now)
    world.step()
    world.now += 5 * HOUR
    world.edit({"schedule": {"value": "*/5 * * * *", "enabled": not paused}})
    before = factories.merged(world.councilor["status"], {})
    world.step()
    for crashed in (False, True):
        if crashed:
            world.councilor["status"] = before
        world.now += timedelta(minutes=2)
        assert stats(world.step()).unknown == 0


def test_a_schedule_that_was_edited_while_the_operator_was_down_had_its_runs() -> None:
    world = hourly()
    fire(world, at("10:00"))
    collect(world, "job-02100000")
    world.now = at("10:30")
    world.edit({"schedule": {"value": "*/20 * * * *"}})
    step = world.step()
    assert stats(step).unknown == 1
    assert step.report.status.accounted_until == at("10:30")
    world.now = at("10:41:01")
    step = world.step()
    assert (stats(step).unknown, stats(step).missed) == (1, 1)


def test_a_cron_job_that_is_made_anew_owes_nothing() -> None:
    world = hourly()
    world.now = at("10:00:05")
    uid = fire(world, at("10:00"))
    end(world, uid, at("10:00:04"))
    world.step()
    world.cron_job = None
    collect(world, uid)
    world.now = at("15:30")
    world.step()
    world.edit_cron_job({"metadata": {"creationTimestamp": rfc3339(at("15:30"))}})
    fire(world, at("16:00"))
    world.now = at("16:02")
    assert stats(world.step()).unknown == 0


def test_a_status_of_an_operator_that_kept_no_account_claims_nothing() -> None:
    world = hourly()
    for time in ("10:00", "11:00"):
        fire(world, at(time))
    world.jobs.clear()
    world.councilor["status"].pop("accountedUntil")
    world.now = at("11:30")
    step = world.step()
    assert stats(step).unknown == 0
    assert step.report.status.accounted_until == at("11:00")


def test_another_agent_does_not_make_a_run_unknown() -> None:
    """The execution id changes with the agent; the Job is the same."""
    world = hourly()
    world.now = at("10:00:05")
    fire(world, at("10:00"))
    world.step()
    world.edit({"agentId": "Another_Agent"})
    world.step()
    assert unknown_in(world) == 0


def test_a_long_absence_is_counted_in_portions() -> None:
    world = hourly("1m", "interval")
    last = NOW + timedelta(minutes=2500)
    world.edit_cron_job({"status": {"lastScheduleTime": rfc3339(last)}})
    world.now = last + timedelta(seconds=90)
    counts = []
    for _ in range(3):
        step = world.step()
        counts.append((stats(step).unknown, stats(step).missed))
        if len(counts) < 3:
            assert step.report.look_again == world.now
    assert counts == [(LIMIT, 0), (2 * LIMIT, 0), (2500, 0)]
    assert world.step().patch == {}


@given(
    length=st.integers(min_value=1, max_value=500),
    runs=st.integers(min_value=0, max_value=60),
    offset=st.integers(min_value=0, max_value=59),
)
def test_an_interval_is_in_step_with_its_last_run(length: int, runs: int, offset: int) -> None:
    """Looking back finds what looking ahead from the beginning would have found."""
    created = NOW + timedelta(seconds=offset)
    interval = timedelta(minutes=length)
    world = hourly(f"{length}m", "interval")
    world.edit_cron_job({"metadata": {"creationTimestamp": rfc3339(created)}})
    world.edit_cron_job({"status": {"lastScheduleTime": rfc3339(created + runs * interval)} if runs else {}})
    cron_job = world.observation().cron_job
    assert cron_job is not None
    assert times_started(cron_job, created) == [created + number * interval for number in range(1, runs + 1)]


# --- any history ------------------------------------------------------------------------------------------------------


@dataclass
class Cluster:
    """An hourly Councilor, a CronJob controller, and operators that come, go and crash; a minute at a time.

    The controller does what the real one does: it starts the latest time that has passed, once, if no run is in the
    way. `begun` remembers what it did, to compare with what was counted.
    """

    policy: str
    world: World = field(init=False)
    controller_up: bool = True
    operator_up: bool = True
    begun: int = 0
    by_hand: int = 0

    def __post_init__(self) -> None:
        self.world = hourly(concurrencyPolicy=self.policy, history={"successfulRuns": 1})
        self.schedule = compile_expression("0 * * * *", "UTC")

    def tick(self, minutes: int) -> None:
        for number in range(minutes):
            self.world.now += timedelta(minutes=1)
            # Minutes in which nothing is due or judged are as good as one.
            if self.world.now.minute in {0, 1, 30} or number == minutes - 1:
                self._control()
                self.operate()

    def _control(self) -> None:
        assert self.world.cron_job is not None
        text = self.world.cron_job["status"].get("lastScheduleTime")
        last = datetime.fromisoformat(text) if text else NOW
        due = times_between(self.schedule, start=last, end=self.world.now, limit=1000)
        if not self.controller_up or not due or (self.running() and self.policy == "Forbid"):
            return
        fire(self.world, due[-1], created_at=self.world.now, started_at=self.world.now)
        self.begun += 1

    def running(self) -> list[str]:
        return [uid for uid, body in self.world.jobs.items() if "conditions" not in body["status"]]

    def operate(self, *, crash: bool = False) -> None:
        if not self.operator_up:
            return
        before = factories.merged(self.world.councilor.get("status", {}), {})
        self.world.step()
        if crash:
            self.world.councilor["status"] = before
            self.world.deleted.clear()

    def start_by_hand(self) -> None:
        self.by_hand += 1
        uid = f"hand-{self.by_hand}"
        self.world.add_job(uid, name=uid, scheduled_at=None, created_at=self.world.now, active=1, ready=1)
        # A run by hand that nobody ever noted leaves no trace: this operator is up when they begin.
        self.operator_up = True
        self.operate()

    def end_one(self, number: int) -> None:
        if running := self.running():
            end(self.world, running[number % len(running)], self.world.now)
            self.operate()

    def delete(self, number: int) -> None:
        if self.world.jobs:
            uid = list(self.world.jobs)[number % len(self.world.jobs)]
            collect(self.world, uid, told=self.operator_up)
            self.operate()

    def settle(self) -> int:
        """Let everything end and be looked at; returns how many times were due."""
        self.operator_up = True
        self.operate()
        for _ in range(len(self.running())):
            self.end_one(0)
        self.controller_up = True
        # To the next half hour, when nothing is due or in suspense.
        self.tick(1)
        while self.world.now.minute != 30 or self.running():
            self.end_one(0)
            self.tick(1)
        self.operate()
        return len(times_between(self.schedule, start=NOW, end=self.world.now, limit=10_000))


STEPS = st.one_of(
    st.tuples(st.just("tick"), st.integers(min_value=1, max_value=150)),
    st.tuples(st.sampled_from(["end", "delete"]), st.integers(min_value=0, max_value=5)),
    st.tuples(st.sampled_from(["operator", "controller", "crash", "hand"]), st.just(0)),
)


@settings(deadline=None, max_examples=60)
@given(policy=st.sampled_from(["Forbid", "Allow"]), steps=st.lists(STEPS, max_size=25))
def test_every_time_that_was_due_is_accounted_for_once(policy: str, steps: list[tuple[str, int]]) -> None:
    """Whatever goes down, is deleted or crashes: counted + unknown + missed = due + by hand."""
    cluster = Cluster(policy)
    for what, number in steps:
        match what:
            case "tick":
                cluster.tick(number)
            case "end":
                cluster.end_one(number)
            case "delete":
                cluster.delete(number)
            case "operator":
                cluster.operator_up = not cluster.operator_up
                if not cluster.operator_up:
                    # A new process remembers nothing that is not in the cluster.
                    cluster.world.deleted.clear()
                cluster.operate()
            case "controller":
                cluster.controller_up = not cluster.controller_up
            case "crash":
                cluster.operate(crash=True)
            case "hand":
                cluster.start_by_hand()
    due = cluster.settle()
    found = Stats.model_validate(cluster.world.councilor["status"]["stats"])
    assert found.total_executions + found.unknown + found.missed == due + cluster.by_hand
    assert found.missed <= due - cluster.begun + found.unknown
    assert found.total_executions <= cluster.begun + cluster.by_hand
    before = cluster.world.councilor["status"]
    assert cluster.world.step().patch == {}, before
