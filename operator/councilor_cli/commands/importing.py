"""`councilor import`."""

import asyncio
import os
import sys
from typing import Annotated, Final

import typer

from councilor_cli.errors import CliError

_OPTIONS: Final = {
    "namespace": "COUNCILOR_SYNC_NAMESPACE",
    "dialect": "COUNCILOR_SYNC_CRON_DIALECT",
    "zone": "COUNCILOR_SYNC_TIME_ZONE",
}


def import_(
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Namespace of the Councilors.", show_default=False)
    ] = None,
    dialect: Annotated[
        str | None,
        typer.Option("--cron-dialect", help="kubernetes or conductor: how weekdays are counted.", show_default=False),
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--time-zone", "-z", help="Zone of schedules that name none.", show_default=False)
    ] = None,
) -> None:
    """Print the agents of Conductor's database that have a schedule as Councilors; MONGODB_URI says where it is.

    Settings are those of the sync. Documents that cannot be one are named, and the exit code is 1 then.
    """
    from councilor_operator.errors import ConfigurationError
    from councilor_operator.sync import command

    given = {"namespace": namespace, "dialect": dialect, "zone": zone}
    environment = {**os.environ, **{_OPTIONS[name]: value for name, value in given.items() if value is not None}}
    try:
        code = asyncio.run(command.run(environment, sys.stdout, sys.stderr))
    except ConfigurationError as error:
        raise CliError(str(error)) from error
    raise typer.Exit(code)
