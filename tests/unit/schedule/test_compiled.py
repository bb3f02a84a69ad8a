"""The public surface: what is written to the CronJob, and the times ahead."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from councilor_operator.schedule import (
    CompiledSchedule,
    ScheduleError,
    Suggestion,
    compile_expression,
    compile_schedule,
    next_times,
    times_between,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def compiled(type: str, value: str, time_zone: str | None = None, default_zone: str = "UTC") -> CompiledSchedule:  # noqa: A002
    return compile_schedule(type=type, value=value, time_zone=time_zone, default_zone=default_zone, uid="uid-1")


def clock(times: list[datetime]) -> list[str]:
    assert all(time.tzinfo is UTC for time in times)
    return [time.strftime("%d %H:%M:%S") for time in times]


@pytest.mark.parametrize(
    ("schedule", "expression", "zone", "interval"),
    [
        (("interval", "2d", None, "UTC"), "@every 48h", "UTC", timedelta(days=2)),
        (("interval", "45m", "", "Europe/Berlin"), "@every 45m", "Europe/Berlin", timedelta(minutes=45)),
        (("cron", " 0  9 * * MON ", "America/Sao_Paulo", "UTC"), "0 9 * * MON", "America/Sao_Paulo", None),
        (("cron", "@daily", None, "Asia/Tokyo"), "@daily", "Asia/Tokyo", None),
    ],
)
def test_compiled(
    schedule: tuple[str, str, str | None, str], expression: str, zone: str, interval: timedelta | None
) -> None:
    result = compiled(*schedule)
    assert result.cron_expression == expression
    assert result.time_zone == zone
    assert result.interval == interval
    assert result.warnings == ()
    assert result == compiled(*schedule)
    assert hash(result) == hash(compiled(*schedule))


def test_warnings_of_zone_and_expression_are_joined() -> None:
    codes = [warning.code for warning in compiled("cron", "*/45 * * * *", "Etc/GMT+3").warnings]
    assert codes == ["ReversedOffset", "UnevenStep"]


@pytest.mark.parametrize(
    ("type_", "value", "suggestion"),
    [
        ("Cron", "0 9 * * *", "cron"),
        (" INTERVAL", "45m", "interval"),
        ("every", "45m", "interval"),
        ("", "0 9 * * *", "cron"),
        ("schedule", "@daily", "cron"),
    ],
)
def test_unknown_type(type_: str, value: str, suggestion: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        compiled(type_, value)
    assert caught.value.field == "schedule.type"
    assert caught.value.suggestion == Suggestion(type=suggestion)


@pytest.mark.parametrize(
    ("type_", "value", "zone", "field"),
    [
        ("cron", "0 9 * * 7", "UTC", "schedule.value"),
        ("interval", "30s", "UTC", "schedule.value"),
        ("cron", "0 9 * * *", "BRT", "schedule.timeZone"),
    ],
)
def test_errors_name_their_field(type_: str, value: str, zone: str, field: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        compiled(type_, value, zone)
    assert caught.value.field == field
    assert str(caught.value) == caught.value.message


def test_suggestion_as_text() -> None:
    assert str(Suggestion(type="interval", value="45m")) == 'type: "interval", value: "45m"'
    assert str(Suggestion(time_zone="UTC")) == 'timeZone: "UTC"'


def test_cron_times_in_the_zone() -> None:
    schedule = compiled("cron", "0 9 * * MON-FRI", "America/Sao_Paulo")
    assert clock(next_times(schedule, after=NOON - timedelta(seconds=1), count=3)) == [
        "23 12:00:00",
        "24 12:00:00",
        "25 12:00:00",
    ]
    assert clock(next_times(schedule, after=NOON, count=2, anchor=NOON - timedelta(days=9))) == [
        "24 12:00:00",
        "25 12:00:00",
    ]
    assert next_times(schedule, after=NOON, count=0) == []


@pytest.mark.parametrize(
    ("anchor", "expected"),
    [
        pytest.param(None, ["23 12:45:00", "23 13:30:00"], id="counts from the start"),
        pytest.param(timedelta(0), ["23 12:45:00", "23 13:30:00"], id="the anchor itself is not due"),
        pytest.param(timedelta(minutes=-10), ["23 12:35:00", "23 13:20:00"], id="created a while ago"),
        pytest.param(timedelta(minutes=-45), ["23 12:45:00", "23 13:30:00"], id="due just now is past"),
        pytest.param(timedelta(minutes=-45, seconds=1), ["23 12:00:01", "23 12:45:01"], id="due in a second"),
        pytest.param(
            timedelta(days=-30, minutes=-5), ["23 12:40:00", "23 13:25:00"], id="the phase holds over an outage"
        ),
        pytest.param(timedelta(minutes=5, microseconds=7), ["23 12:50:00", "23 13:35:00"], id="an anchor ahead"),
    ],
)
def test_intervals_count_from_the_anchor(anchor: timedelta | None, expected: list[str]) -> None:
    schedule = compiled("interval", "45m", "Europe/Berlin")
    at = None if anchor is None else NOON + anchor
    assert clock(next_times(schedule, after=NOON, count=2, anchor=at)) == expected


def test_intervals_ignore_changes_of_the_clock() -> None:
    schedule = compiled("interval", "1d", "Europe/Berlin")
    start = datetime(2026, 3, 28, 2, 30, tzinfo=UTC)
    assert clock(next_times(schedule, after=start, count=2)) == ["29 02:30:00", "30 02:30:00"]


def test_a_rare_schedule_has_fewer_times() -> None:
    schedule = compiled("cron", "0 0 29 2 *")
    assert [time.year for time in next_times(schedule, after=datetime(2088, 1, 1, tzinfo=UTC), count=5)] == [
        2088,
        2092,
        2096,
    ]


@pytest.mark.parametrize(
    ("start", "end", "limit", "expected"),
    [
        (0, 60, 10, ["23 12:20:00", "23 12:40:00", "23 13:00:00"]),
        (0, 59, 10, ["23 12:20:00", "23 12:40:00"]),
        (20, 40, 10, ["23 12:40:00"]),
        (0, 600, 2, ["23 12:20:00", "23 12:40:00"]),
        (0, 0, 10, []),
        (40, 20, 10, []),
        (0, 60, 0, []),
    ],
)
@pytest.mark.parametrize("kind", [("cron", "*/20 * * * *"), ("interval", "20m")])
def test_times_between(kind: tuple[str, str], start: int, end: int, limit: int, expected: list[str]) -> None:
    found = times_between(
        compiled(*kind),
        start=NOON + timedelta(minutes=start),
        end=NOON + timedelta(minutes=end),
        limit=limit,
        anchor=NOON - timedelta(hours=1),
    )
    assert clock(found) == expected


def test_times_between_without_anchor_count_from_the_start() -> None:
    schedule = compiled("interval", "20m")
    start = NOON + timedelta(minutes=7)
    assert clock(times_between(schedule, start=start, end=NOON + timedelta(hours=1), limit=9)) == [
        "23 12:27:00",
        "23 12:47:00",
    ]


@pytest.mark.parametrize("kind", [("cron", "* * * * *"), ("interval", "1m")])
def test_naive_times_are_refused(kind: tuple[str, str]) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001
    with pytest.raises(ValueError, match="offset"):
        next_times(compiled(*kind), after=naive, count=1)
    with pytest.raises(ValueError, match="offset"):
        next_times(compiled(*kind), after=NOON, count=1, anchor=naive)


@settings(deadline=None)
@given(
    minutes=st.integers(1, 5000),
    offset=st.integers(-(10**7), 10**7),
    after=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_interval_times_keep_distance_and_phase(minutes: int, offset: int, after: datetime) -> None:
    schedule = compiled("interval", f"{minutes}m")
    anchor = (after + timedelta(seconds=offset)).replace(microsecond=0)
    step = timedelta(minutes=minutes)
    times = next_times(schedule, after=after, count=3, anchor=anchor)
    assert all(later - earlier == step for earlier, later in pairwise(times))
    assert all((time - anchor) % step == timedelta(0) and time > anchor for time in times)
    assert after < times[0]
    assert times[0] <= after + step or times[0] == anchor + step


def test_h_needs_a_uid() -> None:
    with pytest.raises(ValueError, match="UID"):
        compile_schedule(type="cron", value="H * * * *", time_zone=None, default_zone="UTC", uid="")


@pytest.mark.parametrize(
    ("kind", "value", "zone"),
    [
        ("cron", "0 9 * * MON-FRI", "America/Sao_Paulo"),
        ("cron", "H H(8-10) 1 * *", "UTC"),
        ("cron", "@daily", "Europe/Lisbon"),
        ("interval", "45m", "UTC"),
        ("interval", "2d", "Asia/Kathmandu"),
    ],
)
def test_what_stands_in_a_cron_job_means_the_same(kind: str, value: str, zone: str) -> None:
    compiled = compile_schedule(type=kind, value=value, time_zone=zone, default_zone="UTC", uid="uid")
    again = compile_expression(compiled.cron_expression, compiled.time_zone)
    start = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    assert (again.cron_expression, again.time_zone) == (compiled.cron_expression, compiled.time_zone)
    assert next_times(again, after=start, count=5, anchor=start) == next_times(
        compiled, after=start, count=5, anchor=start
    )


@pytest.mark.parametrize(("expression", "zone"), [("0 9 * * 7", "UTC"), ("@every 2d", "UTC"), ("0 9 * * *", "Mars")])
def test_what_the_operator_never_writes_is_refused(expression: str, zone: str) -> None:
    with pytest.raises(ScheduleError):
        compile_expression(expression, zone)
