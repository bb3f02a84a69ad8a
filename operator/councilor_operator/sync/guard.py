"""Which Councilors may be deleted because their documents are gone. Pure, the clock passed in.

A database that is being restored, another database by mistake, a collection dropped by accident: seen from here they
look like people who gave up all their councilors. A Councilor that is deleted takes its Jobs and its history along, so
a large loss has to be seen twice.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from councilor_operator.constants import ANNOTATION_DOCUMENT
from councilor_operator.sync.existing import Existing


class HoldReason(StrEnum):
    """Why Councilors without a document are kept for now."""

    SOURCE_EMPTY = "SourceEmpty"
    """None of the documents is there any more."""
    SOURCE_HALVED = "SourceHalved"
    """At least half of the documents are gone."""
    DELETION_LIMIT = "DeletionLimit"
    """More are to be deleted than may be at once."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the guard goes by."""

    confirmation: timedelta
    """How long a large loss must last until another full read confirms it."""
    deletions: int
    """How many Councilors are deleted within the time of a confirmation."""


@dataclass(frozen=True, slots=True)
class Absence:
    """A document that full reads lack."""

    since: datetime
    """When one first lacked it."""
    large: bool
    """Whether it was part of a large loss at any time since: from then on it has to be confirmed."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the guard remembers from one full read to the next; empty at the start of the process, which errs on the
    side of keeping."""

    absences: Mapping[str, Absence] = field(default_factory=dict)
    """By UID of the Councilor."""
    deleted_at: tuple[datetime, ...] = ()
    """When Councilors were deleted lately."""
    refused: frozenset[str] = frozenset()
    """UIDs of those that the API server would not delete: they wait until the others are gone."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What may be done about the Councilors whose documents are gone."""

    deletions: tuple[Existing, ...]
    held: Mapping[HoldReason, tuple[Existing, ...]]
    """Those that are kept for now, by reason; no empty ones."""
    absences: Mapping[str, Absence]
    """For the memory."""
    look_again: datetime | None
    """When those that are held are to be looked at again."""


def rule(
    missing: Sequence[Existing], kept: Sequence[Existing], memory: Memory, limits: Limits, now: datetime
) -> Ruling:
    """Decide after a full read of all documents.

    `missing` are the own Councilors whose documents it lacked, `kept` those whose documents it had. A loss is large
    when it is at least half of all, or of one collection; Councilors younger than a confirmation do not count, since
    another database by mistake brings as many of its own. What is there again, if only for one read, is forgotten.
    """
    settled = [item for item in kept if item.councilor.created_at <= now - limits.confirmation]
    large = _large(missing, settled)
    absences = {}
    for item in missing:
        before = memory.absences.get(item.uid)
        is_large = large is None or _collection(item) in large or (before is not None and before.large)
        absences[item.uid] = Absence(before.since if before else now, is_large)
    confirmed, unconfirmed = [], []
    for item in missing:
        absence = absences[item.uid]
        waits = absence.large and now - absence.since < limits.confirmation
        (unconfirmed if waits else confirmed).append(item)
    confirmed.sort(key=lambda item: item.uid in memory.refused)
    recent = [time for time in memory.deleted_at if now - time < limits.confirmation]
    room = max(0, limits.deletions - len(recent))
    deletions, over = confirmed[:room], confirmed[room:]
    held = {
        HoldReason.SOURCE_HALVED if kept else HoldReason.SOURCE_EMPTY: tuple(unconfirmed),
        HoldReason.DELETION_LIMIT: tuple(over),
    }
    again = [absences[item.uid].since + limits.confirmation for item in unconfirmed]
    if over:
        again.append(min([*recent, now]) + limits.confirmation)
    return Ruling(
        deletions=tuple(deletions),
        held={reason: items for reason, items in held.items() if items},
        absences=absences,
        look_again=min(again, default=None),
    )


def _large(missing: Sequence[Existing], kept: Sequence[Existing]) -> frozenset[str] | None:
    """Return the collections that lost at least half of their councilors; None when that is true of all together."""
    if missing and len(kept) <= len(missing):
        return None
    lost, left = (Counter(map(_collection, items)) for items in (missing, kept))
    return frozenset(name for name in lost if left[name] <= lost[name])


def _collection(item: Existing) -> str:
    return item.annotations.get(ANNOTATION_DOCUMENT, "").partition("/")[0]
