"""`councilor get`."""

import asyncio
import shutil
from datetime import UTC, datetime
from typing import Annotated

import typer

from councilor_cli.options import Context, Kubeconfig, Name, Namespace
from councilor_cli.output import Format, print_document, print_lines


def get(
    name: Name,
    namespace: Namespace = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print it.")] = Format.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show a Councilor on one page: schedule, next runs, conditions with advice, last run, statistics."""
    from councilor_cli.cluster import open_cluster
    from councilor_cli.commands.listing import without_bookkeeping
    from councilor_cli.credentials import Choice
    from councilor_cli.page import page
    from councilor_cli.summary import Summary

    async def run() -> None:
        async with open_cluster(Choice(kubeconfig, context, namespace)) as cluster:
            body = await cluster.councilor(name)
        if output is not Format.TABLE:
            print_document(without_bookkeeping(body), output)
            return
        width = min(shutil.get_terminal_size().columns, 120)
        print_lines(page(Summary.of(body), datetime.now(tz=UTC), here=None, width=width))

    asyncio.run(run())
