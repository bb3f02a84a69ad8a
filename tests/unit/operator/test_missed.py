"""Scheduled times that passed without a run: which count, how often, and what is said about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.observed import ObservedCronJob
from councilor_operator.runs.missed import LIMIT, TOLERANCE, missed_times, next_check
from councilor_operator.schedule import CompiledSchedule, compile_schedule
from tests import factories
from tests.factories import NOW
from tests.unit.operator.world import World


def hourly() -> CompiledSchedule:
    return compile_schedule(type="cron", value="0 * * * *", time_zone=None, default_zone="UTC", uid=factories.UID)


def every(value: str) -> CompiledSchedule:
    return compile_schedule(type="interval", value=value, time_zone=None, default_zone="UTC", uid=factories.UID)


def at(text: str) -> datetime:
    """A time of the day of NOW, 2 March 2026."""
    return datetime.fromisoformat(f"2026-03-02T{text}").replace(tzinfo=UTC)


def cron_job(*, created: datetime = NOW, last: datetime | None = None) -> ObservedCronJob:
    return ObservedCronJob(
        namespace=factories.NAMESPACE,
        name=factories.NAME,
        uid=factories.CRON_JOB_UID,
        councilor_uid=factories.UID,
        resource_version="1",
        created_at=created,
        deleting=False,
        generation=1,
        labels={},
        annotations={},
        owners=(),
        schedule="0 * * * *",
        time_zone="UTC",
        suspended=False,
        last_schedule_time=last,
    )


@dataclass(frozen=True)
class Case:
    """A CronJob that last ran at `last` (None: never, made at `created`), seen at `now`."""

    now: str
    expected: list[str]
    last: str | None = "06:00"
    created: str = "05:30"
    counted_until: str | None = None
    jobs: list[str] = field(default_factory=list)
    schedule: CompiledSchedule = field(default_factory=hourly)


CASES = {
    "nothing was due": Case("06:59", []),
    "due this moment": Case("07:00", []),
    "due and within the tolerance": Case("07:00:59", []),
    "due and past the tolerance": Case("07:01", ["07:00"]),
    "several": Case("09:30", ["07:00", "08:00", "09:00"]),
    "some counted before": Case("09:30", ["09:00"], counted_until="08:00"),
    "all counted before": Case("09:30", [], counted_until="09:00"),
    "a run after what was counted": Case("09:30", [], last="09:00", counted_until="07:00"),
    "a run, then nothing": Case("10:30", ["10:00"], last="09:00", counted_until="07:00"),
    "a Job that the CronJob's status does not know yet": Case("07:02", [], jobs=["07:00"]),
    "a Job of another time": Case("08:02", ["08:00"], jobs=["07:00"]),
    "never ran, made a moment ago": Case("05:31", [], last=None),
    "never ran, one time passed": Case("06:30", ["06:00"], last=None),
    "made at the very time": Case("06:30", [], last=None, created="06:00"),
    "an interval counts from the last run": Case("07:20", ["06:45"], schedule=every("45m")),
    "an interval counts from the creation": Case("07:20", ["06:15", "07:00"], last=None, schedule=every("45m")),
    "an interval goes on from its own phase": Case(
        "07:32", ["07:30"], last="06:00", counted_until="06:45", schedule=every("45m")
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_which_times_count(case: Case) -> None:
    seen = cron_job(created=at(case.created), last=None if case.last is None else at(case.last))
    jobs = [
        factories.job(uid=f"j-{time}", scheduled_at=at(time), end="Complete", ended_at=at(time) + TOLERANCE / 2)
        for time in case.jobs
    ]
    until = None if case.counted_until is None else at(case.counted_until)

    missed = missed_times(case.schedule, seen, jobs, until, at(case.now))

    assert [f"{time:%H:%M}" for time in missed] == case.expected


# Fewer times in all than one pass counts, or the whole would be cut off where its parts are not.
@given(steps=st.lists(st.integers(min_value=0, max_value=600), min_size=1, max_size=11))
def test_however_often_one_looks_each_time_counts_once(steps: list[int]) -> None:
    schedule, now = every("7m"), NOW
    until: datetime | None = None
    seen: list[datetime] = []
    for minutes in steps:
        now += timedelta(minutes=minutes)
        found = missed_times(schedule, cron_job(), (), until, now)
        seen += found
        until = found[-1] if found else until
    assert seen == list(missed_times(schedule, cron_job(), (), None, now)[: len(seen)])
    assert len(seen) == len(set(seen))


def test_a_long_outage_is_counted_in_portions() -> None:
    later = NOW + timedelta(minutes=1500)
    first = missed_times(every("1m"), cron_job(), (), None, later)
    second = missed_times(every("1m"), cron_job(), (), first[-1], later)
    assert (len(first), len(first) + len(second)) == (LIMIT, 1499)


def test_the_next_check_is_when_the_next_time_will_have_been_missed() -> None:
    seen = cron_job(last=at("06:00"))
    assert next_check(hourly(), seen, None) == at("07:00") + TOLERANCE
    assert next_check(hourly(), seen, at("08:00")) == at("09:00") + TOLERANCE


# --- In a pass -------------------------------------------------------------------------------------------------------


def silent(value: str = "45m") -> World:
    """A Councilor whose CronJob was made at NOW and is never fired."""
    return World.settled({"schedule": {"type": "interval", "value": value}})


def test_a_missed_run_is_a_condition_an_event_and_a_count() -> None:
    world = silent()
    world.now += timedelta(minutes=46, seconds=1)
    step = world.step()
    assert step.reasons["Healthy"] == ("False", "RunMissed")
    assert "kube-controller-manager" in step.messages["Healthy"]
    assert step.events == [("Warning", "RunMissed")]
    assert step.report.status.stats is not None
    assert step.report.status.stats.missed == 1
    assert step.report.status.last_missed_time == NOW + timedelta(minutes=45)
    again = world.step()
    assert (again.patch, again.events) == ({}, [])


def test_it_is_looked_for_when_it_is_due() -> None:
    world = silent()
    due = NOW + timedelta(minutes=45)
    assert world.step().report.look_again == due + timedelta(seconds=5)
    world.now = due + timedelta(seconds=5)
    assert world.step().report.look_again == due + TOLERANCE


def test_the_next_run_heals_it() -> None:
    world = silent()
    world.now += timedelta(minutes=50)
    world.step()
    world.now += timedelta(minutes=42)
    at = NOW + timedelta(minutes=90)
    message = factories.report_message(completedAt=factories.rfc3339(world.now))
    world.add_job("run", [factories.ended_pod_body(message)], scheduled_at=at, end="Complete", ended_at=world.now)
    world.edit_cron_job({"status": {"lastScheduleTime": factories.rfc3339(at)}})
    step = world.step()
    assert step.reasons["Healthy"][1] != "RunMissed"
    assert step.report.status.stats is not None
    assert step.report.status.stats.missed == 1


def test_a_run_that_goes_on_and_on_is_named_as_the_cause() -> None:
    world = silent()
    world.add_job("long", name="long-job", scheduled_at=None, ready=1, active=1, started_at=NOW)
    world.now += timedelta(minutes=47)
    # The controller starts this time as soon as the run has ended: late, not missed.
    assert world.step().decision.missed == ()
    world.now += timedelta(minutes=45)
    step = world.step()
    assert [f"{time:%H:%M}" for time in step.decision.missed] == ["10:15"]
    assert step.reasons["Healthy"] == ("False", "RunMissed")
    assert "long-job" in step.messages["Healthy"]
    assert "concurrencyPolicy" in step.messages["Healthy"]


def test_paused_time_is_not_missed() -> None:
    world = World.settled({"schedule": {"type": "interval", "value": "45m", "enabled": False}})
    world.now += timedelta(days=3)
    assert world.step().decision.missed == ()
    world.edit({"schedule": {"enabled": True}})
    world.step()
    assert world.step().decision.missed == ()
    world.now += timedelta(minutes=46, seconds=1)
    assert len(world.step().decision.missed) == 1


def test_what_passed_under_an_old_schedule_is_not_missed_under_the_new_one() -> None:
    world = silent("6h")
    world.now += timedelta(hours=5)
    world.edit({"schedule": {"value": "45m"}})
    world.step()
    assert world.step().decision.missed == ()


def test_an_invalid_spec_misses_nothing() -> None:
    world = silent()
    world.edit({"schedule": {"type": "cron", "value": "0 9 * * 7"}})
    world.step()
    world.now += timedelta(days=3)
    assert world.step().decision.missed == ()
