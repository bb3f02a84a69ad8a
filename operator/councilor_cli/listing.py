"""The rows of `councilor list`. Pure."""

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from councilor_cli.output import cell
from councilor_cli.summary import Summary
from councilor_cli.times import ago, length, until
from councilor_operator.constants import ConditionType


def headings(*, wide: bool, everywhere: bool) -> list[str]:
    """Return the headings of the columns."""
    return [
        *(["NAMESPACE"] if everywhere else []),
        *("NAME", "AGENT", "SCHEDULE"),
        *(["ZONE"] if wide else []),
        *("PHASE", "LAST RUN", "RESULT", "NEXT RUN", "SUCCESS"),
        *(["RUNS", "FAILED", "MISSED", "HEALTHY", "AGE"] if wide else []),
    ]


def row(councilor: Summary, now: datetime, *, wide: bool, everywhere: bool) -> list[Text]:
    """Return the cells of a Councilor."""
    status = councilor.status
    last, stats = status.last_run, status.stats
    healthy = councilor.condition(ConditionType.HEALTHY)
    rate = stats.success_rate if stats else None
    cells = [
        *([cell(councilor.namespace)] if everywhere else []),
        cell(councilor.name),
        cell(councilor.agent),
        cell(councilor.schedule),
        *([cell(status.time_zone)] if wide else []),
        cell(status.phase),
        cell(ago(last.started_at or last.completed_at, now) if last else None),
        cell(last.result if last else None),
        cell(until(next(iter(councilor.next_runs), None), now)),
        cell(f"{rate:g}%" if rate is not None else None),
    ]
    if wide:
        cells += [
            cell(stats.total_executions if stats else None),
            cell(stats.failed if stats else None),
            cell(stats.missed if stats else None),
            cell(healthy.reason if healthy else None, "red" if healthy and healthy.status == "False" else ""),
            cell(length(now - councilor.created) if councilor.created else None),
        ]
    return cells


def order(councilors: Sequence[Summary]) -> list[Summary]:
    """Return Councilors in the order in which they are shown."""
    return sorted(councilors, key=lambda councilor: (councilor.namespace, councilor.name))
