"""Which Councilors may go because their documents are gone: a table of full reads, one after another."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.sync.existing import Existing
from councilor_operator.sync.guard import HoldReason, Limits, Memory, rule
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
    "a restore in progress": (
        "0123456789",
        [(0, "", "", {EMPTY: "0123456789"}), (10, "012345", "", {HALVED: "6789"}), (20, "0123456789", "", {})],
    ),
    "what was part of a large loss stays so": (
        "0123456789",
        [(0, "", "", {EMPTY: "0123456789"}), (10, "01234567", "", {HALVED: "89"}), (30, "01234567", "89", {})],
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
    memory = Memory()
    for seconds, documents, deleted, held in reads:
        present = {ALL[int(digit)].name for digit in documents}
        missing = [item for item in left if item.name not in present]
        kept = [item for item in left if item.name in present]
        now = START + timedelta(seconds=seconds)
        ruling = rule(missing, kept, memory, LIMITS, now)
        assert digits(ruling.deletions) == deleted, f"at {seconds} s"
        assert {why: digits(items) for why, items in ruling.held.items()} == held, f"at {seconds} s"
        assert (ruling.look_again is not None) == bool(held)
        if ruling.look_again is not None:
            assert now < ruling.look_again <= now + LIMITS.confirmation
        memory = Memory(ruling.absences, (*memory.deleted_at, *(now for _ in ruling.deletions)))
        left = [item for item in left if item not in ruling.deletions]


def digits(items: Sequence[Existing]) -> str:
    return "".join(NAMES[item.name][1:] for item in items)


def test_another_database_brings_as_many_of_its_own() -> None:
    """What was made a moment ago proves nothing: neither at once nor after a restart, when nothing is remembered."""
    strangers = [
        existing(candidate(f"B{number}_Agent"), creationTimestamp="2026-03-02T08:59:45Z") for number in range(8)
    ]
    for memory in (Memory(), Memory(rule(ALL[:3], (), Memory(), LIMITS, START).absences)):
        ruling = rule(ALL[:3], strangers, memory, LIMITS, START)
        assert ruling.deletions == ()
        assert digits(ruling.held[HALVED]) == "012"


def test_a_collection_that_is_gone_is_a_large_loss_beside_one_that_is_whole() -> None:
    instances = [existing(candidate(instance_id=f"councilor_A_Agent_{1770797722450 + n}")) for n in range(4)]
    ruling = rule(instances, ALL, Memory(), LIMITS, START)
    assert ruling.deletions == ()
    assert len(ruling.held[HALVED]) == 4
    # One that leaves a collection that is otherwise whole goes at the same time.
    ruling = rule([*instances, ALL[0]], ALL[1:], Memory(), LIMITS, START)
    assert digits(ruling.deletions) == "0"


def test_the_limit_is_one_of_time_and_not_of_reads() -> None:
    memory = Memory(deleted_at=(START - timedelta(seconds=31), START - timedelta(seconds=10), START))
    ruling = rule(ALL[:3], ALL[3:], memory, LIMITS, START)
    assert digits(ruling.deletions) == "0"
    assert digits(ruling.held[LIMIT]) == "12"
    assert ruling.look_again == START + timedelta(seconds=20)


def test_what_the_api_server_does_not_delete_keeps_no_other_back() -> None:
    memory = Memory(refused=frozenset(item.uid for item in ALL[:3]))
    assert digits(rule(ALL[:4], ALL[4:], memory, LIMITS, START).deletions) == "301"


@given(
    st.lists(st.tuples(st.integers(1, 100), st.sets(st.integers(0, 9))), max_size=12),
    st.integers(1, 4),
)
def test_whatever_is_read(reads: list[tuple[int, set[int]]], most: int) -> None:
    """Nothing that was read goes, never more than may in the time, and a large loss goes only after it has lasted."""
    limits = Limits(confirmation=timedelta(seconds=30), deletions=most)
    left: list[Existing] = list(ALL)
    memory = Memory()
    lacking: dict[str, datetime] = {}
    now = START
    for seconds, documents in reads:
        now += timedelta(seconds=seconds)
        present = {ALL[number].uid for number in documents}
        missing = [item for item in left if item.uid not in present]
        kept = [item for item in left if item.uid in present]
        lacking = {item.uid: lacking.get(item.uid, now) for item in missing}
        ruling = rule(missing, kept, memory, limits, now)
        memory = Memory(ruling.absences, (*memory.deleted_at, *(now for _ in ruling.deletions)))
        assert sum(now - time < limits.confirmation for time in memory.deleted_at) <= most
        held = [item for items in ruling.held.values() for item in items]
        assert sorted(item.uid for item in [*held, *ruling.deletions]) == sorted(item.uid for item in missing)
        if len(kept) <= len(missing):
            assert all(now - lacking[item.uid] >= limits.confirmation for item in ruling.deletions)
        left = [item for item in left if item not in ruling.deletions]
