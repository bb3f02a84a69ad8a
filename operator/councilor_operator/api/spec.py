"""The spec of a Councilor, `councilors.conductor.community/v1alpha1`: who is asked what, when, and how it is judged."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, Strict, StringConstraints, model_validator
from pydantic.config import JsonDict

from councilor_operator.api.base import ApiModel, rules

Keyword = Annotated[str, StringConstraints(min_length=1, max_length=100)]

# What resource.Quantity of apimachinery reads, without a sign: an amount of CPU or memory is never negative. The API
# server answers a CronJob with any other text by an internal error (500), which nobody could tell from a passing one.
_QUANTITY = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$"
Quantity = Annotated[
    Annotated[str, StringConstraints(max_length=32, pattern=_QUANTITY)] | Annotated[int, Field(ge=0)],
    Field(json_schema_extra={"x-kubernetes-int-or-string": True, "maxLength": 32, "pattern": _QUANTITY, "minimum": 0}),
]

_ONE_PROMPT = "give exactly one of prompt (the text itself) and promptFrom (a ConfigMap key)"
_BLANK_PROMPT = "the prompt must not be blank: write what the agent is asked"


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

    name: Annotated[
        str,
        StringConstraints(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"),
    ]
    """Name of the ConfigMap: lower case letters, digits, - and ., no blanks."""
    key: Annotated[str, StringConstraints(max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
    """Key whose value is the prompt: letters, digits, -, _ and ., no blanks."""


class PromptFrom(ApiModel):
    """A prompt kept outside the Councilor; read when a run starts, so a change needs no new Councilor."""

    config_map_key_ref: ConfigMapKeyRef
    """The ConfigMap key that holds the prompt."""


ContextFile = Annotated[
    str,
    # Each path is a line of the prompt.
    StringConstraints(max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$"),
    Field(description="A path on one line."),
]


class Task(ApiModel):
    """What the agent is asked."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "rule": "has(self.prompt) != has(self.promptFrom)",
                "message": _ONE_PROMPT,
            },
            {
                "rule": "!has(self.prompt) || self.prompt.matches('[^ \\\\t\\\\r\\\\n]')",
                "message": _BLANK_PROMPT,
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
        tuple[ContextFile, ...],
        Strict(False),
        Field(max_length=50, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ] = ()
    """Paths on the Conductor host that the agent is told to read."""
    output_format: Literal["summary", "detailed", "checklist"] = "checklist"
    """The form of the answer that the agent is asked for."""

    @model_validator(mode="after")
    def _as_the_rules(self) -> Self:
        # The rules of the schema once more: an older CRD may lack them.
        if (self.prompt is None) == (self.prompt_from is None):
            raise ValueError(_ONE_PROMPT)
        if self.prompt is not None and not self.prompt.strip(" \t\r\n"):
            raise ValueError(_BLANK_PROMPT)
        return self


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
    error_keywords: Annotated[tuple[Keyword, ...], Strict(False), Field(max_length=100)] | None = None
    """Words that make an answer without such a line an error, they alone; if not set, the answer is read."""
    warning_keywords: Annotated[tuple[Keyword, ...], Strict(False), Field(max_length=100)] | None = None
    """Words that make an answer without such a line a warning, they alone; if not set, the answer is read."""


# What core/v1 Secret takes as a key: also no dots alone, and not two of them in front.
_CHANNEL = r"^\.?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$"


def _with_words(schema: JsonDict) -> None:
    """Replace the pattern by a rule, whose refusal says more than a regular expression does."""
    del schema["pattern"]
    schema.update(
        rules(
            {
                "rule": f"self.matches(r'{_CHANNEL}')",
                "message": "write panel, toast, or a key of the Secret councilor-notifications such as email or "
                "ops-slack: letters, digits, - _ and ., not two dots in front; its address belongs in the Secret",
            }
        )
    )


Channel = Annotated[
    str,
    StringConstraints(pattern=_CHANNEL, max_length=253),
    Field(
        description="panel, toast, email, or a key of the Secret councilor-notifications: letters, digits, -, _, .",
        json_schema_extra=_with_words,
    ),
]


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
        tuple[Channel, ...],
        Strict(False),
        Field(max_length=20, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = ("panel",)
    """Where it is told: panel, toast, email, or keys of the Secret councilor-notifications."""


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
        Annotated[
            tuple[Toleration, ...],
            Strict(False),
            Field(max_length=20, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
        ]
        | None
    ) = None
    """Taints that the Pod tolerates."""


class CouncilorSpec(ApiModel):
    """Which agent is asked what, when, and how its answer is judged."""

    agent_id: Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[^\s/\x00-\x1f\x7f]+$")]
    """Conductor's id of the agent, without blanks and slashes, for example LicenseAuditor_Agent."""
    title: Annotated[str, StringConstraints(max_length=200)] | None = None
    """Display only: the councilor's office, for example Licence counsel."""
    display_name: Annotated[str, StringConstraints(max_length=200)] | None = None
    """Display only: the councilor's name."""
    emoji: Annotated[str, StringConstraints(max_length=16)] | None = None
    """Display only."""
    color: Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{3,8}$")] | None = None
    """CSS colour such as #5b21b6; display only."""
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
