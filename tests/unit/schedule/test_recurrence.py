"""The times an expression comes due: against vectors of robfig/cron v3.0.1, a brute-force search and properties."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from councilor_operator.schedule import ScheduleError, compile_schedule, next_times
from councilor_operator.schedule.dialect import CronRule, DialectError, EveryRule, parse
from councilor_operator.schedule.recurrence import Recurrence, can_come_due

DATA = Path(__file__).parents[2] / "data"


def vectors(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def zone_of_the_vectors(name: str) -> ZoneInfo:
    """A zone as it was in release 2025b of the time zone database, with which the vectors were computed.

    Governments change zones, so that times to come differ from one machine's database to the next one's.
    """
    with (DATA / "zoneinfo-2025b" / name).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def computed(vector: dict[str, Any]) -> tuple[bool, list[str]]:
    """What this package answers to a vector: (refused, times)."""
    try:
        rule = parse(vector["schedule"])
    except DialectError:
        return True, []
    after = datetime.fromisoformat(vector["after"])
    times: list[datetime] = []
    for _ in vector["next"] or [None]:
        previous = times[-1] if times else after
        if isinstance(rule, EveryRule):
            times.append(previous + timedelta(seconds=rule.seconds))
        elif (found := Recurrence(rule, zone_of_the_vectors(vector["timeZone"])).next(previous)) is not None:
            times.append(found)
        else:
            break
    return False, [time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in times]


@pytest.mark.parametrize(("name", "count"), [("cron-vectors.jsonl", 1496), ("cron-vectors-clock-changes.jsonl", 1072)])
def test_equals_the_library_of_the_cronjob_controller(name: str, count: int) -> None:
    known = vectors(name)
    assert len(known) == count
    wrong = [(vector, got) for vector in known if (got := computed(vector)) != (vector["error"], vector["next"] or [])]
    assert wrong == []


def due(expression: str, zone: str, after: str, count: int = 3) -> list[str]:
    """The next times in wall-clock time with offset."""
    rule = parse(expression)
    assert isinstance(rule, CronRule)
    recurrence, times = Recurrence(rule, ZoneInfo(zone)), []
    time: datetime | None = datetime.fromisoformat(after)
    for _ in range(count):
        assert time is not None
        time = recurrence.next(time)
        if time is None:
            break
        times.append(time.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %z"))
    return times


CLOCK_CHANGES = [
    pytest.param(
        "30 2 * * *",
        "Europe/Berlin",
        "2026-03-28T00:00:00Z",
        ["2026-03-28 02:30 +0100", "2026-03-30 02:30 +0200", "2026-03-31 02:30 +0200"],
        id="a time that does not exist is skipped",
    ),
    pytest.param(
        "30 2 * * *",
        "Europe/Berlin",
        "2026-10-24T12:00:00Z",
        ["2026-10-25 02:30 +0200", "2026-10-25 02:30 +0100", "2026-10-26 02:30 +0100"],
        id="a time that occurs twice comes due twice",
    ),
    pytest.param(
        "0 0 * * *",
        "America/Havana",
        "2026-03-07T12:00:00Z",
        ["2026-03-09 00:00 -0400", "2026-03-10 00:00 -0400", "2026-03-11 00:00 -0400"],
        id="a day without midnight has no run at midnight",
    ),
    pytest.param(
        "0 * * * *",
        "America/Sao_Paulo",
        "2018-11-04T01:30:00Z",
        ["2018-11-03 23:00 -0300", "2018-11-04 01:00 -0200", "2018-11-04 02:00 -0200"],
        id="hourly over a missing midnight",
    ),
    pytest.param(
        "0 5 * * *",
        "Australia/Lord_Howe",
        "2026-10-03T20:00:00Z",
        ["2026-10-05 05:00 +1100", "2026-10-06 05:00 +1100", "2026-10-07 05:00 +1100"],
        id="after 05:00 of a day whose clock moved by half an hour",
    ),
    pytest.param(
        "0 12 30 * *",
        "Pacific/Apia",
        "2011-12-31T00:00:00Z",
        ["2012-01-30 12:00 +1400", "2012-03-30 12:00 +1400", "2012-04-30 12:00 +1300"],
        id="after the day that Samoa left out",
    ),
    pytest.param(
        "0 12 21 8 *",
        "Pacific/Kwajalein",
        "1993-08-18T00:00:00Z",
        ["1994-08-21 12:00 +1200", "1995-08-21 12:00 +1200", "1996-08-21 12:00 +1200"],
        id="over a day left out, where the library would search for ever",
    ),
]


@pytest.mark.parametrize(("expression", "zone", "after", "expected"), CLOCK_CHANGES)
def test_clock_changes(expression: str, zone: str, after: str, expected: list[str]) -> None:
    assert due(expression, zone, after) == expected


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("0 0 29 2 *", "2026-01-01T00:00:00Z", ["2028-02-29", "2032-02-29", "2036-02-29"]),
        # 2100 is no leap year: from 2096 on, the next 29 February is more than five years away.
        ("0 0 29 2 *", "2095-06-01T00:00:00Z", ["2096-02-29"]),
        ("0 0 29 2 *", "2099-01-01T00:00:00Z", ["2104-02-29", "2108-02-29", "2112-02-29"]),
        ("0 0 31 2 *", "2026-01-01T00:00:00Z", []),
        ("0 0 13 * 5", "2026-02-10T00:00:00Z", ["2026-02-13", "2026-02-20", "2026-02-27"]),
        ("0 0 13 * */2", "2026-02-10T00:00:00Z", ["2026-02-12", "2026-02-13", "2026-02-14"]),
        ("0 0 13 * */1", "2026-02-10T00:00:00Z", ["2026-02-13", "2026-03-13", "2026-04-13"]),
        ("0 0 31 * *", "2026-01-31T00:00:00Z", ["2026-03-31", "2026-05-31", "2026-07-31"]),
        ("0 0 1 1 *", "9990-06-01T00:00:00Z", ["9991-01-01"]),
    ],
)
def test_dates(expression: str, after: str, expected: list[str]) -> None:
    found = due(expression, "UTC", after, max(1, len(expected)))
    assert [time[:10] for time in found] == expected
    if len(expected) == 1:
        assert len(due(expression, "UTC", after, 2)) == 1


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-01-01T08:59:59.999999Z", "2026-01-01T09:00:00+00:00"),
        ("2026-01-01T09:00:00Z", "2026-01-02T09:00:00+00:00"),
        ("2026-01-01T09:00:00.5Z", "2026-01-02T09:00:00+00:00"),
        ("2026-01-01T11:59:59+03:00", "2026-01-01T09:00:00+00:00"),
    ],
)
def test_the_start_is_exclusive_and_read_in_its_own_offset(after: str, expected: str) -> None:
    rule = parse("0 9 * * *")
    assert isinstance(rule, CronRule)
    found = Recurrence(rule, ZoneInfo("UTC")).next(datetime.fromisoformat(after))
    assert found is not None
    assert found.isoformat() == expected


@pytest.mark.parametrize(
    ("expression", "possible"),
    [
        ("* * * * *", True),
        ("0 0 29 2 *", True),
        ("0 0 30 2 *", False),
        ("0 0 30-31 2 *", False),
        ("0 0 31 2,4,6,9,11 *", False),
        ("0 0 31 2-3 *", True),
        ("0 0 31 2 MON", True),
        ("0 0 31 2 ,", False),
        ("0 0 , * MON", True),
        ("0 0 , * *", False),
        ("0 0 1 * ,", True),
        ("0 0 * * ,", False),
        ("0 0 * , *", False),
        ("0 0 1 , MON", False),
        (", * * * *", False),
        ("* , * * *", False),
    ],
)
def test_can_come_due(expression: str, possible: bool) -> None:
    rule = parse(expression)
    assert isinstance(rule, CronRule)
    assert can_come_due(rule) is possible
    assert (Recurrence(rule, ZoneInfo("UTC")).next(datetime(2025, 1, 1, tzinfo=UTC)) is not None) is possible


def parts(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    ranges = st.tuples(number, number).map(sorted)
    steps = st.integers(1, high + 2)
    return st.one_of(
        number.map(str),
        ranges.map(lambda ends: f"{ends[0]}-{ends[1]}"),
        st.tuples(ranges, steps).map(lambda both: f"{both[0][0]}-{both[0][1]}/{both[1]}"),
        st.tuples(number, steps).map(lambda both: f"{both[0]}/{both[1]}"),
        steps.map(lambda step: f"*/{step}"),
    )


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    return st.one_of(st.just("*"), st.lists(parts(low, high), min_size=1, max_size=3).map(",".join))


EXPRESSIONS = st.tuples(fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12), fields(0, 6)).map(" ".join)
# Zones whose clock moves by whole hours and not around midnight: there, a search minute by minute is the truth.
PLAIN_ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/St_Johns",
        "Asia/Kathmandu",
        "Australia/Sydney",
        "Asia/Kolkata",
    ]
)
ANY_ZONES = st.one_of(
    PLAIN_ZONES,
    st.sampled_from(
        ["Australia/Lord_Howe", "America/Havana", "Africa/Casablanca", "Asia/Gaza", "Asia/Beirut", "Pacific/Chatham"]
    ),
)
INSTANTS = st.datetimes(datetime(2012, 1, 1), datetime(2037, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
CHANGES = st.sampled_from(
    [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)]
)
NEAR_CHANGES = st.tuples(CHANGES, st.integers(-90_000, 90_000)).map(lambda both: both[0] + timedelta(seconds=both[1]))


def allows(text: str, low: int, high: int, value: int) -> bool:
    """Whether a field allows a value: the rules of the dialect once more, by arithmetic instead of masks."""
    for part in text.split(","):
        ends, _, step = part.partition("/")
        first, hyphen, last = ends.partition("-")
        begin = low if first == "*" else int(first)
        end = int(last) if hyphen else (high if first == "*" or step else begin)
        if begin <= value <= end and (value - begin) % int(step or 1) == 0:
            return True
    return False


def fits(expression: str, local: datetime) -> bool:
    minute, hour, day, month, weekday = expression.split()
    by_day = allows(day, 1, 31, local.day)
    by_weekday = allows(weekday, 0, 6, local.isoweekday() % 7)

    def starred(text: str) -> bool:
        return any(part in {"*", "*/1"} for part in text.split(","))

    days = by_day and by_weekday if starred(day) or starred(weekday) else by_day or by_weekday
    return (
        allows(minute, 0, 59, local.minute)
        and allows(hour, 0, 23, local.hour)
        and allows(month, 1, 12, local.month)
        and days
    )


@settings(max_examples=150, deadline=None)
@given(expression=EXPRESSIONS, zone=PLAIN_ZONES, after=st.one_of(INSTANTS, NEAR_CHANGES))
def test_equals_a_search_minute_by_minute(expression: str, zone: str, after: datetime) -> None:
    rule = parse(expression)
    assert isinstance(rule, CronRule)
    recurrence, place = Recurrence(rule, ZoneInfo(zone)), ZoneInfo(zone)
    minute = after.replace(second=0, microsecond=0)
    window = [minute + timedelta(minutes=n) for n in range(1, 2 * 1440)]
    expected = [time for time in window if fits(expression, time.astimezone(place))]
    found: list[datetime] = []
    time = recurrence.next(after)
    while time is not None and time <= window[-1]:
        found.append(time)
        time = recurrence.next(time)
    assert found == expected


@settings(max_examples=300, deadline=None)
@given(expression=EXPRESSIONS, zone=ANY_ZONES, after=st.one_of(INSTANTS, NEAR_CHANGES))
def test_times_increase_strictly_in_whole_minutes(expression: str, zone: str, after: datetime) -> None:
    rule = parse(expression)
    assert isinstance(rule, CronRule)
    recurrence = Recurrence(rule, ZoneInfo(zone))
    times = [after]
    for _ in range(4):
        following = recurrence.next(times[-1])
        if following is None:
            break
        times.append(following)
    assert all(earlier < later for earlier, later in pairwise(times))
    assert all(time.tzinfo is UTC and time.second == time.microsecond == 0 for time in times[1:])
    local = [time.astimezone(ZoneInfo(zone)) for time in times[1:]]
    minute, hour, *_ = expression.split()
    assert all(allows(minute, 0, 59, time.minute) and allows(hour, 0, 23, time.hour) for time in local)
    assert can_come_due(rule) or len(times) == 1


@given(
    fields=st.tuples(
        *(
            st.one_of(
                st.just("*"),
                st.integers(low, high).map(str),
                st.lists(st.integers(low, high), min_size=2, max_size=4).map(lambda days: ",".join(map(str, days))),
                st.integers(1, high).map(lambda step: f"*/{step}"),
            )
            for low, high in ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
        )
    ),
    after=st.datetimes(
        datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2100-01-01"), timezones=st.just(UTC)
    ),
)
def test_the_short_way_in_utc_leads_where_the_search_leads(fields: tuple[str, ...], after: datetime) -> None:
    """Etc/UTC is the same zone under another name, for which the search is made."""
    found = []
    for zone in ("UTC", "Etc/UTC"):
        try:
            compiled = compile_schedule(
                type="cron", value=" ".join(fields), time_zone=zone, default_zone="UTC", uid="any"
            )
        except ScheduleError:
            assume(False)
        found.append(next_times(compiled, after=after, count=3))
    assert found[0] == found[1]
