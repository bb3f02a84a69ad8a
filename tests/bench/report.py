"""Figures and their targets: JSON lines for programs, a summary for people."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Final

TARGETS: Final[dict[str, dict[int | None, float]]] = {
    "converge_ratio": {1000: 1.25, 5000: 1.35},
    "change_ratio": {1000: 1.25, 5000: 1.35},
    "restart_ratio": {5000: 2.0},
    "restart_writes": {None: 0},
    "memory_peak": {1000: 130, 5000: 250},
    "idle_cpu": {5000: 1.0},
    "converge_cpu_growth": {None: 1.15},
    "change_cpu_growth": {None: 1.15},
    "sync_create_ratio": {5000: 1.5},
    "sync_create_writes": {None: 1},
    "sync_round_cpu": {5000: 0.2},
    "sync_round_writes": {None: 0},
    "sync_restart_writes": {None: 0},
    "sync_idle_cpu": {5000: 1.0},
    "sync_memory_peak": {5000: 240},
    "runner_own": {None: 500},
    "runner_ratio": {None: 1.3},
    "runner_scram_ratio": {None: 1.3},
    "runner_memory_peak": {None: 60},
    "runner_without_mongodb_memory_peak": {None: 60},
    "runner_report_memory_peak": {None: 60},
}
"""Figure to number of Councilors, or of runs (None: any), to the highest value that is good enough."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `target` None means that it is for information."""

    name: str
    value: float
    unit: str
    n: int
    target: float | None
    ok: bool | None


class Report:
    """Collects figures and prints them as they come."""

    def __init__(self) -> None:
        self._figures: list[Figure] = []

    def add(self, name: str, value: float, unit: str, n: int) -> None:
        """Add a figure, judge it by its target, print it."""
        targets = TARGETS.get(name, {})
        target = targets.get(n, targets.get(None))
        value = round(value, 4)
        figure = Figure(name, value, unit, n, target, None if target is None else value <= target)
        self._figures.append(figure)
        sys.stdout.write(json.dumps(asdict(figure)) + "\n")
        sys.stdout.flush()

    def value(self, name: str, n: int) -> float | None:
        """Return a figure's value, None if it was not measured."""
        return next((figure.value for figure in self._figures if (figure.name, figure.n) == (name, n)), None)

    @property
    def ok(self) -> bool:
        """Whether every target holds."""
        return all(figure.ok is not False for figure in self._figures)

    def summary(self) -> str:
        """Return a table for people."""
        lines = [f"{'figure':<40} {'n':>6} {'value':>10} {'unit':<12} {'target':>9}"]
        lines += (_line(figure) for figure in self._figures)
        missed = sum(figure.ok is False for figure in self._figures)
        lines.append(f"{missed} of {_judged(self._figures)} targets missed" if missed else "every target holds")
        return "\n".join(lines) + "\n"


def _line(figure: Figure) -> str:
    target = "" if figure.target is None else f"<= {figure.target:g}"
    verdict = {None: "", True: "ok", False: "MISSED"}[figure.ok]
    return f"{figure.name:<40} {figure.n:>6} {figure.value:>10.3f} {figure.unit:<12} {target:>9} {verdict}".rstrip()


def _judged(figures: Iterable[Figure]) -> int:
    return sum(figure.ok is not None for figure in figures)
