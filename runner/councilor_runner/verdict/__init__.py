"""The verdict on a completed run: success, warning or error. Pure.

The agent's own marker line decides. Without one, keywords are looked for as words in their context, and without any
the run is a success. A failed run never gets here: it is an error whatever its text says.
"""

from dataclasses import dataclass
from typing import Literal

from councilor_runner.contract import Severity, VerdictRules
from councilor_runner.verdict.marker import is_bare_marker, severity_of_marker
from councilor_runner.verdict.text import normalise


@dataclass(frozen=True, slots=True)
class Verdict:
    """A severity and what it rests on."""

    severity: Severity
    basis: Literal["marker", "keywords", "default"]


def judge(text: str, rules: VerdictRules) -> Verdict:
    """Judge an agent's answer; letter case, line endings and white space at the end of lines do not matter."""
    normal = normalise(text)
    severity = severity_of_marker(normal)
    if severity is not None:
        return Verdict(severity, "marker")
    # Its patterns take longer to compile than all other modules of the runner take to load, and an agent that was asked
    # for its verdict mostly gives one.
    from councilor_runner.verdict.keywords import severity_of_words

    severity = severity_of_words(normal, rules)
    return Verdict("success", "default") if severity is None else Verdict(severity, "keywords")


def without_marker(text: str) -> str:
    """Return an answer without the marker line it ends with; one that carries a remark stays."""
    body, _, last = text.rstrip().rpartition("\n")
    return body if is_bare_marker(normalise(last)) else text
