"""`H` in the minute and hour of a schedule: a value of each Councilor's own, so that not all start at once.

`H` is one value of the whole field, `H(a-b)` one of a range, `H/n` and `H(a-b)/n` every n-th from a start of its own.
The value follows from the UID of the Councilor alone: stable over restarts and edits, another one for a resource that
is deleted and made anew. What is left are plain numbers, which is all a CronJob accepts.
"""

import hashlib
import re
from typing import Final

from councilor_operator.schedule.dialect import FIELDS, HOUR, MINUTE, Field, split_fields
from councilor_operator.schedule.finding import ADVICE_LIMIT, ScheduleError, Suggestion, quote

_TOKEN: Final = re.compile(r"H(?:\(([0-9]{1,3})-([0-9]{1,3})\))?(?:/([0-9]{1,6}))?")
# What makes a month, a weekday or a day of the month out of an H that stands where it may not.
_FIXED_INSTEAD: Final = {"day of month": "1", "month": "1", "weekday": "MON"}


def holds_spread(expression: str) -> bool:
    """Whether a part of the expression begins with `H`."""
    return any(part.startswith("H") for field in split_fields(expression) for part in field.split(","))


def resolve(expression: str, uid: str) -> str:
    """The expression with every `H` replaced by numbers.

    Expects five fields and a UID that is not empty (ValueError). Raises ScheduleError where `H` is malformed, out of
    bounds or in another field than minute and hour.
    """
    if not uid:
        raise ValueError("the value of H follows from the UID of the Councilor, which is empty")
    fields = split_fields(expression)
    for position, field in enumerate(FIELDS):
        if field in {MINUTE, HOUR} or not any(part.startswith("H") for part in fields[position].split(",")):
            continue
        plain = [*fields[:position], _FIXED_INSTEAD[field.name], *fields[position + 1 :]]
        raise ScheduleError(
            f"H is possible in minute and hour only, not in the {field.name} {quote(fields[position])}. "
            f"Write a fixed value there, for example {quote(' '.join(plain), ADVICE_LIMIT)}.",
            Suggestion(value=" ".join(plain)),
        )
    return " ".join(
        ",".join(
            _resolve_part(part, field, f"{uid}/{field.name}/{index}", expression) if part.startswith("H") else part
            for index, part in enumerate(text.split(","))
        )
        for text, field in zip(fields, FIELDS, strict=True)
    )


def _resolve_part(part: str, field: Field, key: str, expression: str) -> str:
    token = _TOKEN.fullmatch(part)
    half = f"H({field.low}-{field.high // 2})"
    if token is None:
        raise _refusal(part, field, "is no form of H: those are H, H(a-b), H/n and H(a-b)/n", "H", expression)
    low, high = (field.low, field.high) if token[1] is None else (int(token[1]), int(token[2]))
    if not field.low <= low <= high <= field.high:
        raise _refusal(part, field, f"needs a range that goes up within {field.low}-{field.high}", half, expression)
    if token[3] is None:
        return str(low + _hash(key) % (high - low + 1))
    step, most = int(token[3]), high - low + 1
    if not 1 <= step <= most:
        better = part.partition("/")[0]
        raise _refusal(part, field, f"needs a step from 1 to {most}, or none for a single value", better, expression)
    start = low + _hash(key) % step
    return ",".join(str(value) for value in range(start, high + 1, step))


def _refusal(part: str, field: Field, problem: str, better: str, expression: str) -> ScheduleError:
    advice = expression.replace(part, better, 1)
    return ScheduleError(
        f"the {field.name} {quote(part)} in schedule.value {problem}. Write for example {quote(advice, ADVICE_LIMIT)}.",
        Suggestion(value=advice),
    )


def _hash(key: str) -> int:
    # 64 bits of a cryptographic hash: no remainder is preferred measurably, minute and hour are independent.
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])
