"""What the person at the terminal reads: tables and the commands that lead further; times in the machine's zone."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from .manifests import OPERATOR, SYNC, Scope
from .records import Statistics

COLUMNS = ("COUNCILOR", "AGENT", "TRIGGER", "STARTED", "SECONDS", "STATUS", "SEVERITY", "EXIT", "REASON")
STATISTICS = ("DOCUMENT", "RUNS", "SUCCESS", "LAST RUN")
GAP = "   "


def records_table(records: Sequence[Mapping[str, Any]]) -> str:
    """Execution records of MongoDB as kubectl would print them."""
    if not records:
        return "No executions recorded yet."
    return table(COLUMNS, [_record_row(record) for record in records])


def statistics_table(councilors: Sequence[Statistics]) -> str:
    """What Conductor's UI shows of its councilors."""
    return table(STATISTICS, [_statistics_row(councilor) for councilor in councilors])


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, without trailing space."""
    widths = [max(len(row[index]) for row in (columns, *rows)) for index in range(len(columns))]
    lines = (GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (columns, *rows))
    return "\n".join(line.rstrip() for line in lines)


def change_line(moment: datetime, name: str, change: str) -> str:
    """One line of what happened just now."""
    return f"{moment.astimezone():%H:%M:%S}  {name:<29} {change}"


def hints(
    scope: Scope,
    *,
    kubectl: str,
    kubeconfig: str | None,
    job: str | None,
    show: str,
    mongodb_uri: str,
    logs: str,
    stop: str,
) -> str:
    """The commands to look further with. `kubeconfig` is None where kubectl needs none, `job` before any run ended."""
    namespace = f"-n {scope.councilor_namespace}"
    lines = [
        *([f"  export KUBECONFIG={kubeconfig}"] if kubeconfig else []),
        f"  {kubectl} get councilors {namespace} -o wide",
        f"  {kubectl} describe councilor coverage-review {namespace}",
        *([f"  {kubectl} logs job/{job} {namespace}"] if job else []),
        f"  {kubectl} create job by-hand --from=cronjob/dependency-watch {namespace}   # runs although paused",
        f"  {kubectl} get councilors {namespace} -l conductor.community/source=mongodb   # made from documents",
        f"  {kubectl} logs deployment/{OPERATOR} -n {scope.operator_namespace}   # the sync: deployment/{SYNC}",
        f"  {show}   # the tables above again",
    ]
    return "\n".join(
        [
            "Look further:",
            *lines,
            f"MongoDB (database conductor_state): {mongodb_uri}",
            f"Logs of MongoDB and Conductor: {logs}",
            stop,
        ]
    )


def _record_row(record: Mapping[str, Any]) -> list[str]:
    started = record.get("started_at")
    duration = record.get("duration_ms")
    return [
        _cell(record.get("councilor")),
        _cell(record.get("agent_id")),
        _cell(record.get("trigger")),
        f"{started.astimezone():%H:%M:%S}" if isinstance(started, datetime) else "-",
        f"{duration / 1000:.1f}" if duration is not None else "-",
        _cell(record.get("status")),
        _cell(record.get("severity")),
        _cell(record.get("exit_code")),
        _cell(record.get("reason")),
    ]


def _statistics_row(councilor: Statistics) -> list[str]:
    runs, rate = councilor.counted.get("total_executions"), councilor.counted.get("success_rate")
    last = councilor.counted.get("last_execution")
    return [
        councilor.document,
        _cell(runs),
        f"{rate:g} %" if runs and rate is not None else "-",
        f"{last.astimezone():%H:%M:%S}" if isinstance(last, datetime) else "-",
    ]


def _cell(value: object) -> str:
    return "-" if value is None else str(value)
