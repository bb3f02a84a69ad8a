"""How an answer without a marker line reads: as success, warning or error. Pure.

Reports of agents say the same things in endlessly many ways, and a list of words written by hand judges the texts it
was written for. So the words were weighed by what some twelve thousand reports, labelled by severity, say with them.
The weights are in `weights.tsv`, a generated file (`make verdict`), one feature to a line, so that anybody can look up
what a word is held to mean.

A text's score for a severity is the sum of its features' weights, the rarer features counting more, divided by what
the text's features could amount to at most: a long statement is no worse than a short one. The highest score wins. A
report is read three statements at a time and is as severe as its severest part, because nine good paragraphs do not
outweigh a broken backup; of several parts one has to be clear to count.
"""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources

from councilor_runner.contract import Severity
from councilor_runner.verdict.features import features

SEVERITIES: tuple[Severity, ...] = ("success", "warning", "error")
SCALE: dict[str, float] = {"s": 1.0, "b": 1.0, "c": 0.5, "n": 2.0}
"""How much a feature counts by its kind: a word has many pieces, and few words have a number."""
PART = 3
"""Statements that are read together."""
UNIT = 100
"""Weights are stored as whole numbers of this fraction."""
_CLEAR = 0.5
"""By how much a part of a report has to read worse than the next better severity."""


class Weights:
    """What was learned, as the lines of the generated file.

    The first line holds the number of reports and the bias of each severity. The others are sorted: a feature, in how
    many reports it was, and its weights for success, warning and error, all separated by tabulators. Weights are whole
    numbers of 1/`UNIT`. Lines are looked up in place: a dictionary of them all would take more time and memory than
    the rest of a run.
    """

    def __init__(self, document: bytes) -> None:
        head, _, self._lines = document.partition(b"\n")
        _, reports, *bias = head.split(b"\t")
        self._reports = int(reports)
        self._bias = tuple(int(weight) for weight in bias)

    def scores(self, found: Iterable[str]) -> tuple[float, float, float]:
        """Return the scores for success, warning and error."""
        sums = [0.0, 0.0, 0.0]
        square = 0.0
        # In a fixed order, because the order of additions shows in their last digits.
        for name in sorted(found):
            line = self._find(name.encode(errors="replace"))
            if line is not None:
                occurrences, *weights = line
                value = weight_of(name, occurrences, self._reports)
                square += value * value
                sums = [total + value * weight for total, weight in zip(sums, weights, strict=True)]
        length = math.sqrt(square) or 1.0
        scores = ((total / length + bias) / UNIT for total, bias in zip(sums, self._bias, strict=True))
        success, warning, error = scores
        return success, warning, error

    def _find(self, name: bytes) -> list[int] | None:
        lines, low, high = self._lines, 0, len(self._lines)
        while low < high:
            start = lines.rfind(b"\n", 0, (low + high) // 2) + 1
            end = lines.index(b"\n", start)
            key, *numbers = lines[start:end].split(b"\t")
            if key == name:
                return [int(number) for number in numbers]
            low, high = (end + 1, high) if key < name else (low, start)
        return None


def weight_of(feature: str, occurrences: int, reports: int) -> float:
    """Return how much a feature counts that is in so many of the reports."""
    return SCALE[feature[0]] * (1 + math.log((1 + reports) / (1 + occurrences)))


def severity_of_statements(statements: Sequence[str], weights: Weights | None = None) -> Severity | None:
    """Return how the statements read, None when there are none; `weights` other than those of the generated file."""
    if not statements:
        return None
    weights = weights or _weights()
    parts = [
        weights.scores(features(statements[start : start + PART]))
        for start in range(max(1, len(statements) - PART + 1))
    ]
    if len(parts) == 1:
        return SEVERITIES[parts[0].index(max(parts[0]))]
    if max(error - max(success, warning) for success, warning, error in parts) > _CLEAR:
        return "error"
    return "warning" if max(max(warning, error) - success for success, warning, error in parts) > _CLEAR else "success"


@cache
def _weights() -> Weights:
    return Weights(resources.files(__package__).joinpath("weights.tsv").read_bytes())
