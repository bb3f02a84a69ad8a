"""The tables that are printed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tests.endurance.judgement import Evidence, Judgement, reasons
from tests.endurance.load import promptness


@dataclass
class Phase:
    """A time in which one thing was done to the installation."""

    name: str
    start: datetime
    councilors: int
    """How many fired each minute."""
    end: datetime | None = None
    blows: int = 0
    """How often something was killed, restarted or taken away."""
    busy_cores: float = 0.0
    """Of the whole machine, whoever used them."""


@dataclass(frozen=True)
class Step:
    """A look at the load while it grew."""

    councilors: int
    """How many there were when it was over; those of the last minute had not fired yet."""
    due: int
    """Runs that were due within a minute."""
    median: float
    p95: float
    busy_cores: float


@dataclass
class Course:
    """What was done, one thing after another."""

    steps: list[Step] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)


def table(rows: Sequence[Sequence[object]]) -> str:
    """Aligned columns; the first to the left, numbers to the right."""
    texts = [[cell if isinstance(cell, str) else _number(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in texts
    )


def _number(cell: object) -> str:
    return f"{cell:.1f}" if isinstance(cell, float) else str(cell)


def ramp(steps: Sequence[Step]) -> str:
    """How the load grew."""
    rows: list[Sequence[object]] = [("Councilors", "runs per minute", "start p50 s", "start p95 s", "busy cores")]
    rows += [(str(step.councilors), step.due, step.median, step.p95, step.busy_cores) for step in steps]
    return table(rows)


def phases(found: Sequence[Phase], evidence: Evidence) -> str:
    """What became of the runs that were due in each phase."""
    header = ("phase", "min", "blows", "Councilors", "due", "Jobs", "records", "failed", "runs/min")
    rows: list[Sequence[object]] = [(*header, "start p50 s", "start p95 s", "busy cores")]
    begun = {record["job"]: record["started_at"] for record in evidence.records}
    records = {record["job"]: record for record in evidence.records}
    for phase in found:
        if phase.end is None:
            continue
        due = sum(
            phase.start <= time < phase.end
            for subject in evidence.subjects
            for time in subject.times(min(phase.end, subject.paused_at))
        )
        jobs = [job for job in evidence.runs if job.scheduled_at and phase.start <= job.scheduled_at < phase.end]
        recorded = [records[job.name] for job in jobs if job.name in records]
        minutes = (phase.end - phase.start).total_seconds() / 60
        prompt = promptness(jobs, begun, phase.start, phase.end, phase.end)
        rows.append(
            (
                phase.name,
                minutes,
                phase.blows,
                phase.councilors,
                due,
                len(jobs),
                len(recorded),
                sum(record["status"] == "error" for record in recorded),
                len(jobs) / minutes,
                prompt.median if prompt else 0.0,
                prompt.p95 if prompt else 0.0,
                phase.busy_cores,
            )
        )
    return table(rows)


def sums(verdict: Judgement, evidence: Evidence, more: Mapping[str, object]) -> str:
    """What was compared, and the findings."""
    rows: list[Sequence[object]] = [(name, verdict.sums[name]) for name in sorted(verdict.sums)]
    rows += [(f"runs that ended as {reason}", count) for reason, count in reasons(evidence.records).most_common()]
    rows += list(more.items())
    rows += [(f"FINDINGS {kind}", len(getattr(verdict, kind))) for kind in ("lost", "doubled", "wrong", "unknown")]
    return table(rows)
