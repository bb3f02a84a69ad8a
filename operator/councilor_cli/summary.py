"""A Councilor as the commands show it: what stands in its spec and status, typed. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from councilor_operator.api.status import Condition, CouncilorStatus, read_status
from councilor_operator.constants import ANNOTATION_DOCUMENT, LABEL_SOURCE, SOURCE_MONGODB, ConditionType

_LATEST = datetime(9999, 1, 1, tzinfo=UTC)
"""No time of a status is too late to be shown: the clock here may be slow."""


@dataclass(frozen=True, slots=True)
class Summary:
    """A Councilor, read from the API server's object."""

    name: str
    namespace: str
    created: datetime | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]
    status: CouncilorStatus

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Summary":
        """Read an object; what is missing or makes no sense in its status is left out."""
        metadata = body["metadata"]
        created = metadata.get("creationTimestamp")
        return cls(
            name=metadata["name"],
            namespace=metadata["namespace"],
            created=datetime.fromisoformat(created) if created else None,
            labels=metadata.get("labels") or {},
            annotations=metadata.get("annotations") or {},
            spec=body.get("spec") or {},
            status=read_status(body.get("status") or {}, latest=_LATEST),
        )

    @property
    def agent(self) -> str:
        """Conductor's id of the agent."""
        return str(self.spec.get("agentId", ""))

    @property
    def schedule(self) -> str:
        """The schedule as it was written."""
        return str((self.spec.get("schedule") or {}).get("value", ""))

    @property
    def enabled(self) -> bool:
        """Whether nobody paused it."""
        return bool((self.spec.get("schedule") or {}).get("enabled", True))

    @property
    def title(self) -> str:
        """What it is called for people, its name if nothing else."""
        return str(self.spec.get("title") or self.spec.get("displayName") or self.name)

    @property
    def document(self) -> str | None:
        """The document that the sync keeps it equal to, None where nobody does."""
        if self.labels.get(LABEL_SOURCE) != SOURCE_MONGODB:
            return None
        return self.annotations.get(ANNOTATION_DOCUMENT) or "in MongoDB"

    @property
    def next_runs(self) -> tuple[datetime, ...]:
        """The next times, with the offset of the Councilor's zone."""
        found = []
        for text in self.status.next_run_times or ():
            try:
                time = datetime.fromisoformat(text)
            except ValueError:
                continue
            if time.tzinfo is not None:
                found.append(time)
        return tuple(found)

    def condition(self, kind: ConditionType) -> Condition | None:
        """Return a condition."""
        return next((item for item in self.status.conditions if item.type == kind), None)
