"""The commands put together."""

from typing import Final

import typer

from councilor_cli.commands.get import get
from councilor_cli.commands.history import history
from councilor_cli.commands.importing import import_
from councilor_cli.commands.listing import list_
from councilor_cli.commands.logs import logs
from councilor_cli.commands.new import new
from councilor_cli.commands.pause import pause, resume
from councilor_cli.commands.preview import preview
from councilor_cli.commands.run import run
from councilor_cli.commands.validate import validate
from councilor_cli.commands.version import version

CLUSTER: Final = "In the cluster"
"""Heading of the commands that talk to an API server."""
BEFORE: Final = "Before applying"
"""Heading of the commands for files and schedules."""

application: Final = typer.Typer(
    name="councilor",
    help="AI agents on a schedule on Kubernetes: see, run, pause and check Councilors.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


# With a callback the application keeps its sub-commands, also while there is only one.
@application.callback()
def _group() -> None: ...


application.command("list", rich_help_panel=CLUSTER)(list_)
application.command("ls", hidden=True)(list_)
application.command(rich_help_panel=CLUSTER)(get)
application.command(rich_help_panel=CLUSTER)(run)
application.command(rich_help_panel=CLUSTER)(pause)
application.command(rich_help_panel=CLUSTER)(resume)
application.command(rich_help_panel=CLUSTER)(history)
application.command(rich_help_panel=CLUSTER)(logs)
application.command(rich_help_panel=BEFORE)(preview)
application.command(rich_help_panel=BEFORE)(validate)
application.command(rich_help_panel=BEFORE)(new)
application.command("import", rich_help_panel=BEFORE)(import_)
application.command()(version)
