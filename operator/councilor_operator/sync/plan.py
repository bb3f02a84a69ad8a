"""What to do so that the Councilors of the namespace are what the documents ask for. Pure.

Compares the whole of both sides; whether Councilors whose document is gone may be deleted is for `guard` to say.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from councilor_operator.constants import (
    ANNOTATION_DOCUMENT,
    ANNOTATION_DOCUMENT_NOTE,
    ANNOTATION_DOCUMENT_PROBLEM,
    ANNOTATION_INSTANCE,
    API_VERSION,
    KIND,
    LABEL_SOURCE,
    SOURCE_MONGODB,
)
from councilor_operator.patches import merge_patch
from councilor_operator.sync.candidate import Candidate
from councilor_operator.sync.existing import Existing

OWN_ANNOTATIONS: Final = (
    ANNOTATION_DOCUMENT,
    ANNOTATION_INSTANCE,
    ANNOTATION_DOCUMENT_PROBLEM,
    ANNOTATION_DOCUMENT_NOTE,
)
"""Annotations that follow from the document; all others, such as run-now, are other people's."""


@dataclass(frozen=True, slots=True)
class Change:
    """A Councilor that is not as its document asks for."""

    existing: Existing
    candidate: Candidate
    patch: Mapping[str, Any]
    """JSON merge patch that makes it so."""


@dataclass(frozen=True, slots=True)
class Collision:
    """A Councilor that somebody else made under the name that a document's needs; never touched."""

    existing: Existing
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference between documents and Councilors; empty when nothing is to be done."""

    creations: tuple[Candidate, ...]
    changes: tuple[Change, ...]
    missing: tuple[Existing, ...]
    """Own Councilors without a document, by name."""
    collisions: tuple[Collision, ...]
    equal: tuple[Existing, ...]
    """Own Councilors that are as their documents ask for."""

    @property
    def kept(self) -> list[Existing]:
        """Own Councilors whose documents are there."""
        return [*self.equal, *(change.existing for change in self.changes)]


def compare(candidates: Iterable[Candidate], existing: Iterable[Existing]) -> Comparison:
    """Compare what is asked for, each under a name of its own, with the Councilors that are there.

    One that is being deleted counts as there: its end is seen, and then it is missing.
    """
    left = {item.name: item for item in existing}
    creations: list[Candidate] = []
    changes: list[Change] = []
    collisions: list[Collision] = []
    equal: list[Existing] = []
    for candidate in candidates:
        item = left.pop(candidate.name, None)
        if item is None:
            creations.append(candidate)
        elif not item.is_own:
            collisions.append(Collision(item, candidate))
        elif not item.councilor.deleting and (patch := difference(item, candidate)):
            changes.append(Change(item, candidate, patch))
        else:
            equal.append(item)
    missing = [item for item in left.values() if item.is_own and not item.councilor.deleting]
    return Comparison(
        creations=tuple(creations),
        changes=tuple(changes),
        missing=tuple(sorted(missing, key=lambda item: item.name)),
        collisions=tuple(collisions),
        equal=tuple(equal),
    )


def difference(item: Existing, candidate: Candidate) -> dict[str, Any]:
    """Return the JSON merge patch that makes one of the own Councilors what its document asks for; empty when it is.

    The spec belongs to the document as a whole: what a document does not say goes back to its default. Of the
    annotations only the sync's own count.
    """
    patch: dict[str, Any] = {}
    wanted = annotations(candidate)
    present = {key: item.annotations[key] for key in OWN_ANNOTATIONS if key in item.annotations}
    if changed := merge_patch(present, wanted):
        patch["metadata"] = {"annotations": changed}
    # Compared as types: defaults that the API server writes out are the same as defaults that nobody wrote.
    if item.spec != candidate.spec:
        patch["spec"] = merge_patch(item.councilor.spec, spec_document(candidate))
    return patch


def annotations(candidate: Candidate) -> dict[str, str]:
    """Return the annotations that a document asks for."""
    values = {
        ANNOTATION_DOCUMENT: candidate.document,
        ANNOTATION_INSTANCE: candidate.instance_id,
        ANNOTATION_DOCUMENT_PROBLEM: candidate.problem,
        ANNOTATION_DOCUMENT_NOTE: "; ".join(candidate.notes),
    }
    return {key: value for key, value in values.items() if value}


def spec_document(candidate: Candidate) -> dict[str, Any]:
    """Return the spec that a document asks for: what it says, and no defaults."""
    return candidate.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)


def manifest(candidate: Candidate, namespace: str) -> dict[str, Any]:
    """Return the Councilor that a document asks for."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "namespace": namespace,
            "name": candidate.name,
            "labels": {LABEL_SOURCE: SOURCE_MONGODB},
            "annotations": annotations(candidate),
        },
        "spec": spec_document(candidate),
    }
