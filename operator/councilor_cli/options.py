"""Options and arguments that several commands have."""

from typing import Annotated

import typer

from councilor_cli.completion import contexts, names, namespaces

Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        help="The namespace; that of the context if not given.",
        show_default=False,
        autocompletion=namespaces,
    ),
]
Context = Annotated[
    str | None,
    typer.Option(
        help="The context of the kubeconfig; the current one if not given.", show_default=False, autocompletion=contexts
    ),
]
Kubeconfig = Annotated[
    str | None,
    typer.Option(help="The kubeconfig; KUBECONFIG or ~/.kube/config if not given.", show_default=False),
]
Name = Annotated[
    str,
    typer.Argument(help="Name of the Councilor.", metavar="NAME", show_default=False, autocompletion=names),
]
Names = Annotated[
    list[str],
    typer.Argument(help="Names of Councilors.", metavar="NAME...", show_default=False, autocompletion=names),
]
