"""`councilor history`: the runs that the status remembers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from councilor_cli.cluster import Access, connect
from councilor_cli.options import Context, Kubeconfig, Name, Namespace, Output
from councilor_cli.output import Format, print_document, print_table, say
from councilor_cli.text import ago
from councilor_cli.view import RUN_HEADINGS, STYLES, history


def history_(
    name: Name,
    namespace: Namespace = None,
    output: Output = Format.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show the last ten runs, the newest first; all of them are in MongoDB, `councilor_executions`."""
    status = asyncio.run(_status(Access(namespace, context, kubeconfig), name))
    runs = history(status)
    if output.is_document:
        print_document(runs, output)
        return
    if not runs:
        say(f"{name} has not run yet; `councilor run {name}` starts it")
        return
    now = datetime.now(UTC)
    wide = output is Format.WIDE
    rows = [
        [
            str(run.get("completedAt") or "") if wide else f"{ago(run.get('completedAt'), now)} ago",
            str(run.get("result") or ""),
            str(run.get("jobName") or ""),
        ]
        for run in runs
    ]
    print_table(RUN_HEADINGS, rows, STYLES)


async def _status(access: Access, name: str) -> dict[str, Any]:
    async with connect(access) as cluster:
        return dict((await cluster.councilor(name)).get("status") or {})
