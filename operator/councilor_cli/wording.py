"""Schedules in words, and what clock changes do to them. Pure: zone and clock come with the arguments.

The words follow from the parsed expression, so they say what runs and not what was meant by it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from councilor_operator.schedule import CompiledSchedule, compile_expression, times_between
from councilor_operator.schedule.dialect import (
    DAY_OF_MONTH,
    HOUR,
    MINUTE,
    MONTH,
    WEEKDAY,
    CronRule,
    Field,
    FieldMask,
    parse,
    values_of,
)

_WEEKDAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_TIMES_SPELLED: Final = 4
"""Times of day that are named one by one."""
_TIMES_SHOWN: Final = 3
_DAY_LIMIT: Final = 24 * 60 * 2


def in_words(compiled: CompiledSchedule) -> str:
    """Return a schedule as the end of a sentence that begins with "runs"; its zone is not in it."""
    if compiled.interval is not None:
        return _every(compiled.interval)
    rule = parse(compiled.cron_expression)
    if not isinstance(rule, CronRule):
        return _every(timedelta(seconds=rule.seconds))
    return " ".join(filter(None, (_time_of_day(rule), _days(rule), _months(rule))))


def _every(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    units = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
    size, unit = next((size, unit) for size, unit in units if seconds % size == 0)
    number = seconds // size
    return f"every {unit}" if number == 1 else f"every {number} {unit}s"


def _time_of_day(rule: CronRule) -> str:
    minutes, hours = values_of(rule.minute.bits), values_of(rule.hour.bits)
    all_hours = _is_all(rule.hour, HOUR)
    if len(minutes) * len(hours) <= _TIMES_SPELLED:
        return f"at {_and(f'{hour:02}:{minute:02}' for hour in hours for minute in minutes)}"
    if _is_all(rule.minute, MINUTE):
        often = "every minute"
    elif (step := _step(minutes, MINUTE)) is not None:
        often = f"every {step} minutes"
    else:
        often = f"at minute{'s' if len(minutes) > 1 else ''} {_numbers(minutes)}"
        return f"{often} of every hour" if all_hours else f"{often} of {_hours(hours)}"
    return often if all_hours else f"{often} in {_hours(hours)}"


def _hours(hours: Sequence[int]) -> str:
    if (step := _step(hours, HOUR)) is not None:
        return f"every {_ordinal(step)} hour from midnight on"
    return f"the hour{'s' if len(hours) > 1 else ''} {_numbers(hours)}"


def _days(rule: CronRule) -> str:
    every_date, every_weekday = _is_all(rule.day_of_month, DAY_OF_MONTH), _is_all(rule.weekday, WEEKDAY)
    dates = (
        f"day{'s' if len(values_of(rule.day_of_month.bits)) > 1 else ''} {_numbers(values_of(rule.day_of_month.bits))}"
    )
    weekdays = _names([(day - 1) % 7 for day in values_of(rule.weekday.bits)], (*_WEEKDAYS[1:], _WEEKDAYS[0]))
    if rule.days_are_alternatives and (every_date or every_weekday):
        # Either field alone lets every day through.
        return "every day"
    if every_date and every_weekday:
        return "" if len(values_of(rule.hour.bits)) == HOUR.size else "every day"
    if every_weekday:
        return f"on {dates} of the month"
    if every_date:
        return f"on {weekdays}"
    # Neither has a star, so that either is enough.
    return f"on {dates} of the month and also on every {weekdays}"


def _months(rule: CronRule) -> str:
    if _is_all(rule.month, MONTH):
        return ""
    return f"in {_names([month - 1 for month in values_of(rule.month.bits)], _MONTHS)}"


def _names(positions: Iterable[int], names: Sequence[str]) -> str:
    found = sorted(positions)
    runs = _runs(found)
    return _and(
        word
        for first, last in runs
        for word in ((f"{names[first]} to {names[last]}",) if last - first > 1 else names[first : last + 1])
    )


def _numbers(values: Sequence[int]) -> str:
    return _and(
        word
        for first, last in _runs(values)
        for word in ((f"{first} to {last}",) if last - first > 1 else map(str, range(first, last + 1)))
    )


def _runs(values: Sequence[int]) -> list[tuple[int, int]]:
    """Return the stretches without a gap, first and last of each."""
    runs: list[tuple[int, int]] = []
    for value in values:
        if runs and runs[-1][1] == value - 1:
            runs[-1] = (runs[-1][0], value)
        else:
            runs.append((value, value))
    return runs


def _step(values: Sequence[int], field: Field) -> int | None:
    """Return the distance of values that go around the field evenly, None for others."""
    step = values[1] - values[0] if len(values) > 1 else 0
    around = field.high - field.low + 1
    even = step > 1 and around % step == 0 and list(values) == list(range(field.low, field.high + 1, step))
    return step if even else None


def _is_all(mask: FieldMask, field: Field) -> bool:
    return len(values_of(mask.bits)) == field.high - field.low + 1


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")


def _and(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def clock_changes(compiled: CompiledSchedule, *, after: datetime, days: int = 366) -> list[str]:
    """Say on which days the zone's clock is changed and a time of the schedule falls out, moves or comes twice.

    Intervals are counted, whatever clocks show. For cron expressions each such day is compared with a day of the same
    date in UTC, where nothing happens.
    """
    rule = parse(compiled.cron_expression)
    if not isinstance(rule, CronRule) or _is_all(rule.hour, HOUR):
        # Nothing changes for what is counted, or comes in every hour: the hour that falls out has no time either.
        return []
    zone = ZoneInfo(compiled.time_zone)
    straight = compile_expression(compiled.cron_expression, "UTC")
    return [
        note
        for day in _days_of_change(zone, after, days)
        if (note := _change(compiled, straight, zone, day)) is not None
    ]


def _days_of_change(zone: ZoneInfo, after: datetime, days: int) -> list[date]:
    first = after.astimezone(zone).date()
    dates = [first + timedelta(days=number) for number in range(days)]
    return [
        day for day in dates if _midnight(day, zone) + timedelta(days=1) != _midnight(day + timedelta(days=1), zone)
    ]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _change(compiled: CompiledSchedule, straight: CompiledSchedule, zone: ZoneInfo, day: date) -> str | None:
    expected = Counter(_walls(straight, ZoneInfo("UTC"), day))
    found = Counter(_walls(compiled, zone, day))
    changes = [
        *_told(expected - found, "does not run at"),
        *_told(found - expected, "runs once more at" if found.keys() <= expected.keys() else "runs instead at"),
    ]
    return f"{day}, when clocks change in {compiled.time_zone}: {' and '.join(changes)}" if changes else None


def _walls(compiled: CompiledSchedule, zone: ZoneInfo, day: date) -> list[str]:
    """Return what the clock on the wall shows when the schedule comes due on a day."""
    begin, end = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    second = timedelta(seconds=1)
    due = times_between(compiled, start=begin - second, end=end - second, limit=_DAY_LIMIT)
    return [f"{moment.astimezone(zone):%H:%M}" for moment in due]


def _told(walls: Counter[str], verb: str) -> list[str]:
    times = sorted(walls.elements())
    if not times:
        return []
    more = len(times) - _TIMES_SHOWN
    shown = ", ".join(times[:_TIMES_SHOWN]) + (f" and {more} more times" if more > 0 else "")
    return [f"{verb} {shown}"]
