"""The events about a Councilor that go with a status write: what changed, and what became of runs. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from councilor_operator.api.status import Condition, CouncilorStatus, NotifiedChannel, Run, RunNow
from councilor_operator.constants import ConditionReason, ConditionType
from councilor_operator.phrases import WHERE_ELSE, not_recorded, plural, time_text
from councilor_operator.plan import Decision
from councilor_operator.runs.reporting import ReportEnd
from councilor_operator.runs.unseen import UnseenRun
from councilor_runner.contract import ChannelResult, ExitCode

_CHANNELS_TOLD: Final = 3
"""Channels whose reasons an event has room for."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event about a Councilor, sent after the status write that it goes with."""

    type: Literal["Normal", "Warning"]
    reason: str
    action: str
    note: str


def events(
    decision: Decision, status: CouncilorStatus, run_now: RunNow | None, without_report: Mapping[str, str]
) -> tuple[Event, ...]:
    """Return what is to be told; `status` is the new one, the decision's ledger has the conditions before it.

    `run_now` and `without_report` are those of `status.report`.
    """
    before = {condition.type: condition for condition in decision.accounts.ledger.conditions}
    found = [
        event
        for condition in status.conditions
        if (event := _transition(before.get(condition.type), condition)) is not None
    ]
    healthy = before.get(ConditionType.HEALTHY)
    # An outage, or the runner that cannot start, was told once; the condition and the counter follow what it costs.
    told = {ConditionReason.RUN_MISSED, ConditionReason.RUNNER_CANNOT_START}
    if decision.missed and (healthy is None or healthy.reason not in told):
        last = time_text(decision.missed[-1])
        missed = plural(len(decision.missed), "scheduled run")
        note = f"{missed} not started, the last at {last}; see the condition Healthy"
        found.append(Event("Warning", ConditionReason.RUN_MISSED, "Schedule", note))
    if decision.accounts.unseen:
        found.append(_unseen_event(decision.accounts.unseen))
    for run in decision.accounts.finished:
        found += _finished(run)
        found += _not_delivered(run.execution_id, run.notified or ())
    for end in decision.accounts.reported:
        if end.told is not None:
            found += _not_delivered(end.told.execution_id, end.told.notified)
    return (*found, *_run_now_events(run_now), *_report_events(decision, without_report))


def _transition(before: Condition | None, condition: Condition) -> Event | None:
    """Return the event of a condition that says something new."""
    if before is not None and (before.status, before.reason) == (condition.status, condition.reason):
        # Other advice for another mistake of the same kind is news; a run's message is always another one.
        if not (condition.type == ConditionType.READY and condition.status == "False"):
            return None
        if before.message == condition.message:
            return None
    match condition.type, condition.status:
        case (ConditionType.READY, "False") | (ConditionType.HEALTHY, "False") if condition.reason not in {
            # These are told with the run that they are about.
            ConditionReason.RUN_FAILED,
            ConditionReason.RECORD_FAILED,
            ConditionReason.RUN_MISSED,
        }:
            return Event("Warning", condition.reason, "Reconcile", condition.message)
        case ConditionType.READY, "True":
            return Event("Normal", condition.reason, "Reconcile", condition.message)
        case ConditionType.SCHEDULED, _ if condition.reason == ConditionReason.SUSPENDED:
            return Event("Warning", condition.reason, "Suspend", condition.message)
        case ConditionType.SCHEDULED, _ if condition.reason == ConditionReason.PAUSED:
            return Event("Normal", condition.reason, "Suspend", condition.message)
        case _:
            return None


def _finished(run: Run) -> list[Event]:
    which = f"run {run.execution_id} of Job {run.job_name}"
    match run.result:
        case "failed":
            note = f"{which} failed, {run.reason}: {run.message or 'see its log'}"
            event = Event("Warning", ConditionReason.RUN_FAILED, "Run", note)
        case "skipped":
            note = f"{which} was skipped: {run.message or run.reason}"
            event = Event("Warning", ConditionReason.RUN_SKIPPED, "Run", note)
        case verdict:
            event = Event("Normal", "RunCompleted", "Run", f"{which} completed, judged {verdict}")
    if run.exit_code == ExitCode.NOT_RECORDED:
        return [Event("Warning", ConditionReason.RECORD_FAILED, "Record", not_recorded(run)), event]
    return [event]


def _not_delivered(execution_id: str, notified: Iterable[NotifiedChannel | ChannelResult]) -> list[Event]:
    failed = [entry for entry in notified if not entry.delivered]
    if not failed:
        return []
    reasons = "; ".join(f"{entry.channel}: {entry.reason or 'no reason given'}" for entry in failed[:_CHANNELS_TOLD])
    more = f"; {len(failed) - _CHANNELS_TOLD} more in status.lastRun" if len(failed) > _CHANNELS_TOLD else ""
    what = plural(len(failed), "notification")
    note = f"{what} of run {execution_id} not delivered: {reasons}{more}"
    return [Event("Warning", "NotificationFailed", "Notify", note)]


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
    events += [_reported(end) for end in decision.accounts.reported]
    if (run := decision.accounts.lost_report) is not None:
        note = (
            f"Job {run.report_job} was gone before its end was read, so whether it recorded run {run.execution_id} is "
            f"unknown; {WHERE_ELSE}"
        )
        events.append(Event("Warning", "ReportLost", "Report", note))
    return events


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
    when = time_text(times[0]) if len(times) == 1 else f"{time_text(times[0])} to {time_text(times[-1])}"
    jobs = ", ".join(f"{run.job_name} ({run.outcome or 'not ended'})" for run in unseen if run.job_name)[:300]
    gone = "its Job was" if len(unseen) == 1 else "their Jobs were"
    note = f"{plural(len(unseen), 'run')} of unknown result, {when}: {gone} gone before it could be read"
    return Event(
        "Warning", ConditionReason.RESULT_UNKNOWN, "Count", f"{note}{f', {jobs}' if jobs else ''}; {WHERE_ELSE}"
    )
