"""The verdict on a completed run: success, warning or error. Pure.

The agent's own marker line decides. Without one the answer is read: what it merely names is left out, and what remains
is judged by weighed words in context. A failed run never gets here: it is an error whatever its text says.

Keywords of the Councilor take the place of the reading, each list for its severity: with `errorKeywords` an answer is
an error where it asserts one of them and only there, with `warningKeywords` likewise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from councilor_runner.contract import Severity, VerdictRules
from councilor_runner.verdict.keywords import asserted
from councilor_runner.verdict.marker import is_bare_marker, severity_of_marker
from councilor_runner.verdict.reading import severity_of_statements
from councilor_runner.verdict.statements import statements
from councilor_runner.verdict.text import normalise

Basis = Literal["marker", "keywords", "reading", "default"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A severity and what it rests on."""

    severity: Severity
    basis: Basis


def judge(text: str, rules: VerdictRules) -> Verdict:
    """Judge an agent's answer; letter case, line endings and white space at the end of lines do not matter."""
    normal = normalise(text)
    severity = severity_of_marker(normal)
    if severity is not None:
        return Verdict(severity, "marker")
    said = statements(normal)
    if rules.error_keywords is None and rules.warning_keywords is None:
        severity = severity_of_statements(said)
        return Verdict("success", "default") if severity is None else Verdict(severity, "reading")
    return _judge_by_keywords(said, rules)


def _judge_by_keywords(said: Sequence[str], rules: VerdictRules) -> Verdict:
    if asserted(rules.error_keywords or (), said):
        return Verdict("error", "keywords")
    if asserted(rules.warning_keywords or (), said):
        return Verdict("warning", "keywords")
    # What is left is the severity without a list of its own.
    read = severity_of_statements(said) or "success"
    if rules.error_keywords is None and read == "error":
        return Verdict("error", "reading")
    if rules.warning_keywords is None and read != "success":
        return Verdict("warning", "reading")
    return Verdict("success", "default")


def without_marker(text: str) -> str:
    """Return an answer without the marker line it ends with; one that carries a remark stays."""
    body, _, last = text.rstrip().rpartition("\n")
    return body if is_bare_marker(normalise(last)) else text
