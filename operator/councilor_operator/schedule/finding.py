"""What is wrong, or only odd, about a schedule: the types every check of the package answers with."""

import unicodedata
from dataclasses import dataclass
from typing import Final

MESSAGE_LIMIT: Final = 300
_QUOTE_LIMIT: Final = 32
# Enough for five fields written with some care.
ADVICE_LIMIT: Final = 72

TYPE_FIELD: Final = "schedule.type"
VALUE_FIELD: Final = "schedule.value"
TIME_ZONE_FIELD: Final = "schedule.timeZone"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What to write instead: the fields of `spec.schedule` to change, None where the field stays as it is."""

    type: str | None = None
    value: str | None = None
    time_zone: str | None = None

    def __str__(self) -> str:
        """The suggestion as the lines of YAML it stands for, on one line."""
        fields = (("type", self.type), ("value", self.value), ("timeZone", self.time_zone))
        return ", ".join(f'{name}: "{text}"' for name, text in fields if text is not None)


@dataclass(frozen=True, slots=True)
class Lint:
    """A warning: the schedule is accepted, but may not mean what was meant.

    `code` is a stable CamelCase word, `field` the path below `spec`, `message` at most 300 characters.
    """

    code: str
    field: str
    message: str
    suggestion: Suggestion | None = None


class ScheduleError(ValueError):
    """The schedule is refused.

    `message` says in at most 300 characters what is wrong, where, and what to write instead; `field` is the path below
    `spec`; `suggestion` is the same advice as data, where there is one.
    """

    def __init__(self, message: str, suggestion: Suggestion | None = None, field: str = VALUE_FIELD) -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion
        self.field = field


def quote(text: str, limit: int = _QUOTE_LIMIT) -> str:
    """Text of a user, fit for a message: cut to `limit` characters, on one line, no control characters, in quotes."""
    plain = "".join(" " if char.isspace() else char for char in text[: limit + 1])
    plain = "".join(char if unicodedata.category(char)[0] != "C" else "\ufffd" for char in plain)
    if len(plain) > limit:
        plain = plain[: limit - 1] + "\u2026"
    return f'"{plain}"'
