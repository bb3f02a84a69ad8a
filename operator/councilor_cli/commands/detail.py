"""`councilor get`: everything about one Councilor, and what to do about it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from councilor_cli.cluster import Access, connect
from councilor_cli.options import Context, Kubeconfig, Name, Namespace, Output
from councilor_cli.output import Format, console, print_document
from councilor_cli.view import STYLES, page


def get(
    name: Name,
    namespace: Namespace = None,
    output: Output = Format.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show one Councilor: schedule, next runs, last run, conditions with advice."""
    found = asyncio.run(_read(Access(namespace, context, kubeconfig), name))
    if output.is_document:
        print_document(found, output)
        return
    _print(found)


async def _read(access: Access, name: str) -> dict[str, Any]:
    async with connect(access) as cluster:
        return await cluster.councilor(name)


def _print(found: dict[str, Any]) -> None:
    from rich.text import Text

    lines = page(found, datetime.now(UTC))
    width = max(len(heading) for heading, _ in lines) + 2
    out = console()
    for heading, text in lines:
        for number, line in enumerate(text.splitlines()):
            start = Text(f"{heading + ':' if number == 0 else '':<{width}}", style="bold")
            first = line.partition(",")[0]
            out.print(start + Text(first, style=STYLES.get(first, "")) + Text(line.removeprefix(first)))
