"""H: plain numbers of each Councilor's own, stable and evenly spread."""

from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.schedule.dialect import HOUR, MINUTE, CronRule, parse, parse_field, values_of
from councilor_operator.schedule.finding import ScheduleError
from councilor_operator.schedule.spread import holds_spread, resolve

UIDS = [str(UUID(int=n * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)) for n in range(6000)]


@pytest.mark.parametrize(
    ("expression", "resolved"),
    [
        # Pinned: another value would move the runs of every Councilor at the next update.
        ("H * * * *", "33 * * * *"),
        ("H H * * *", "33 9 * * *"),
        ("H H(1-5) * * MON", "33 5 * * MON"),
        ("H/15 * * * *", "3,18,33,48 * * * *"),
        ("H(0-29)/10 * * * *", "3,13,23 * * * *"),
        ("H,30 8 * * *", "33,30 8 * * *"),
        ("5 H/6 1 */3 *", "5 3,9,15,21 1 */3 *"),
        ("H(7-7) H(3-3) * * *", "7 3 * * *"),
        ("H/1 * * * *", ",".join(map(str, range(60))) + " * * * *"),
        ("30 9 * * THU", "30 9 * * THU"),
    ],
)
def test_values_are_pinned(expression: str, resolved: str) -> None:
    assert resolve(expression, "6a2f41a3-c54c-4a83-8d2f-1d0d3c2f8f6b") == resolved


def test_another_uid_another_time() -> None:
    assert len({resolve("H H * * *", uid) for uid in UIDS[:200]}) > 180


@pytest.mark.parametrize(
    ("expression", "position", "values"),
    [
        ("H * * * *", 0, range(60)),
        ("0 H * * *", 1, range(24)),
        ("H(10-19) * * * *", 0, range(10, 20)),
        ("0 H(1-5) * * *", 1, range(1, 6)),
    ],
)
def test_evenly_spread(expression: str, position: int, values: range) -> None:
    counts = Counter(int(resolve(expression, uid).split()[position]) for uid in UIDS)
    assert set(counts) == set(values)
    mean = len(UIDS) / len(values)
    # Chi square: the UIDs are fixed, so this cannot fail by chance; twice the degrees of freedom is far out.
    assert sum((count - mean) ** 2 / mean for count in counts.values()) < 2 * len(values)


def test_minute_and_hour_are_independent() -> None:
    counts = Counter(resolve("H H * * *", uid) for uid in UIDS)
    # 6,000 balls in 1,440 urns leave about 22 empty; correlated hashes would leave most of them so.
    assert len(counts) > 1380
    assert max(counts.values()) < 16


def test_steps_start_anywhere_below_the_step() -> None:
    starts = Counter(resolve("H/15 * * * *", uid).split(",")[0] for uid in UIDS)
    assert set(starts) == {str(n) for n in range(15)}


@pytest.mark.parametrize(
    ("expression", "suggestion"),
    [
        ("H H H * *", "H H 1 * *"),
        ("H H * H *", "H H * 1 *"),
        ("H H * * H", "H H * * MON"),
        ("0 9 H(1-28) * *", "0 9 1 * *"),
        ("H(5-1) * * * *", "H(0-29) * * * *"),
        ("H(0-60) * * * *", "H(0-29) * * * *"),
        ("0 H(0-24) * * *", "0 H(0-11) * * *"),
        ("H/0 * * * *", "H * * * *"),
        ("H/61 * * * *", "H * * * *"),
        ("H(0-9)/11 * * * *", "H(0-9) * * * *"),
        ("H-30 * * * *", "H * * * *"),
        ("H() * * * *", "H * * * *"),
        ("0 HH * * *", "0 H * * *"),
    ],
)
def test_refused(expression: str, suggestion: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        resolve(expression, "uid")
    assert caught.value.suggestion is not None
    assert caught.value.suggestion.value == suggestion
    assert suggestion in caught.value.message


def test_without_uid_there_is_no_value() -> None:
    with pytest.raises(ValueError, match="UID"):
        resolve("H * * * *", "")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [("H * * * *", True), ("5,H * * * *", True), ("0 9 * * THU", False), ("@hourly", False), ("0 9 * MARCH *", False)],
)
def test_holds_spread(expression: str, expected: bool) -> None:
    assert holds_spread(expression) is expected


@given(
    uid=st.text(min_size=1, max_size=40),
    ends=st.tuples(st.integers(0, 23), st.integers(0, 23)).map(sorted),
    step=st.integers(1, 60),
)
def test_always_plain_numbers_within_bounds(uid: str, ends: list[int], step: int) -> None:
    low, high = ends
    resolved = resolve(f"H/{step} H({low}-{high}) * * *", uid)
    assert resolved == resolve(f"H/{step} H({low}-{high}) * * *", uid)
    assert isinstance(parse(resolved), CronRule)
    minute, hour, *_ = resolved.split()
    assert low <= int(hour) <= high
    minutes = values_of(parse_field(minute, MINUTE).bits)
    assert minutes == list(range(minutes[0], 60, step))
    assert minutes[0] < step
    assert values_of(parse_field(hour, HOUR).bits) == [int(hour)]
