"""`councilor pause` and `councilor resume`."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from councilor_cli.errors import CliError
from councilor_cli.options import Context, Kubeconfig, Names, Namespace
from councilor_cli.output import note, one_line

if TYPE_CHECKING:
    from councilor_cli.cluster import Cluster
    from councilor_cli.summary import Summary

Force = Annotated[
    bool, typer.Option("--force", help="Also where a sync will undo it, for example while the sync is stopped.")
]
Change = Callable[["Cluster", "Summary"], Coroutine[Any, Any, str]]


def pause(
    names: Names,
    namespace: Namespace = None,
    force: Force = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Pause Councilors: no run will come until they are resumed; one that goes on is not stopped."""
    from councilor_cli.times import until

    async def change(cluster: "Cluster", councilor: "Summary") -> str:
        if not councilor.enabled:
            return "was paused already"
        await _enable(cluster, councilor.name, enabled=False)
        upcoming = next(iter(councilor.next_runs), None)
        was = councilor.status.phase or "not seen by the operator yet"
        before = f"was {was}" + (f", next run {until(upcoming, datetime.now(tz=UTC))}" if upcoming else "")
        return f"paused ({before})"

    _each(names, change, "pause", namespace, context, kubeconfig, force=force)


def resume(
    names: Names,
    namespace: Namespace = None,
    force: Force = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Resume Councilors that are paused, or suspended after failures; what passed meanwhile is not made up for."""

    async def change(cluster: "Cluster", councilor: "Summary") -> str:
        if councilor.enabled and councilor.status.phase == "Suspended":
            # The operator begins anew after any change of the spec. Between the two it is paused, which can be seen.
            await _enable(cluster, councilor.name, enabled=False)
            await _enable(cluster, councilor.name, enabled=True)
            failures = councilor.status.stats.consecutive_failures if councilor.status.stats else 0
            return f"resumed (was Suspended, {failures} failed runs in a row)"
        if councilor.enabled:
            return f"was not paused (it is {councilor.status.phase or 'not seen by the operator yet'})"
        await _enable(cluster, councilor.name, enabled=True)
        return "resumed (was Paused)"

    _each(names, change, "resume", namespace, context, kubeconfig, force=force)


def _check_free(councilor: "Summary", verb: str) -> None:
    if councilor.document is not None:
        raise CliError(
            f"{councilor.name} is made from the document {one_line(councilor.document)}, and the sync would undo it: "
            f"{verb} it in Conductor (councilor_config.schedule.enabled of the document), or use --force while the "
            "sync is stopped"
        )


async def _enable(cluster: "Cluster", name: str, *, enabled: bool) -> None:
    await cluster.change(name, {"spec": {"schedule": {"enabled": enabled}}})


def _each(
    names: list[str],
    change: Change,
    verb: str,
    namespace: str | None,
    context: str | None,
    kubeconfig: str | None,
    *,
    force: bool,
) -> None:
    """Change one after the other; a Councilor that cannot be changed keeps none of the others from it."""
    from councilor_cli.cluster import open_cluster
    from councilor_cli.credentials import Choice
    from councilor_cli.summary import Summary

    async def run() -> None:
        failures: list[str] = []
        async with open_cluster(Choice(kubeconfig, context, namespace)) as cluster:
            for name in dict.fromkeys(names):
                try:
                    councilor = Summary.of(await cluster.councilor(name))
                    if not force:
                        _check_free(councilor, verb)
                    sys.stdout.write(f"{name} {await change(cluster, councilor)}\n")
                    sys.stdout.flush()
                except CliError as error:
                    failures.append(str(error))
        for failure in failures[:-1]:
            note(f"error: {failure}")
        if failures:
            raise CliError(failures[-1])

    asyncio.run(run())
