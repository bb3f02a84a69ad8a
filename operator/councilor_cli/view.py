"""What is shown of Councilors and runs, from the objects as the API server has them. Pure, the clock passed in.

A status may be missing, older or newer than this command line: what is not there is left empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from councilor_cli.text import ago, ahead, lasted, one_line, when

Object = Mapping[str, Any]

HEADINGS: Final = ("NAME", "AGENT", "SCHEDULE", "PHASE", "LAST RUN", "RESULT", "NEXT RUN", "SUCCESS")
WIDE: Final = ("ZONE", "RUNS", "HEALTHY", "AGE")
RUN_HEADINGS: Final = ("ENDED", "RESULT", "JOB")

STYLES: Final = {
    "success": "green",
    "warning": "yellow",
    "error": "red",
    "failed": "bold red",
    "Scheduled": "green",
    "Running": "cyan",
    "Paused": "dim",
    "Suspended": "bold red",
    "Invalid": "bold red",
}
"""How words stand out where there are colours."""


def row(councilor: Object, now: datetime, *, wide: bool = False) -> list[str]:
    """A line of the list."""
    spec, status = councilor.get("spec") or {}, councilor.get("status") or {}
    schedule, last, stats = spec.get("schedule") or {}, status.get("lastRun") or {}, status.get("stats") or {}
    found = [
        councilor["metadata"]["name"],
        one_line(str(spec.get("agentId", ""))),
        one_line(str(schedule.get("value", ""))),
        str(status.get("phase") or "Unknown"),
        ago(last.get("completedAt"), now),
        str(last.get("result") or ""),
        next_run(status, now),
        percent(stats.get("successRate")),
    ]
    if wide:
        found += [
            str(status.get("timeZone") or ""),
            str(stats.get("totalExecutions", "")),
            str((condition(councilor, "Healthy") or {}).get("reason") or ""),
            ago(councilor["metadata"].get("creationTimestamp"), now),
        ]
    return found


def next_run(status: Object, now: datetime) -> str:
    """When it runs next, as people say it; empty if it does not."""
    times = status.get("nextRunTimes") or []
    return ahead(times[0], now) if times else ""


def percent(rate: float | None) -> str:
    """A success rate; empty without runs."""
    return "" if rate is None else f"{rate:g} %"


def condition(councilor: Object, kind: str) -> Object | None:
    """A condition by type."""
    conditions: Sequence[Object] = (councilor.get("status") or {}).get("conditions") or []
    return next((item for item in conditions if item.get("type") == kind), None)


def page(councilor: Object, now: datetime) -> list[tuple[str, str]]:
    """Everything about one Councilor: headings and texts of one or more lines, in the order of interest."""
    metadata, spec, status = councilor["metadata"], councilor.get("spec") or {}, councilor.get("status") or {}
    schedule, stats = spec.get("schedule") or {}, status.get("stats") or {}
    zone = status.get("timeZone") or schedule.get("timeZone") or ""
    lines = [
        ("Name", f"{metadata['namespace']}/{metadata['name']}"),
        ("Agent", one_line(str(spec.get("agentId", "")))),
        ("Schedule", " ".join(filter(None, (one_line(str(schedule.get("value", ""))), one_line(zone))))),
        ("Phase", str(status.get("phase") or "Unknown: the operator has not seen it yet")),
        ("Next runs", "\n".join(f"{time}  {ahead(time, now)}" for time in status.get("nextRunTimes") or [])),
        ("Going on", "\n".join(_active(run, now) for run in status.get("active") or [])),
        ("Last run", last_run(status.get("lastRun") or {}, now)),
        ("Statistics", _statistics(stats)),
        ("Conditions", "\n".join(_condition(item) for item in status.get("conditions") or [])),
    ]
    return [(heading, text) for heading, text in lines if text]


def last_run(run: Object, now: datetime) -> str:
    """A finished run with what is known of it; empty for none."""
    if not run:
        return ""
    scheduled = run.get("trigger") == "scheduled"
    head = [
        str(run.get("result") or run.get("status") or "unknown"),
        f"{ago(run.get('completedAt'), now)} ago" if run.get("completedAt") else "",
        lasted(run.get("durationMs")),
        f"for {run['scheduledAt']}" if scheduled and run.get("scheduledAt") else str(run.get("trigger") or ""),
        f"Job {run['jobName']}" if run.get("jobName") else "",
    ]
    lines = [", ".join(filter(None, head))]
    if run.get("result") == "failed" or run.get("reason") not in (None, "Completed"):
        lines.append(": ".join(filter(None, (str(run.get("reason") or ""), one_line(str(run.get("message") or ""))))))
    if run.get("summary"):
        lines.append(one_line(str(run["summary"])))
    if run.get("recorded") is False and run.get("status") != "skipped":
        lines.append("not recorded in MongoDB" + (f"; Job {run['reportJob']} does so" if run.get("reportJob") else ""))
    lines += [
        f"{one_line(str(item.get('channel')))} was not told: {one_line(str(item.get('reason') or 'no reason given'))}"
        for item in run.get("notified") or []
        if not item.get("delivered")
    ]
    return "\n".join(lines)


def history(status: Object) -> list[Object]:
    """Finished runs that the status remembers, the newest first."""
    return sorted(
        status.get("recentRuns") or [],
        key=lambda run: moment.timestamp() if (moment := when(run.get("completedAt"))) else 0.0,
        reverse=True,
    )


def _active(run: Object, now: datetime) -> str:
    parts = [f"Job {run.get('jobName')}", f"for {ago(run.get('startedAt'), now)}" if run.get("startedAt") else ""]
    line = ", ".join(filter(None, parts))
    reason = ": ".join(filter(None, (str(run.get("reason") or ""), one_line(str(run.get("message") or "")))))
    return f"{line}; {reason}" if reason else line


def _statistics(stats: Object) -> str:
    words = ("success", "warning", "error", "failed", "skipped", "missed", "unknown")
    counts = [f"{stats[word]} {word}" for word in words if stats.get(word)]
    if not counts:
        return ""
    row = stats.get("consecutiveFailures")
    in_a_row = [f"{row} failed in a row"] if row else []
    return ", ".join([*counts, *in_a_row, *filter(None, [percent(stats.get("successRate"))])])


def _condition(item: Object) -> str:
    line = f"{item.get('type')}={item.get('status')}  {item.get('reason') or ''}"
    message = one_line(str(item.get("message") or ""))
    return f"{line}: {message}" if message else line
