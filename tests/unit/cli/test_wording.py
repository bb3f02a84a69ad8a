"""Schedules in words, and what clock changes do to them."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_cli.wording import clock_changes, in_words
from councilor_operator.schedule import CompiledSchedule, compile_expression, compile_schedule, times_between

NOW = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)


def schedule(value: str, zone: str = "UTC") -> CompiledSchedule:
    kind = "cron" if " " in value or value.startswith("@") else "interval"
    return compile_schedule(type=kind, value=value, time_zone=zone, default_zone="UTC", uid="x")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("1m", "every minute"),
        ("45m", "every 45 minutes"),
        ("60m", "every hour"),
        ("6h", "every 6 hours"),
        ("36h", "every 36 hours"),
        ("1d", "every day"),
        ("2d", "every 2 days"),
        ("* * * * *", "every minute"),
        ("*/1 * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("0,15,30,45 * * * *", "every 15 minutes"),
        ("*/7 * * * *", "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour"),
        ("0 * * * *", "at minute 0 of every hour"),
        ("5,6 * * * *", "at minutes 5 and 6 of every hour"),
        ("0 */2 * * *", "at minute 0 of every second hour from midnight on every day"),
        ("30 */6 * * *", "at 00:30, 06:30, 12:30 and 18:30 every day"),
        ("0 9 * * *", "at 09:00 every day"),
        ("0 0 * * *", "at 00:00 every day"),
        ("0 9,18 * * *", "at 09:00 and 18:00 every day"),
        ("0,30 9,18 * * *", "at 09:00, 09:30, 18:00 and 18:30 every day"),
        ("*/15 9-17 * * *", "every 15 minutes in the hours 9 to 17 every day"),
        ("* 3 * * *", "every minute in the hour 3 every day"),
        ("5 9-17 * * *", "at minute 5 of the hours 9 to 17 every day"),
        ("0 9 * * MON-FRI", "at 09:00 on Monday to Friday"),
        ("0 9 * * 1,3,5", "at 09:00 on Monday, Wednesday and Friday"),
        ("0 9 * * 0", "at 09:00 on Sunday"),
        ("0 9 * * SUN,SAT", "at 09:00 on Saturday and Sunday"),
        ("0 9 1 * *", "at 09:00 on day 1 of the month"),
        ("0 9 1,15 * *", "at 09:00 on days 1 and 15 of the month"),
        ("0 9 1-7 * *", "at 09:00 on days 1 to 7 of the month"),
        ("0 9 1 1 *", "at 09:00 on day 1 of the month in January"),
        ("0 9 * 6-8 *", "at 09:00 every day in June to August"),
        ("0 9 * JAN,JUL *", "at 09:00 every day in January and July"),
        ("0 0 13 * 5", "at 00:00 on day 13 of the month and also on every Friday"),
        ("0 0 */10 * 1", "at 00:00 on days 1, 11, 21 and 31 of the month and also on every Monday"),
        ("0 0 1-31 * 1", "at 00:00 every day"),
        ("@daily", "at 00:00 every day"),
        ("@hourly", "at minute 0 of every hour"),
        ("@weekly", "at 00:00 on Sunday"),
        ("@monthly", "at 00:00 on day 1 of the month"),
        ("@yearly", "at 00:00 on day 1 of the month in January"),
    ],
)
def test_words(value: str, words: str) -> None:
    assert in_words(schedule(value)) == words


def test_words_of_what_a_cron_job_counts() -> None:
    assert in_words(compile_expression("@every 90s", "UTC")) == "every 90 seconds"


@pytest.mark.parametrize(
    ("value", "zone", "notes"),
    [
        ("30 2 * * *", "America/New_York", ["2027-03-14: does not run at 02:30"]),
        ("30 2 * * *", "Europe/Berlin", ["2027-03-28: does not run at 02:30"]),
        ("*/20 2 * * *", "Europe/Berlin", ["2027-03-28: does not run at 02:00, 02:20, 02:40"]),
        ("*/10 2 * * *", "Europe/Berlin", ["2027-03-28: does not run at 02:00, 02:10, 02:20 and 3 more times"]),
        ("0 0 * * *", "America/Havana", ["2027-03-14: does not run at 00:00"]),
        ("15 2 * * *", "Australia/Lord_Howe", [f"2027-{day}: does not run at 02:15" for day in ("04-04", "10-03")]),
        ("30 12 * * *", "America/New_York", []),
        ("30 2 * * *", "America/Sao_Paulo", []),
        ("30 2 * * *", "UTC", []),
        ("30 * * * *", "America/New_York", []),
        ("30 2 * * MON", "America/New_York", []),
        ("30 2 * 6 *", "America/New_York", []),
        ("6h", "America/New_York", []),
    ],
)
def test_times_that_fall_out(value: str, zone: str, notes: list[str]) -> None:
    found = [
        note.replace(f", when clocks change in {zone}", "") for note in clock_changes(schedule(value, zone), after=NOW)
    ]
    assert [note for note in found if "does not" in note] == notes


@pytest.mark.parametrize(("value", "zone"), [("30 1 * * *", "America/New_York"), ("30 2 * * *", "Europe/Berlin")])
def test_a_time_that_comes_twice_on_the_clock(value: str, zone: str) -> None:
    """Told exactly if it runs twice then, as counted by the code that fills the status."""
    compiled = schedule(value, zone)
    year = times_between(compiled, start=NOW, end=NOW + timedelta(days=366), limit=1000)
    walls = Counter(time.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M") for time in year)
    twice = [wall[:10] for wall, count in walls.items() if count > 1]
    assert [note[:10] for note in clock_changes(compiled, after=NOW) if "once more" in note] == twice


FIELD = st.sampled_from(["*", "*/2", "*/7", "1", "2", "1-5", "3,5", "1-5/2"])


@given(st.tuples(FIELD, FIELD, FIELD, FIELD, FIELD), st.sampled_from(["UTC", "Europe/Berlin", "America/Havana"]))
def test_everything_that_runs_has_words(fields: tuple[str, ...], zone: str) -> None:
    words = in_words(compile_expression(" ".join(fields), zone))
    assert words == " ".join(words.split())
    assert words.startswith(("at ", "every "))


@given(st.tuples(FIELD, FIELD), st.tuples(FIELD, FIELD))
def test_other_times_of_day_have_other_words(one: tuple[str, str], two: tuple[str, str]) -> None:
    first, second = (compile_expression(f"{' '.join(item)} * * *", "UTC") for item in (one, two))
    assert (in_words(first) == in_words(second)) == (one == two)
