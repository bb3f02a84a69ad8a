"""The cron dialect of Conductor's own scheduler, and how far a CronJob reads the same. Pure.

Conductor hands expressions to `CronTrigger.from_crontab` of APScheduler 3. Against the CronJob dialect (`schedule`):

* weekdays count from 0, Monday, to 6, Sunday; `*/2` begins with Monday, a range may end on Sunday (`FRI-SUN`),
* a day must fit both day fields where a CronJob takes days that fit either,
* what follows a name is not looked at: `MON-FRI/2` is every day of MON-FRI, `MON-5` is Monday,
* steps longer than the range they step over are refused; so are `?`, `@daily`, empty parts of a list, and signs.

A field is compared by the values it allows, never by its spelling, so what differs is told and nothing else.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from councilor_operator.schedule.dialect import (
    DAY_OF_MONTH,
    FIELDS,
    MONTH,
    WEEKDAY,
    DialectError,
    Field,
    parse_field,
    split_fields,
    values_of,
)
from councilor_operator.schedule.finding import ADVICE_LIMIT, quote

_DAYS: Final = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTHS: Final = tuple(name.upper() for name in MONTH.names)
# Longer numbers are out of every bound, and beyond thousands of digits Python does not read them.
_DIGITS: Final = "[0-9]{1,99}"
_EVERY: Final = re.compile(rf"\*(?:/(?P<step>{_DIGITS}))?")
_RANGE: Final = re.compile(rf"(?P<first>{_DIGITS})(?:-(?P<last>{_DIGITS}))?(?:/(?P<step>{_DIGITS}))?")
# Without an end: what comes after it is not looked at.
_NAMED: Final = re.compile(r"(?P<first>[A-Za-z]+)(?:-(?P<last>[A-Za-z]+))?")
_NUMBER: Final = re.compile(r"[0-9]")
_SUNDAY_AS_SEVEN: Final = re.compile(r"0*7")


class UpstreamError(ValueError):
    """The expression cannot be said in a CronJob: `message` says why and what to write, to follow the expression."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Adapted:
    """An expression for a CronJob that comes due as Conductor's scheduler would, and what was done to it."""

    value: str
    notes: tuple[str, ...]


def differences(value: str) -> tuple[str, ...]:
    """Say how Conductor's scheduler reads an expression otherwise than a CronJob, to follow the expression.

    Nothing is said of what either of them refuses.
    """
    fields = _five(value)
    if fields is None:
        return ()
    readings = [
        (text, field, _in_cron_job(text, field), _upstream(text, field))
        for text, field in zip(fields, FIELDS, strict=True)
    ]
    if not all(ours and theirs for _, _, ours, theirs in readings):
        return ()
    found = []
    for text, field, ours, theirs in readings:
        if ours and theirs and ours != theirs:
            here, there = _shown(ours, field), _shown(theirs, field)
            found.append(
                f"the {field.name} {quote(text)} is read as Kubernetes reads it, as {here}; Conductor's scheduler "
                f"reads {there}. Write {here} or {there}, which both read alike"
            )
    if _are_alternatives(fields) and not all(_is_full(text, field) for text, field in _day_fields(fields)):
        found.append(
            f"a day that fits the day of month {quote(fields[2])} or the weekday {quote(fields[4])} is enough, as "
            "Kubernetes reads it; Conductor's scheduler wants both to fit. Set one of them to *, which both read alike"
        )
    return tuple(found)


def unambiguous(value: str) -> str:
    """Return an expression of the CronJob dialect with its weekdays by name, where they are numbered; for advice."""
    fields = _five(value)
    days = _in_cron_job(fields[-1], WEEKDAY) if fields is not None else None
    return " ".join([*fields[:-1], _shown(days, WEEKDAY)]) if fields and days and _NUMBER.search(fields[-1]) else value


def adapt(value: str) -> Adapted:
    """Translate an expression of Conductor's scheduler into one for a CronJob that comes due at the same times.

    What Conductor's scheduler refuses is left as it stands, for the CronJob dialect to read or to refuse; only weekday
    numbers, which mean something else there, are refused here. Raises UpstreamError.
    """
    fields = _five(value)
    if fields is None:
        return Adapted(value, ())
    notes = []
    adapted = []
    for text, field in zip(fields, FIELDS, strict=True):
        ours, theirs = _in_cron_job(text, field), _upstream(text, field)
        if theirs is not None:
            adapted.append(text if ours == theirs else _shown(theirs, field))
        elif field is WEEKDAY and _SUNDAY_AS_SEVEN.fullmatch(text):
            adapted.append("SUN")
            notes.append(f"the weekday {quote(text)} is read as Sunday; Conductor's scheduler refuses it. Write SUN")
        elif field is WEEKDAY and _NUMBER.search(text):
            raise UpstreamError(
                f"the weekday {quote(text)} is refused by Conductor's scheduler, which counts from 0, Monday, to 6, "
                "Sunday. Write names, for example MON-FRI"
            )
        else:
            adapted.append(text)
    adapted = _with_days_as_both(adapted)
    if adapted != fields:
        notes.append(f"translated from Conductor's dialect to {quote(' '.join(adapted), ADVICE_LIMIT)}")
    return Adapted(" ".join(adapted) if adapted != fields else value, tuple(notes))


def _with_days_as_both(fields: Sequence[str]) -> list[str]:
    """The fields, changed so that a CronJob too wants both day fields to fit. Raises UpstreamError if none does so."""
    if not _are_alternatives(fields):
        return list(fields)
    # A field that allows every day without being a star makes every day fit either of the two.
    relaxed = [
        "*" if field in {DAY_OF_MONTH, WEEKDAY} and _is_full(text, field) else text
        for text, field in zip(fields, FIELDS, strict=True)
    ]
    if _are_alternatives(relaxed):
        raise UpstreamError(
            f"Conductor's scheduler wants both the day of month {quote(fields[2])} and the weekday {quote(fields[4])} "
            "to fit, a CronJob takes days that fit either. Set one of the two to *"
        )
    return relaxed


def _five(value: str) -> list[str] | None:
    """The five fields of an expression; None for what Conductor's scheduler does not read as five fields."""
    # Digits of other writings are digits to Python; the CronJob dialect refuses them whatever they mean.
    fields = split_fields(value)
    return fields if value.isascii() and len(fields) == len(FIELDS) else None


def _day_fields(fields: Sequence[str]) -> tuple[tuple[str, Field], ...]:
    return tuple((text, field) for text, field in zip(fields, FIELDS, strict=True) if field in {DAY_OF_MONTH, WEEKDAY})


def _are_alternatives(fields: Sequence[str]) -> bool:
    """Whether a CronJob takes days that fit either of the day fields; not for what it refuses."""
    try:
        return not any(parse_field(text, field).star for text, field in _day_fields(fields))
    except DialectError:
        return False


def _is_full(text: str, field: Field) -> bool:
    return len(_in_cron_job(text, field) or ()) == field.size


def _in_cron_job(text: str, field: Field) -> frozenset[int] | None:
    """The values that a CronJob reads in a field, None where it refuses it."""
    try:
        return frozenset(values_of(parse_field(text, field).bits))
    except DialectError:
        return None


def _upstream(text: str, field: Field) -> frozenset[int] | None:
    """The values that Conductor's scheduler reads in a field, weekdays numbered as in a CronJob; None where it refuses
    it, and for the last day of a month, which is another one each month."""
    values: set[int] = set()
    # Its weekdays are those of Python.
    low, high = (0, 6) if field is WEEKDAY else (field.low, field.high)
    for part in text.split(","):
        read = _upstream_part(part, low, high, {MONTH: _MONTHS, WEEKDAY: _DAYS}.get(field, ()))
        if read is None:
            return None
        values.update(read)
    return frozenset((value + 1) % 7 for value in values) if field is WEEKDAY else frozenset(values)


def _upstream_part(part: str, low: int, high: int, names: Sequence[str]) -> range | None:
    if (every := _EVERY.fullmatch(part)) is not None:
        step = _number(every["step"], 1)
        return range(low, high + 1, step) if 1 <= step <= high - low else None
    if (numbers := _RANGE.fullmatch(part)) is not None:
        first, step = int(numbers["first"]), _number(numbers["step"], 1)
        last = _number(numbers["last"], high if numbers["step"] else first)
        # A range that ends at 0 counts as one without an end when the step is checked against it, and only there.
        room = (last or high) - first
        fits = low <= first <= last <= high and step >= 1
        return range(first, last + 1, step) if fits and (numbers["step"] is None or step <= room) else None
    if names and (named := _NAMED.match(part)) is not None:
        first_name, last_name = named["first"].upper(), (named["last"] or named["first"]).upper()
        if first_name in names and last_name in names:
            first, last = names.index(first_name) + low, names.index(last_name) + low
            return range(first, last + 1) if first <= last else None
    return None


def _number(text: str | None, default: int) -> int:
    return default if text is None else int(text)


def _shown(values: frozenset[int], field: Field) -> str:
    """Values as a field that both schedulers read alike."""
    if len(values) == field.size:
        return "*"
    if field is WEEKDAY:
        # Sunday is the first day of the one and the last of the other, so it is never the end of a range.
        days = _runs({(value - 1) % 7 for value in values - {0}}, _DAYS.__getitem__)
        return ",".join([*days, *(["SUN"] if 0 in values else [])])
    return ",".join(_runs(values, (lambda value: _MONTHS[value - 1]) if field is MONTH else str))


def _runs(values: set[int] | frozenset[int], name: Callable[[int], str]) -> list[str]:
    """Values as single ones and, from three in a row on, ranges."""
    texts: list[str] = []
    run: list[int] = []
    for value in [*sorted(values), None]:
        if value is not None and run and value == run[-1] + 1:
            run.append(value)
            continue
        texts.extend([f"{name(run[0])}-{name(run[-1])}"] if len(run) > 2 else map(name, run))
        run = [] if value is None else [value]
    return texts
