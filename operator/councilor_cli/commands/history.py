"""`councilor history`."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from councilor_cli.options import Context, Kubeconfig, Name, Namespace
from councilor_cli.output import Format, note, print_document, print_lines


def history(
    name: Name,
    namespace: Namespace = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print them.")] = Format.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show the last ten runs of a Councilor, newest first; MongoDB has all of them."""
    from councilor_cli import page
    from councilor_cli.cluster import open_cluster
    from councilor_cli.credentials import Choice
    from councilor_cli.summary import Summary

    async def run() -> None:
        async with open_cluster(Choice(kubeconfig, context, namespace)) as cluster:
            body = await cluster.councilor(name)
        councilor = Summary.of(body)
        found = councilor.status.recent_runs or ()
        if output is not Format.TABLE:
            print_document((body.get("status") or {}).get("recentRuns") or [], output)
            return
        if not found:
            note(f"no run of {name} has ended yet: `councilor run {name}` starts one")
            return
        print_lines(page.history(councilor, datetime.now(tz=UTC)))
        stats = councilor.status.stats
        total = stats.total_executions + stats.skipped if stats else len(found)
        if total > len(found):
            note(
                f"{len(found)} of {total} runs; councilor_executions in MongoDB has them all, with their answers, if "
                "the Secret of the runner names one"
            )

    asyncio.run(run())
