"""The table of clock changes in docs/schedules.md: what cron expressions do where clocks change, counted by the code
that fills `status.nextRunTimes`. Pure."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from councilor_operator.schedule import compile_schedule, times_between

BEGIN: Final = "<!-- table: clock changes -->\n"
END: Final = "<!-- end of table -->"
_HEAD: Final = "| schedule | zone | the day | the clock | runs on that day |\n|---|---|---|---|---|\n"
_CASES: Final = (
    ("30 2 * * *", "America/New_York", date(2027, 3, 14)),
    ("30 1 * * *", "America/New_York", date(2027, 11, 7)),
    ("0 * * * *", "America/New_York", date(2027, 3, 14)),
    ("0 * * * *", "America/New_York", date(2027, 11, 7)),
    ("30 2 * * *", "Europe/Berlin", date(2027, 3, 28)),
    ("30 2 * * *", "Europe/Berlin", date(2027, 10, 31)),
    ("*/30 2 * * *", "Europe/Berlin", date(2027, 10, 31)),
    ("0 0 * * *", "America/Havana", date(2027, 3, 14)),
    ("0 9 * * *", "Europe/Berlin", date(2027, 3, 28)),
    ("30 2 * * *", "America/Sao_Paulo", date(2027, 3, 14)),
)
_SHOWN: Final = 3


def replaced(source: str) -> str:
    """Return the page with its table anew; raises ValueError where there is none."""
    before, found, rest = source.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError("there is no table of clock changes in the page")
    return before + BEGIN + _HEAD + "".join(_row(*case) for case in _CASES) + END + after


def _row(expression: str, zone_name: str, day: date) -> str:
    zone = ZoneInfo(zone_name)
    begin, end = (datetime.combine(at, time(), zone).astimezone(UTC) for at in (day, day + timedelta(days=1)))
    compiled = compile_schedule(type="cron", value=expression, time_zone=zone_name, default_zone="UTC", uid="")
    second = timedelta(seconds=1)
    due = times_between(compiled, start=begin - second, end=end - second, limit=100)
    walls = [f"{moment.astimezone(zone):%H:%M %z}" for moment in due]
    runs = ", ".join(walls) if len(walls) <= _SHOWN else f"{len(walls)} times"
    hours = (end - begin) / timedelta(hours=1)
    clock = {23: "goes forward an hour", 25: "goes back an hour", 24: "stays"}[int(hours)]
    return f"| `{expression}` | {zone_name} | {day} | {clock} | {runs or 'none'} |\n"
