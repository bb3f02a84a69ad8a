"""The status of a Councilor: conditions, phase, next runs, and the smallest patch that makes it so. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal
from zoneinfo import ZoneInfo

from councilor_operator.api.status import AppliedCronJob, Condition, CouncilorStatus, Run, RunNow
from councilor_operator.constants import ANNOTATION_RUN_NOW, ConditionReason, ConditionType
from councilor_operator.observation import START_TOLERANCE, Observation, overdue
from councilor_operator.observed import ObservedCouncilor, ObservedCronJob, ObservedJob
from councilor_operator.plan import Decision, Refusal
from councilor_operator.runs.causes import Cause
from councilor_operator.runs.missed import TOLERANCE, next_check
from councilor_operator.runs.outcome import active_run
from councilor_operator.runs.reporting import ReportEnd
from councilor_operator.runs.unseen import UnseenRun, counts_from
from councilor_operator.schedule import next_times
from councilor_runner.contract import ExitCode

NEXT_RUNS = 3
LATE = timedelta(seconds=5)
"""How long after a scheduled time to look again when nothing was heard."""
UNWATCHED = timedelta(seconds=15)
"""How often to look at Pods that do not start: no watch tells of them."""
MESSAGE_LIMIT = 1024
"""Characters of a condition's message."""

_NUMBER = re.compile(r"[0-9a-f-]*[0-9][0-9a-f-]*", re.IGNORECASE)
_WHERE_ELSE = (
    "see councilor_executions in MongoDB for what it came to, if the Secret of the runner names one (MONGODB_URI)"
)

Phase = Literal["Scheduled", "Running", "Paused", "Suspended", "Invalid"]


@dataclass(frozen=True, slots=True)
class Event:
    """An event about a Councilor, sent after the status write that it goes with."""

    type: Literal["Normal", "Warning"]
    reason: str
    action: str
    note: str


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
        if (check := next_check(decision.schedule, cron_job, decision.ledger.accounted_until)) is not None:
            # A time that is due already waits for a run to end; its Job will tell.
            due.append(check if check > now else now + TOLERANCE)

    if decision.accounts.unfinished or observation.deleted:
        # What was deleted leaves the list of counted Jobs once this status is known to be written.
        due.append(now)
    if decision.accounts.unsettled is not None:
        due.append(decision.accounts.unsettled)

    accounted_until, last_run = decision.ledger.accounted_until, decision.ledger.last_run
    if cron_job is not None:
        # A schedule that was changed, and what was written off for it, starts a new account.
        since = counts_from(decision.ledger, cron_job)
        accounted_until = max(since, accounted_until or since)
    if last_run is not None and last_run.report_job in without_report:
        last_run = last_run.model_copy(update={"report_job": None})
    zone = decision.schedule.time_zone if decision.schedule else None
    conditions = (
        _ready(decision, cron_job, refusal),
        _scheduled(decision, refusal),
        _healthy(
            councilor,
            decision.ledger,
            last_run,
            _stuck(active, decision.obstacles),
            _missed(councilor, decision.ledger, active, cron_job),
        )
        or _no_run_yet(councilor, active, refusal),
    )
    status = decision.ledger.model_copy(
        update={
            "observed_generation": councilor.generation,
            "conditions": tuple(
                _stamped(condition, decision.ledger.conditions, councilor.generation, now) for condition in conditions
            ),
            "phase": _phase(decision, refusal, active),
            "cron_job_name": cron_job.name if cron_job else None,
            "applied_cron_job": AppliedCronJob(uid=cron_job.uid, generation=cron_job.generation)
            if refusal is None and cron_job
            else None,
            "schedule": decision.schedule.cron_expression if decision.schedule else None,
            "time_zone": zone,
            "next_run_times": tuple(_local(time, zone) for time in upcoming) if upcoming and zone else None,
            "active": tuple(
                active_run(councilor, councilor.agent_id, job, decision.obstacles.get(job.uid)) for job in active
            )
            or None,
            "last_run": last_run,
            "accounted_until": accounted_until,
            "last_run_now": run_now or decision.ledger.last_run_now,
        }
    )
    return Report(
        status=status,
        events=(*_events(decision, status), *_run_now_events(run_now), *_report_events(decision, without_report)),
        look_again=_look_again(active, due, now),
    )


def document(status: CouncilorStatus) -> dict[str, Any]:
    """Return a status as the API holds it."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def merge_patch(observed: Mapping[str, Any], desired: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON merge patch (RFC 7386) from `observed` to `desired`; empty when they are equal."""
    patch: dict[str, Any] = {key: None for key in observed if key not in desired}
    for key, value in desired.items():
        before = observed.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            if nested := merge_patch(before, value):
                patch[key] = nested
        elif before != value or isinstance(before, bool) is not isinstance(value, bool):
            patch[key] = value
    return patch


@dataclass(frozen=True, slots=True)
class _Claim:
    """A condition before it has a time."""

    type: ConditionType
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


def _ready(decision: Decision, cron_job: ObservedCronJob | None, refusal: Refusal | None) -> _Claim:
    if refusal is not None:
        return _Claim(ConditionType.READY, "False", refusal.reason, refusal.message)
    name = cron_job.name if cron_job else ""
    warnings = decision.schedule.warnings if decision.schedule else ()
    notes = "".join(f"; note on spec.{warning.field}: {warning.message}" for warning in warnings)
    return _Claim(
        ConditionType.READY, "True", ConditionReason.RECONCILED, f"CronJob {name} is as the spec demands{notes}"
    )


def _scheduled(decision: Decision, refusal: Refusal | None) -> _Claim:
    if refusal is not None:
        message = "no run will come until the condition Ready is True: do what its message says"
        return _Claim(ConditionType.SCHEDULED, "False", refusal.reason, message)
    if not decision.enabled:
        message = "no run will come while it is paused: set spec.schedule.enabled to true to resume"
        return _Claim(ConditionType.SCHEDULED, "False", ConditionReason.PAUSED, message)
    if decision.breaker_open:
        stats = decision.ledger.stats
        failures = stats.consecutive_failures if stats else 0
        message = (
            f"{failures} runs in a row failed, so no more are started: see status.lastRun, mend the cause, then change "
            "the spec, set spec.schedule.enabled to false and true again, or run it once by hand with success"
        )
        return _Claim(ConditionType.SCHEDULED, "False", ConditionReason.SUSPENDED, message)
    return _Claim(
        ConditionType.SCHEDULED, "True", ConditionReason.ACTIVE, "runs are started at the times in status.nextRunTimes"
    )


def _healthy(
    councilor: ObservedCouncilor, ledger: CouncilorStatus, last: Run | None, stuck: str | None, missed: str | None
) -> _Claim | None:
    """Say how the last run went, None before there was one."""
    if stuck is not None:
        return _Claim(ConditionType.HEALTHY, "False", ConditionReason.RUNNER_CANNOT_START, stuck)
    if missed is not None:
        return _Claim(ConditionType.HEALTHY, "False", ConditionReason.RUN_MISSED, missed)
    if not _ended_after(last, ledger.last_unknown_time):
        message = (
            f"the result of the run of {_time(ledger.last_unknown_time)} was not seen: its Job was gone before it was "
            f"read; {_WHERE_ELSE}"
        )
        return _Claim(ConditionType.HEALTHY, "Unknown", ConditionReason.RESULT_UNKNOWN, message)
    if last is None:
        return None
    if last.report_result in {"failed", "unknown"}:
        return _Claim(ConditionType.HEALTHY, "False", ConditionReason.RECORD_FAILED, _not_reported(last))
    if last.exit_code == ExitCode.NOT_RECORDED and last.report_result is None:
        message = _not_recorded(last)
        return _Claim(ConditionType.HEALTHY, "False", ConditionReason.RECORD_FAILED, message)
    match last.result:
        case "failed":
            # The message comes last: it may be long, and what does not fit is cut.
            message = f"run {last.execution_id} failed, {last.reason}, see `{_look_at(councilor, last)}`" + (
                f": {last.message}" if last.message else ""
            )
            return _Claim(ConditionType.HEALTHY, "False", ConditionReason.RUN_FAILED, message)
        case "skipped":
            message = f"run {last.execution_id} was skipped: {last.message or last.reason}"
            return _Claim(ConditionType.HEALTHY, "True", ConditionReason.RUN_SKIPPED, message)
        case verdict:
            message = f"run {last.execution_id} completed, judged {verdict}"
            return _Claim(ConditionType.HEALTHY, "True", ConditionReason.RUN_SUCCEEDED, message)


def _look_at(councilor: ObservedCouncilor, run: Run) -> str:
    """Return the command that shows more of a run that failed."""
    # Without an exit code no container has ended that could have left a log.
    verb = "describe" if run.exit_code is None else "logs"
    return f"kubectl {verb} -n {councilor.namespace} job/{run.job_name}"


def _no_run_yet(councilor: ObservedCouncilor, active: list[ObservedJob], refusal: Refusal | None) -> _Claim:
    if active:
        advice = f"wait for Job {active[0].name}, or see `kubectl logs -n {councilor.namespace} job/{active[0].name}`"
    elif refusal is not None:
        advice = "do what the message of the condition Ready says"
    else:
        advice = (
            f"wait for its time, or start one with `kubectl annotate councilor -n {councilor.namespace} "
            f'{councilor.name} --overwrite {ANNOTATION_RUN_NOW}="$(date +%s)"`'
        )
    return _Claim(ConditionType.HEALTHY, "Unknown", ConditionReason.NO_RUN_YET, f"no run has ended yet: {advice}")


def _missed(
    councilor: ObservedCouncilor, ledger: CouncilorStatus, active: list[ObservedJob], cron_job: ObservedCronJob | None
) -> str | None:
    """Say what is known about missed times, None when a run has ended since."""
    missed, unknown = ledger.last_missed_time, ledger.last_unknown_time
    if missed is None or _ended_after(ledger.last_run, missed) or (unknown is not None and unknown > missed):
        return None
    total = ledger.stats.missed if ledger.stats else 0
    found = f"no run was started at {missed:%Y-%m-%dT%H:%M:%SZ}, {total} times missed in all"
    if active:
        return (
            f"{found}: Job {active[0].name} was still going on; let spec.schedule come less often, lower "
            "spec.execution.timeoutSeconds, or set spec.concurrencyPolicy to Allow"
        )
    name = cron_job.name if cron_job else ""
    return (
        f"{found}: see `kubectl describe cronjob -n {councilor.namespace} {name}`, and check that "
        "kube-controller-manager runs"
    )


def _not_recorded(run: Run) -> str:
    missing = "it was not counted there" if run.recorded else "MongoDB has no record of it"
    later = f"; Job {run.report_job} will make up for it once it can" if run.report_job else ""
    return (
        f"run {run.execution_id} ended, {run.result}, but {missing}: check that MongoDB is up and that MONGODB_URI in "
        f"the Secret of the runner may write to it; {run.message or run.reason}{later}"
    )


def _not_reported(run: Run) -> str:
    found = "is gone, and what it came to is unknown" if run.report_result == "unknown" else "failed too"
    return (
        f"run {run.execution_id} ended, {run.result} ({run.reason}), and could not record itself; its report Job "
        f"{run.report_job} {found}: check the MongoDB of the runner's Secret and the log of the Job"
    )


def _ended_after(run: Run | None, time: datetime | None) -> bool:
    if time is None:
        return True
    return run is not None and run.completed_at is not None and run.completed_at > time


def _time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}" if time else ""


def _stuck(active: list[ObservedJob], obstacles: Mapping[str, Cause]) -> str | None:
    for job in active:
        if (cause := obstacles.get(job.uid)) is not None:
            return f"Job {job.name}: {cause.reason}, {cause.message}"
    return None


def _stamped(claim: _Claim, before: tuple[Condition, ...], generation: int, now: datetime) -> Condition:
    """Give a condition its time: it moves only when the status does."""
    old = next((condition for condition in before if condition.type == claim.type), None)
    unchanged = old is not None and old.status == claim.status
    message = claim.message[:MESSAGE_LIMIT]
    if old is not None and claim.reason == ConditionReason.CRON_JOB_REFUSED and _alike(old.message, message):
        message = old.message
    return Condition(
        type=claim.type,
        status=claim.status,
        observed_generation=generation,
        last_transition_time=old.last_transition_time if old and unchanged else now.replace(microsecond=0),
        reason=claim.reason,
        message=message,
    )


def _alike(one: str, other: str) -> bool:
    """Tell whether two answers of the API server differ in numbers only.

    An admission webhook may name the time or a request. Told anew, each refusal would be a write, and each write asks
    for a pass, which is refused again.
    """
    return _NUMBER.sub("#", one) == _NUMBER.sub("#", other)


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


def _run_now_events(run_now: RunNow | None) -> list[Event]:
    if run_now is None:
        return []
    if run_now.job_name is None:
        return [
            Event("Warning", "RunNowRefused", "RunNow", f"run now was refused, {run_now.reason}: {run_now.message}")
        ]
    return [Event("Normal", "RunNowStarted", "RunNow", f"run now: made Job {run_now.job_name}")]


def _report_events(decision: Decision, without_report: Mapping[str, str]) -> list[Event]:
    events = [
        Event(
            "Warning",
            "ReportRefused",
            "Report",
            f"nobody records run {report.run.execution_id}, which could not do so itself: "
            f"{without_report[report.job_name]}",
        )
        for report in decision.reports
        if report.job_name in without_report
    ]
    return events + [_reported(end) for end in decision.reported]


def _reported(end: ReportEnd) -> Event:
    if end.succeeded:
        recorded = "recorded its run in MongoDB" if end.told and end.told.recorded else "did what there was to do"
        return Event("Normal", "RunReported", "Report", f"Job {end.job_name} {recorded}")
    note = (
        f"Job {end.job_name} could not record its run, {end.reason or 'Failed'}: check the MongoDB of the runner's "
        "Secret; what the run came to is in status.recentRuns"
    )
    return Event("Warning", "ReportFailed", "Report", note)


def _unseen_event(unseen: Sequence[UnseenRun]) -> Event:
    times = sorted(run.at for run in unseen)
    when = _time(times[0]) if len(times) == 1 else f"{_time(times[0])} to {_time(times[-1])}"
    jobs = ", ".join(f"{run.job_name} ({run.outcome or 'not ended'})" for run in unseen if run.job_name)[:300]
    note = f"runs whose Jobs were gone before their result was read: {len(unseen)}, {when}"
    return Event(
        "Warning", ConditionReason.RESULT_UNKNOWN, "Count", f"{note}{f'; Jobs {jobs}' if jobs else ''}; {_WHERE_ELSE}"
    )


def _events(decision: Decision, status: CouncilorStatus) -> list[Event]:
    before = {condition.type: condition for condition in decision.ledger.conditions}
    events = []
    for condition in status.conditions:
        old = before.get(condition.type)
        if old is not None and (old.status, old.reason) == (condition.status, condition.reason):
            # Other advice for another mistake of the same kind is news; a run's message is always another one.
            if not (condition.type == ConditionType.READY and condition.status == "False"):
                continue
            if old.message == condition.message:
                continue
        match condition.type, condition.status:
            case (ConditionType.READY, "False") | (ConditionType.HEALTHY, "False") if condition.reason not in {
                ConditionReason.RUN_FAILED,
                ConditionReason.RECORD_FAILED,
                ConditionReason.RUN_MISSED,
            }:
                events.append(Event("Warning", condition.reason, "Reconcile", condition.message))
            case ConditionType.READY, "True":
                events.append(Event("Normal", condition.reason, "Reconcile", condition.message))
            case ConditionType.SCHEDULED, _ if condition.reason == ConditionReason.SUSPENDED:
                events.append(Event("Warning", condition.reason, "Suspend", condition.message))
            case ConditionType.SCHEDULED, _ if condition.reason == ConditionReason.PAUSED:
                events.append(Event("Normal", condition.reason, "Suspend", condition.message))
            case _:
                pass
    healthy = before.get(ConditionType.HEALTHY)
    # An outage, or the runner that cannot start, was told once; the condition and the counter follow what it costs.
    told = {ConditionReason.RUN_MISSED, ConditionReason.RUNNER_CANNOT_START}
    if decision.missed and (healthy is None or healthy.reason not in told):
        last = f"{decision.missed[-1]:%Y-%m-%dT%H:%M:%SZ}"
        note = f"{len(decision.missed)} scheduled runs were not started, the last at {last}"
        events.append(Event("Warning", ConditionReason.RUN_MISSED, "Schedule", note))
    if decision.unseen:
        events.append(_unseen_event(decision.unseen))
    for run in decision.finished:
        if run.exit_code == ExitCode.NOT_RECORDED:
            events.append(Event("Warning", ConditionReason.RECORD_FAILED, "Record", _not_recorded(run)))
        if run.result == "failed":
            note = f"run {run.execution_id} of Job {run.job_name} failed, {run.reason}: {run.message or 'see its log'}"
            events.append(Event("Warning", ConditionReason.RUN_FAILED, "Run", note))
        elif run.result == "skipped":
            note = f"run {run.execution_id} of Job {run.job_name} was skipped: {run.message or run.reason}"
            events.append(Event("Warning", ConditionReason.RUN_SKIPPED, "Run", note))
        else:
            note = f"run {run.execution_id} of Job {run.job_name} completed, judged {run.result}"
            events.append(Event("Normal", "RunCompleted", "Run", note))
    return events
