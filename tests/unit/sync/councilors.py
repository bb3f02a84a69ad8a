"""Candidates and Councilors for the tests of the sync's decisions."""

from typing import Any

from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.constants import LABEL_SOURCE, SOURCE_MONGODB
from councilor_operator.observed import ObservedCouncilor
from councilor_operator.sync.candidate import Candidate
from councilor_operator.sync.existing import Existing
from councilor_operator.sync.identity import councilor_name
from councilor_operator.sync.plan import annotations, spec_document

SPEC: dict[str, Any] = {
    "agentId": "Auditor_Agent",
    "schedule": {"type": "interval", "value": "6h"},
    "task": {"prompt": "List dependencies without a known licence."},
}


def candidate(
    agent: str = "Auditor_Agent",
    *,
    spec: dict[str, Any] | None = None,
    problem: str | None = None,
    notes: tuple[str, ...] = (),
    instance_id: str | None = None,
) -> Candidate:
    document = f"agent_instances/{instance_id}" if instance_id else f"agents/{agent}"
    return Candidate(
        document=document,
        key="698b3e954f1a7c20d8e6b359",
        name=councilor_name(document),
        spec=CouncilorSpec.model_validate({**SPEC, "agentId": agent, **(spec or {})}),
        instance_id=instance_id,
        problem=problem,
        notes=notes,
    )


def existing(of: Candidate, *, uid: str | None = None, deleting: bool = False, **metadata: Any) -> Existing:
    """Return the Councilor of a candidate as the API server would have it; `metadata` and `spec` replace parts."""
    spec = metadata.pop("spec", None)
    body: dict[str, Any] = {
        "metadata": {
            "namespace": "councilors",
            "name": of.name,
            "uid": uid or f"uid-{of.name}",
            "generation": 1,
            "resourceVersion": "7",
            "creationTimestamp": "2026-03-01T09:00:00Z",
            "labels": {LABEL_SOURCE: SOURCE_MONGODB},
            "annotations": annotations(of),
            **({"deletionTimestamp": "2026-03-02T10:00:00Z"} if deleting else {}),
            **metadata,
        },
        "spec": spec if spec is not None else spec_document(of),
        "status": {"phase": "Scheduled"},
    }
    return Existing.of(ObservedCouncilor.from_object(body))
