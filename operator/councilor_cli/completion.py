"""Names of Councilors for the shell's completion: from the cluster, within two seconds, silent about all that fails."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from councilor_cli.cluster import Access

SECONDS: Final = 2.0


def names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names in the namespace that was typed so far and that begin with what was typed so far."""
    if os.environ.get("COUNCILOR_COMPLETE_NAMES") == "0":
        return []
    from councilor_cli.cluster import Access

    typed = ctx.params
    kubeconfig = typed.get("kubeconfig")
    access = Access(typed.get("namespace"), typed.get("context"), Path(kubeconfig) if kubeconfig else None)
    # A shell that waits for its user shows no errors: no names then.
    with contextlib.suppress(Exception):
        return [name for name in asyncio.run(_names(access)) if name.startswith(incomplete)]
    return []


async def _names(access: Access) -> list[str]:
    import councilor_operator.connection  # noqa: F401 - takes its time, which is not the cluster's
    from councilor_cli.cluster import connect

    async with asyncio.timeout(SECONDS), connect(access) as cluster:
        return [item["metadata"]["name"] for item in await cluster.councilors()]
