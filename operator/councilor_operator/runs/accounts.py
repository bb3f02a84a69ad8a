"""What a pass counts: every run that ended or is gone, each once. Pure.

The parts of the package meet here; the result is the ledger that the status write stores, and what has to be done and
said about the runs in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from councilor_operator.api.status import CouncilorStatus, Run, read_status
from councilor_operator.names import report_job_name
from councilor_operator.observation import Observation, overdue
from councilor_operator.observed import ObservedCronJob, ObservedJob
from councilor_operator.runs.causes import Cause, obstacle
from councilor_operator.runs.ledger import add_unknown, fold, withdraw_missed
from councilor_operator.runs.missed import LIMIT, TOLERANCE
from councilor_operator.runs.outcome import finished_run, last_report
from councilor_operator.runs.reporting import (
    ReportEnd,
    needs_report,
    notified_since,
    report_end,
    report_of,
    settle_report,
)
from councilor_operator.runs.unseen import UnseenRun, counts_from, times_started, vanished
from councilor_runner.contract import ChannelResult, RunReport

CLOCK_SKEW: Final = timedelta(days=1)
"""How far the clock of a node may be ahead before what its Pods say is not believed."""


@dataclass(frozen=True, slots=True)
class NeededReport:
    """A run that has to be recorded and told by a report Job."""

    job: ObservedJob
    """The run's own Job."""
    run: Run
    report: RunReport

    @property
    def job_name(self) -> str:
        """Name of the report Job."""
        return self.run.report_job or ""


@dataclass(frozen=True, slots=True)
class Accounts:
    """What was counted."""

    ledger: CouncilorStatus
    """The observed status with everything counted."""
    finished: tuple[Run, ...]
    """The newly counted runs."""
    unseen: tuple[UnseenRun, ...]
    """The runs newly counted as unknown."""
    reports: tuple[NeededReport, ...]
    """The newly counted runs that need a report Job."""
    reported: tuple[ReportEnd, ...]
    """The report Jobs whose end is newly worked in."""
    notified: tuple[ChannelResult, ...]
    """What became of the notifications of those report Jobs."""
    lost_report: Run | None
    """The last run, if its report Job is gone before its end was seen."""
    obstacles: Mapping[str, Cause]
    """Job UID to what keeps its Pod from starting."""
    unsettled: datetime | None
    """When scheduled times can be judged for which no Job was seen yet."""
    unfinished: bool
    """Whether there was more to account for than one pass does."""


def account(observation: Observation, cron_job: ObservedCronJob | None, now: datetime) -> Accounts:
    """Return what has ended or is gone and is not counted yet; `cron_job` is None where it is somebody else's."""
    before = read_status(observation.councilor.status, latest=now + CLOCK_SKEW)
    since = before.accounted_until if cron_job is None else counts_from(before, cron_job)
    endings = _endings(observation, before, since, now)
    observed = (*observation.jobs, *observation.deleted)
    made = {job.scheduled_at for job in observed}
    unseen, accounted_until, unsettled, unfinished = endings.unseen, since, None, False
    if since is not None:
        started = [] if cron_job is None else times_started(cron_job, since)
        taken = made | {run.scheduled_at for run in unseen}
        jobless = [time for time in started if time not in taken]
        # The Job of a moment ago may not have been heard of yet. It was made before the CronJob said so.
        settled_until = now if observation.fresh else now - TOLERANCE
        unseen = unseen + [UnseenRun.at_time(time) for time in jobless if time <= settled_until]
        unsettled = next((time + TOLERANCE for time in jobless if time > settled_until), None)
        # The Job's own time: a report has it from the Job's name, which carries no seconds.
        counted = [job.scheduled_at for job in observed if job.uid in endings.finished]
        counted += [run.scheduled_at for run in unseen]
        # A time to come is nobody's: anybody may have written it on a Job.
        accounted_until = max([since, *(time for time in counted if time is not None and time <= now)])
        if unfinished := len(started) == LIMIT:
            accounted_until = started[-1]
    reported = {
        job.uid: report_end(job, observation.pods[job.uid])
        for job in observation.report_jobs
        if job.end is not None and job.uid in observation.pods
    }
    settled = settle_report(before, reported.values(), existing={job.name for job in observation.report_jobs})
    ledger = fold(
        withdraw_missed(_reset_after_change(settled, observation), made),
        endings.finished,
        existing=[*(job.uid for job in (*observed, *observation.report_jobs)), *observation.lingering],
        worked_in=[*endings.worked_in, *reported, *(run.job_uid for run in unseen if run.job_uid is not None)],
    )
    return Accounts(
        ledger=add_unknown(ledger, unseen).model_copy(update={"accounted_until": accounted_until}),
        finished=tuple(endings.finished.values()),
        unseen=tuple(unseen),
        reports=tuple(endings.reports),
        reported=tuple(reported.values()),
        notified=tuple(entry for end in reported.values() for entry in notified_since(before, end)),
        lost_report=settled.last_run if settled is not before and _last_report(settled) == "unknown" else None,
        obstacles=_obstacles(observation, before, now),
        unsettled=unsettled,
        unfinished=unfinished,
    )


@dataclass(slots=True)
class _Endings:
    finished: dict[str, Run] = field(default_factory=dict)
    """Outcome of each ended Job, by the Job's UID."""
    reports: list[NeededReport] = field(default_factory=list)
    unseen: list[UnseenRun] = field(default_factory=list)
    worked_in: list[str] = field(default_factory=list)
    """UIDs of deleted Jobs that need not be counted any more."""


def _endings(observation: Observation, before: CouncilorStatus, since: datetime | None, now: datetime) -> _Endings:
    councilor = observation.councilor
    agent_id = councilor.agent_id
    active = {run.job_uid: run for run in before.active or ()}
    deleted = {job.uid for job in observation.deleted}
    found = _Endings()
    for job in (*observation.jobs, *observation.deleted):
        pods = observation.pods.get(job.uid, ())
        gone = job.uid in deleted
        if not gone and (job.end is None or job.uid not in observation.pods):
            continue
        told = last_report(pods)
        # A time that was called missed was accounted for without this Job, and is taken back.
        late = job.scheduled_at is not None and job.scheduled_at == before.last_missed_time
        if gone and not late and job.uid not in active and _accounted(job, since):
            found.worked_in.append(job.uid)
        elif job.end is None or (told is None and not pods and (gone or job.end.outcome == "Complete")):
            # Without a Pod nobody can say what a Job that completed came to, nor why a deleted one failed.
            found.unseen.append(UnseenRun.of_job(job))
        else:
            entry = active.get(job.uid)
            seen = Cause(entry.reason, entry.message or "") if entry and entry.reason else None
            refusal = observation.refusals.get(job.uid)
            run = finished_run(councilor, agent_id, job, pods, seen=seen, refusal=refusal)
            if needs_report(told):
                run = run.model_copy(update={"report_job": report_job_name(councilor.name, job.uid)})
                found.reports.append(NeededReport(job, run, report_of(run, told, pods)))
            found.finished[job.uid] = run
    found.unseen += vanished(before, {job.uid for job in observation.jobs} | deleted, now)
    return found


def _accounted(job: ObservedJob, since: datetime | None) -> bool:
    """Tell whether a scheduled time was accounted for before the deletion of its Job was heard of."""
    return since is not None and job.scheduled_at is not None and job.scheduled_at <= since


def _last_report(status: CouncilorStatus) -> str | None:
    return status.last_run.report_result if status.last_run else None


def _obstacles(observation: Observation, before: CouncilorStatus, now: datetime) -> dict[str, Cause]:
    noted = {run.job_uid: Cause(run.reason, run.message or "") for run in before.active or () if run.reason}
    found: dict[str, Cause] = {}
    for job in observation.jobs:
        if overdue(job, now) and job.uid in observation.pods:
            pods = observation.pods[job.uid]
            cause = obstacle(job, pods, observation.refusals.get(job.uid))
            if cause is None and not pods:
                # A Job that runs into its deadline loses its Pods first; what kept them from starting is remembered.
                cause = noted.get(job.uid)
            if cause is not None:
                found[job.uid] = cause
    return found


def _reset_after_change(status: CouncilorStatus, observation: Observation) -> CouncilorStatus:
    """Close the circuit breaker when the spec changed: whoever changed it wants to see runs."""
    if status.stats is None or status.observed_generation == observation.councilor.generation:
        return status
    return status.model_copy(update={"stats": status.stats.model_copy(update={"consecutive_failures": 0})})
