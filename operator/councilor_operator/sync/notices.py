"""What the sync tells people of the namespace, as events: what it did to Councilors that somebody had a hand in, and
what it does not do. Pure.

A standing notice is told when it begins to be true and not again while it stays so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from councilor_operator.constants import ANNOTATION_DOCUMENT
from councilor_operator.errors import RejectedError
from councilor_operator.events import Event
from councilor_operator.observed import Reference
from councilor_operator.phrases import plural
from councilor_operator.schedule import quote
from councilor_operator.sync.candidate import Candidate
from councilor_operator.sync.existing import Existing
from councilor_operator.sync.guard import HoldReason
from councilor_operator.sync.plan import Collision

_NAMED: Final = 5
"""Councilors that an event names."""
_MESSAGE_LIMIT: Final = 400


@dataclass(frozen=True, slots=True)
class Notice:
    """An event and what it is about; equal keys say the same thing again."""

    key: tuple[str, ...]
    about: Reference
    event: Event


def name_taken(collision: Collision) -> Notice:
    """A document has no Councilor because somebody else made one of its name."""
    return Notice(
        ("NameTaken", collision.existing.uid),
        collision.existing.councilor.reference,
        _warning(
            "NameTaken",
            "Create",
            f"{_document(collision.candidate.document)} asks for a Councilor of this name, and this one was not made "
            "from it: it is left alone, and the document's does not run. Rename or delete this one to let it, or take "
            "the document's councilor away in Conductor",
        ),
    )


def refused(
    candidate: Candidate | None, existing: Existing | None, namespace: Reference, error: RejectedError
) -> Notice:
    """The API server does not take a Councilor, or without a candidate its deletion; told about the namespace when
    there is none yet."""
    name = candidate.name if candidate else existing.name if existing else ""
    document = (
        candidate.document if candidate else existing.annotations.get(ANNOTATION_DOCUMENT, "") if existing else ""
    )
    action: Literal["Create", "Update", "Delete"] = (
        "Delete" if candidate is None else "Update" if existing else "Create"
    )
    fields = ", ".join(sorted({cause.field for cause in error.causes}))
    # A field's complaint repeats the field's content; a quota or an admission webhook speaks for itself.
    reason = f"these fields: {fields}" if fields else quote(error.message, _MESSAGE_LIMIT)[1:-1]
    what = "to delete the Councilor" if candidate is None else "the Councilor"
    return Notice(
        ("CouncilorRefused", action, name),
        existing.councilor.reference if existing else namespace,
        _warning(
            "CouncilorRefused",
            action,
            f"the API server refuses {what} {name} of {_document(document)}: {reason}. It is tried again with every "
            "comparison",
        ),
    )


def held(reason: HoldReason, items: Sequence[Existing], namespace: Reference, confirmation: float) -> Notice:
    """Councilors whose documents are gone are kept for now; `confirmation` in seconds."""
    names = ", ".join(item.name for item in items[:_NAMED]) + (", …" if len(items) > _NAMED else "")
    them = plural(len(items), "Councilor")
    match reason:
        case HoldReason.SOURCE_EMPTY:
            note = (
                f"not one of the documents of {them} is there any more ({names}): nothing is deleted before another "
                f"full read, {confirmation:g} s later, finds the same. If that is a mistake, put the documents back or "
                "correct MONGODB_URI and COUNCILOR_DATABASE until then, or scale councilor-sync to 0"
            )
        case HoldReason.SOURCE_HALVED:
            note = (
                f"at least half of the documents are gone, those of {them} ({names}): nothing is deleted before "
                f"another full read, {confirmation:g} s later, finds the same. If that is a mistake, put the documents "
                "back until then, or scale councilor-sync to 0"
            )
        case HoldReason.DELETION_LIMIT:
            note = (
                f"{them} more are to be deleted than may be at once ({names}): they follow, so many every {confirmation:g} s as "
                "COUNCILOR_SYNC_MAX_DELETIONS says"
            )
    return Notice((reason,), namespace, _warning(reason, "Delete", note))


def source_failed(cause: str, message: str, namespace: Reference) -> Notice:
    """The documents cannot be read; Councilors stay as they are."""
    note = f"{message}. Councilors stay as they are, none is deleted for it"
    return Notice(("SourceFailed", cause), namespace, _warning("SourceFailed", "Compare", note))


def reverted(candidate: Candidate, existing: Existing) -> Notice:
    """Somebody's edit of a Councilor was undone."""
    return Notice(
        ("EditReverted", existing.uid),
        existing.councilor.reference,
        Event(
            "Normal",
            "EditReverted",
            "Update",
            f"the Councilor was changed by hand and is again as {_document(candidate.document)} says: change it in "
            "Conductor",
        ),
    )


def recreated(candidate: Candidate, existing: Existing) -> Notice:
    """A Councilor that somebody deleted is there again."""
    return Notice(
        ("Recreated", existing.uid),
        existing.councilor.reference,
        Event(
            "Normal",
            "Recreated",
            "Create",
            f"the Councilor was deleted, but {_document(candidate.document)} still asks for it: take the "
            "councilor away or pause it in Conductor",
        ),
    )


def removed(existing: Existing, document: str) -> Notice:
    """A Councilor went because its document is a councilor's no more."""
    return Notice(
        ("Removed", existing.uid),
        existing.councilor.reference,
        Event("Normal", "Removed", "Delete", f"{_document(document)} is gone or no councilor's any more"),
    )


def news(standing: Iterable[Notice], known: Mapping[tuple[str, ...], Notice]) -> list[Notice]:
    """Return the standing notices that were not known before."""
    return [notice for notice in standing if notice.key not in known]


def _document(reference: str) -> str:
    return f"the document {quote(reference, 200)[1:-1]}"


def _warning(reason: str, action: Literal["Create", "Update", "Delete", "Compare"], note: str) -> Event:
    return Event("Warning", reason, action, note)
