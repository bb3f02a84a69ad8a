"""What a finished Job came to: the runner's own report, else what Job and Pods tell. Pure.

A run that died without a word (image missing, killed, evicted, deadline) still has an outcome: failed, with a reason
that a person can act on.
"""

from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError

from councilor_operator.api.status import ActiveRun, NotifiedChannel, Result, Run
from councilor_operator.names import cron_job_name
from councilor_operator.observed import JobEnd, ObservedCouncilor, ObservedJob, ObservedPod
from councilor_operator.runs.causes import Cause, cause_of_death
from councilor_runner.contract import (
    ExitCode,
    RunReport,
    Severity,
    Trigger,
    execution_id,
    scheduled_time,
    task_id,
)

# Bounds of the status's fields, in characters; a report is bounded as a whole only.
MESSAGE_LIMIT = 1024
REASON_LIMIT = 256


def identity(councilor: ObservedCouncilor, agent_id: str, job: ObservedJob) -> tuple[str, str]:
    """Return (task id, execution id) of a Job as its runner computes them."""
    scheduled_at = scheduled_time(job.name, cron_job_name(councilor.name))
    task = task_id(councilor.uid, job.name, None if scheduled_at else job.uid)
    return task, execution_id(agent_id, task, scheduled_at)


def active_run(councilor: ObservedCouncilor, agent_id: str, job: ObservedJob, obstacle: Cause | None) -> ActiveRun:
    """Return a Job that is going on as the status lists it, with what keeps its Pod from starting."""
    _, execution = identity(councilor, agent_id, job)
    return ActiveRun(
        execution_id=execution,
        job_name=job.name,
        job_uid=job.uid,
        scheduled_at=job.scheduled_at,
        # Not the start that the Job controller notes a moment later: that would be one more write for each run.
        started_at=job.created_at,
        reason=obstacle.reason if obstacle else None,
        message=_cut(obstacle.message, MESSAGE_LIMIT) if obstacle else None,
    )


def finished_run(
    councilor: ObservedCouncilor,
    agent_id: str,
    job: ObservedJob,
    pods: Sequence[ObservedPod],
    *,
    seen: Cause | None = None,
    refusal: str | None = None,
) -> Run:
    """Return the outcome of a Job that has ended; `pods` are the Pods of that Job that still exist.

    `seen` is why no Pod would start when last looked at, `refusal` what the API server said when asked to make one.
    Raises `ValueError` for a Job that has not ended.
    """
    if job.end is None:
        raise ValueError(f"Job {job.name} has not ended")
    if (report := last_report(pods)) is not None:
        return _reported(councilor, agent_id, job, report)
    last = max(pods, key=lambda pod: pod.created_at, default=None)
    return _unreported(councilor, agent_id, job, job.end, last, cause_of_death(job, job.end, last, seen, refusal))


def last_report(pods: Sequence[ObservedPod]) -> RunReport | None:
    """Return the newest result; where there is none, what the newest Pod gave up for."""
    newest_first = sorted(pods, key=lambda pod: pod.created_at, reverse=True)
    final = [pod for pod in newest_first if pod.exit_code != ExitCode.TEMPORARY]
    # A Pod that left the rest to another one does not speak for that one's silent death.
    for pod in final + [pod for pod in newest_first[:1] if pod not in final]:
        try:
            return RunReport.model_validate_json(pod.termination_message)
        except ValidationError:
            continue
    return None


def _reported(councilor: ObservedCouncilor, agent_id: str, job: ObservedJob, report: RunReport) -> Run:
    # A runner that could not read its contract knows no ids.
    task, execution = identity(councilor, agent_id, job)
    return Run(
        execution_id=report.execution_id or execution,
        task_id=report.task_id or task,
        job_name=job.name,
        trigger=report.trigger if report.execution_id else _trigger(job),
        scheduled_at=report.scheduled_at if report.execution_id else job.scheduled_at,
        # Kubernetes keeps whole seconds; duration_ms has the rest.
        started_at=report.started_at.replace(microsecond=0),
        completed_at=report.completed_at.replace(microsecond=0),
        duration_ms=report.duration_ms,
        status=report.status,
        severity=report.severity,
        result=_result(report),
        exit_code=report.exit_code,
        reason=report.reason,
        message=_cut(report.message, MESSAGE_LIMIT),
        summary=report.summary,
        recorded=report.recorded,
        notified=notified_channels(report),
    )


def notified_channels(report: RunReport) -> tuple[NotifiedChannel, ...] | None:
    """Return whom a report says it told, as the status lists them."""
    return (
        tuple(
            NotifiedChannel(channel=entry.channel, delivered=entry.delivered, reason=_cut(entry.reason, REASON_LIMIT))
            for entry in report.notified
        )
        or None
    )


def _cut(text: str | None, limit: int) -> str | None:
    return text if text is None or len(text) <= limit else text[: limit - 1] + "…"


def _trigger(job: ObservedJob) -> Trigger:
    return "manual" if job.scheduled_at is None else "scheduled"


def _result(report: RunReport) -> Result:
    if report.status == "skipped":
        return "skipped"
    if report.status == "error" or report.severity is None:
        return "failed"
    severity: Severity = report.severity
    return severity


def _unreported(
    councilor: ObservedCouncilor,
    agent_id: str,
    job: ObservedJob,
    end: JobEnd,
    last: ObservedPod | None,
    cause: Cause,
) -> Run:
    task, execution = identity(councilor, agent_id, job)
    started = (last.started_at if last else None) or job.began
    completed = (last.finished_at if last else None) or end.at
    return Run(
        execution_id=execution,
        task_id=task,
        job_name=job.name,
        trigger=_trigger(job),
        scheduled_at=job.scheduled_at,
        started_at=started,
        completed_at=completed,
        duration_ms=_milliseconds(started, completed),
        status="error",
        severity="error",
        result="failed",
        exit_code=last.exit_code if last else None,
        reason=cause.reason,
        message=_cut(cause.message, MESSAGE_LIMIT),
        recorded=False,
    )


def _milliseconds(start: datetime, end: datetime) -> int:
    return max(0, int((end - start).total_seconds() * 1000))
