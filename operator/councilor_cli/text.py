"""Words for people: times, ages, and texts of others made fit for a terminal. Pure, the clock passed in."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta
from typing import Final

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def legible(text: str) -> str:
    """A text of somebody else without what steers terminals; line breaks and tabs stay."""
    return "".join(
        character if character in "\n\t" or unicodedata.category(character)[0] != "C" else "\ufffd"
        for character in text
    )


def one_line(text: str) -> str:
    """The same on one line."""
    return " ".join(legible(text).split())


def span(duration: timedelta) -> str:
    """A duration as kubectl prints ages: its two largest units, only one from ten of it on (`90s` is 1m30s)."""
    seconds = max(0, int(duration.total_seconds()))
    for position, (unit, size) in enumerate(_UNITS):
        if (count := seconds // size) > 0:
            if count < 10 and position + 1 < len(_UNITS):
                smaller, small = _UNITS[position + 1]
                rest = seconds % size // small
                return f"{count}{unit}{rest}{smaller}" if rest else f"{count}{unit}"
            return f"{count}{unit}"
    return "0s"


def when(text: str | None) -> datetime | None:
    """A time as the API writes it (RFC 3339); None if there is none."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def ago(text: str | None, now: datetime) -> str:
    """`5m` for five minutes ago; empty for no time."""
    found = when(text)
    return span(now - found) if found is not None else ""


def ahead(text: str | None, now: datetime) -> str:
    """`in 5m`, or `due` for what is past; empty for no time."""
    found = when(text)
    if found is None:
        return ""
    return f"in {span(found - now)}" if found > now else "due"


def lasted(milliseconds: int | None) -> str:
    """`1.4 s` or `2m5s`; empty if unknown."""
    if milliseconds is None:
        return ""
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    return span(timedelta(milliseconds=milliseconds))
