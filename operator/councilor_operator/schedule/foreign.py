"""Other cron dialects: what a field means that a CronJob refuses, rewritten so that it accepts it.

croniter reads the wider dialect of most crontabs (7 for Sunday, ranges that wrap around). Its reading becomes a
suggestion, never a schedule: what is compiled is read by `dialect` alone.
"""

import re
from typing import Final

from croniter import CroniterError, croniter  # type: ignore[import-untyped]

from councilor_operator.schedule.dialect import FIELDS, Field

_TEXT: Final = re.compile(r"[0-9A-Za-z*,/-]{1,64}")
_WORD: Final = re.compile(r"[A-Za-z]+")


def rewrite_field(text: str, field: Field) -> str | None:
    """The field in the CronJob dialect, None when croniter does not read it as a set of values either."""
    words = _WORD.findall(text)
    if not _TEXT.fullmatch(text) or not all(word.lower() in field.names for word in words):
        return None
    expression = ["*"] * len(FIELDS)
    expression[FIELDS.index(field)] = text
    try:
        expanded, _ = croniter.expand(" ".join(expression))
    except CroniterError:
        return None
    values = expanded[FIELDS.index(field)]
    if values == ["*"]:
        return "*"
    return render(sorted(value for value in values if isinstance(value, int)), field, named=bool(words))


def render(values: list[int], field: Field, *, named: bool = False) -> str:
    """Values, ascending, as a list of ranges; one that wraps around begins the list: `22-23,0-2`, `FRI-SAT,SUN`."""
    if len(values) == field.size:
        return "*"
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    wraps = len(runs) > 1 and runs[0][0] == field.low and runs[-1][-1] == field.high
    if wraps and len(runs[0]) + len(runs[-1]) > 2:
        runs.insert(0, runs.pop())
    name_of = {number: name.upper() for name, number in field.names.items()} if named else {}
    texts = [[name_of.get(value, str(value)) for value in (run[0], run[-1])] for run in runs]
    return ",".join(first if first == last else f"{first}-{last}" for first, last in texts)
