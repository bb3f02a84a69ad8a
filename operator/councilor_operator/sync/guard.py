"""Which Councilors may be deleted because their documents are gone. Pure, the clock passed in.

A database that is being restored, another database by mistake, a collection dropped by accident: seen from here they
look like people who gave up all their councilors. A Councilor that is deleted takes its Jobs and its history along, so
a large loss has to be seen twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

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
    """How many Councilors are deleted at once."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What may be done about the Councilors whose documents are gone."""

    deletions: tuple[Existing, ...]
    held: Mapping[HoldReason, tuple[Existing, ...]]
    """Those that are kept for now, by reason; no empty ones."""
    missing_since: Mapping[str, datetime]
    """UID to when a full read first lacked the document; for the next ruling."""
    look_again: datetime | None
    """When those that are held are to be looked at again."""


def rule(
    missing: Sequence[Existing], kept: int, missing_since: Mapping[str, datetime], limits: Limits, now: datetime
) -> Ruling:
    """Decide after a full read of all documents.

    `missing` are the own Councilors whose documents it lacked, `kept` the number of those whose documents it had;
    `missing_since` comes from the ruling before, empty at the start of the process. What is there again, if only for
    one read, is forgotten.
    """
    since = {item.uid: missing_since.get(item.uid, now) for item in missing}
    large = len(missing) > 0 and kept <= len(missing)
    confirmed = [item for item in missing if not large or now - since[item.uid] >= limits.confirmation]
    unconfirmed = [item for item in missing if large and now - since[item.uid] < limits.confirmation]
    deletions, over = confirmed[: limits.deletions], confirmed[limits.deletions :]
    held = {
        HoldReason.SOURCE_HALVED if kept else HoldReason.SOURCE_EMPTY: tuple(unconfirmed),
        HoldReason.DELETION_LIMIT: tuple(over),
    }
    again = [since[item.uid] + limits.confirmation for item in unconfirmed]
    if over:
        again.append(now + limits.confirmation)
    return Ruling(
        deletions=tuple(deletions),
        held={reason: items for reason, items in held.items() if items},
        missing_since=since,
        look_again=min(again, default=None),
    )
