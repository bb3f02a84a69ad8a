"""Runs whose result was not seen: their Jobs were gone before anybody read them. Pure.

History limits, a TTL or `kubectl delete job` may take a Job before its end was worked in, above all while the operator
is down. Nothing is made up for such a run: it counts as unknown, neither as success nor as failure.

A Job that was noted (`status.active`, or a watch event of its deletion) and is gone is such a run. One that came and
went unnoticed left its scheduled time: not later than the CronJob's `lastScheduleTime`, later than what is accounted
for (`status.accountedUntil`), and without a Job. The time accounted for moves in the write that counts, so each run is
counted once. A run by hand that came and went while the operator was down leaves no trace here.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from councilor_operator.api.status import CouncilorStatus
from councilor_operator.observed import ObservedCronJob, ObservedJob
from councilor_operator.runs.missed import LIMIT
from councilor_operator.schedule import CompiledSchedule, ScheduleError, compile_expression, times_between


@dataclass(frozen=True, slots=True)
class UnseenRun:
    """A run of which nobody can say what it came to; without a Job's name only its scheduled time is known."""

    at: datetime
    """When it was due; for a run by hand, when it began."""
    scheduled_at: datetime | None
    job_name: str | None = None
    job_uid: str | None = None
    outcome: Literal["Complete", "Failed"] | None = None
    """How its Job ended, if that was seen."""

    @classmethod
    def of_job(cls, job: ObservedJob) -> "UnseenRun":
        """Return the run of a Job whose Pods are gone."""
        return cls(
            at=job.scheduled_at or job.began,
            scheduled_at=job.scheduled_at,
            job_name=job.name,
            job_uid=job.uid,
            outcome=job.end.outcome if job.end else None,
        )

    @classmethod
    def at_time(cls, time: datetime) -> "UnseenRun":
        """Return the run of a scheduled time whose Job was never noted."""
        return cls(at=time, scheduled_at=time)


def counts_from(status: CouncilorStatus, cron_job: ObservedCronJob) -> datetime:
    """Return the time up to which no scheduled time of a CronJob is still to be accounted for.

    Under another schedule than the status speaks of, and where nothing was noted yet, the past is not gone into.
    """
    in_effect = (cron_job.schedule, cron_job.time_zone)
    if status.accounted_until is None or in_effect != (status.schedule, status.time_zone):
        return cron_job.anchor
    return max(status.accounted_until, cron_job.counts_from)


def vanished(status: CouncilorStatus, known: Collection[str], now: datetime) -> list[UnseenRun]:
    """Return the runs that the status lists as active and whose Jobs are not among the `known` UIDs."""
    return [
        UnseenRun(
            at=run.scheduled_at or run.started_at or now,
            scheduled_at=run.scheduled_at,
            job_name=run.job_name,
            job_uid=run.job_uid,
        )
        for run in status.active or ()
        if run.job_uid is not None and run.job_uid not in known
    ]


def times_started(cron_job: ObservedCronJob, accounted_until: datetime) -> list[datetime]:
    """Return the times, oldest first, that the CronJob controller has dealt with and that are not accounted for: the
    earliest `LIMIT` of them."""
    last = cron_job.last_schedule_time
    if last is None or last <= accounted_until or (schedule := _in_effect(cron_job)) is None:
        return []
    anchor = None
    if schedule.interval is not None:
        # In step with the last run, and before everything that is looked for.
        anchor = last - ((last - accounted_until) // schedule.interval + 1) * schedule.interval
    return times_between(schedule, start=accounted_until, end=last, limit=LIMIT, anchor=anchor)


def _in_effect(cron_job: ObservedCronJob) -> CompiledSchedule | None:
    # What the CronJob says, not the spec, which may have been edited meanwhile.
    try:
        return compile_expression(cron_job.schedule, cron_job.time_zone or "UTC")
    except ScheduleError:
        return None
