"""Intervals: `schedule.value` where `schedule.type` is `interval`.

A CronJob knows them as `@every`, whose phase begins with the creation of the CronJob and then follows its last
scheduled time. Job names carry minutes, so one minute is the shortest distance at which no run is lost.
"""

import re
import unicodedata
from datetime import timedelta
from fractions import Fraction
from typing import Final

from councilor_operator.schedule.dialect import FIELDS, split_fields
from councilor_operator.schedule.duration import read_length
from councilor_operator.schedule.finding import ADVICE_LIMIT, ScheduleError, Suggestion, quote

# Beyond ten years a number is a slip of the keyboard, not a schedule.
MAX_INTERVAL: Final = timedelta(days=3650)
_MAX_DIGITS: Final = 9

_INTERVAL: Final = re.compile(r"([1-9][0-9]*)([mhd])")
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_MINUTE: Final = _UNITS["m"]
_BARE_NUMBER: Final = re.compile(r"0*([1-9][0-9]{0,8})")


def check_interval(value: str) -> timedelta:
    """The length of an interval: a whole number without leading zero and `m`, `h` or `d`, at most MAX_INTERVAL.

    Blanks around it are ignored. Raises ScheduleError for any other text.
    """
    text = value.strip()
    match = _INTERVAL.fullmatch(text)
    if match is None:
        raise _refusal(text)
    if len(match[1]) > _MAX_DIGITS or (length := int(match[1]) * _UNITS[match[2]]) > MAX_INTERVAL:
        raise ScheduleError(
            f"schedule.value {quote(text)} is too long: the longest interval is {MAX_INTERVAL.days}d (ten years).",
            Suggestion(value=f"{MAX_INTERVAL.days}d"),
        )
    return length


def every_expression(interval: timedelta) -> str:
    """The `@every` of an interval of whole minutes. Go knows no unit above the hour."""
    minutes = interval // _MINUTE
    return f"@every {minutes // 60}h" if minutes % 60 == 0 else f"@every {minutes}m"


def nearest_interval(seconds: Fraction) -> str:
    """The interval text for a length: rounded up to whole minutes, at least one, at most MAX_INTERVAL."""
    minutes = min(max(1, -(-seconds // 60)), MAX_INTERVAL // _MINUTE)
    if minutes % 1440 == 0:
        return f"{minutes // 1440}d"
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"


def _refusal(text: str) -> ScheduleError:
    shown = f"schedule.value {quote(text)}"
    if not text:
        return ScheduleError(
            "schedule.value is empty. Write an interval such as 45m, 6h or 1d.", Suggestion(value="1h")
        )
    plain = unicodedata.normalize("NFKC", text[: 4 * ADVICE_LIMIT])
    plain = "".join(str(unicodedata.digit(char)) if char.isdigit() else char for char in plain)
    if plain.lower().startswith("@every"):
        length = read_length(plain[len("@every") :])
        advice = nearest_interval(length) if length is not None else "1h"
        return ScheduleError(
            f"{shown}: an interval is written without @every. Write {advice}.", Suggestion(value=advice)
        )
    if plain.startswith("@") or len(split_fields(plain)) == len(FIELDS):
        return ScheduleError(
            f"{shown} is a cron expression, but schedule.type is interval. Write type: cron.", Suggestion(type="cron")
        )
    length = read_length(plain)
    if length is not None and length < 60:
        return ScheduleError(
            f"{shown} is shorter than one minute, the shortest interval. Write 1m or longer.", Suggestion(value="1m")
        )
    if length is not None:
        advice = nearest_interval(length)
        return ScheduleError(
            f"{shown} is not written as an interval: a whole number and one of m, h, d. Write {advice}.",
            Suggestion(value=advice),
        )
    if (number := _BARE_NUMBER.fullmatch(plain)) is not None:
        advice = nearest_interval(Fraction(int(number[1]) * 60))
        return ScheduleError(
            f"{shown} has no unit. Write {advice} if you mean minutes; the units are m, h and d.",
            Suggestion(value=advice),
        )
    return ScheduleError(
        f"{shown} is not an interval. Write a whole number and one of m, h, d, for example 45m, 6h or 1d."
    )
