"""The commands put together."""

from pathlib import Path
from typing import Final

import typer

from councilor_cli.commands.detail import get
from councilor_cli.commands.listing import list_
from councilor_cli.commands.log import logs
from councilor_cli.commands.past import history_
from councilor_cli.commands.running import run
from councilor_cli.commands.switching import pause, resume
from councilor_cli.commands.version import version

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


application.command("list")(list_)
application.command("ls", hidden=True)(list_)
application.command()(get)
application.command()(run)
application.command()(pause)
application.command()(resume)
application.command("history")(history_)
application.command()(logs)
application.command()(version)


def program(argument: str) -> str:
    """How the program was called: kubectl runs `kubectl-councilor` for `kubectl councilor`."""
    name = Path(argument).name
    return "kubectl councilor" if name == "kubectl-councilor" else "councilor"
