"""The status of a Councilor, `councilors.conductor.community/v1alpha1`: what the operator found and did.

Its types ignore what they do not know: a status that a newer operator wrote must not stop an older one.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
)

from councilor_operator.api.base import ApiModel

Severity = Literal["success", "warning", "error"]
Result = Literal["success", "warning", "error", "failed", "skipped"]
Text256 = Annotated[str, StringConstraints(max_length=256)]
Text1024 = Annotated[str, StringConstraints(max_length=1024)]

COUNT_LIMIT: Final = 2**53
"""A counter beyond this was not counted. No bound of the schema: one more run must never make a status that the API
server refuses."""


def _countable(value: int) -> int:
    if value > COUNT_LIMIT:
        raise ValueError("beyond anything that was ever counted")
    return value


def _past(value: datetime, info: ValidationInfo) -> datetime:
    if info.context is not None and value > info.context["latest"]:
        raise ValueError("still to come")
    return value


Count = Annotated[int, Field(ge=0), AfterValidator(_countable)]
Past = Annotated[AwareDatetime, AfterValidator(_past)]
"""A time of something that has happened; `read_status` does not believe a later one."""


class StatusModel(ApiModel):
    """Base of the status's types."""

    # Times arrive as texts.
    model_config = ConfigDict(extra="ignore", strict=False)


class Condition(StatusModel):
    """A condition as in meta/v1 Condition."""

    type: str
    """Ready, Scheduled or Healthy."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    observed_generation: int | None = None
    """Generation of the spec that was judged."""
    last_transition_time: Past
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
    job_uid: str | None = None
    """UID of its Job."""
    scheduled_at: AwareDatetime | None = None
    """The time it was scheduled for."""
    started_at: AwareDatetime | None = None
    """When its Job was started."""
    reason: str | None = None
    """One stable word for why its Pod does not start."""
    message: Text1024 | None = None
    """For a person: why its Pod does not start and what to do."""


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
    scheduled_at: AwareDatetime | None = None
    """The time it was scheduled for."""
    started_at: AwareDatetime | None = None
    """When it started."""
    completed_at: Past | None = None
    """When it ended."""
    duration_ms: Count | None = None
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
    report_job: str | None = None
    """Name of the Job that records the run and tells of it, where the run could not do so itself."""
    report_result: Literal["succeeded", "failed", "unknown"] | None = None
    """What became of that Job; nothing while it goes on, unknown when it was gone before it was read."""


class RecentRun(StatusModel):
    """A line of the recent history."""

    job_name: str
    """Name of its Job."""
    completed_at: Past | None = None
    """When it ended."""
    result: Result
    """Status and verdict in one word."""


class RunNow(StatusModel):
    """The last run that was asked for by annotation."""

    token: Text256
    """Value of the annotation conductor.community/run-now that was handled."""
    at: AwareDatetime
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

    total_executions: Count = 0
    """Runs that ended: success, warning, error and failed together."""
    success: Count = 0
    """Completed and judged success."""
    warning: Count = 0
    """Completed and judged warning."""
    error: Count = 0
    """Completed and judged error."""
    failed: Count = 0
    """Did not complete."""
    skipped: Count = 0
    """Not carried out because they started too late."""
    missed: Count = 0
    """Scheduled times without a run."""
    unknown: Count = 0
    """Runs whose result was not seen: their Jobs were gone before they were read."""
    consecutive_failures: Count = 0
    """Failed runs since the last one that completed."""
    success_rate: Annotated[float, Field(ge=0, le=100)] | None = None
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
    last_success_time: Past | None = None
    """When a run was last judged success."""
    last_missed_time: Past | None = None
    """The last scheduled time that passed without a run."""
    last_unknown_time: Past | None = None
    """When the last run whose result was not seen was due, or began."""
    accounted_until: Past | None = None
    """Up to this time every scheduled run is in the counters or has a Job."""
    recent_runs: Annotated[tuple[RecentRun, ...], Field(max_length=10)] | None = None
    """The last ten runs, newest first."""
    stats: Stats | None = None
    """Counters."""
    counted_jobs: tuple[str, ...] | None = None
    """UIDs of the existing Jobs whose end was worked in already."""


def read_status(document: Mapping[str, Any], *, latest: datetime) -> CouncilorStatus:
    """Return a status as it stands in the cluster, without what cannot be.

    The status is the operator's to write, but others may edit it, and an older CRD lets anything through. A field that
    does not hold what it should, or something that has happened later than `latest`, is left out, to be written anew: a
    Councilor must not stand still for it. What is beside it stays.
    """
    remaining: Any = document
    while True:
        try:
            return CouncilorStatus.model_validate(remaining, context={"latest": latest}, by_alias=True, by_name=False)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)
            # Without a field that it cannot do without, the object around it means nothing.
            remaining = _without(
                remaining, {item["loc"][:-1] if item["type"] == "missing" else item["loc"] for item in found}
            )


def _without(node: Any, wrong: AbstractSet[tuple[int | str, ...]]) -> Any:
    """Return a copy of a document without the parts at these locations."""
    if not wrong:
        return node
    below: dict[int | str, set[tuple[int | str, ...]]] = {}
    for location in wrong:
        below.setdefault(location[0], set()).add(location[1:])
    items = node.items() if isinstance(node, Mapping) else enumerate(node)
    kept = {key: _without(value, below.get(key, set())) for key, value in items if (key,) not in wrong}
    return kept if isinstance(node, Mapping) else list(kept.values())
