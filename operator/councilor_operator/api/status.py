"""The status of a Councilor, `councilors.conductor.community/v1alpha1`: what the operator found and did.

Its types ignore what they do not know: a status that a newer operator wrote must not stop an older one.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from councilor_operator.api.base import ApiModel

Severity = Literal["success", "warning", "error"]
Result = Literal["success", "warning", "error", "failed", "skipped"]
Text256 = Annotated[str, StringConstraints(max_length=256)]
Text1024 = Annotated[str, StringConstraints(max_length=1024)]


class StatusModel(ApiModel):
    """Base of the status's types."""

    model_config = ConfigDict(extra="ignore")


class Condition(StatusModel):
    """A condition as in meta/v1 Condition."""

    type: str
    """Ready, Scheduled or Healthy."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    observed_generation: int | None = None
    """Generation of the spec that was judged."""
    last_transition_time: datetime
    """When the status last changed."""
    reason: str
    """One stable word."""
    message: str = ""
    """For a person: what is so, and what to do about it."""


class ActiveRun(StatusModel):
    """A run that is going on."""

    execution_id: str
    """Key of its record in councilor_executions."""
    job_name: str
    """Name of its Job."""
    started_at: datetime | None = None
    """When its Job was started."""


class NotifiedChannel(StatusModel):
    """What became of one notification."""

    channel: str
    """Name of the channel."""
    delivered: bool
    """Whether it was accepted."""
    reason: Text256 | None = None
    """Why not."""


class Run(StatusModel):
    """A finished run."""

    execution_id: str
    """Key of its record in councilor_executions."""
    task_id: str
    """Conductor's id of the task."""
    job_name: str
    """Name of its Job."""
    trigger: Literal["scheduled", "manual"]
    """What started it."""
    scheduled_at: datetime | None = None
    """The time it was scheduled for."""
    started_at: datetime | None = None
    """When it started."""
    completed_at: datetime | None = None
    """When it ended."""
    duration_ms: int | None = None
    """From start to end, in milliseconds."""
    status: Literal["completed", "error", "skipped"]
    """How the run ended, whatever the answer says."""
    severity: Severity | None = None
    """The verdict; error for a failed run."""
    result: Result
    """Status and verdict in one word."""
    exit_code: int | None = None
    """Exit code of the runner."""
    reason: str
    """One stable word for how it ended."""
    message: Text1024 | None = None
    """For a person: what went wrong and what to do."""
    summary: Text256 | None = None
    """Beginning of the answer."""
    recorded: bool = False
    """Whether the run stands in MongoDB."""
    notified: tuple[NotifiedChannel, ...] | None = None
    """Which channels were told."""


class RecentRun(StatusModel):
    """A line of the recent history."""

    job_name: str
    """Name of its Job."""
    completed_at: datetime | None = None
    """When it ended."""
    result: Result
    """Status and verdict in one word."""


class RunNow(StatusModel):
    """The last run that was asked for by annotation."""

    token: Text256
    """Value of the annotation conductor.community/run-now that was handled."""
    at: datetime
    """When it was handled."""
    job_name: str | None = None
    """Name of the Job that was made for it."""
    reason: str | None = None
    """One stable word for why there is none."""
    message: Text1024 | None = None
    """For a person: why there is none and what to do."""


class AppliedCronJob(StatusModel):
    """The CronJob as the operator left it; another generation means that somebody changed its spec since."""

    uid: str
    """Its UID."""
    generation: int
    """Its generation."""


class Stats(StatusModel):
    """Counters; each Job is counted once."""

    total_executions: int = 0
    """Runs that ended: success, warning, error and failed together."""
    success: int = 0
    """Completed and judged success."""
    warning: int = 0
    """Completed and judged warning."""
    error: int = 0
    """Completed and judged error."""
    failed: int = 0
    """Did not complete."""
    skipped: int = 0
    """Not carried out because they started too late."""
    missed: int = 0
    """Scheduled times without a run."""
    consecutive_failures: int = 0
    """Failed runs since the last one that completed."""
    success_rate: float | None = None
    """Percent of all runs judged success, one decimal."""


class CouncilorStatus(StatusModel):
    """What the operator found and did."""

    observed_generation: int | None = None
    """Generation of the spec that this status is about."""
    conditions: Annotated[
        tuple[Condition, ...],
        Field(json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = ()
    """Ready: the CronJob is as specified. Scheduled: runs will come. Healthy: the last run."""
    phase: Literal["Scheduled", "Running", "Paused", "Suspended", "Invalid"] | None = None
    """The state in one word."""
    cron_job_name: str | None = None
    """Name of the CronJob."""
    applied_cron_job: AppliedCronJob | None = None
    """The CronJob as the operator left it, while the condition Ready is True."""
    schedule: str | None = None
    """The compiled schedule, as it stands in the CronJob."""
    time_zone: str | None = None
    """The zone in effect."""
    next_run_times: tuple[str, ...] | None = None
    """The next three times, with offset."""
    active: tuple[ActiveRun, ...] | None = None
    """Runs that are going on."""
    last_run: Run | None = None
    """The run that ended last."""
    last_run_now: RunNow | None = None
    """The last run that was asked for by annotation."""
    last_success_time: datetime | None = None
    """When a run was last judged success."""
    last_missed_time: datetime | None = None
    """The last scheduled time that passed without a run."""
    recent_runs: Annotated[tuple[RecentRun, ...], Field(max_length=10)] | None = None
    """The last ten runs, newest first."""
    stats: Stats | None = None
    """Counters."""
    counted_jobs: tuple[str, ...] | None = None
    """UIDs of the existing Jobs that are in the counters already."""
