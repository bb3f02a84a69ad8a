"""Cautions: cron expressions that a CronJob accepts but that often do not mean what was meant."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from councilor_operator.schedule import foreign
from councilor_operator.schedule.dialect import (
    DAY_OF_MONTH,
    FIELDS,
    HOUR,
    MINUTE,
    MONTH,
    WEEKDAY,
    CronRule,
    Field,
    parse_field,
    values_of,
)
from councilor_operator.schedule.duration import read_length
from councilor_operator.schedule.finding import ADVICE_LIMIT, VALUE_FIELD, Lint, Suggestion, quote
from councilor_operator.schedule.interval import nearest_interval

_STEP: Final = re.compile(r"(\*|\?|H|[0-9]+)/([0-9]{1,6})")
_PLAIN_PART: Final = re.compile(r"(?:[*?]|(?:[0-9]+|[A-Za-z]{3})(?:-(?:[0-9]+|[A-Za-z]{3}))?)(?:/[0-9]+)?")
_NUMBER: Final = re.compile(r"[0-9]+|H")
_CYCLES: Final = {MINUTE: "hour", HOUR: "day", DAY_OF_MONTH: "month", MONTH: "year", WEEKDAY: "week"}
_UNITS: Final = {MINUTE: ("minutes", "m"), HOUR: ("hours", "h"), DAY_OF_MONTH: ("days", "d")}
_LONG_MONTHS: Final = 0b1010110101010
_FEBRUARY: Final = 1 << 2


def cautions(fields: Sequence[str], rule: CronRule) -> tuple[Lint, ...]:
    """What is odd about an accepted expression: its five fields as written, and what they were parsed to."""
    return (
        *_steps(fields),
        *_alternative_days(fields, rule),
        *_every_minute(fields, rule),
        *_missing_days(fields, rule),
        *_spelling(fields),
    )


def _with(fields: Sequence[str], field: Field, text: str) -> str:
    position = FIELDS.index(field)
    return " ".join([*fields[:position], text, *fields[position + 1 :]])


def _steps(fields: Sequence[str]) -> Iterator[Lint]:
    for text, field in zip(fields, FIELDS, strict=True):
        match = _STEP.fullmatch(text)
        if match is None or int(match[2]) == 1:
            continue
        step = int(match[2])
        interval = _as_interval(fields, field, step)
        # Months differ in length, so no step of more than a day fits all of them.
        if step < field.size and (field.size % step or field is DAY_OF_MONTH):
            yield _uneven(text, field, step, interval)
        elif step >= field.size:
            yield _whole_cycle(fields, text, field, interval if step > field.size else None)


def _whole_cycle(fields: Sequence[str], text: str, field: Field, interval: Suggestion | None) -> Lint:
    start = text.partition("/")[0]
    plain = _with(fields, field, str(field.low) if start in {"*", "?"} else start)
    instead = f", or for a constant distance {interval}" if interval is not None else ""
    return Lint(
        "StepTooLong",
        VALUE_FIELD,
        f"the {field.name} {quote(text)} steps over the whole {_CYCLES[field]} and leaves one value. "
        f"Write {quote(plain, ADVICE_LIMIT)}{instead}.",
        interval or Suggestion(value=plain),
    )


def _uneven(text: str, field: Field, step: int, interval: Suggestion | None) -> Lint:
    plain = text.replace("H", str(field.low))
    values = [str(value) for value in values_of(parse_field(plain, field).bits)]
    few = len(values) < 5
    shown = f"{', '.join(values[:-1] if few else [*values[:3], '...'])} and {values[-1]}"
    means = f"means {shown}" if plain == text else f"means values such as {shown}"
    advice = f" For every {step} {_UNITS[field][0]} write {interval}." if interval is not None else ""
    return Lint(
        "UnevenStep",
        VALUE_FIELD,
        f"the {field.name} {quote(text)} starts anew each {_CYCLES[field]}: it {means}, so the last distance differs."
        f"{advice}",
        interval,
    )


def _as_interval(fields: Sequence[str], field: Field, step: int) -> Suggestion | None:
    """The interval that runs come at if the step went on for ever, where the other fields allow to say so."""
    position = FIELDS.index(field)
    smaller, larger = fields[:position], fields[position + 1 :]
    if field not in _UNITS or any(text not in {"*", "?"} for text in larger):
        return None
    if not all(_NUMBER.fullmatch(text) for text in smaller):
        return None
    length = read_length(f"{step}{_UNITS[field][1]}")
    return Suggestion(type="interval", value=nearest_interval(length)) if length is not None else None


def _alternative_days(fields: Sequence[str], rule: CronRule) -> Iterator[Lint]:
    if rule.days_are_alternatives:
        advice = _with(fields, WEEKDAY, "*")
        yield Lint(
            "DayOrWeekday",
            VALUE_FIELD,
            f"day of month {quote(fields[2])} and weekday {quote(fields[4])} are joined by OR: it runs on days "
            "that fit either of them. To restrict one alone set the other to *, "
            f"for example {quote(advice, ADVICE_LIMIT)}.",
            Suggestion(value=advice),
        )


def _every_minute(fields: Sequence[str], rule: CronRule) -> Iterator[Lint]:
    if len(values_of(rule.minute.bits)) >= MINUTE.size and len(values_of(rule.hour.bits)) < HOUR.size:
        advice = _with(fields, MINUTE, "0")
        yield Lint(
            "EveryMinute",
            VALUE_FIELD,
            f"the minute {quote(fields[0])} runs 60 times in each hour of {quote(fields[1])}. "
            f"To run once in the hour write {quote(advice, ADVICE_LIMIT)}.",
            Suggestion(value=advice),
        )


def _missing_days(fields: Sequence[str], rule: CronRule) -> Iterator[Lint]:
    days = values_of(rule.day_of_month.bits)
    if rule.days_are_alternatives or days[0] <= 28:
        return
    months = rule.month.bits
    advice = _with(fields, DAY_OF_MONTH, "28")
    if days[0] == 29 and months == _FEBRUARY:
        problem = "29 February comes in leap years only"
    elif months & _FEBRUARY or (days[0] == 31 and months & ~_LONG_MONTHS):
        problem = f"months without day {days[0]} are left out"
    else:
        return
    yield Lint(
        "MissingDays",
        VALUE_FIELD,
        f"the day of month {quote(fields[2])}: {problem}. Day 28 is in every month, "
        f"for example {quote(advice, ADVICE_LIMIT)}.",
        Suggestion(value=advice),
    )


def _spelling(fields: Sequence[str]) -> Iterator[Lint]:
    for text, field in zip(fields, FIELDS, strict=True):
        if "H" in text and field in {MINUTE, HOUR}:
            continue
        if text == "?":
            code, plain, reading = "QuestionMark", "*", "is Quartz notation and means the same as *"
        elif not all(_PLAIN_PART.fullmatch(part) for part in text.split(",")):
            plain = foreign.render(values_of(parse_field(text, field).bits), field)
            code, reading = "OddSpelling", f"is unusual, a CronJob reads it as {quote(plain)}"
        else:
            continue
        advice = _with(fields, field, plain)
        yield Lint(
            code,
            VALUE_FIELD,
            f"the {field.name} {quote(text)} {reading}. Write {quote(advice, ADVICE_LIMIT)}.",
            Suggestion(value=advice),
        )
