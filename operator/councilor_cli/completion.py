"""What the cluster and the kubeconfig have to complete words with: bounded in time, and silent when there is nothing.

Whoever presses the tabulator wants no error in the middle of a line.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import typer

_SECONDS: Final = 3.0
"""Longer nobody waits for a tabulator."""


def names(context: typer.Context, incomplete: str) -> list[str]:
    """Return names of Councilors of the namespace that the line names so far."""
    from councilor_cli.cluster import open_cluster

    async def ask() -> list[str]:
        async with open_cluster(_choice(context)) as cluster:
            return [str(item["metadata"]["name"]) for item in (await cluster.councilors())[0]]

    given = context.params.get("names") or ()
    return [name for name in _answer(ask()) if name.startswith(incomplete) and name not in given]


def namespaces(context: typer.Context, incomplete: str) -> list[str]:
    """Return namespaces that have Councilors."""
    from councilor_cli.cluster import open_cluster

    async def ask() -> list[str]:
        async with open_cluster(_choice(context)) as cluster:
            items, _ = await cluster.councilors(everywhere=True)
            return sorted({str(item["metadata"]["namespace"]) for item in items})

    return [name for name in _answer(ask()) if name.startswith(incomplete)]


def contexts(context: typer.Context, incomplete: str) -> list[str]:
    """Return contexts of the kubeconfig."""
    from councilor_cli.credentials import context_names

    return [name for name in context_names(_choice(context)) if name.startswith(incomplete)]


def _choice(context: typer.Context) -> Any:
    from councilor_cli.credentials import Choice

    given = context.params
    return Choice(given.get("kubeconfig"), given.get("context"), given.get("namespace"))


def _answer(question: Coroutine[Any, Any, list[str]]) -> list[str]:
    async def bounded() -> list[str]:
        async with asyncio.timeout(_SECONDS):
            return await question

    try:
        return asyncio.run(bounded())
    # No cluster, no right, no time: nothing to complete with, and nobody to tell.
    except Exception:
        return []
