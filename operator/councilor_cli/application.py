"""The commands put together."""

from typing import Final

import typer

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


application.command()(version)
