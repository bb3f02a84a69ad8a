"""Phrases: what stands in several messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from councilor_operator.phrases import plural, time_text


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (None, ""),
        (datetime(2026, 3, 2, 9, 30, tzinfo=UTC), "2026-03-02T09:30:00Z"),
        (datetime(2026, 3, 2, 9, 30, 1, 999999, tzinfo=UTC), "2026-03-02T09:30:01Z"),
        (datetime(2026, 3, 2, 9, 30, tzinfo=timezone(timedelta(hours=2))), "2026-03-02T07:30:00Z"),
        (datetime(2026, 3, 2, 0, 30, tzinfo=timezone(timedelta(hours=14))), "2026-03-01T10:30:00Z"),
    ],
)
def test_times_are_told_in_utc(time: datetime | None, text: str) -> None:
    assert time_text(time) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs")])
def test_numbers_of_things(count: int, text: str) -> None:
    assert plural(count, "run") == text
