"""Report Jobs: which runs need one, what it is told, and what became of it. Pure.

A run that died without a word, or whose database was away to the end, could neither record itself nor notify anybody.
A Job of its own does that with the namespace's credentials: `councilor-runner report`. Its name follows from the run's
Job, and it is made before the status write that counts the run: a crash in between repeats it and meets the first;
after that write the run is never examined again.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from councilor_operator.api.status import CouncilorStatus, Run
from councilor_operator.observed import ObservedJob, ObservedPod
from councilor_operator.runs.causes import NOT_STARTED
from councilor_operator.runs.outcome import last_report, notified_channels
from councilor_runner.contract import ChannelResult, ExitCode, Reason, RunReport

_DATABASE = frozenset({Reason.DATABASE_UNREACHABLE, Reason.DATABASE_REFUSED})


@dataclass(frozen=True, slots=True)
class ReportEnd:
    """How a report Job ended."""

    job_name: str
    succeeded: bool
    reason: str
    """The Job controller's: the report itself speaks of the run."""
    told: RunReport | None
    """The report brought up to date; None if the Job left none."""


def needs_report(told: RunReport | None) -> bool:
    """Tell whether a run that ended has to be recorded and told by somebody else; `told` is its own last word."""
    if told is None or told.exit_code in {ExitCode.NOT_RECORDED, ExitCode.TEMPORARY}:
        return True
    return not told.recorded and told.reason in _DATABASE


def report_of(run: Run, told: RunReport | None, pods: Sequence[ObservedPod]) -> RunReport:
    """Return the run as it was counted, in the words of the contract."""
    if told is not None:
        # A runner that could not read its contract knows no ids.
        return told.model_copy(update={"execution_id": run.execution_id, "task_id": run.task_id})
    if run.started_at is None or run.completed_at is None:
        raise ValueError(f"run {run.execution_id} has no times")
    lived = any(pod.exit_code is not None for pod in pods) or run.reason not in NOT_STARTED
    return RunReport(
        execution_id=run.execution_id,
        task_id=run.task_id,
        trigger=run.trigger,
        status=run.status,
        severity=run.severity,
        # Where no process ended, there is no code; this one says that the run was given up.
        exit_code=ExitCode.AGENT_FAILED if run.exit_code is None else run.exit_code,
        reason=run.reason,
        message=run.message,
        scheduled_at=run.scheduled_at,
        started_at=run.started_at,
        completed_at=run.completed_at,
        duration_ms=run.duration_ms or 0,
        dispatched=lived,
    )


def report_end(job: ObservedJob, pods: Sequence[ObservedPod]) -> ReportEnd:
    """Return how a report Job ended; raises `ValueError` for one that has not."""
    if job.end is None:
        raise ValueError(f"Job {job.name} has not ended")
    return ReportEnd(job.name, job.end.outcome == "Complete", job.end.reason, last_report(pods))


def settle_report(before: CouncilorStatus, ends: Iterable[ReportEnd], existing: Collection[str]) -> CouncilorStatus:
    """Return the status with the end of the last run's report Job worked in; `existing` are the names of those that
    exist."""
    last = before.last_run
    if last is None or last.report_job is None or last.report_result is not None:
        return before
    end = next((end for end in ends if end.job_name == last.report_job), None)
    if end is None and last.report_job in existing:
        return before
    update: dict[str, object] = {"report_result": "unknown"}
    if end is not None:
        update["report_result"] = "succeeded" if end.succeeded else "failed"
    if end is not None and end.told is not None and end.told.execution_id == last.execution_id:
        update |= {"recorded": end.told.recorded, "notified": notified_channels(end.told)}
    return before.model_copy(update={"last_run": last.model_copy(update=update)})


def notified_since(before: CouncilorStatus, end: ReportEnd) -> tuple[ChannelResult, ...]:
    """Return whom a report Job told or failed to tell, without those whom its run had told itself.

    Nothing where it is not about the last run: what an older one had told is not known any more.
    """
    last, told = before.last_run, end.told
    if last is None or told is None or end.job_name != last.report_job or told.execution_id != last.execution_id:
        return ()
    delivered = {entry.channel for entry in last.notified or () if entry.delivered}
    return tuple(entry for entry in told.notified if entry.channel not in delivered)
