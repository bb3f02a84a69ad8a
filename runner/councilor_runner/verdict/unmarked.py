"""The verdict on an answer without a marker line. Pure; works on normalised text.

What the answer merely names is left out, and what remains is judged by weighed words in context. Keywords of the
Councilor take the place of the reading, each list for its severity: with `errorKeywords` an answer is an error where
it asserts one of them and only there, with `warningKeywords` likewise.
"""

from typing import Literal

from councilor_runner.contract import Severity, VerdictRules
from councilor_runner.verdict.keywords import asserted
from councilor_runner.verdict.labels import severity_of_labels
from councilor_runner.verdict.reading import severity_of_statements
from councilor_runner.verdict.statements import statements


def severity_without_marker(
    text: str, rules: VerdictRules
) -> tuple[Severity, Literal["keywords", "reading", "default"]]:
    """Return the severity and what it rests on."""
    if rules.error_keywords is not None and asserted(rules.error_keywords, text):
        return "error", "keywords"
    if rules.warning_keywords is not None and asserted(rules.warning_keywords, text):
        return "warning", "keywords"
    if rules.error_keywords is not None and rules.warning_keywords is not None:
        return "success", "default"
    # What is left is the severity without a list of its own.
    said = statements(text)
    label, read = severity_of_labels(said), severity_of_statements(said)
    if rules.error_keywords is None and "error" in (label, read):
        return "error", "reading"
    if rules.warning_keywords is None and {"warning", "error"} & {label, read}:
        return "warning", "reading"
    return "success", "default"
