"""`councilor list`: all Councilors, on one line each."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from councilor_cli.cluster import Access, connect
from councilor_cli.options import Context, Kubeconfig, Namespace, Output
from councilor_cli.output import Format, console, print_document, print_table, say
from councilor_cli.view import HEADINGS, STYLES, WIDE, row

REFRESH_SECONDS: Final = 2.0


def list_(
    namespace: Namespace = None,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Those of all namespaces.")] = False,
    selector: Annotated[str, typer.Option("--selector", "-l", help="Label selector, as kubectl has it.")] = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Print again whatever changes, until Ctrl-C.")] = False,
    output: Output = Format.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List Councilors: when each runs next, and how it went."""
    access = Access(namespace, context, kubeconfig)
    asyncio.run(_list(access, everywhere=everywhere, selector=selector, watch=watch, output=output))


async def _list(access: Access, *, everywhere: bool, selector: str, watch: bool, output: Format) -> None:
    async with connect(access) as cluster:
        seen: dict[str, str] = {}
        first = True
        while True:
            found = await cluster.councilors(everywhere=everywhere, selector=selector)
            changed = [item for item in found if seen.get(item["metadata"]["uid"]) != _version(item)]
            if first and not found and not output.is_document:
                where = "any namespace" if everywhere else f"namespace {cluster.namespace}"
                say(f"no Councilors in {where}" + (f" with labels {selector}" if selector else ""))
            elif changed or first:
                _print(changed, everywhere=everywhere, output=output)
            if not watch:
                return
            seen, first = {item["metadata"]["uid"]: _version(item) for item in found}, False
            await asyncio.sleep(REFRESH_SECONDS)


def _version(item: dict[str, Any]) -> str:
    return str(item["metadata"]["resourceVersion"])


def _print(found: list[dict[str, Any]], *, everywhere: bool, output: Format) -> None:
    if output.is_document:
        print_document({"apiVersion": "v1", "kind": "List", "items": found}, output)
        return
    wide = output is Format.WIDE
    headings = [*(["NAMESPACE"] if everywhere else []), *HEADINGS, *(WIDE if wide else ())]
    now = datetime.now(UTC)
    rows = [[*([item["metadata"]["namespace"]] if everywhere else []), *row(item, now, wide=wide)] for item in found]
    if rows:
        print_table(headings, rows, STYLES)
    else:
        console().print("")
