"""What the operator sees of the cluster, as small typed values made from watch events and lists.

Decisions take these values, never raw API objects; managed fields and everything else nobody reads is dropped here,
which keeps the cache small at thousands of Councilors.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, Self, TypeVar

from councilor_operator.constants import (
    ANNOTATION_FAST_FORWARD,
    ANNOTATION_SCHEDULED_AT,
    API_VERSION,
    KIND,
    LABEL_COUNCILOR_UID,
    LABEL_PURPOSE,
    PURPOSE_REPORT,
)

logger = logging.getLogger(__name__)

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


def _own_annotations(metadata: RawObject) -> dict[str, str]:
    # kubectl keeps a copy of the whole manifest in one of its own.
    annotations = _mapping(metadata.get("annotations"))
    return {key: value for key, value in annotations.items() if not key.startswith("kubectl.kubernetes.io/")}


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A part of a list of one resource."""

    items: Sequence[Item]
    version: int
    """Version of the list: the same on every page, unless the list spans namespaces."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An object that an event is about (core/v1 ObjectReference); a namespace stands in itself."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""
    resource_version: str = ""

    def __str__(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"


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
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: RawObject
    status: RawObject

    @property
    def full_name(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"

    @property
    def reference(self) -> Reference:
        """What an event about it refers to."""
        return Reference(API_VERSION, KIND, self.namespace, self.name, self.uid, self.resource_version)

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
            labels=_mapping(metadata.get("labels")),
            annotations=_own_annotations(metadata),
            spec=_mapping(body.get("spec")),
            status=_mapping(body.get("status")),
        )

    @property
    def counted_jobs(self) -> frozenset[str]:
        """UIDs of the Jobs that are worked into the status already."""
        found = self.status.get("countedJobs")
        return frozenset(uid for uid in found if isinstance(uid, str)) if isinstance(found, list) else frozenset()

    @property
    def agent_id(self) -> str:
        """Conductor's id of the agent, empty where the spec has none that could be one."""
        agent_id = self.spec.get("agentId")
        return agent_id if isinstance(agent_id, str) and len(agent_id) <= AGENT_ID_LIMIT else ""


@dataclass(frozen=True, slots=True)
class ObservedCronJob:
    """A CronJob, of a Councilor or of anybody else: whose it is, is a decision."""

    namespace: str
    name: str
    uid: str
    councilor_uid: str
    resource_version: str
    generation: int
    """Moves with every change of the spec, whoever makes it."""
    created_at: datetime
    deleting: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    owners: Sequence[RawObject]
    """Owner references."""
    schedule: str
    time_zone: str | None
    suspended: bool
    last_schedule_time: datetime | None

    @classmethod
    def from_object(cls, body: RawObject) -> Self:
        """Make it from an API object."""
        metadata, spec = body["metadata"], _mapping(body.get("spec"))
        return cls(
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
            councilor_uid=_mapping(metadata.get("labels")).get(LABEL_COUNCILOR_UID, ""),
            resource_version=metadata["resourceVersion"],
            # Those that an old API server made, and nobody has changed since, have none.
            generation=metadata.get("generation", 0),
            created_at=_required_time(metadata["creationTimestamp"]),
            deleting="deletionTimestamp" in metadata,
            labels=_mapping(metadata.get("labels")),
            annotations=_own_annotations(metadata),
            owners=metadata.get("ownerReferences") or (),
            schedule=spec.get("schedule") or "",
            time_zone=spec.get("timeZone"),
            suspended=bool(spec.get("suspend")),
            last_schedule_time=parse_time(_mapping(body.get("status")).get("lastScheduleTime")),
        )

    @property
    def full_name(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"

    @property
    def anchor(self) -> datetime:
        """From when the CronJob controller counts what is due."""
        return self.last_schedule_time or self.created_at

    @property
    def counts_from(self) -> datetime:
        """Before when no time was ever due: its creation, or up to where the operator wrote off what had passed."""
        written_off = _written_time(self.annotations.get(ANNOTATION_FAST_FORWARD))
        return max(self.created_at, written_off or self.created_at)

    @property
    def owner_uid(self) -> str | None:
        """UID of the controlling owner."""
        return next((owner["uid"] for owner in self.owners if owner.get("controller")), None)


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a Job ended, from its Complete or Failed condition."""

    outcome: Literal["Complete", "Failed"]
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ObservedJob:
    """A Job of a Councilor: a run, started by schedule or by hand, or the report about one."""

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
    had_pods: bool
    """Whether a Pod of it was ever made, as far as the Job controller has noted it."""
    reports: bool
    """Whether it is no run, but records and tells one."""
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
            scheduled_at=_written_time(_mapping(metadata.get("annotations")).get(ANNOTATION_SCHEDULED_AT)),
            ready=status.get("ready") or 0,
            had_pods=_had_pods(status),
            reports=_mapping(metadata.get("labels")).get(LABEL_PURPOSE) == PURPOSE_REPORT,
            end=_job_end(status.get("conditions") or ()),
        )


def _written_time(annotation: str | None) -> datetime | None:
    """Read the nominal time that the CronJob controller notes on a Job; anybody may write another text there."""
    try:
        time = parse_time(annotation)
    except ValueError:
        return None
    return time if time is not None and time.tzinfo is not None else None


def _had_pods(status: RawObject) -> bool:
    # A Pod that is gone stands in the last of these until the Job controller has counted it (batch/v1 JobStatus).
    uncounted = _mapping(status.get("uncountedTerminatedPods"))
    counts = [status.get(count) for count in ("active", "terminating", "failed", "succeeded")]
    return any(counts) or any(uncounted.values())


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
    disruption: str
    """Why the cluster took the Pod away (condition DisruptionTarget), for example DeletionByPodGC."""
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
        state, last = _mapping(containers[0].get("state")), _mapping(containers[0].get("lastState"))
        # A container that is started again in its Pod waits, and what it came to stands in its last state.
        terminated = _mapping(state.get("terminated")) or _mapping(last.get("terminated"))
        waiting = _mapping(state.get("waiting"))
        conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
        scheduled = conditions.get("PodScheduled", {})
        disrupted = conditions.get("DisruptionTarget", {})
        return cls(
            name=body["metadata"]["name"],
            created_at=_required_time(body["metadata"]["creationTimestamp"]),
            reason=status.get("reason") or "",
            disruption=disrupted.get("reason") or "" if disrupted.get("status") == "True" else "",
            exit_code=terminated.get("exitCode"),
            terminated_reason=terminated.get("reason") or "",
            termination_message=terminated.get("message") or "",
            started_at=parse_time(terminated.get("startedAt")),
            finished_at=parse_time(terminated.get("finishedAt")),
            waiting_reason=waiting.get("reason") or "",
            unschedulable=scheduled.get("message") or "" if scheduled.get("status") == "False" else "",
        )


Watched = TypeVar("Watched", ObservedCouncilor, ObservedCronJob, ObservedJob)


def read(kind: type[Watched], body: RawObject) -> Watched | None:
    """Read an object of a watched resource; None, and a line in the log, for one that is not as the API has it.

    Anybody may make such an object where an older API server or CRD let it through: it must not keep the operator from
    the others.
    """
    try:
        return kind.from_object(body)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        metadata = _mapping(body.get("metadata"))
        name = f"{metadata.get('namespace')}/{metadata.get('name')}"
        what = kind.__name__.removeprefix("Observed")
        logger.warning("%s %s is left out, it cannot be read: %s", what, name, type(error).__name__)
        return None
