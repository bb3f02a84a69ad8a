"""The CronJob dialect: text of five fields or a descriptor → bit masks.

It accepts and refuses exactly what `ParseStandard` of robfig/cron v3.0.1 does, the parser behind `spec.schedule` of a
batch/v1 CronJob, with its oddities (`1,,2`, `+5`, `*-9`, `5/10` = 5 to the maximum). Whether something accepted is
also sensible is judged in `caution`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from councilor_operator.schedule.duration import GoDurationError, every_seconds, parse_go_duration

# What Go's unicode.IsSpace knows and no more: Python's \s also takes the separators U+001C to U+001F.
_SPACE: Final = r"[^\S\x1c-\x1f]"
_SPACES: Final = re.compile(f"{_SPACE}+")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_MAX_INT: Final = 2**63 - 1
_MAX_INT_DIGITS: Final = 19
_EVERY: Final = "@every "


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One of the five fields: its name in messages, its inclusive bounds and the names it knows (lower case)."""

    name: str
    low: int
    high: int
    names: Mapping[str, int]

    @property
    def size(self) -> int:
        """How many values the field can take."""
        return self.high - self.low + 1


MINUTE: Final = Field("minute", 0, 59, {})
HOUR: Final = Field("hour", 0, 23, {})
DAY_OF_MONTH: Final = Field("day of month", 1, 31, {})
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTH: Final = Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)})
WEEKDAY: Final = Field("weekday", 0, 6, {name: number for number, name in enumerate(_WEEKDAYS)})
FIELDS: Final = (MINUTE, HOUR, DAY_OF_MONTH, MONTH, WEEKDAY)

DESCRIPTORS: Final[Mapping[str, str]] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class Fault(Enum):
    """Why a text is not of the dialect."""

    FIELD_COUNT = auto()
    DESCRIPTOR = auto()
    DURATION = auto()
    NOT_A_NUMBER = auto()
    NEGATIVE = auto()
    HYPHENS = auto()
    SLASHES = auto()
    BELOW_MINIMUM = auto()
    ABOVE_MAXIMUM = auto()
    BACKWARDS = auto()
    STEP_ZERO = auto()


class DialectError(ValueError):
    """The text is not of the dialect: `fault` says why, `field` and `part` where (None for the text as a whole)."""

    def __init__(self, fault: Fault, part: str, field: Field | None = None) -> None:
        super().__init__(f"{fault.name}: {part!r}")
        self.fault = fault
        self.part = part
        self.field = field


@dataclass(frozen=True, slots=True)
class FieldMask:
    """The values a field allows (bit n = value n) and whether it counts as unrestricted.

    `star` is no shorthand for "all values": `*/2` has no star, `*/1` and `3,*` have one, `0-59` has none. It decides
    whether day of month and weekday are joined by "and" (one of them has a star) or by "or" (none has).
    """

    bits: int
    star: bool


@dataclass(frozen=True, slots=True)
class CronRule:
    """A parsed expression of five fields."""

    minute: FieldMask
    hour: FieldMask
    day_of_month: FieldMask
    month: FieldMask
    weekday: FieldMask

    @property
    def days_are_alternatives(self) -> bool:
        """True when a day matches by its number OR by its weekday, False when both must fit."""
        return not (self.day_of_month.star or self.weekday.star)


@dataclass(frozen=True, slots=True)
class EveryRule:
    """A parsed `@every`: a constant distance in whole seconds, at least one."""

    seconds: int


Rule = CronRule | EveryRule


def split_fields(text: str) -> list[str]:
    """The fields of an expression, split at white space as Go's `strings.Fields` does it."""
    return [field for field in _SPACES.split(text) if field]


def parse(text: str) -> Rule:
    """Parse the value of a CronJob's `spec.schedule`, without a `TZ=` prefix.

    Raises DialectError where robfig/cron v3.0.1 refuses the text, naming the first field that is wrong.
    """
    if text.startswith("@"):
        return _parse_descriptor(text)
    fields = split_fields(text)
    if len(fields) != len(FIELDS):
        raise DialectError(Fault.FIELD_COUNT, text)
    return CronRule(*(parse_field(part, field) for part, field in zip(fields, FIELDS, strict=True)))


def _parse_descriptor(text: str) -> Rule:
    if (expression := DESCRIPTORS.get(text)) is not None:
        return parse(expression)
    if not text.startswith(_EVERY):
        raise DialectError(Fault.DESCRIPTOR, text)
    try:
        return EveryRule(every_seconds(parse_go_duration(text.removeprefix(_EVERY))))
    except GoDurationError as error:
        raise DialectError(Fault.DURATION, text) from error


def parse_field(text: str, field: Field) -> FieldMask:
    """Parse one field, a list of ranges. Empty parts are dropped; a list of nothing else allows no value at all."""
    bits = 0
    star = False
    for part in text.split(","):
        if part:
            mask = _parse_range(part, field)
            bits |= mask.bits
            star |= mask.star
    return FieldMask(bits, star)


def _parse_range(part: str, field: Field) -> FieldMask:
    def fail(fault: Fault) -> DialectError:
        return DialectError(fault, part, field)

    range_text, *steps = part.split("/")
    low_text, *high_texts = range_text.split("-")
    star = low_text in {"*", "?"}
    if star:
        # What follows a hyphen after a star is not looked at: `*-9` is `*`.
        low, high = field.low, field.high
    elif len(high_texts) > 1:
        _value(low_text, field, fail)
        raise fail(Fault.HYPHENS)
    else:
        low = _value(low_text, field, fail)
        high = _value(high_texts[0], field, fail) if high_texts else low

    step = 1
    if len(steps) > 1:
        raise fail(Fault.SLASHES)
    if steps:
        step = _integer(steps[0], fail)
        if not high_texts:
            high = field.high
        if step > 1:
            star = False

    if low < field.low:
        raise fail(Fault.BELOW_MINIMUM)
    if high > field.high:
        raise fail(Fault.ABOVE_MAXIMUM)
    if low > high:
        raise fail(Fault.BACKWARDS)
    if step == 0:
        raise fail(Fault.STEP_ZERO)
    return FieldMask(mask_of(range(low, high + 1, step)), star)


def _value(text: str, field: Field, fail: Callable[[Fault], DialectError]) -> int:
    # Go lowers the dotted capital I to a plain i, Python to two characters.
    named = field.names.get(text.replace("\u0130", "i").lower())
    return _integer(text, fail) if named is None else named


def _integer(text: str, fail: Callable[[Fault], DialectError]) -> int:
    # Leading zeros go first: int() refuses more than 4,300 digits, the other side any number beyond 64 bits.
    digits = text.lstrip("+-").lstrip("0")
    if not _INTEGER.fullmatch(text) or len(digits) > _MAX_INT_DIGITS:
        raise fail(Fault.NOT_A_NUMBER)
    number = int(digits or "0")
    if text.startswith("-") and 0 < number <= _MAX_INT + 1:
        raise fail(Fault.NEGATIVE)
    if number > _MAX_INT:
        raise fail(Fault.NOT_A_NUMBER)
    return number


def mask_of(values: Iterable[int]) -> int:
    """The mask with the bits of these values set."""
    bits = 0
    for value in values:
        bits |= 1 << value
    return bits


def values_of(bits: int) -> list[int]:
    """The values of a mask in ascending order."""
    return [value for value in range(bits.bit_length()) if bits >> value & 1]
