"""Options that several commands have, as kubectl spells them."""

from pathlib import Path
from typing import Annotated

import typer

from councilor_cli.completion import names
from councilor_cli.output import Format

Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Namespace; the context's own if not given.", metavar="NAME")
]
Context = Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig.", metavar="NAME")]
Kubeconfig = Annotated[Path | None, typer.Option("--kubeconfig", help="Path of the kubeconfig.", metavar="FILE")]
Output = Annotated[Format, typer.Option("--output", "-o", help="How to print it.", case_sensitive=False)]
Name = Annotated[str, typer.Argument(help="Name of the Councilor.", autocompletion=names, show_default=False)]
Names = Annotated[
    list[str], typer.Argument(help="Names of Councilors.", autocompletion=names, show_default=False, metavar="NAME...")
]
