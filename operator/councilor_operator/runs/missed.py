"""Runs that did not happen: scheduled times that passed without a Job. Pure.

The schedule itself is the measure, not the CronJob controller's events: those repeat, and a controller that is down
sends none. What counts is time in which the CronJob was meant to run: a pause, a change of the schedule and the
creation move the point from which it counts (`status.lastScheduleTime` of the CronJob) forward, and so does every run.
Times that passed while operator and controller were both down show only until the controller, once back, has started
the next run: from then on nobody can tell whether there was a run, and they count as unknown (`unseen`).

A controller that comes back starts the latest time that it missed, however late. That time turns out not to have been
missed, and is taken back (`ledger.withdraw_missed`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from councilor_operator.observed import ObservedCronJob, ObservedJob
from councilor_operator.schedule import CompiledSchedule, next_times, times_between

TOLERANCE: Final = timedelta(seconds=60)
"""How late a Job may be made before its time counts as missed."""
LIMIT: Final = 1000
"""Times counted in one pass; a longer outage takes several."""


def missed_times(
    schedule: CompiledSchedule,
    cron_job: ObservedCronJob,
    jobs: Sequence[ObservedJob],
    accounted_until: datetime | None,
    now: datetime,
) -> tuple[datetime, ...]:
    """Return the scheduled times, oldest first, that passed without a Job and are not counted yet (UTC).

    Up to `accounted_until` every time is counted, one way or another.
    """
    anchor = cron_job.anchor
    made = {job.scheduled_at for job in jobs}
    due = times_between(
        schedule, start=max(anchor, accounted_until or anchor), end=now - TOLERANCE, limit=LIMIT, anchor=anchor
    )
    if due and any(job.end is None or now - job.end.at < TOLERANCE for job in jobs):
        # With Forbid the controller starts the latest time that passed as soon as the run that was in its way has
        # ended: late, but not missed.
        later = times_between(schedule, start=due[-1], end=now, limit=1, anchor=anchor)
        due = due if later else due[:-1]
    return tuple(time for time in due if time not in made)


def next_check(
    schedule: CompiledSchedule, cron_job: ObservedCronJob, accounted_until: datetime | None
) -> datetime | None:
    """Return when the next time that is not counted yet will have been missed."""
    anchor = cron_job.anchor
    following = next_times(schedule, after=max(anchor, accounted_until or anchor), count=1, anchor=anchor)
    return following[0] + TOLERANCE if following else None
