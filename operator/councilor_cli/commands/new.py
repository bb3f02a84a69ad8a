"""`councilor new`."""

import sys
from typing import Annotated

import typer

from councilor_cli.errors import CliError
from councilor_cli.output import note


def new(
    name: Annotated[str, typer.Argument(help="Name of the Councilor.", metavar="NAME", show_default=False)],
    agent: Annotated[str, typer.Option(help="Id of the agent in Conductor.", show_default=False)],
    prompt: Annotated[str, typer.Option(help="What the agent is asked.")] = "Say what has changed since yesterday.",
    cron: Annotated[str | None, typer.Option(help="Cron expression.", show_default="0 9 * * MON-FRI")] = None,
    every: Annotated[str | None, typer.Option(help="Interval, 45m, 6h or 2d.", show_default=False)] = None,
    time_zone: Annotated[
        str | None, typer.Option("--time-zone", "-z", help="Zone of the cron expression.", show_default="UTC")
    ] = None,
    cwd: Annotated[str, typer.Option(help="Directory on Conductor's host.")] = "/srv/project",
) -> None:
    """Print a Councilor as YAML with a comment for each part, for a file of your own."""
    from councilor_cli.manifest import manifest
    from councilor_cli.validation import Severity, check

    if cron is not None and every is not None:
        raise typer.BadParameter("give either --cron or --every")
    if every is not None and time_zone is not None:
        raise typer.BadParameter("--time-zone is for --cron: an interval is the same in all zones")
    text = manifest(
        name=name,
        agent=agent,
        type="interval" if every is not None else "cron",
        value=every if every is not None else (cron or "0 9 * * MON-FRI"),
        zone=None if every is not None else (time_zone or "UTC"),
        prompt=prompt,
        cwd=cwd,
    )
    for finding in check(text).findings:
        if finding.severity is Severity.ERROR:
            raise CliError(finding.message)
        note(f"warning: {finding.message}")
    sys.stdout.write(text)
