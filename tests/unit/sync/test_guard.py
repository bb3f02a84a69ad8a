"""Which Councilors may go because their documents are gone: a table of full reads, one after another."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.sync.existing import Existing
from councilor_operator.sync.guard import HoldReason, Limits, rule
from tests.unit.sync.councilors import candidate, existing

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LIMITS = Limits(confirmation=timedelta(seconds=30), deletions=3)
ALL = tuple(existing(candidate(f"A{number}_Agent")) for number in range(10))
NAMES = {item.name: f"a{number}" for number, item in enumerate(ALL)}

# Each full read: seconds since the first, which documents it had, and then what is deleted and what is held.
EMPTY, HALVED, LIMIT = HoldReason.SOURCE_EMPTY, HoldReason.SOURCE_HALVED, HoldReason.DELETION_LIMIT
Read = tuple[int, str, str, dict[HoldReason, str]]
READS: dict[str, tuple[str, list[Read]]] = {
    "nothing there, nothing gone": ("", [(0, "", "", {})]),
    "all there": ("01234", [(0, "01234", "", {})]),
    "one of five goes at once": ("01234", [(0, "0123", "4", {})]),
    "two of five go at once": ("01234", [(0, "012", "34", {})]),
    "three of five are more than half": ("01234", [(0, "01", "", {HALVED: "234"})]),
    "two of four are half": ("0123", [(0, "01", "", {HALVED: "23"})]),
    "one of two is half": ("01", [(0, "0", "", {HALVED: "1"})]),
    "the only one is all": ("0", [(0, "", "", {EMPTY: "0"})]),
    "a second read too soon confirms nothing": ("01", [(0, "", "", {EMPTY: "01"}), (29, "", "", {EMPTY: "01"})]),
    "a second read confirms": ("01", [(0, "", "", {EMPTY: "01"}), (30, "", "01", {})]),
    "half, confirmed": ("0123", [(0, "01", "", {HALVED: "23"}), (31, "01", "23", {})]),
    "back in between": (
        "01",
        [(0, "", "", {EMPTY: "01"}), (10, "01", "", {}), (30, "", "", {EMPTY: "01"}), (60, "", "01", {})],
    ),
    "some back in between": (
        "0123",
        [(0, "", "", {EMPTY: "0123"}), (10, "0", "", {HALVED: "123"}), (30, "0", "123", {})],
    ),
    "gone one after the other": (
        "0123",
        [(0, "01", "", {HALVED: "23"}), (20, "", "", {EMPTY: "0123"}), (30, "", "23", {EMPTY: "01"})],
    ),
    "a small loss in a large source waits for nothing, but is limited": (
        "0123456789",
        [(0, "012345", "678", {LIMIT: "9"}), (30, "012345", "9", {})],
    ),
    "a large loss, confirmed, a few at a time": (
        "01234567",
        [
            (0, "", "", {EMPTY: "01234567"}),
            (30, "", "012", {LIMIT: "34567"}),
            (60, "", "345", {LIMIT: "67"}),
            (90, "", "67", {}),
        ],
    ),
    "another source with as many documents": ("012", [(0, "", "", {EMPTY: "012"})]),
}


@pytest.mark.parametrize("case", READS)
def test_reads(case: str) -> None:
    standing, reads = READS[case]
    left = [ALL[int(digit)] for digit in standing]
    since: dict[str, datetime] = {}
    for seconds, documents, deleted, held in reads:
        present = {ALL[int(digit)].name for digit in documents}
        missing = [item for item in left if item.name not in present]
        now = START + timedelta(seconds=seconds)
        ruling = rule(missing, len(left) - len(missing), since, LIMITS, now)
        assert "".join(NAMES[item.name][1:] for item in ruling.deletions) == deleted, f"at {seconds} s"
        shown = {why: "".join(NAMES[item.name][1:] for item in items) for why, items in ruling.held.items()}
        assert shown == held, f"at {seconds} s"
        assert (ruling.look_again is not None) == bool(held)
        if ruling.look_again is not None:
            assert now < ruling.look_again <= now + LIMITS.confirmation
        since = dict(ruling.missing_since)
        left = [item for item in left if item not in ruling.deletions]


@given(
    st.lists(st.tuples(st.integers(1, 100), st.sets(st.integers(0, 9))), max_size=12),
    st.integers(1, 4),
)
def test_whatever_is_read(reads: list[tuple[int, set[int]]], most: int) -> None:
    """Nothing that was read goes, never more than may at once, and a large loss goes only after it was seen before."""
    limits = Limits(confirmation=timedelta(seconds=30), deletions=most)
    left: list[Existing] = list(ALL)
    since: dict[str, datetime] = {}
    lacking: dict[str, datetime] = {}
    now = START
    for seconds, documents in reads:
        now += timedelta(seconds=seconds)
        present = {ALL[number].uid for number in documents}
        missing = [item for item in left if item.uid not in present]
        lacking = {item.uid: lacking.get(item.uid, now) for item in missing}
        kept = len(left) - len(missing)
        ruling = rule(missing, kept, since, limits, now)
        since = dict(ruling.missing_since)
        assert len(ruling.deletions) <= most
        held = [item for items in ruling.held.values() for item in items]
        assert sorted(item.uid for item in [*held, *ruling.deletions]) == sorted(item.uid for item in missing)
        if kept <= len(missing):
            assert all(now - lacking[item.uid] >= limits.confirmation for item in ruling.deletions)
        left = [item for item in left if item not in ruling.deletions]
