"""What the operator sees of the cluster, as small typed values made from watch events and lists.

Decisions take these values, never raw API objects; managed fields and everything else nobody reads is dropped here,
which keeps the cache small at thousands of Councilors.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self

from councilor_operator.constants import ANNOTATION_SCHEDULED_AT, LABEL_COUNCILOR_UID

RawObject = Mapping[str, Any]

AGENT_ID_LIMIT = 253
"""Characters of `spec.agentId`; a spec that was let through without a check may hold more."""


def parse_time(value: str | None) -> datetime | None:
    """Read a Kubernetes time (RFC 3339), None for none."""
    return None if value is None else datetime.fromisoformat(value)


def _mapping(value: Any) -> RawObject:
    """Return a mapping as it is, anything else as an empty one: an older CRD lets everything through."""
    return value if isinstance(value, Mapping) else {}


def _required_time(value: str) -> datetime:
    return datetime.fromisoformat(value)


@dataclass(frozen=True, slots=True)
class ObservedCouncilor:
    """A Councilor. `spec` and `status` are raw: whether the spec is valid is a decision, not an observation."""

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    created_at: datetime
    deleting: bool
    annotations: Mapping[str, str]
    spec: RawObject
    status: RawObject

    @classmethod
    def from_object(cls, body: RawObject) -> Self:
        """Make it from an API object."""
        metadata = body["metadata"]
        return cls(
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
            generation=metadata["generation"],
            resource_version=metadata["resourceVersion"],
            created_at=_required_time(metadata["creationTimestamp"]),
            deleting="deletionTimestamp" in metadata,
            annotations={
                key: value
                for key, value in _mapping(metadata.get("annotations")).items()
                if not key.startswith("kubectl.kubernetes.io/")
            },
            spec=_mapping(body.get("spec")),
            status=_mapping(body.get("status")),
        )

    @property
    def agent_id(self) -> str:
        """Conductor's id of the agent, empty where the spec has none that could be one."""
        agent_id = self.spec.get("agentId")
        return agent_id if isinstance(agent_id, str) and len(agent_id) <= AGENT_ID_LIMIT else ""


@dataclass(frozen=True, slots=True)
class ObservedCronJob:
    """A CronJob that carries a Councilor's label."""

    namespace: str
    name: str
    uid: str
    councilor_uid: str
    resource_version: str
    created_at: datetime
    deleting: bool
    metadata: RawObject
    """Labels, annotations and owner references."""
    spec: RawObject
    last_schedule_time: datetime | None

    @classmethod
    def from_object(cls, body: RawObject) -> Self:
        """Make it from an API object."""
        metadata = body["metadata"]
        return cls(
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
            councilor_uid=_mapping(metadata.get("labels")).get(LABEL_COUNCILOR_UID, ""),
            resource_version=metadata["resourceVersion"],
            created_at=_required_time(metadata["creationTimestamp"]),
            deleting="deletionTimestamp" in metadata,
            metadata={key: metadata.get(key) or {} for key in ("labels", "annotations", "ownerReferences")},
            spec=_mapping(body.get("spec")),
            last_schedule_time=parse_time(_mapping(body.get("status")).get("lastScheduleTime")),
        )

    @property
    def anchor(self) -> datetime:
        """From when the CronJob controller counts what is due."""
        return self.last_schedule_time or self.created_at

    @property
    def owner_uid(self) -> str | None:
        """UID of the controlling owner."""
        owners = self.metadata["ownerReferences"] or ()
        return next((owner["uid"] for owner in owners if owner.get("controller")), None)


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a Job ended, from its Complete or Failed condition."""

    outcome: Literal["Complete", "Failed"]
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ObservedJob:
    """A Job made from a Councilor's CronJob, by its schedule or by hand."""

    namespace: str
    name: str
    uid: str
    councilor_uid: str
    resource_version: str
    created_at: datetime
    started_at: datetime | None
    scheduled_at: datetime | None
    """The nominal time; None for a Job made by hand."""
    ready: int
    end: JobEnd | None

    @property
    def began(self) -> datetime:
        """When it was started; its creation until the Job controller has seen it."""
        return self.started_at or self.created_at

    @classmethod
    def from_object(cls, body: RawObject) -> Self:
        """Make it from an API object."""
        metadata, status = body["metadata"], _mapping(body.get("status"))
        return cls(
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
            councilor_uid=_mapping(metadata.get("labels")).get(LABEL_COUNCILOR_UID, ""),
            resource_version=metadata["resourceVersion"],
            created_at=_required_time(metadata["creationTimestamp"]),
            started_at=parse_time(status.get("startTime")),
            scheduled_at=_scheduled_at(_mapping(metadata.get("annotations")).get(ANNOTATION_SCHEDULED_AT)),
            ready=status.get("ready") or 0,
            end=_job_end(status.get("conditions") or ()),
        )


def _scheduled_at(annotation: str | None) -> datetime | None:
    """Read the nominal time that the CronJob controller notes on a Job; anybody may write another text there."""
    try:
        time = parse_time(annotation)
    except ValueError:
        return None
    return time if time is not None and time.tzinfo is not None else None


def _job_end(conditions: Any) -> JobEnd | None:
    for condition in conditions:
        if condition["type"] in {"Complete", "Failed"} and condition["status"] == "True":
            return JobEnd(
                outcome=condition["type"],
                at=_required_time(condition["lastTransitionTime"]),
                reason=condition.get("reason") or "",
            )
    return None


@dataclass(frozen=True, slots=True)
class ObservedPod:
    """What the runner's Pod says about a run: read when a Job has ended or does not get going."""

    name: str
    created_at: datetime
    reason: str
    """status.reason, for example Evicted."""
    exit_code: int | None
    terminated_reason: str
    """For example OOMKilled."""
    termination_message: str
    started_at: datetime | None
    finished_at: datetime | None
    waiting_reason: str
    """For example ImagePullBackOff."""
    unschedulable: str
    """Why no node takes the Pod."""

    @classmethod
    def from_object(cls, body: RawObject) -> Self:
        """Make it from an API object; the Pod has one container."""
        status = _mapping(body.get("status"))
        containers: list[RawObject] = status.get("containerStatuses") or [{}]
        state = _mapping(containers[0].get("state"))
        terminated, waiting = _mapping(state.get("terminated")), _mapping(state.get("waiting"))
        conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
        scheduled = conditions.get("PodScheduled", {})
        return cls(
            name=body["metadata"]["name"],
            created_at=_required_time(body["metadata"]["creationTimestamp"]),
            reason=status.get("reason") or "",
            exit_code=terminated.get("exitCode"),
            terminated_reason=terminated.get("reason") or "",
            termination_message=terminated.get("message") or "",
            started_at=parse_time(terminated.get("startedAt")),
            finished_at=parse_time(terminated.get("finishedAt")),
            waiting_reason=waiting.get("reason") or "",
            unschedulable=scheduled.get("message") or "" if scheduled.get("status") == "False" else "",
        )
