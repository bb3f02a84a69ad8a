"""The status of a Councilor: phase, next runs and all the rest of it, and the smallest patch that makes it so. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal
from zoneinfo import ZoneInfo

from councilor_operator.api.status import AppliedCronJob, CouncilorStatus, RunNow
from councilor_operator.conditions import conditions
from councilor_operator.events import Event, events
from councilor_operator.observation import START_TOLERANCE, Observation, overdue
from councilor_operator.observed import ObservedCronJob, ObservedJob
from councilor_operator.plan import Decision, Refusal
from councilor_operator.runs.missed import TOLERANCE, next_check
from councilor_operator.runs.outcome import active_run
from councilor_operator.runs.unseen import counts_from
from councilor_operator.schedule import next_times

NEXT_RUNS = 3
LATE = timedelta(seconds=5)
"""How long after a scheduled time to look again when nothing was heard."""
UNWATCHED = timedelta(seconds=15)
"""How often to look at Pods that do not start: no watch tells of them."""

Phase = Literal["Scheduled", "Running", "Paused", "Suspended", "Invalid"]


@dataclass(frozen=True, slots=True)
class Report:
    """What a pass has to say."""

    status: CouncilorStatus
    events: tuple[Event, ...]
    look_again: datetime | None
    """When to reconcile even if nothing happens."""


def report(
    observation: Observation,
    decision: Decision,
    cron_job: ObservedCronJob | None,
    refusal: Refusal | None,
    run_now: RunNow | None,
    now: datetime,
    *,
    without_report: Mapping[str, str] = MappingProxyType({}),
) -> Report:
    """Return status, events and the time of the next look.

    `cron_job` is the CronJob after the apply; `refusal` is the decision's own or what the apply met; `run_now` is what
    became of a new token; `without_report` says, by the name it would have had, why a report Job could not be made.
    """
    councilor = observation.councilor
    active = sorted((job for job in observation.jobs if job.end is None), key=lambda job: (job.created_at, job.name))
    upcoming: list[datetime] = []
    due: list[datetime] = []
    if refusal is None and decision.schedule is not None and cron_job is not None and not decision.suspended:
        upcoming = next_times(decision.schedule, after=now, count=NEXT_RUNS, anchor=cron_job.anchor)
        due = [time + LATE for time in upcoming[:1]]
        if (check := next_check(decision.schedule, cron_job, decision.accounts.ledger.accounted_until)) is not None:
            # A time that is due already waits for a run to end; its Job will tell.
            due.append(check if check > now else now + TOLERANCE)

    if decision.accounts.unfinished:
        due.append(now)
    if decision.accounts.unsettled is not None:
        due.append(decision.accounts.unsettled)

    accounted_until, last_run = decision.accounts.ledger.accounted_until, decision.accounts.ledger.last_run
    if cron_job is not None:
        # A schedule that was changed, and what was written off for it, starts a new account.
        since = counts_from(decision.accounts.ledger, cron_job)
        accounted_until = max(since, accounted_until or since)
    if last_run is not None and last_run.report_job in without_report:
        last_run = last_run.model_copy(update={"report_job": None})
    zone = decision.schedule.time_zone if decision.schedule else None
    status = decision.accounts.ledger.model_copy(
        update={
            "observed_generation": councilor.generation,
            "conditions": conditions(councilor, decision, cron_job, refusal, active=active, last_run=last_run, now=now),
            "phase": _phase(decision, refusal, active),
            "cron_job_name": cron_job.name if cron_job else None,
            "applied_cron_job": AppliedCronJob(uid=cron_job.uid, generation=cron_job.generation)
            if refusal is None and cron_job
            else None,
            "schedule": decision.schedule.cron_expression if decision.schedule else None,
            "time_zone": zone,
            "next_run_times": tuple(_local(time, zone) for time in upcoming) if upcoming and zone else None,
            "active": tuple(
                active_run(councilor, councilor.agent_id, job, decision.accounts.obstacles.get(job.uid))
                for job in active
            )
            or None,
            "last_run": last_run,
            "accounted_until": accounted_until,
            "last_run_now": run_now or decision.accounts.ledger.last_run_now,
        }
    )
    return Report(
        status=status,
        events=events(decision, status, run_now, without_report),
        look_again=_look_again(active, due, now),
    )


def document(status: CouncilorStatus) -> dict[str, Any]:
    """Return a status as the API holds it."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def _phase(decision: Decision, refusal: Refusal | None, active: list[ObservedJob]) -> Phase:
    if refusal is not None:
        return "Invalid"
    if active:
        return "Running"
    if not decision.enabled:
        return "Paused"
    return "Suspended" if decision.breaker_open else "Scheduled"


def _look_again(active: list[ObservedJob], due: list[datetime], now: datetime) -> datetime | None:
    """Return when to look although nothing was heard: `due` times of the schedule, and what happens where no watch
    looks."""
    looks = list(due)
    for job in active:
        if overdue(job, now):
            looks.append(now + UNWATCHED)
        elif not job.ready:
            looks.append(job.began + START_TOLERANCE)
    return min(looks, default=None)


def _local(time: datetime, zone: str) -> str:
    return time.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")
