"""Durations: Go's reading to the nanosecond, and free-hand lengths."""

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.schedule.duration import GoDurationError, every_seconds, parse_go_duration, read_length

SECOND = 10**9


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("+0", 0),
        ("-0", 0),
        ("0s", 0),
        ("45m", 45 * 60 * SECOND),
        ("48h", 48 * 3600 * SECOND),
        ("1h30m", 5400 * SECOND),
        ("1.5h", 5400 * SECOND),
        (".5h", 1800 * SECOND),
        ("5.s", 5 * SECOND),
        ("1m1m", 120 * SECOND),
        ("100ms", SECOND // 10),
        ("1us", 1000),
        ("1\u00b5s", 1000),
        ("1\u03bcs", 1000),
        ("1.9ns", 1),
        ("-5m", -300 * SECOND),
        ("+5m", 300 * SECOND),
        ("0.3333333333333333333h", 1200 * SECOND),
        ("9223372036854775807ns", 2**63 - 1),
        ("-9223372036854775808ns", -(2**63)),
        ("2562047h47m16.854775807s", 2**63 - 1),
        ("00000000000000000000000001s", SECOND),
    ],
)
def test_go_durations(text: str, nanoseconds: int) -> None:
    assert parse_go_duration(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "+", "-", "3", "s", ".s", "-.s", ".", "1d", "1w", "1 h", " 1h", "1h ", "1H", "1e3s", "--1h", "1h-5m"),
        *("9223372036854775808ns", "2562048h", "99999999999999999999h", "1000000h" * 3, "\u0661h", "1,5h"),
    ],
)
def test_what_go_refuses(text: str) -> None:
    with pytest.raises(GoDurationError):
        parse_go_duration(text)


@pytest.mark.parametrize(
    ("nanoseconds", "seconds"),
    [(-SECOND, 1), (0, 1), (1, 1), (SECOND, 1), (2 * SECOND - 1, 1), (60 * SECOND, 60), (61 * SECOND + 5, 61)],
)
def test_every_is_whole_seconds(nanoseconds: int, seconds: int) -> None:
    assert every_seconds(nanoseconds) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2d", 172800),
        ("90s", 90),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("1h 30 min", 5400),
        ("0m", 0),
        ("45 Minutes", 2700),
        ("2w", 1209600),
        ("-5m", 300),
        ("PT45M", 2700),
        ("P1DT2H", 93600),
        ("P2W", 1209600),
        ("", None),
        ("-", None),
        ("5", None),
        ("1mo", None),
        ("abc", None),
        ("P", None),
        ("PT", None),
        ("* * * * *", None),
        ("9999999999h", None),
    ],
)
def test_free_hand_lengths(text: str, seconds: int | None) -> None:
    assert read_length(text) == (None if seconds is None else Fraction(seconds))


@given(st.one_of(st.text(max_size=40), st.text("0123456789.hmsdwun +-PT", max_size=40)))
def test_any_text_is_read_or_refused(text: str) -> None:
    read_length(text)
    with suppress(GoDurationError):
        assert -(2**63) <= parse_go_duration(text) < 2**63
