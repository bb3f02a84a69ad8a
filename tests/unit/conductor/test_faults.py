"""The queues of faults: which call is hit, in which order."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.conductor.faults import Faults, Operation


def statuses(faults: Faults, operation: Operation, calls: int) -> list[int | None]:
    taken = [faults.take(operation) for _ in range(calls)]
    return [fault.status if fault is not None else None for fault in taken]


def test_without_faults_nothing_is_hit() -> None:
    assert statuses(Faults(), "submit", 2) == [None, None]


def test_one_call_is_hit() -> None:
    faults = Faults()
    faults.next("submit", status=503)
    assert statuses(faults, "submit", 3) == [503, None, None]


def test_only_its_operation_is_hit() -> None:
    faults = Faults()
    faults.next("submit", status=503)
    assert statuses(faults, "details", 2) == [None, None]
    assert statuses(faults, "submit", 1) == [503]


def test_the_nth_call_is_hit() -> None:
    faults = Faults()
    faults.next("submit", status=503, call=3, times=2)
    assert statuses(faults, "submit", 5) == [None, None, 503, 503, None]


def test_faults_of_one_operation_queue() -> None:
    faults = Faults()
    faults.next("submit", status=502, times=2)
    faults.next("submit", status=504, call=2)
    assert statuses(faults, "submit", 5) == [502, 502, None, 504, None]
    assert faults.pending() == []


def test_a_fault_without_times_stays_until_cleared() -> None:
    faults = Faults()
    faults.next("submit", status=503, times=None)
    assert statuses(faults, "submit", 3) == [503, 503, 503]
    faults.clear()
    assert statuses(faults, "submit", 1) == [None]


def test_a_refusal_is_due_after_the_calls_before_it() -> None:
    faults = Faults()
    changes: list[int] = []
    faults.on_change = lambda: changes.append(1)
    faults.next("submit", status=502)
    faults.next("submit", kind="refuse", seconds=1, call=2)
    assert changes == [1, 1]
    due: list[int] = []
    for _ in range(3):
        assert due == []
        faults.take("submit")
        due = [1 for _ in faults.take_refusals()]
        if due:
            break
    assert due == [1]
    assert faults.take_refusals() == []
    assert statuses(faults, "submit", 1) == [None]


def test_a_refusal_is_due_at_once() -> None:
    faults = Faults()
    faults.next("details", kind="refuse", seconds=0.5)
    assert faults.take("details") is None
    assert [fault.port for fault in faults.take_refusals()] == ["gateway"]


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "status"},
        {"kind": "reset", "status": 502},
        {"kind": "refuse"},
        {"kind": "hang", "seconds": 1},
        {"kind": "refuse", "seconds": 1, "times": 2},
        {"kind": "refuse", "seconds": 1, "carried_out": True},
        {"status": 503, "call": 0},
        {"status": 503, "times": 0},
        {"status": 42},
        {"kind": "explode"},
        {"status": 503, "retry": "1"},
    ],
)
def test_faults_that_make_no_sense_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Faults().next("submit", **fields)
