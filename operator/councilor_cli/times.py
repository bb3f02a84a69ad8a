"""Times as people say them: how long ago, how soon, and when it is here. Pure."""

from datetime import datetime, timedelta, tzinfo
from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_YEAR: Final = 365 * _DAY


def length(span: timedelta) -> str:
    """Return a length of time as kubectl prints ages (apimachinery, duration.HumanDuration); below zero is zero."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if seconds < 10 * _MINUTE:
        return _two(seconds, _MINUTE, "m", 1, "s")
    if seconds < 3 * _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 8 * _HOUR:
        return _two(seconds, _HOUR, "h", _MINUTE, "m")
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR}h"
    if seconds < 8 * _DAY:
        return _two(seconds, _DAY, "d", _HOUR, "h")
    if seconds < 2 * _YEAR:
        return f"{seconds // _DAY}d"
    if seconds < 8 * _YEAR:
        return _two(seconds, _YEAR, "y", _DAY, "d")
    return f"{seconds // _YEAR}y"


def _two(seconds: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    rest = seconds % large // small
    return f"{seconds // large}{large_unit}" + (f"{rest}{small_unit}" if rest else "")


def ago(time: datetime | None, now: datetime) -> str:
    """Return how long ago something was; nothing for no time."""
    return f"{length(now - time)} ago" if time is not None else ""


def until(time: datetime | None, now: datetime) -> str:
    """Return how soon something is; nothing for no time."""
    if time is None:
        return ""
    return f"in {length(time - now)}" if time > now else "now"


def took(milliseconds: int | None) -> str:
    """Return how long something took: tenths of a second while they matter."""
    if milliseconds is None:
        return ""
    return f"{milliseconds / 1000:.1f} s" if milliseconds < 60_000 else length(timedelta(milliseconds=milliseconds))


def clock(time: datetime, here: tzinfo | None) -> str:
    """Return a time with its offset, and what the clock shows `here` (None: on this machine) where that differs."""
    local = time.astimezone(here)
    shown = f"{time:%Y-%m-%d %H:%M %z}"
    return shown if local.utcoffset() == time.utcoffset() else f"{shown}, here {local:%Y-%m-%d %H:%M}"
