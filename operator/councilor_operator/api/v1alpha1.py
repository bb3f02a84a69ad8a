"""The Councilor, `councilors.conductor.community/v1alpha1`, as pydantic types: the one source of the CRD and of
parsing.

`crd.py` turns these types into the CustomResourceDefinition: attribute docstrings become descriptions, `Field` bounds
become schema bounds, and `rules()` become CEL validations. The API server therefore refuses most bad input before the
operator sees it; what a schema cannot say (cron expressions, zones) is decided in `schedule` and reported as a
condition.

Field names are camelCase in the API and snake_case here.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from councilor_operator.constants import API_VERSION, KIND


def rules(*validations: dict[str, str]) -> dict[str, Any]:
    """Attach CEL rules (`x-kubernetes-validations`, Kubernetes apiextensions v1) to a type or field."""
    return {"x-kubernetes-validations": list(validations)}


class ApiModel(BaseModel):
    """Base of every API type: immutable, camelCase, unknown fields refused as the strict API server does."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )


Severity = Literal["success", "warning", "error"]
Keyword = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Quantity = Annotated[str | int, Field(json_schema_extra={"x-kubernetes-int-or-string": True})]


class Schedule(ApiModel):
    """When the agent is asked."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "rule": "self.type != 'interval' || self.value.matches('^[1-9][0-9]*[mhd]$')",
                "message": "an interval is a whole number followed by m, h or d, for example 45m, 6h or 2d; one "
                "minute is the least; for cron expressions set type: cron",
                "fieldPath": ".value",
            },
            {
                "rule": "self.type != 'cron' || !self.value.matches('^[0-9]+ *[smhd]$')",
                "message": "this is an interval, not a cron expression: set type: interval, or write five fields such "
                "as '0 9 * * MON-FRI'",
                "fieldPath": ".value",
            },
        )
    )

    type: Literal["interval", "cron"]
    """interval: every so many minutes, hours or days, counted from creation; cron: at times of the calendar."""
    value: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """interval: for example 45m, 6h, 2d. cron: five fields (minute hour day-of-month month day-of-week), or @hourly,
    @daily, @midnight, @weekly, @monthly, @yearly, @annually; in minute and hour also H, H(a-b), H/n, spread by the
    Councilor's UID."""
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    """IANA name such as America/Sao_Paulo; the operator's default (UTC unless configured) if not set."""
    enabled: bool = True
    """false pauses the Councilor: its CronJob is suspended, not deleted."""
    starting_deadline_seconds: Annotated[int, Field(ge=1, le=86400)] | None = None
    """A run that starts later than this after its scheduled time is recorded as skipped; no limit if not set."""


class ConfigMapKeyRef(ApiModel):
    """A key of a ConfigMap in the Councilor's namespace."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    """Name of the ConfigMap."""
    key: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    """Key whose value is the prompt."""


class PromptFrom(ApiModel):
    """A prompt kept outside the Councilor; read when a run starts, so a change needs no new Councilor."""

    config_map_key_ref: ConfigMapKeyRef
    """The ConfigMap key that holds the prompt."""


class Task(ApiModel):
    """What the agent is asked."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "rule": "has(self.prompt) != has(self.promptFrom)",
                "message": "give exactly one of prompt (the text itself) and promptFrom (a ConfigMap key)",
            },
            {
                "rule": "!has(self.prompt) || self.prompt.matches('[^ \\\\t\\\\r\\\\n]')",
                "message": "the prompt must not be blank: write what the agent is asked",
                "fieldPath": ".prompt",
            },
        )
    )

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    """Short name of the task; the title, else the Councilor's name, if not set."""
    prompt: Annotated[str, StringConstraints(min_length=1, max_length=10000)] | None = None
    """The question or instruction."""
    prompt_from: PromptFrom | None = None
    """Where the prompt is kept instead."""
    context_files: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=1024)], ...],
        Field(max_length=50, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ] = ()
    """Paths on the Conductor host that the agent is told to read."""
    output_format: Literal["summary", "detailed", "checklist"] = "checklist"
    """The form of the answer that the agent is asked for."""


class Execution(ApiModel):
    """How a run is carried out."""

    cwd: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    """Working directory on the Conductor host; the operator's default if not set."""
    provider: Literal["claude", "gemini", "cursor-agent"] | None = None
    """Command line that runs the agent; the agent's own if not set."""
    context_mode: Literal["stateless", "stateful"] = "stateless"
    """stateful continues the agent's conversation from run to run."""
    timeout_seconds: Annotated[int, Field(ge=1, le=86400)] = 600
    """How long the agent may take; every other limit follows from it."""
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    """Further attempts after temporary failures before the task was accepted."""


class Verdict(ApiModel):
    """How the answer is judged."""

    ask_agent: bool = True
    """Ask the agent to end with a line SEVERITY: success, warning or error."""
    error_keywords: Annotated[tuple[Keyword, ...], Field(max_length=100)] | None = None
    """Words that make an answer without such a line an error; the built-in list if not set."""
    warning_keywords: Annotated[tuple[Keyword, ...], Field(max_length=100)] | None = None
    """Words that make an answer without such a line a warning; the built-in list if not set."""


class Notifications(ApiModel):
    """Who hears of which outcome."""

    on_success: bool = False
    """Tell about answers judged success."""
    on_warning: bool = True
    """Tell about answers judged warning."""
    on_error: bool = True
    """Tell about answers judged error and about failed runs."""
    on_recovery: bool = True
    """Tell about the first success after anything else."""
    channels: Annotated[
        tuple[
            Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?$", max_length=63)], ...
        ],
        Field(max_length=20, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = ("panel",)
    """panel, toast, email, or a key of the Secret councilor-notifications."""


class History(ApiModel):
    """How many finished Jobs, with their logs, are kept; without any, results would be gone before they are read."""

    successful_runs: Annotated[int, Field(ge=1, le=100)] = 3
    """Finished Jobs kept of runs that completed."""
    failed_runs: Annotated[int, Field(ge=1, le=100)] = 3
    """Finished Jobs kept of runs that failed."""


class ResourceRequirements(ApiModel):
    """CPU and memory of the runner's container."""

    requests: Annotated[dict[str, Quantity], Field(max_length=10)] | None = None
    """What the scheduler reserves."""
    limits: Annotated[dict[str, Quantity], Field(max_length=10)] | None = None
    """What the container may use at most."""


class Toleration(ApiModel):
    """A taint that the runner's Pod tolerates (core/v1 Toleration)."""

    key: Annotated[str, StringConstraints(max_length=316)] | None = None
    """Taint key; empty matches all keys."""
    operator: Literal["Exists", "Equal"] | None = None
    """Relation of key and value."""
    value: Annotated[str, StringConstraints(max_length=63)] | None = None
    """Taint value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Taint effect; empty matches all effects."""
    toleration_seconds: int | None = None
    """How long a NoExecute taint is tolerated."""


class Runner(ApiModel):
    """Where the runner's Pod runs. Its image, account and Secrets are the operator's business."""

    resources: ResourceRequirements | None = None
    """The operator's defaults if not set."""
    node_selector: (
        Annotated[dict[str, Annotated[str, StringConstraints(max_length=63)]], Field(max_length=20)] | None
    ) = None
    """Labels that a node must have."""
    tolerations: (
        Annotated[tuple[Toleration, ...], Field(max_length=20, json_schema_extra={"x-kubernetes-list-type": "atomic"})]
        | None
    ) = None
    """Taints that the Pod tolerates."""


class CouncilorSpec(ApiModel):
    """Which agent is asked what, when, and how its answer is judged."""

    agent_id: Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[^\s/]+$")]
    """Conductor's id of the agent, for example LicenseAuditor_Agent."""
    title: Annotated[str, StringConstraints(max_length=200)] | None = None
    """Display only: the councilor's office, for example Licence counsel."""
    display_name: Annotated[str, StringConstraints(max_length=200)] | None = None
    """Display only: the councilor's name."""
    emoji: Annotated[str, StringConstraints(max_length=16)] | None = None
    """Display only."""
    color: Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{3,8}$")] | None = None
    """Display only: CSS colour such as #5b21b6."""
    schedule: Schedule
    """When the agent is asked."""
    concurrency_policy: Literal["Forbid", "Replace", "Allow"] = "Forbid"
    """What happens when a run is due while another is still going on."""
    task: Task
    """What the agent is asked."""
    execution: Execution = Execution()
    """How a run is carried out."""
    verdict: Verdict = Verdict()
    """How the answer is judged."""
    notifications: Notifications = Notifications()
    """Who hears of which outcome."""
    suspend_after_failures: Annotated[int, Field(ge=0, le=1000)] = 5
    """Consecutive failed runs (not error verdicts) after which the Councilor is suspended; 0 for never."""
    history: History = History()
    """How many finished Jobs are kept."""
    runner: Runner = Runner()
    """Where the runner's Pod runs."""


Text256 = Annotated[str, StringConstraints(max_length=256)]
Text1024 = Annotated[str, StringConstraints(max_length=1024)]


class Condition(ApiModel):
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


class ActiveRun(ApiModel):
    """A run that is going on."""

    execution_id: str
    """Key of its record in councilor_executions."""
    job_name: str
    """Name of its Job."""
    started_at: datetime | None = None
    """When its Job was started."""


class NotifiedChannel(ApiModel):
    """What became of one notification."""

    channel: str
    """Name of the channel."""
    delivered: bool
    """Whether it was accepted."""
    reason: Text256 | None = None
    """Why not."""


class Run(ApiModel):
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
    result: Literal["success", "warning", "error", "failed", "skipped"]
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


class RecentRun(ApiModel):
    """A line of the recent history."""

    job_name: str
    """Name of its Job."""
    completed_at: datetime | None = None
    """When it ended."""
    result: Literal["success", "warning", "error", "failed", "skipped"]
    """Status and verdict in one word."""


class RunNow(ApiModel):
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


class Stats(ApiModel):
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


class CouncilorStatus(ApiModel):
    """What the operator found and did."""

    model_config = ConfigDict(extra="ignore")

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


class Councilor(ApiModel):
    """An AI agent that is asked the same question on a schedule and whose answer is judged."""

    model_config = ConfigDict(extra="ignore")

    spec: CouncilorSpec
    """What is wanted."""
    status: CouncilorStatus = CouncilorStatus()
    """What is so; written by the operator."""


API_IDENTITY = {"apiVersion": API_VERSION, "kind": KIND}
