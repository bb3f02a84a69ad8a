"""Times as people say them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_cli.times import ago, clock, length, took, until

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DAY = 24 * 3600


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (119.9, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (599, "9m59s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 61, "3h1m"),
        (8 * 3600 - 1, "7h59m"),
        (8 * 3600, "8h"),
        (2 * DAY - 1, "47h"),
        (2 * DAY, "2d"),
        (2 * DAY + 3700, "2d1h"),
        (8 * DAY, "8d"),
        (729 * DAY, "729d"),
        (730 * DAY, "2y"),
        (735 * DAY, "2y5d"),
        (8 * 365 * DAY, "8y"),
    ],
)
def test_a_length_is_that_of_kubectl(seconds: float, text: str) -> None:
    assert length(timedelta(seconds=seconds)) == text


@given(st.integers(min_value=0, max_value=200 * 365 * DAY))
def test_a_length_is_short_and_no_longer_than_the_truth(seconds: int) -> None:
    text = length(timedelta(seconds=seconds))
    assert len(text) <= 6
    units = {"s": 1, "m": 60, "h": 3600, "d": DAY, "y": 365 * DAY}
    total, number = 0, ""
    for character in text:
        if character.isdigit():
            number += character
        else:
            total, number = total + int(number) * units[character], ""
    assert 0 <= seconds - total < max(1, seconds // 8, 60)


@pytest.mark.parametrize(
    ("time", "past", "future"),
    [
        (None, "", ""),
        (NOW, "0s ago", "now"),
        (NOW - timedelta(minutes=12), "12m ago", "now"),
        (NOW + timedelta(minutes=12), "0s ago", "in 12m"),
    ],
)
def test_ago_and_until(time: datetime | None, past: str, future: str) -> None:
    assert (ago(time, NOW), until(time, NOW)) == (past, future)


@pytest.mark.parametrize(("milliseconds", "text"), [(None, ""), (0, "0.0 s"), (2049, "2.0 s"), (61_000, "61s")])
def test_took(milliseconds: int | None, text: str) -> None:
    assert took(milliseconds) == text


def test_a_clock_of_two_zones() -> None:
    there = datetime(2026, 3, 2, 9, 0, tzinfo=timezone(timedelta(hours=-3)))
    assert clock(there, UTC) == "2026-03-02 09:00 -0300, here 2026-03-02 12:00"
    assert clock(NOW, UTC) == "2026-03-02 09:30 +0000"
