"""`councilor preview`."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from councilor_cli.errors import CliError
from councilor_cli.files import read_text
from councilor_cli.options import Context, Kubeconfig, Namespace
from councilor_cli.output import Format, Grid, cell, note, print_document, print_lines

if TYPE_CHECKING:
    from councilor_operator.schedule import CompiledSchedule

_INTERVAL: Final = re.compile(r"\s*\d+\s*[a-zA-Z]*\s*")


def preview(
    what: Annotated[
        str | None,
        typer.Argument(
            help="A cron expression or an interval in quotes, or the name of a Councilor.",
            metavar="SCHEDULE|NAME",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--filename", "-f", help="The Councilors of a file, - for standard input.", allow_dash=True),
    ] = None,
    time_zone: Annotated[
        str | None,
        typer.Option("--time-zone", "-z", help="Zone of the schedule, or where none is named.", show_default=False),
    ] = None,
    count: Annotated[int, typer.Option("--count", "-c", min=1, max=1000, help="How many runs to show.")] = 5,
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print them.")] = Format.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Say in words when a schedule runs, show its next runs, and warn of what may not be meant."""
    from councilor_operator.schedule import ScheduleError

    if (what is None) == (file is None):
        raise typer.BadParameter("give a schedule, the name of a Councilor, or --filename")
    now = datetime.now(tz=UTC)
    anchor: datetime | None = None
    found: list[tuple[str, CompiledSchedule]]
    try:
        if file is not None:
            found = _of_file(file, time_zone or "UTC")
        elif what is not None and _is_schedule(what):
            found = [("", _compile(what, time_zone))]
        else:
            assert what is not None  # noqa: S101 - one of the two is given
            schedule, anchor = asyncio.run(_of_cluster(what, time_zone, kubeconfig, context, namespace))
            found = [(what, schedule)]
    except ScheduleError as error:
        raise CliError(error.message) from error
    documents = [_document(name, schedule, now, count, anchor) for name, schedule in found]
    if output is not Format.TABLE:
        print_document(documents if file is not None else documents[0], output)
        return
    for position, document in enumerate(documents):
        if position:
            print_lines([cell(" ", "")])
        _print(document, now)
    if what is not None and _is_schedule(what) and "H" in what.split("#")[0]:
        note("H stands for a value of each Councilor's own, known once it exists: these are those of an example")


def _is_schedule(text: str) -> bool:
    return " " in text.strip() or text.startswith("@") or _INTERVAL.fullmatch(text) is not None


def _compile(text: str, time_zone: str | None) -> "CompiledSchedule":
    from councilor_cli.validation import STAND_IN_UID
    from councilor_operator.schedule import compile_schedule

    kind = "interval" if _INTERVAL.fullmatch(text) else "cron"
    value = text.strip() if kind == "interval" else text
    return compile_schedule(type=kind, value=value, time_zone=time_zone, default_zone="UTC", uid=STAND_IN_UID)


def _of_file(file: Path, default_zone: str) -> "list[tuple[str, CompiledSchedule]]":
    from councilor_cli.validation import Severity, check, schedules

    name, text = read_text(file)
    errors = [item for item in check(text, default_zone=default_zone).findings if item.severity is Severity.ERROR]
    if errors:
        first, more = errors[0], len(errors) - 1
        rest = f"; {more} more: `councilor validate {name}`" if more else ""
        raise CliError(f"{name}:{first.place.line}:{first.place.column}: {first.message}{rest}")
    if not (found := list(schedules(text, default_zone=default_zone))):
        raise CliError(f"{name}: no Councilor in it")
    return found


async def _of_cluster(
    name: str, time_zone: str | None, kubeconfig: str | None, context: str | None, namespace: str | None
) -> "tuple[CompiledSchedule, datetime | None]":
    from councilor_cli.cluster import open_cluster
    from councilor_cli.credentials import Choice
    from councilor_cli.summary import Summary
    from councilor_operator.schedule import compile_schedule

    async with open_cluster(Choice(kubeconfig, context, namespace)) as cluster:
        body = await cluster.councilor(name)
    schedule = (body.get("spec") or {}).get("schedule") or {}
    compiled = compile_schedule(
        type=str(schedule.get("type", "")),
        value=str(schedule.get("value", "")),
        time_zone=schedule.get("timeZone"),
        default_zone=time_zone or "UTC",
        uid=body["metadata"]["uid"],
    )
    upcoming = next(iter(Summary.of(body).next_runs), None)
    # The next run as the operator counts it, which knows when the last one was.
    anchor = upcoming - compiled.interval if upcoming is not None and compiled.interval is not None else None
    return compiled, anchor


def _document(
    name: str, schedule: "CompiledSchedule", now: datetime, count: int, anchor: datetime | None
) -> dict[str, Any]:
    from zoneinfo import ZoneInfo

    from councilor_cli.wording import clock_changes, in_words
    from councilor_operator.schedule import next_times

    zone = ZoneInfo(schedule.time_zone)
    times = next_times(schedule, after=now, count=count, anchor=anchor)
    return {
        **({"name": name} if name else {}),
        "words": in_words(schedule),
        "cronJobSchedule": schedule.cron_expression,
        "timeZone": schedule.time_zone,
        "runs": [{"local": time.astimezone(zone).isoformat(), "utc": f"{time:%Y-%m-%dT%H:%M:%SZ}"} for time in times],
        "clockChanges": clock_changes(schedule, after=now),
        "warnings": [{"code": lint.code, "message": lint.message} for lint in schedule.warnings],
    }


def _print(document: dict[str, Any], now: datetime) -> None:
    from councilor_cli.times import until

    head = f"{document['name']}: runs" if "name" in document else "Runs"
    print_lines([cell(f"{head} {document['words']}, {document['timeZone']}", "bold")])
    grid = Grid(("NEXT RUN", "UTC", "DAY", "IN"), indent="  ")
    rows = []
    for run in document["runs"]:
        local, utc = datetime.fromisoformat(run["local"]), datetime.fromisoformat(run["utc"])
        away = until(utc, now) if utc - now >= timedelta(seconds=1) else "now"
        shown = (f"{local:%Y-%m-%d %H:%M %z}", f"{utc:%Y-%m-%d %H:%M}", f"{local:%a}", away.removeprefix("in "))
        rows.append([cell(text) for text in shown])
    print_lines(grid.lines(rows))
    for text in document["clockChanges"]:
        note(f"note: {text}")
    for lint in document["warnings"]:
        note(f"warning: {lint['message']}")
