"""The labelled reports: what is learned from, kept by author.

`hack/verdict/reports/<author>.jsonl` holds one report to a line: `lang` (pt, en), `severity`, `text`. They were written
for this purpose, without marker lines. Each author wrote apart from the others; so how well one author's reports are
judged by what the others wrote tells how well reports never seen will be.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from councilor_runner.contract import Severity
from councilor_runner.verdict.features import features
from councilor_runner.verdict.marker import severity_of_marker
from councilor_runner.verdict.statements import statements
from councilor_runner.verdict.text import normalise

FOLDER = Path(__file__).parent / "reports"


@dataclass(frozen=True, slots=True)
class Report:
    """A labelled report; `statements` are what the reading gets of it, `features` what it sees in them as a whole."""

    author: str
    severity: Severity
    statements: tuple[str, ...]
    features: frozenset[str]


def read_corpus(files: Iterable[Path] | None = None) -> list[Report]:
    """Return the reports, in the order of authors and lines; those with a marker line are left out."""
    reports = []
    for path in sorted(files or FOLDER.glob("*.jsonl")):
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            text = normalise(row["text"])
            if severity_of_marker(text) is None:
                said = tuple(statements(text))
                reports.append(Report(path.stem, row["severity"], said, features(said)))
    return reports
