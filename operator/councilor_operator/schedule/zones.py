"""Time zones: which names a CronJob accepts, and what somebody who wrote another one may have meant.

The rules are those of `spec.timeZone` of batch/v1: a name of the IANA database, exact in case, each path part of at
most 14 characters, never `Local`; names that differ from machine to machine (`localtime`) are refused as well.
"""

import difflib
import re
import unicodedata
import zoneinfo
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from councilor_operator.schedule.finding import TIME_ZONE_FIELD, Lint, ScheduleError, Suggestion, quote

_PART: Final = re.compile(r"(?!-)[A-Za-z0-9._+-]{1,14}")
# Files of a zone database that name no zone, or whichever one the machine is in.
_NO_ZONE: Final = frozenset({"localtime", "posixrules", "Factory"})

_OFFSET: Final = re.compile(r"(?:utc|gmt|z)?\s*([+-\u2212])\s*([0-9]{1,2})(?::?([0-9]{2}))?", re.IGNORECASE)
_FIXED: Final = re.compile(r"Etc/GMT([+-])([1-9][0-9]?)")

_EXAMPLE: Final = "America/Sao_Paulo"

# The place most people mean by an abbreviation; many have several meanings.
_ABBREVIATIONS: Final[Mapping[str, str]] = {
    "ACST": "Australia/Adelaide",
    "ADT": "America/Halifax",
    "AEDT": "Australia/Sydney",
    "AEST": "Australia/Sydney",
    "AKST": "America/Anchorage",
    "AMT": "America/Manaus",
    "ART": "America/Argentina/Buenos_Aires",
    "AST": "America/Halifax",
    "AWST": "Australia/Perth",
    "BRST": "America/Sao_Paulo",
    "BRT": "America/Sao_Paulo",
    "BST": "Europe/London",
    "CDT": "America/Chicago",
    "CEST": "Europe/Berlin",
    "CLT": "America/Santiago",
    "COT": "America/Bogota",
    "CST": "America/Chicago",
    "EDT": "America/New_York",
    "EEST": "Europe/Athens",
    "FNT": "America/Noronha",
    "HKT": "Asia/Hong_Kong",
    "ICT": "Asia/Bangkok",
    "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo",
    "KST": "Asia/Seoul",
    "MDT": "America/Denver",
    "MEZ": "Europe/Berlin",
    "MSK": "Europe/Moscow",
    "NZDT": "Pacific/Auckland",
    "NZST": "Pacific/Auckland",
    "PDT": "America/Los_Angeles",
    "PKT": "Asia/Karachi",
    "PST": "America/Los_Angeles",
    "SGT": "Asia/Singapore",
    "WEST": "Europe/Lisbon",
    "WIB": "Asia/Jakarta",
    "Z": "UTC",
}
_PLACES_BY_OFFSET: Final[Mapping[int, str]] = {
    -600: "Pacific/Honolulu",
    -540: "America/Anchorage",
    -480: "America/Los_Angeles",
    -420: "America/Denver",
    -360: "America/Chicago",
    -300: "America/New_York",
    -240: "America/Manaus",
    -210: "America/St_Johns",
    -180: "America/Sao_Paulo",
    -120: "America/Noronha",
    -60: "Atlantic/Azores",
    0: "UTC",
    60: "Europe/Berlin",
    120: "Europe/Athens",
    180: "Europe/Moscow",
    210: "Asia/Tehran",
    240: "Asia/Dubai",
    270: "Asia/Kabul",
    300: "Asia/Karachi",
    330: "Asia/Kolkata",
    345: "Asia/Kathmandu",
    360: "Asia/Dhaka",
    420: "Asia/Bangkok",
    480: "Asia/Singapore",
    540: "Asia/Tokyo",
    570: "Australia/Adelaide",
    600: "Australia/Sydney",
    660: "Pacific/Noumea",
    720: "Pacific/Auckland",
}

# Large cities that share the zone of another one.
_PLACES_WITHOUT_ZONE: Final[Mapping[str, str]] = {
    "beijing": "Asia/Shanghai",
    "brasilia": "America/Sao_Paulo",
    "curitiba": "America/Sao_Paulo",
    "delhi": "Asia/Kolkata",
    "frankfurt": "Europe/Berlin",
    "hamburg": "Europe/Berlin",
    "milan": "Europe/Rome",
    "mumbai": "Asia/Kolkata",
    "munich": "Europe/Berlin",
    "porto_alegre": "America/Sao_Paulo",
    "rio_de_janeiro": "America/Sao_Paulo",
    "san_francisco": "America/Los_Angeles",
    "seattle": "America/Los_Angeles",
    "washington": "America/New_York",
}


def resolve(name: str, default: str) -> tuple[ZoneInfo, tuple[Lint, ...]]:
    """The zone of a schedule, `default` where it names none, and what is odd about the name.

    Raises ScheduleError for names a CronJob would refuse, also when it is the default that is wrong.
    """
    asked = name.strip()
    if not asked:
        return _load(default, "the operator's default time zone"), ()
    return _load(asked, TIME_ZONE_FIELD), _oddities(asked)


def _load(name: str, where: str) -> ZoneInfo:
    if name in _known_names() and all(_PART.fullmatch(part) for part in name.split("/")):
        return ZoneInfo(name)
    shown = f"{where} {quote(name)}"
    offset = _OFFSET.fullmatch(name)
    place: str | None
    if name.lower() in {"local", "localtime"}:
        message, place = f"{shown} means another zone on every machine. Write UTC, or a place such as", "UTC"
    elif offset is not None:
        minutes = (int(offset[2]) * 60 + int(offset[3] or 0)) * (1 if offset[1] == "+" else -1)
        message = (
            f"{shown} is an offset, not a zone: offsets change with daylight saving. Write the name of a place, such as"
        )
        place = _PLACES_BY_OFFSET.get(minutes)
    elif (place := _ABBREVIATIONS.get(name.upper())) is not None:
        message = f"{shown} is an abbreviation, and those have no fixed meaning. Write the name of a place, such as"
    elif (place := _nearest(name)) is not None:
        raise ScheduleError(
            f"{shown} is not the name of a time zone. Did you mean {place}?",
            Suggestion(time_zone=place),
            TIME_ZONE_FIELD,
        )
    else:
        message = f"{shown} is not the name of a time zone. Write the form Area/City of the IANA database, such as"
    example = place if place is not None and "/" in place else _EXAMPLE
    raise ScheduleError(
        f"{message} {example}.", Suggestion(time_zone=place) if place is not None else None, TIME_ZONE_FIELD
    )


@cache
def _known_names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones()) - _NO_ZONE


@cache
def _names_by_spelling() -> dict[str, str]:
    """Names by their plain spelling, whole and by the last part alone; of two, the one that is Area/City wins."""
    names = sorted(_known_names(), key=lambda name: (name.count("/") != 1, name))
    whole = {_plain(name): name for name in names}
    cities: dict[str, str] = {}
    for name in names:
        if "/" in name:
            cities.setdefault(_plain(name.rpartition("/")[2]), name)
    return {**_PLACES_WITHOUT_ZONE, **cities, **whole}


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[\s_-]+", "_", letters.strip().replace("\\", "/")).lower()


@lru_cache(maxsize=256)
def _nearest(name: str) -> str | None:
    spellings = _names_by_spelling()
    plain = _plain(name[:64])
    if plain.endswith("/"):
        return None
    if (exact := spellings.get(plain) or spellings.get(plain.rpartition("/")[2])) is not None:
        return exact
    close = difflib.get_close_matches(plain, spellings, n=1, cutoff=0.8)
    return spellings[close[0]] if close else None


def _oddities(name: str) -> tuple[Lint, ...]:
    fixed = _FIXED.fullmatch(name)
    if fixed is None:
        return ()
    side = "behind" if fixed[1] == "+" else "ahead of"
    message = (
        f"{TIME_ZONE_FIELD} {quote(name)} is {fixed[2]} hours {side} UTC, the sign is the reverse of the usual one, "
        "and knows no daylight saving. Name a place if that is not what you mean, for example America/Sao_Paulo."
    )
    return (Lint("ReversedOffset", TIME_ZONE_FIELD, message),)
