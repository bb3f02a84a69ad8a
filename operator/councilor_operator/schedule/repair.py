"""Repairs: what somebody most likely meant by a cron expression that a CronJob refuses.

Every repair is a guess for a suggestion. One that is not accepted itself, or would never come due, is not offered.
"""

import re
from collections.abc import Callable, Sequence
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
    DialectError,
    Field,
    parse,
    parse_field,
)
from councilor_operator.schedule.recurrence import can_come_due

_FULL_NAME: Final = re.compile(r"[A-Za-z]{4,}")
_NTH_WEEKDAY: Final = re.compile(r"([0-9A-Za-z]+)#[0-9]+", re.IGNORECASE)
_LAST_WEEKDAY: Final = re.compile(r"L-?([0-6]|[a-z]{3})|([0-6]|[a-z]{3})L", re.IGNORECASE)
_NEAREST_WORKDAY: Final = re.compile(r"([0-9]{1,2})W", re.IGNORECASE)
_LAST_DAY: Final = re.compile(r"LW?(?:-[0-9]{1,2})?", re.IGNORECASE)
_NUMBER: Final = re.compile(r"(?<![0-9/])[0-9]{1,4}(?![0-9])")
_YEAR: Final = re.compile(r"(?:19|20)[0-9]{2}(?:[-,/][0-9]+)*")
_QUARTZ_NUMBER: Final = re.compile(r"(?<![0-9#/])[1-7](?![0-9])")
_WEEKDAY_NAMES: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_CLOCK: Final = re.compile(r"\b(?:at\s+)?([0-9]{1,2})(?:[:h.]([0-9]{2}))?\s*(am|pm)?\b", re.IGNORECASE)


def repair(fields: Sequence[str]) -> str | None:
    """Five fields made acceptable one by one, None where that is not possible."""
    if len(fields) != len(FIELDS):
        return None
    repaired = [_repair_field(text, field) for text, field in zip(_names_in_place(fields), FIELDS, strict=True)]
    texts = [text for text in repaired if text is not None]
    return " ".join(texts) if len(texts) == len(FIELDS) and _is_sound(texts) else None


def _is_sound(fields: list[str]) -> bool:
    # A field with H has been looked at by itself; a number stands in for the values it can get.
    plain = [
        ("0" if "H" in text else text) if field in {MINUTE, HOUR} else text
        for text, field in zip(fields, FIELDS, strict=True)
    ]
    try:
        rule = parse(" ".join(plain))
    except DialectError:
        return False
    return isinstance(rule, CronRule) and can_come_due(rule)


def _names_in_place(fields: Sequence[str]) -> list[str]:
    """The fields with the names of weekdays and months put where they belong, if that place is free."""
    texts = list(fields)
    for position, (text, field) in enumerate(zip(fields, FIELDS, strict=True)):
        for home in (MONTH, WEEKDAY):
            there = FIELDS.index(home)
            words = re.findall(r"[A-Za-z]+", text)
            if (
                position != there
                and words
                and all(word.lower()[:3] in home.names for word in words)
                and fields[there] == "*"
            ):
                texts[position], texts[there] = "0" if field in {MINUTE, HOUR} else "*", text
    return texts


def _repair_field(text: str, field: Field) -> str | None:
    if field in {MINUTE, HOUR} and re.search(r"\bh\b", text, re.IGNORECASE):
        return text.upper() if re.fullmatch(r"H(?:\([0-9]+-[0-9]+\))?(?:/[0-9]+)?", text, re.IGNORECASE) else None
    attempts: tuple[Callable[[str, Field], str | None], ...] = (
        _as_it_is,
        foreign.rewrite_field,
        _without_calendar_letters,
        _with_short_names,
        _without_signs,
        _within_bounds,
    )
    for attempt in attempts:
        candidate = attempt(text, field)
        if candidate is not None and _as_it_is(candidate, field) is not None:
            return candidate
    return None


def _as_it_is(text: str, field: Field) -> str | None:
    try:
        return text if parse_field(text, field).bits else None
    except DialectError:
        return None


def _without_calendar_letters(text: str, field: Field) -> str | None:
    if field is WEEKDAY:
        text = _NTH_WEEKDAY.sub(r"\1", text)
        text = _LAST_WEEKDAY.sub(lambda match: match[1] or match[2], text)
        return "6" if text.upper() == "L" else foreign.rewrite_field(text, field)
    if field is DAY_OF_MONTH:
        if _LAST_DAY.fullmatch(text):
            return "28"
        return _NEAREST_WORKDAY.sub(r"\1", text)
    return None


def _with_short_names(text: str, field: Field) -> str | None:
    """`monday-Friday` becomes `MON-FRI`."""
    short = _FULL_NAME.sub(lambda match: match[0][:3].upper(), text)
    return _as_it_is(short, field) or foreign.rewrite_field(short, field)


def _without_signs(text: str, field: Field) -> str | None:
    """Without a sign, a step of 0, or the signs a list or range has too many of."""
    text = re.sub(r"(^|[,/-])[+-]+", r"\1", text)
    text = re.sub(r"[+-]+(?=$|[,/])", "", text)
    text = re.sub(r"/0*(?=$|,)", "", text)
    return _as_it_is(text, field) or foreign.rewrite_field(text, field)


def _within_bounds(text: str, field: Field) -> str | None:
    """With numbers out of bounds set to the nearest one within; alone, 60 minutes and 24 hours are 0."""
    if field is WEEKDAY:
        return None
    if field in {MINUTE, HOUR} and text == str(field.size):
        return "0"
    return _NUMBER.sub(lambda match: str(min(max(int(match[0]), field.low), field.high)), text)


def without_extra_fields(fields: Sequence[str]) -> tuple[str, str | None]:
    """What is too much in six or seven fields, in words, and the five that remain, repaired (None: not possible)."""
    first, last = "the first field, the seconds", "the last field, the year"
    if len(fields) == 7:
        return f"{first}, and {last}", _translated(fields[1:-1], quartz=True)
    # Quartz and AWS want a `?` in one of the two day fields; where it stands tells which of them this is.
    if "?" in (fields[3], fields[5]):
        return first, _translated(fields[1:], quartz=True)
    if "?" in (fields[2], fields[4]):
        return last, _translated(fields[:-1], quartz=True)
    if not _YEAR.fullmatch(fields[-1]) and (five := _translated(fields[1:], quartz=False)) is not None:
        return first, five
    return last, _translated(fields[:-1], quartz=False)


def _translated(fields: Sequence[str], *, quartz: bool) -> str | None:
    texts = ["*" if text == "?" else text for text in fields]
    if quartz:
        # Those count weekdays from 1 = Sunday.
        texts[-1] = _QUARTZ_NUMBER.sub(lambda match: _WEEKDAY_NAMES[int(match[0]) - 1], texts[-1])
    return repair(texts)


def from_prose(text: str) -> str | None:
    """`every day at 9` as `0 9 * * *`: a clock time and, if named, weekdays; None without a clock time."""
    clock = _CLOCK.search(text)
    if clock is None:
        return None
    hour = int(clock[1]) % 12 + (12 if clock[3].lower() == "pm" else 0) if clock[3] else int(clock[1])
    words = re.findall(r"[a-z]+", text.lower())
    weekdays = [
        word[:3].upper()
        for word in words
        if len(word) > 2 and word.endswith(("day", "days")) and word[:3] in WEEKDAY.names
    ]
    if any(word.startswith(("weekday", "workday")) for word in words):
        weekdays = ["MON-FRI"]
    return repair([str(int(clock[2] or 0)), str(hour), "*", "*", ",".join(weekdays) or "*"])
