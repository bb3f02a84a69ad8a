"""The page that `councilor get` prints about a Councilor, and the lines about one run. Pure."""

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import Final

from rich.text import Text

from councilor_cli.output import STYLES, Grid, cell, one_line, plain
from councilor_cli.summary import Summary
from councilor_cli.times import ago, clock, length, took, until
from councilor_operator.api.status import ActiveRun, Run, RunNow, Stats

_LABEL: Final = 13
"""Columns of the labels on the left."""
OPERATOR_CHECK: Final = "`kubectl get deployment -A -l app.kubernetes.io/name=councilor-operator` shows it"


def page(councilor: Summary, now: datetime, *, here: tzinfo | None, width: int) -> list[Text]:
    """Return everything worth knowing as lines of at most `width` columns where words allow it.

    `here` is the zone of whoever reads, None for that of this machine.
    """
    status = councilor.status
    lines = [
        _field("Name", councilor.name),
        _field("Namespace", councilor.namespace),
        _field("Title", f"{councilor.spec.get('emoji') or ''} {councilor.title}".strip()),
        _field("Agent", councilor.agent),
        _field("Schedule", _schedule(councilor)),
        _field("Phase", status.phase or "not seen by the operator yet"),
    ]
    if councilor.document is not None:
        lines.append(_field("Source", f"document {councilor.document}, which the sync keeps it equal to"))
    for position, time in enumerate(councilor.next_runs):
        text = f"{until(time, now)}, {clock(time, here)}"
        lines.append(_field("Next runs" if position == 0 else "", text))
    lines += [line for run in status.active or () for line in _active(run, now)]
    if status.last_run_now is not None and status.last_run_now.reason is not None:
        lines.append(_field("Run now", _refusal(status.last_run_now, now)))

    lines += _heading("Conditions")
    if status.conditions:
        for condition in status.conditions:
            claim = Text("  ").append(one_line(condition.type).ljust(_LABEL - 2))
            claim.append(condition.status.ljust(9), STYLES.get(condition.status, ""))
            claim.append(f"{one_line(condition.reason)}, since {length(now - condition.last_transition_time)}")
            lines += [claim, *_paragraph(condition.message, width)]
    else:
        lines += _paragraph("none: is the operator running? " + OPERATOR_CHECK, width)

    if status.last_run is not None:
        lines += [*_heading("Last run"), *run_lines(status.last_run, now, width=width)]
    if status.recent_runs:
        lines += [*_heading("Recent runs"), *history(councilor, now, indent="  ")]
    if status.stats is not None:
        lines += [*_heading("Statistics"), *statistics(status.stats)]
    return lines


def run_lines(run: Run, now: datetime, *, width: int) -> Iterator[Text]:
    """Yield what is known about a finished run."""
    yield _field("  Result", run.result)
    when = ago(run.completed_at or run.started_at, now)
    yield _field("  Ended", ", ".join(filter(None, (when, f"took {took(run.duration_ms)}" if run.duration_ms else ""))))
    yield _field("  Trigger", run.trigger if run.scheduled_at is None else f"{run.trigger} for {run.scheduled_at}")
    yield _field("  Reason", run.reason if run.exit_code is None else f"{run.reason} (exit code {run.exit_code})")
    yield _field("  Job", run.job_name)
    yield _field("  Execution", run.execution_id)
    yield _field("  Recorded", "in MongoDB" if run.recorded else "not in MongoDB", "" if run.recorded else "yellow")
    if run.report_job is not None:
        yield _field("  Report", f"Job {run.report_job}, {run.report_result or 'going on'}")
    for position, entry in enumerate(run.notified or ()):
        text = entry.channel if entry.delivered else f"{entry.channel}: not delivered, {entry.reason or 'no reason'}"
        yield _field("  Told" if position == 0 else "", text, "" if entry.delivered else "yellow")
    for text in filter(None, (run.message, run.summary)):
        yield from _paragraph(text, width)


def verdict(councilor: Summary, run: Run) -> Iterator[Text]:
    """Yield what `councilor run` says at the end."""
    told = Text(run.result, style=STYLES.get(run.result, "")).append(
        f": {one_line(councilor.title)} ({councilor.namespace}/{councilor.name})", style=""
    )
    how = ", ".join(filter(None, (f"took {took(run.duration_ms)}" if run.duration_ms else "", run.execution_id)))
    line = Text("").append_text(told)
    yield line.append(f", {one_line(how)}", style="") if how else line
    if run.message:
        yield Text(f"{run.reason}: {one_line(run.message)}")
    if run.summary:
        yield from (Text(f"  {line}") for line in plain(run.summary).splitlines())
    failures = [entry for entry in run.notified or () if not entry.delivered]
    for entry in failures:
        yield Text(f"not told: {one_line(entry.channel)}, {one_line(entry.reason or 'no reason')}", style="yellow")
    if not run.recorded:
        yield Text("not recorded in MongoDB", style="yellow")


def history(councilor: Summary, now: datetime, *, indent: str = "") -> list[Text]:
    """Return the recent runs as a table, newest first."""
    last = councilor.status.last_run
    rows = []
    for run in councilor.status.recent_runs or ():
        known = last if last is not None and last.job_name == run.job_name else None
        rows.append(
            [
                cell(ago(run.completed_at, now)),
                cell(f"{run.completed_at:%Y-%m-%dT%H:%M:%SZ}" if run.completed_at else None),
                cell(run.result),
                cell(run.job_name),
                cell(took(known.duration_ms) if known else None),
            ]
        )
    return Grid(["ENDED", "AT", "RESULT", "JOB", "TOOK"], indent=indent).lines(rows)


def statistics(stats: Stats) -> Iterator[Text]:
    """Yield the counters."""
    rate = "" if stats.success_rate is None else f", {stats.success_rate:g}% success"
    yield _field("  Runs", f"{stats.total_executions}{rate}")
    yield _field(
        "  Results",
        f"{stats.success} success, {stats.warning} warning, {stats.error} error, {stats.failed} failed",
    )
    yield _field("  No run", f"{stats.skipped} skipped, {stats.missed} missed, {stats.unknown} with unknown result")
    if stats.consecutive_failures:
        yield _field("  In a row", f"{stats.consecutive_failures} failed", "red")


def _schedule(councilor: Summary) -> str:
    zone = councilor.status.time_zone
    return f"{councilor.schedule} ({zone})" if zone else councilor.schedule


def _active(run: ActiveRun, now: datetime) -> Iterator[Text]:
    yield _field(
        "Running", f"Job {run.job_name}, for {length(now - run.started_at)}" if run.started_at else run.job_name
    )
    if run.reason is not None:
        yield _field("", f"{run.reason}: {run.message or ''}", "red")


def _refusal(run_now: RunNow, now: datetime) -> str:
    return f"refused {ago(run_now.at, now)}, {run_now.reason}: {run_now.message or ''}"


def _field(label: str, text: object, style: str | None = None) -> Text:
    prefix = f"{label}:" if label.strip() else ""
    return Text(prefix.ljust(_LABEL)).append_text(cell(text, style))


def _heading(text: str) -> Sequence[Text]:
    return [Text(""), Text(text, style="bold")]


def _paragraph(text: str, width: int) -> Iterator[Text]:
    for line in plain(text).splitlines():
        # Names and commands are to be copied: they are not broken.
        for part in textwrap.wrap(line, max(width - 4, 20), break_long_words=False, break_on_hyphens=False):
            yield Text(f"    {part}")
