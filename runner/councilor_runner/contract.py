"""The contract between operator and runner: the only module of the runner that the operator imports.

The operator writes a `RunContract` as JSON into one environment variable of the CronJob's Pod template, so a run
executes the snapshot of the spec that its Job was created with. The runner answers with a `RunReport` as the
container's termination message. Operator and runner also have to agree on the identity of a run before either has
heard of the other's work; the functions at the end of the module are that agreement.

Nothing here imports kopf, kubernetes or pymongo: both sides pay for this module at every start.
"""

import hashlib
import re
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

CONTRACT_VERSION: Literal[1] = 1
"""Of `RunContract` and `RunReport`. A new field keeps it when a reader that does not know the field still does the
right thing, if less of it; otherwise the version rises, and older readers refuse (docs/decisions/0013)."""

# Environment variables of the runner's container.
ENV_CONTRACT = "COUNCILOR_CONTRACT"
ENV_REPORT = "COUNCILOR_REPORT"  # for `report`: the RunReport of the run that could not record or tell by itself
ENV_PROMPT = "COUNCILOR_PROMPT"  # task.promptFrom, filled in by the kubelet
ENV_JOB_NAME = "COUNCILOR_JOB_NAME"  # downward API: label batch.kubernetes.io/job-name
ENV_JOB_UID = "COUNCILOR_JOB_UID"  # downward API: label batch.kubernetes.io/controller-uid
ENV_POD_NAME = "COUNCILOR_POD_NAME"  # downward API: metadata.name
ENV_TERMINATION_MESSAGE_PATH = "COUNCILOR_TERMINATION_MESSAGE_PATH"  # only where the default cannot be written
ENV_NOTIFICATIONS_PATH = "COUNCILOR_NOTIFICATIONS_PATH"  # only where the volume lies elsewhere
ENV_CA_FILE = "COUNCILOR_CA_FILE"  # where the certificates of a private authority are mounted
ENV_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")  # the names that HTTP clients agree on
ENV_PROXY_CREDENTIALS = "PROXY_CREDENTIALS"  # Secret, optional: user:password for the proxies
ENV_MONGODB_URI = "MONGODB_URI"  # Secret, optional
ENV_CONDUCTOR_TOKEN = "CONDUCTOR_TOKEN"  # noqa: S105 - the variable's name; the token itself comes from the Secret

CONTAINER_NAME = "runner"
TERMINATION_MESSAGE_PATH = "/dev/termination-log"
TERMINATION_MESSAGE_LIMIT = 4096
"""Bytes the kubelet keeps of a termination message (Kubernetes, Pod v1)."""
NOTIFICATIONS_PATH = "/etc/councilor/notifications"
"""Where the Pod has the addresses of its channels: one file for each key of the Secret that `channels` names."""
GATEWAY_CHANNELS = ("panel", "toast")
"""Channels that Conductor's gateway serves; any other name is a key of the Secret."""
PROMPT_LIMIT = 10_000
"""Characters of a prompt, wherever it comes from."""
SUMMARY_LIMIT = 256
"""Characters of `RunReport.summary`."""
GRACE_SECONDS = 20
"""How long the runner may need after SIGTERM; the Pod's `terminationGracePeriodSeconds` has to be longer."""

Severity = Literal["success", "warning", "error"]
RunStatus = Literal["completed", "error", "skipped"]
Trigger = Literal["scheduled", "manual"]


HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
"""What HTTP allows (RFC 9110 5.1, 5.5), without the obsolete bytes beyond ASCII."""


class ExitCode(IntEnum):
    """How the runner's process ends; the Job's podFailurePolicy is built from it."""

    COMPLETED = 0
    """Completed with any severity, or skipped; recorded."""
    AGENT_FAILED = 10
    """The agent run failed, or the last Pod of the Job gave the run up; recorded."""
    AGENT_TIMED_OUT = 11
    """The agent run took longer than `timeoutSeconds`; recorded. The task may still finish in Conductor."""
    NOT_RECORDED = 20
    """The result is known but MongoDB refused it to the end; the termination message holds it."""
    TEMPORARY = 75
    """Nothing was dispatched, or the task can safely be polled again: another Pod continues."""
    CONFIGURATION = 78
    """Refused for good: unknown agent, invalid request, bad credentials, missing setting."""

    @property
    def retryable(self) -> bool:
        """Whether another Pod of the same Job may get further."""
        return self is ExitCode.TEMPORARY


class Reason(StrEnum):
    """Why a run ended the way it did: `lastRun.reason`, the record's `reason`, and what conditions speak about."""

    COMPLETED = "Completed"
    STARTED_TOO_LATE = "StartedTooLate"
    AGENT_FAILED = "AgentFailed"
    AGENT_TIMED_OUT = "AgentTimedOut"
    AGENT_UNKNOWN = "AgentUnknown"
    TASK_VANISHED = "TaskVanished"
    OUTCOME_UNKNOWN = "OutcomeUnknown"
    """An earlier Pod sent the task, and neither a gateway nor MongoDB is configured to read what became of it."""
    REQUEST_REFUSED = "RequestRefused"
    CREDENTIALS_REFUSED = "CredentialsRefused"
    TLS_FAILED = "TLSFailed"
    """A certificate was not accepted, or the port speaks no TLS."""
    CONDUCTOR_UNREACHABLE = "ConductorUnreachable"
    CONDUCTOR_FAILED = "ConductorFailed"
    DATABASE_UNREACHABLE = "DatabaseUnreachable"
    DATABASE_REFUSED = "DatabaseRefused"
    INVALID_CONTRACT = "InvalidContract"
    PROMPT_MISSING = "PromptMissing"
    PROMPT_INVALID = "PromptInvalid"
    """Longer than `PROMPT_LIMIT`, or not text; the spec's own prompt cannot be, one from a ConfigMap can."""
    WORKING_DIRECTORY_MISSING = "WorkingDirectoryMissing"
    INTERRUPTED = "Interrupted"
    INTERNAL_ERROR = "InternalError"


class _Model(BaseModel):
    # A field that the reader does not know is passed over. What may not be passed over raises the version.
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class CouncilorRef(_Model):
    """The Councilor a run belongs to."""

    namespace: str
    name: str
    uid: str
    generation: int
    cron_job_name: str
    title: str | None = None
    emoji: str | None = None


class Agent(_Model):
    """The agent as Conductor and MongoDB know it."""

    id: str
    display_name: str | None = None
    instance_id: str | None = None
    """Set when the Councilor stands for a document of `agent_instances`: its statistics are kept there."""


class Task(_Model):
    """What the agent is asked. `prompt` is None when the kubelet fills it in from a ConfigMap (`ENV_PROMPT`)."""

    name: str
    prompt: str | None = None
    context_files: tuple[str, ...] = ()
    output_format: Literal["summary", "detailed", "checklist"] = "checklist"


class Execution(_Model):
    """How and for how long."""

    cwd: str
    """Directory on the host where Conductor runs the agent."""
    provider: str | None = None
    """None lets Conductor use the agent's own provider."""
    context_mode: Literal["stateless", "stateful"] = "stateless"
    timeout_seconds: int = 600
    starting_deadline_seconds: int | None = None
    retries: int = 2
    """How many Pods may follow one that gave up for the time being: the Job's `backoffLimit`."""


class VerdictRules(_Model):
    """Keywords of the Councilor itself; without any the answer is read."""

    ask_agent: bool = True
    error_keywords: tuple[str, ...] | None = None
    warning_keywords: tuple[str, ...] | None = None


class Notifications(_Model):
    """Who hears of which outcome."""

    on_success: bool = False
    on_warning: bool = True
    on_error: bool = True
    on_recovery: bool = True
    channels: tuple[str, ...] = ("panel",)
    secret: str = "councilor-notifications"  # noqa: S105 - the name of a Secret
    """Where the other channels' addresses are, for words only; operator configuration, never part of a Councilor."""

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The channels that are keys of the Secret, each once."""
        return tuple(name for name in dict.fromkeys(self.channels) if name not in GATEWAY_CHANNELS)


class Endpoints(_Model):
    """Where Conductor is; operator configuration, never part of a Councilor."""

    conductor_url: str
    gateway_url: str | None = None
    protocol: Literal["current", "seed"] = "current"
    headers: dict[str, str] = Field(default_factory=dict)
    database: str = "conductor_state"


class RunContract(_Model):
    """Everything one run needs to know, apart from secrets and its own Pod's name."""

    version: Literal[1] = CONTRACT_VERSION
    councilor: CouncilorRef
    agent: Agent
    task: Task
    execution: Execution
    verdict: VerdictRules = VerdictRules()
    notifications: Notifications = Notifications()
    endpoints: Endpoints


class ChannelResult(_Model):
    """What became of one notification."""

    channel: str
    delivered: bool
    reason: str | None = None


class RunReport(_Model):
    """The runner's last word, written as the termination message: at most `TERMINATION_MESSAGE_LIMIT` bytes of JSON."""

    version: Literal[1] = CONTRACT_VERSION
    execution_id: str
    task_id: str
    trigger: Trigger
    status: RunStatus
    severity: Severity | None = None
    """None for a skipped run: nothing was judged. A run that failed is an error whatever the agent said."""
    exit_code: Annotated[int, Field(ge=-(2**31), lt=2**31)]
    """How the process of the run ended (`ExitCode`), also in the last word of a `report`, which speaks of the run."""
    agent_exit_code: int | None = None
    """What the agent's command ended with, None when Conductor did not say or there was no command."""
    reason: str
    """A `Reason`, or one that only a newer runner knows."""
    message: str | None = None
    """One sentence for a person: what went wrong and what to do. Never document content or a driver's text."""
    summary: Annotated[str, Field(max_length=SUMMARY_LIMIT)] | None = None
    """The beginning of the agent's answer; a marker line at its end is left out, `severity` says the same."""
    scheduled_at: AwareDatetime | None = None
    started_at: AwareDatetime
    completed_at: AwareDatetime
    duration_ms: Annotated[int, Field(ge=0, le=2**53)]
    dispatched: bool = False
    """Whether Conductor may have been asked to run the agent."""
    recorded: bool = False
    """Whether the execution stands in MongoDB; also False when no database is configured."""
    notified: tuple[ChannelResult, ...] = ()


_SCHEDULED_JOB = re.compile(r"(?P<cron_job>.+)-(?P<minutes>[1-9][0-9]{7,8})")


def scheduled_time(job_name: str, cron_job_name: str) -> datetime | None:
    """Return the nominal time of a scheduled run (UTC, exact to the minute), None for a Job that the schedule did not
    create.

    The CronJob controller names its Jobs `<CronJob>-<Unix minutes>` (Kubernetes 1.21 and later); a Pod sees no other
    trace of the time it was scheduled for.
    """
    match = _SCHEDULED_JOB.fullmatch(job_name)
    if match is None or match["cron_job"] != cron_job_name:
        return None
    return datetime.fromtimestamp(int(match["minutes"]) * 60, tz=UTC)


def task_id(councilor_uid: str, job_name: str, manual_job_uid: str | None = None) -> str:
    """Return the 24 hex digits under which Conductor and MongoDB know the run; the same for every Pod of a Job.

    A scheduled Job is identified by its name, which carries the scheduled time: should the controller ever create it
    twice, both are the same run. A manual Job's name may be used again for another run, so its UID counts too.
    """
    parts = [councilor_uid, job_name] if manual_job_uid is None else [councilor_uid, job_name, manual_job_uid]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def execution_id(agent_id: str, task: str, scheduled_at: datetime | None) -> str:
    """Return the key of the execution record.

    `exec_{agentId}_{unix seconds}_{8 hex digits of the task}` for a scheduled run; without a time to tell them apart,
    manual runs have 16: `exec_{agentId}_manual_{16 hex digits}`.
    """
    if scheduled_at is None:
        return f"exec_{agent_id}_manual_{task[:16]}"
    return f"exec_{agent_id}_{int(scheduled_at.timestamp())}_{task[:8]}"


def agent_of(execution: str, task: str, scheduled_at: datetime | None) -> str | None:
    """Return the agent id in an execution id, None when this is not the execution id of that task.

    A Councilor's agent may be changed while a run is going on; the run stays that of the former agent.
    """
    prefix, suffix = execution_id("\n", task, scheduled_at).split("\n")
    if not (execution.startswith(prefix) and execution.endswith(suffix)):
        return None
    return execution[len(prefix) : -len(suffix)] or None
