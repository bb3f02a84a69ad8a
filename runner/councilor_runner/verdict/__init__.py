"""The verdict on a completed run: success, warning or error. Pure.

The agent's own marker line decides. Without one the answer itself is judged, which takes the modules that this one
loads only then. A failed run never gets here: it is an error whatever its text says.
"""

from dataclasses import dataclass
from typing import Literal

from councilor_runner.contract import Severity, VerdictRules
from councilor_runner.verdict.marker import is_bare_marker, severity_of_marker
from councilor_runner.verdict.text import normalise


@dataclass(frozen=True, slots=True)
class Verdict:
    """A severity and what it rests on; `default` when nothing speaks for anything but success."""

    severity: Severity
    basis: Literal["marker", "keywords", "reading", "default"]


def judge(text: str, rules: VerdictRules) -> Verdict:
    """Judge an agent's answer; letter case, line endings and white space at the end of lines do not matter."""
    normal = normalise(text)
    severity = severity_of_marker(normal)
    if severity is not None:
        return Verdict(severity, "marker")
    # The patterns in there take longer to compile than other modules to load, and an agent that was asked for its
    # verdict mostly gives one.
    from councilor_runner.verdict.unmarked import severity_without_marker

    return Verdict(*severity_without_marker(normal, rules))


def without_marker(text: str) -> str:
    """Return an answer without the marker line it ends with; one that carries a remark stays."""
    body, _, last = text.rstrip().rpartition("\n")
    return body if is_bare_marker(normalise(last)) else text
