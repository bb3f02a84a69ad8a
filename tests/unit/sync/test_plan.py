"""What is to be done so that Councilors are what documents ask for."""

from typing import Any

import pytest

from councilor_operator.constants import (
    ANNOTATION_DOCUMENT,
    ANNOTATION_DOCUMENT_NOTE,
    ANNOTATION_DOCUMENT_PROBLEM,
    ANNOTATION_INSTANCE,
    LABEL_SOURCE,
)
from councilor_operator.sync.candidate import Candidate
from councilor_operator.sync.existing import Existing
from councilor_operator.sync.plan import annotations, compare, difference, manifest
from tests.unit.operator.fake_cluster import merge_patched
from tests.unit.sync.councilors import SPEC, candidate, existing

PLAIN = candidate()
INSTANCE = candidate(instance_id="councilor_Auditor_Agent_1770797722450")
FULL = candidate(problem="councilor_config.task.prompt: missing", notes=("first", "second"))

DEFAULTED = {
    **SPEC,
    "concurrencyPolicy": "Forbid",
    "suspendAfterFailures": 5,
    "schedule": {**SPEC["schedule"], "enabled": True},
    "task": {**SPEC["task"], "outputFormat": "checklist"},
    "verdict": {"askAgent": True},
}

# What stands in the cluster, what is asked for, the patch.
DIFFERENCES: dict[str, tuple[Existing, Candidate, dict[str, Any]]] = {
    "equal": (existing(PLAIN), PLAIN, {}),
    "equal with an instance": (existing(INSTANCE), INSTANCE, {}),
    "equal with problem and notes": (existing(FULL), FULL, {}),
    "defaults written out": (existing(PLAIN, spec=DEFAULTED), PLAIN, {}),
    "annotations of others": (
        existing(PLAIN, annotations={**annotations(PLAIN), "conductor.community/run-now": "1"}),
        PLAIN,
        {},
    ),
    "labels of others": (existing(PLAIN, labels={LABEL_SOURCE: "mongodb", "team": "legal"}), PLAIN, {}),
    "another prompt": (
        existing(PLAIN),
        candidate(spec={"task": {"prompt": "Something else."}}),
        {"spec": {"task": {"prompt": "Something else."}}},
    ),
    "a field that the document does not have": (
        existing(PLAIN, spec={**SPEC, "suspendAfterFailures": 1}),
        PLAIN,
        {"spec": {"suspendAfterFailures": None}},
    ),
    "an object that the document does not have": (
        existing(PLAIN, spec={**SPEC, "verdict": {"errorKeywords": ["doom"]}}),
        PLAIN,
        {"spec": {"verdict": None}},
    ),
    "paused": (
        existing(PLAIN),
        candidate(spec={"schedule": {"type": "interval", "value": "6h", "enabled": False}}),
        {"spec": {"schedule": {"enabled": False}}},
    ),
    "a default of a newer CRD": (existing(PLAIN, spec={**SPEC, "novelty": {"depth": 3}}), PLAIN, {}),
    "a spec that no type takes": (
        existing(PLAIN, spec={**SPEC, "color": "red"}),
        PLAIN,
        {"spec": {"color": None}},
    ),
    "a document that became invalid": (
        existing(PLAIN),
        FULL,
        {
            "metadata": {
                "annotations": {
                    ANNOTATION_DOCUMENT_PROBLEM: "councilor_config.task.prompt: missing",
                    ANNOTATION_DOCUMENT_NOTE: "first; second",
                }
            }
        },
    ),
    "a document that was mended": (
        existing(FULL),
        PLAIN,
        {"metadata": {"annotations": {ANNOTATION_DOCUMENT_PROBLEM: None, ANNOTATION_DOCUMENT_NOTE: None}}},
    ),
    "the instance taken away": (
        existing(INSTANCE, annotations={ANNOTATION_DOCUMENT: INSTANCE.document}),
        INSTANCE,
        {"metadata": {"annotations": {ANNOTATION_INSTANCE: INSTANCE.instance_id}}},
    ),
}


@pytest.mark.parametrize("case", DIFFERENCES)
def test_differences(case: str) -> None:
    there, asked, patch = DIFFERENCES[case]
    assert difference(there, asked) == patch
    # What is patched is equal afterwards: a round right after another one writes nothing.
    metadata = merge_patched(
        {"annotations": dict(there.annotations), "labels": dict(there.councilor.labels)}, patch.get("metadata", {})
    )
    spec = merge_patched(dict(there.councilor.spec), patch.get("spec", {}))
    assert difference(existing(asked, spec=spec, **metadata), asked) == {}


def test_both_sides_are_compared_whole() -> None:
    equal, changed, new, gone = (candidate(f"{name}_Agent") for name in ("Equal", "Changed", "New", "Gone"))
    taken, leaving, ending = (candidate(f"{name}_Agent") for name in ("Taken", "Leaving", "Ending"))
    hand_made = existing(taken, labels={}, annotations={})
    stranger = existing(candidate("Stranger_Agent"), labels={}, annotations={})
    copied = existing(gone, name="copied", uid="copied")
    comparison = compare(
        [equal, changed, new, taken, leaving],
        [
            existing(equal),
            existing(changed, spec={**SPEC, "agentId": "Other_Agent"}),
            existing(gone),
            hand_made,
            stranger,
            copied,
            # Being deleted, though wanted: its end is waited for. Being deleted and unwanted: as good as gone.
            existing(leaving, deleting=True, spec={**SPEC, "agentId": "Other_Agent"}),
            existing(ending, deleting=True),
        ],
    )
    assert [item.document for item in comparison.creations] == ["agents/New_Agent"]
    assert [item.existing.name for item in comparison.changes] == [changed.name]
    assert [item.name for item in comparison.missing] == [gone.name]
    assert [item.existing for item in comparison.collisions] == [hand_made]
    assert [item.name for item in comparison.equal] == [equal.name, leaving.name]
    assert [item.name for item in comparison.kept] == [equal.name, leaving.name, changed.name]


OWNERSHIP: dict[str, tuple[dict[str, Any], bool]] = {
    "as made": ({}, True),
    "no label": ({"labels": {}}, False),
    "another source": ({"labels": {LABEL_SOURCE: "elsewhere"}}, False),
    "no annotation": ({"annotations": {}}, False),
    "a copy under another name": ({"name": "copied"}, False),
    "another document's annotation": ({"annotations": {ANNOTATION_DOCUMENT: "agents/Other_Agent"}}, False),
    "a copy with something before the name": ({"name": f"nightly-{PLAIN.name}"}, False),
    "another readable part": ({"name": f"renamed-{PLAIN.name.rpartition('-')[2]}"}, False),
}


@pytest.mark.parametrize("case", OWNERSHIP)
def test_whose_a_councilor_is(case: str) -> None:
    metadata, own = OWNERSHIP[case]
    assert existing(PLAIN, **metadata).is_own is own


def test_a_councilor_is_created_without_defaults() -> None:
    assert manifest(INSTANCE, "councilors") == {
        "apiVersion": "councilors.conductor.community/v1alpha1",
        "kind": "Councilor",
        "metadata": {
            "namespace": "councilors",
            "name": INSTANCE.name,
            "labels": {"conductor.community/source": "mongodb"},
            "annotations": {
                "conductor.community/document": "agent_instances/councilor_Auditor_Agent_1770797722450",
                "conductor.community/instance-id": "councilor_Auditor_Agent_1770797722450",
            },
        },
        "spec": SPEC,
    }


def test_the_status_is_not_kept() -> None:
    assert existing(PLAIN).councilor.status == {}
