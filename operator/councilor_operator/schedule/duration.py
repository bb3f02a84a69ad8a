"""Lengths of time as text: Go's durations and free-hand ones.

`parse_go_duration` and `every_seconds` are what `@every` of robfig/cron v3.0.1 does with its argument
(`time.ParseDuration`, then whole seconds). `read_length` understands what people write instead, for suggestions only.
"""

import re
from fractions import Fraction
from typing import Final

_SECOND_NS: Final = 10**9
_GO_UNITS: Final = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,  # micro sign
    "\u03bcs": 10**3,  # Greek letter mu
    "ms": 10**6,
    "s": _SECOND_NS,
    "m": 60 * _SECOND_NS,
    "h": 3600 * _SECOND_NS,
}
_GO_TERM: Final = re.compile(r"([0-9]*)(?:(\.)([0-9]*))?([^0-9.]+)")
_GO_LIMIT: Final = 2**63

_WORDS: Final = {
    "s sec secs second seconds": 1,
    "m min mins minute minutes": 60,
    "h hr hrs hour hours": 3600,
    "d day days": 86400,
    "w wk week weeks": 604800,
}
_WORD_SECONDS: Final = {word: seconds for words, seconds in _WORDS.items() for word in words.split()}
_LENGTH_TERM: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([a-z]+)\s*")
_ISO_LENGTH: Final = re.compile(r"p(?:([0-9]{1,6})w)?(?:([0-9]{1,6})d)?(?:t(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?)?")
_ISO_SECONDS: Final = (604800, 86400, 3600, 60)


class GoDurationError(ValueError):
    """The text is not a Go duration."""


def parse_go_duration(text: str) -> int:
    """Nanoseconds of a Go duration such as `1h30m` or `1.5h`, as `time.ParseDuration` reads it.

    Raises GoDurationError for anything Go refuses: days, blanks, a missing unit, more than 64 bits of nanoseconds.
    """
    negative = text.startswith("-")
    rest = text[1:] if text[:1] in {"-", "+"} else text
    if rest == "0":
        return 0
    if not rest:
        raise GoDurationError(text)
    total = position = 0
    while position < len(rest):
        term = _GO_TERM.match(rest, position)
        if term is None or not (term[1] or term[3]) or term[4] not in _GO_UNITS:
            raise GoDurationError(text)
        total += _go_term(term[1], term[3] or "", _GO_UNITS[term[4]], text)
        if total > _GO_LIMIT:
            raise GoDurationError(text)
        position = term.end()
    if not negative and total == _GO_LIMIT:
        raise GoDurationError(text)
    return -total if negative else total


def _go_term(whole: str, fraction: str, unit: int, text: str) -> int:
    digits = whole.lstrip("0")
    if len(digits) > len(str(_GO_LIMIT)) or int(digits or "0") > _GO_LIMIT // unit:
        raise GoDurationError(text)
    value = int(digits or "0") * unit
    # Go adds the digits of the fraction up while they fit 64 bits, then multiplies as a float and cuts off.
    numerator, scale = 0, 1.0
    for digit in fraction:
        if numerator > (_GO_LIMIT - 1) // 10 or numerator * 10 + int(digit) > _GO_LIMIT:
            break
        numerator = numerator * 10 + int(digit)
        scale *= 10
    value += int(float(numerator) * (unit / scale))
    if value > _GO_LIMIT:
        raise GoDurationError(text)
    return value


def every_seconds(nanoseconds: int) -> int:
    """The distance `@every` makes of a duration: whole seconds, rounded down, at least one."""
    return max(1, nanoseconds // _SECOND_NS)


def read_length(text: str) -> Fraction | None:
    """Seconds of a length written free-hand (`1.5h`, `90 sec`, `1h30m`, `2 weeks`, `PT45M`, `-5m`), else None."""
    rest = text.strip().lower().lstrip("+-")
    iso = _ISO_LENGTH.fullmatch(rest)
    if iso is not None and any(iso.groups()):
        return Fraction(sum(int(n) * seconds for n, seconds in zip(iso.groups("0"), _ISO_SECONDS, strict=True)))
    total = Fraction(0)
    while rest:
        term = _LENGTH_TERM.match(rest)
        if term is None or term[2] not in _WORD_SECONDS:
            return None
        total += Fraction(term[1]) * _WORD_SECONDS[term[2]]
        rest = rest[term.end() :]
    return total if text.strip("+- \t") else None
