"""`councilor logs`: what the runner of a run wrote."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from councilor_cli.cluster import Access, connect
from councilor_cli.errors import CliError
from councilor_cli.logs import show_log
from councilor_cli.options import Context, Kubeconfig, Name, Namespace
from councilor_cli.output import console


def logs(
    name: Name,
    namespace: Namespace = None,
    job: Annotated[str | None, typer.Option(help="Job of the run; the one that goes on, else the last.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until the run has ended.")] = False,
    previous: Annotated[bool, typer.Option("--previous", "-p", help="Of the container before this one.")] = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show the runner's log of a run: of the one that goes on, else of the last."""
    asyncio.run(_logs(Access(namespace, context, kubeconfig), name, job, follow=follow, previous=previous))


async def _logs(access: Access, name: str, job: str | None, *, follow: bool, previous: bool) -> None:
    async with connect(access) as cluster:
        if job is None:
            status = (await cluster.councilor(name)).get("status") or {}
            active = [run.get("jobName") for run in status.get("active") or []]
            job = active[-1] if active else (status.get("lastRun") or {}).get("jobName")
            if job is None:
                raise CliError(f"Councilor {name} has not run yet; `councilor run {name}` starts it")
        await show_log(cluster, job, follow=follow, previous=previous, out=console())
