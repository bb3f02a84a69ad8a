"""Refusals: cron texts that are not compiled, each with what is wrong, where, and what to write instead."""

import difflib
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from councilor_operator.schedule.dialect import (
    DAY_OF_MONTH,
    DESCRIPTORS,
    FIELDS,
    MONTH,
    WEEKDAY,
    CronRule,
    DialectError,
    Fault,
    Field,
    parse,
    split_fields,
)
from councilor_operator.schedule.duration import read_length
from councilor_operator.schedule.finding import ADVICE_LIMIT, ScheduleError, Suggestion, quote
from councilor_operator.schedule.interval import nearest_interval
from councilor_operator.schedule.repair import from_prose, repair, without_extra_fields

MAX_LENGTH: Final = 512
EXAMPLE: Final = "0 9 * * *"

_ZONE_PREFIX: Final = re.compile(r"(?:CRON_)?TZ=(\S*)\s*(.*)", re.IGNORECASE)
_LOOKALIKES: Final = str.maketrans(
    {
        "\u2010": "-",
        "\u2011": "-",
        "\u2012": "-",
        "\u2013": "-",
        "\u2014": "-",
        "\u2212": "-",
        "\u2217": "*",
        "\u00d7": "*",
        "\u22c6": "*",
        "\u2044": "/",
        "\u2215": "/",
    }
)
_QUOTES: Final = "\"'`\u2018\u2019\u201c\u201d\u201e"
_NAMES: Final = frozenset({**MONTH.names, **WEEKDAY.names})
_OTHER_DESCRIPTORS: Final = {
    "@minutely": "* * * * *",
    "@every_minute": "* * * * *",
    "@weekdays": "0 0 * * MON-FRI",
    "@quarterly": "0 0 1 */3 *",
}


def refuse_text(value: str) -> None:
    """Refuse what can be told from the text as a whole. Raises ScheduleError; returns for five fields or `@` names."""
    text = " ".join(split_fields(value[: 2 * MAX_LENGTH]))
    shown = f"schedule.value {quote(text)}"
    if not text:
        raise ScheduleError(
            f"schedule.value is empty. Write five fields, for example {quote(EXAMPLE)} for every day at 09:00.",
            Suggestion(value=EXAMPLE),
        )
    if len(value) > MAX_LENGTH:
        raise ScheduleError(
            f"schedule.value has {len(value)} characters, at most {MAX_LENGTH} are possible. "
            f"Write five fields with ranges and steps, for example {quote(EXAMPLE)}.",
            Suggestion(value=EXAMPLE),
        )
    if not text.isascii() or any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise _odd_character(text)
    if text[0] in _QUOTES or text[-1] in _QUOTES:
        raise _advise(f"{shown} has quotation marks inside the text", _sound(text.strip(_QUOTES)))
    if (prefix := _ZONE_PREFIX.fullmatch(text)) is not None:
        rest = _sound(prefix[2])
        raise ScheduleError(
            f"schedule.value may not begin with a time zone. Write timeZone: {quote(prefix[1].strip(_QUOTES))} "
            f"and value: {quote(rest or EXAMPLE, ADVICE_LIMIT)}.",
            Suggestion(value=rest, time_zone=prefix[1].strip(_QUOTES) or None),
        )
    if text.startswith("@"):
        _refuse_descriptor(text)
        return
    if (length := read_length(text)) is not None:
        advice = nearest_interval(length)
        short = " (one minute is the shortest)" if length < 60 else ""
        raise ScheduleError(
            f"{shown} is an interval, but schedule.type is cron. Write type: interval, value: {advice}{short}.",
            Suggestion(type="interval", value=advice),
        )
    _refuse_field_count(value, split_fields(text))


def _odd_character(text: str) -> ScheduleError:
    odd = next(char for char in text if not " " <= char <= "~")
    name = unicodedata.name(odd, f"U+{ord(odd):04X}").lower()
    plain = unicodedata.normalize("NFKC", text.translate(_LOOKALIKES))
    plain = "".join(str(unicodedata.digit(char)) if char.isdigit() else char for char in plain)
    plain = "".join(char for char in plain if char.isprintable()).strip(_QUOTES)
    return _advise(
        f"schedule.value holds the character {quote(odd)} ({name[:48]}), "
        "cron reads plain digits, letters and signs only",
        _sound(plain) if plain.isascii() else None,
    )


def _refuse_descriptor(text: str) -> None:
    if text in DESCRIPTORS:
        return
    shown = f"schedule.value {quote(text)}"
    lower = text.lower()
    if lower.startswith("@every") and lower not in _OTHER_DESCRIPTORS:
        length = read_length(text[len("@every") :])
        advice = nearest_interval(length) if length is not None else "1h"
        short = " (one minute is the shortest)" if length is not None and length < 60 else ""
        raise ScheduleError(
            f"{shown} is an interval, and those have a type of their own. "
            f"Write type: interval, value: {advice}{short}.",
            Suggestion(type="interval", value=advice),
        )
    if lower == "@reboot":
        raise ScheduleError(
            f"{shown} has no meaning here, as nothing boots. Write a time, for example @daily; to run once now, set "
            "the annotation conductor.community/run-now.",
            Suggestion(value="@daily"),
        )
    near = difflib.get_close_matches(lower.split()[0], DESCRIPTORS, n=1, cutoff=0.7)
    advice_value = _OTHER_DESCRIPTORS.get(lower) or (near[0] if near else None)
    raise _advise(f"{shown} is not one of {', '.join(DESCRIPTORS)}", advice_value)


def _refuse_field_count(value: str, fields: list[str]) -> None:
    text = " ".join(fields)
    shown = f"schedule.value {quote(text)}"
    words = [word for word in re.findall(r"[A-Za-z]{3,}", text) if word.lower()[:3] not in _NAMES]
    if f"@{text.lower()}" in DESCRIPTORS:
        raise _advise(f"{shown} lacks its @", f"@{text.lower()}")
    if words and (len(fields) != len(FIELDS) or sum(field.isalpha() for field in fields) > 2):
        raise _advise(
            f"{shown} is not a cron expression: that is five fields, from minute to weekday", from_prose(text)
        )
    if len(fields) == len(FIELDS):
        return
    lines = [line for line in value.splitlines() if line.strip()]
    if len(lines) > 1 and len(fields) % len(FIELDS) == 0:
        raise _advise(
            f"schedule.value holds {len(lines)} lines, but a Councilor has one schedule: make a Councilor of each line",
            repair(split_fields(lines[0])),
        )
    if len(fields) in {6, 7}:
        extra, five = without_extra_fields(fields)
        raise _advise(f"{shown} has {len(fields)} fields, a CronJob takes five: drop {extra}", five)
    five = repair([*fields, *["*"] * (5 - len(fields))]) if 1 < len(fields) < 5 else None
    count = f"{len(fields)} field" + ("s" if len(fields) > 1 else "")
    raise _advise(f"{shown} has {count}, it must have five: minute, hour, day of month, month, weekday", five)


def dialect_refusal(error: DialectError, fields: Sequence[str]) -> ScheduleError:
    """The refusal of five fields (as written, with `H`) of which one is not of the dialect."""
    field = error.field
    if field is None:
        return _advise(f"schedule.value {quote(' '.join(fields))} is not a cron expression", None)
    where = f"the {field.name} {quote(error.part)} in schedule.value"
    return _advise(f"{where} {_problem(error, field)}", repair(fields))


def _problem(error: DialectError, field: Field) -> str:
    bounds = f"{field.low}-{field.high}"
    part = error.part.upper()
    fault = error.fault
    if fault is Fault.BACKWARDS and "-" not in part:
        # `60/5` means from 60 to the maximum: a range that nobody wrote.
        fault = Fault.ABOVE_MAXIMUM
    if field is WEEKDAY and fault is Fault.ABOVE_MAXIMUM and re.search(r"(?<![0-9/])7(?![0-9])", part):
        return "counts Sunday as 7, in a CronJob it is 0 or SUN"
    if fault is Fault.NOT_A_NUMBER:
        return _unreadable(part, field)
    problems = {
        Fault.NEGATIVE: "has a negative number",
        Fault.HYPHENS: "has more than one hyphen, a range has two ends",
        Fault.SLASHES: "has more than one slash, only one step is possible",
        Fault.BELOW_MINIMUM: f"is below the smallest value, possible are {bounds}",
        Fault.ABOVE_MAXIMUM: f"is above the largest value, possible are {bounds}",
        Fault.BACKWARDS: "runs backwards, a range must go upwards: split it in two",
        Fault.STEP_ZERO: "has a step of 0, the smallest is 1",
    }
    return problems[fault]


def _unreadable(part: str, field: Field) -> str:
    if "#" in part:
        return "asks for the n-th weekday of a month, which a CronJob does not know; without # it runs every week"
    if field is WEEKDAY and "L" in part and part not in {"JUL", "APRIL", "JULY"}:
        return "asks for the last weekday of a month, which a CronJob does not know; without L it runs every week"
    if field is DAY_OF_MONTH and re.fullmatch(r"[0-9LW-]+", part) and "W" in part:
        return "asks for the nearest working day (W), which a CronJob does not know"
    if field is DAY_OF_MONTH and part.startswith("L"):
        return "asks for the last day of the month (L), which a CronJob does not know; day 28 is in every month"
    if part[:1] == "-":
        return "begins with a hyphen: numbers are not negative, and a range needs its lower end"
    if part[-1:] == "-" or "-/" in part:
        return "is a range without its upper end"
    if part[-1:] == "/":
        return "has a slash but no step"
    if any(word[:3].lower() in _NAMES for word in re.findall(r"[A-Z]{3,}", part)) and not field.names:
        return "is a name, which only the fields month (4th) and weekday (5th) take"
    if part[:1] == "H":
        return "uses h for a value of its own, which is written as a capital H and only in minute and hour"
    names = f" or a name like {next(iter(field.names)).upper()}" if field.names else ""
    return f"is not a number from {field.low} to {field.high}{names}, nor *"


def never_refusal(fields: Sequence[str], rule: CronRule) -> ScheduleError:
    """The refusal of an expression that is well-formed but never comes due."""
    shown = f"schedule.value {quote(' '.join(fields))} never comes due"
    for position, (mask, field) in enumerate(
        zip((rule.minute, rule.hour, rule.day_of_month, rule.month, rule.weekday), FIELDS, strict=True)
    ):
        if not mask.bits:
            value = "*" if field in {DAY_OF_MONTH, MONTH, WEEKDAY} else "0"
            advice = " ".join([*fields[:position], value, *fields[position + 1 :]])
            return _advise(f"{shown}: the {field.name} {quote(fields[position])} holds no value", advice)
    advised = repair([*fields[:2], "30", *fields[3:]]) or repair([*fields[:2], "28", *fields[3:]])
    return _advise(f"{shown}: month {quote(fields[3])} has no day {quote(fields[2])}", advised)


def _sound(text: str) -> str | None:
    """The text if it can be written as it is, else its repair."""
    if text in DESCRIPTORS:
        return text
    fields = split_fields(text)
    try:
        parse(text)
    except DialectError:
        return repair(fields)
    return text


def _advise(problem: str, advice: str | None) -> ScheduleError:
    if advice is None:
        return ScheduleError(f"{problem}. An example of the form: {quote(EXAMPLE)}, every day at 09:00.")
    return ScheduleError(f"{problem}. Write {quote(advice, ADVICE_LIMIT)}.", Suggestion(value=advice))
