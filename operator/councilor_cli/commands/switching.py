"""`councilor pause` and `councilor resume`: `spec.schedule.enabled`, for one Councilor or several."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from councilor_cli.cluster import Access, Cluster, connect
from councilor_cli.errors import CliError
from councilor_cli.options import Context, Kubeconfig, Names, Namespace
from councilor_cli.output import say
from councilor_operator.constants import LABEL_SOURCE, SOURCE_MONGODB

Force = Annotated[
    bool, typer.Option("--force", help="Also where the sync will undo it: Councilors made from Conductor's documents.")
]


def pause(
    names: Names,
    namespace: Namespace = None,
    force: Force = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Pause Councilors: no more runs until they are resumed; a run that goes on ends as it would."""
    asyncio.run(_switch(Access(namespace, context, kubeconfig), names, enabled=False, force=force))


def resume(
    names: Names,
    namespace: Namespace = None,
    force: Force = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Resume Councilors: at their next time; what came due meanwhile is not made up for."""
    asyncio.run(_switch(Access(namespace, context, kubeconfig), names, enabled=True, force=force))


async def _switch(access: Access, names: Sequence[str], *, enabled: bool, force: bool) -> None:
    problems = 0
    async with connect(access) as cluster:
        for name in dict.fromkeys(names):
            try:
                say(f"{name} {await _switch_one(cluster, name, enabled=enabled, force=force)}")
            except CliError as error:
                problems += 1
                say(f"error: {error}")
    if problems:
        raise typer.Exit(1)


async def _switch_one(cluster: Cluster, name: str, *, enabled: bool, force: bool) -> str:
    """Switch one Councilor; what became of it, in words."""
    councilor = await cluster.councilor(name)
    labels = councilor["metadata"].get("labels") or {}
    if labels.get(LABEL_SOURCE) == SOURCE_MONGODB and not force:
        raise CliError(
            f"{name} is made from a document of Conductor's, and the sync would undo this: do it in Conductor, or use "
            "--force where there is no sync any more"
        )
    is_suspended = (councilor.get("status") or {}).get("phase") == "Suspended"
    if councilor["spec"]["schedule"].get("enabled", True) != enabled:
        await cluster.patch(name, {"spec": {"schedule": {"enabled": enabled}}})
        return "resumed" if enabled else "paused"
    if enabled and is_suspended:
        # Only a change of the spec tells the operator that somebody has looked at it.
        await cluster.patch(name, {"spec": {"schedule": {"enabled": False}}})
        await cluster.patch(name, {"spec": {"schedule": {"enabled": True}}})
        return "resumed, after its failures"
    return "was not paused" if enabled else "was paused already"
