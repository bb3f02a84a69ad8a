"""`councilor list`."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from councilor_cli.options import Context, Kubeconfig, Namespace
from councilor_cli.output import Grid, ListFormat, note, print_document, print_lines


def list_(
    namespace: Namespace = None,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of all namespaces.")] = False,
    selector: Annotated[
        str, typer.Option("--selector", "-l", help="Those with these labels, as kubectl has it.", show_default=False)
    ] = "",
    output: Annotated[ListFormat, typer.Option("--output", "-o", help="How to print them.")] = ListFormat.TABLE,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on printing what changes.")] = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List Councilors: what they run, how the last run went, when the next one comes."""
    from councilor_cli.cluster import open_cluster
    from councilor_cli.credentials import Choice

    async def run() -> None:
        async with open_cluster(Choice(kubeconfig, context, namespace)) as cluster:
            items, version = await cluster.councilors(everywhere=everywhere, selector=selector)
            show = _printer(output, everywhere=everywhere, watch=watch)
            if not items and output in {ListFormat.TABLE, ListFormat.WIDE}:
                where = "any namespace" if everywhere else f"the namespace {cluster.namespace}"
                note(f"no Councilors in {where}" + ("" if everywhere else ", -A shows those of all"))
            show(items)
            if watch:
                async for _, item in cluster.watch(version, everywhere=everywhere, selector=selector):
                    show([item])

    asyncio.run(run())


def _printer(output: ListFormat, *, everywhere: bool, watch: bool) -> Any:
    from councilor_cli import listing
    from councilor_cli.summary import Summary

    if output in {ListFormat.JSON, ListFormat.YAML}:

        def document(items: list[dict[str, Any]]) -> None:
            shown = [without_bookkeeping(item) for item in items]
            if not watch:
                print_document({"apiVersion": "v1", "kind": "List", "items": shown}, output)
                return
            for item in shown:
                print_document(item, output)

        return document

    wide = output is ListFormat.WIDE
    grid = Grid(listing.headings(wide=wide, everywhere=everywhere))

    def table(items: list[dict[str, Any]]) -> None:
        now = datetime.now(tz=UTC)
        found = listing.order([Summary.of(item) for item in items])
        if found:
            print_lines(grid.lines(listing.row(item, now, wide=wide, everywhere=everywhere) for item in found))

    return table


def without_bookkeeping(item: dict[str, Any]) -> dict[str, Any]:
    """Return an object without the list of who set which field, which nobody reads; kubectl leaves it out too."""
    return {**item, "metadata": {key: value for key, value in item["metadata"].items() if key != "managedFields"}}
