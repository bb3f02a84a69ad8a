"""Logs of runs, as the kubelet has them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from councilor_cli.cluster import Cluster
from councilor_cli.errors import CliError
from councilor_cli.text import legible

if TYPE_CHECKING:
    from rich.console import Console

LOOK_SECONDS: Final = 0.5


async def show_log(cluster: Cluster, job: str, *, follow: bool, out: Console, previous: bool = False) -> None:
    """Print the log of a Job's Pods: with `follow` of each one until the Job makes no further, else of the last.

    Raises `CliError` where there is none any more.
    """
    shown: set[str] = set()
    while True:
        pods = await cluster.pods(job)
        if not pods and not follow:
            raise CliError(
                f"Job {job} has no Pod any more: its log went with it; the result stays in the status and in MongoDB"
            )
        waiting = [pod for pod in pods if pod["metadata"]["name"] not in shown]
        chosen = waiting if follow else waiting[-1:]
        for pod in chosen:
            if not _has_started(pod):
                continue
            shown.add(pod["metadata"]["name"])
            async with cluster.log(pod["metadata"]["name"], follow=follow, previous=previous) as lines:
                async for line in lines:
                    # soft_wrap and no markup: the lines as they are, without what steers terminals.
                    out.print(legible(line.decode(errors="replace").rstrip("\n")))
        if not follow:
            if chosen and not shown:
                raise CliError(f"Pod {chosen[-1]['metadata']['name']} has not started: {_state(chosen[-1])}")
            return
        if shown and all(_has_ended(pod) for pod in pods):
            return
        await asyncio.sleep(LOOK_SECONDS)


def _statuses(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return pod.get("status", {}).get("containerStatuses") or []


def _has_started(pod: dict[str, Any]) -> bool:
    return any("waiting" not in (status.get("state") or {"waiting": {}}) for status in _statuses(pod))


def _has_ended(pod: dict[str, Any]) -> bool:
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}


def _state(pod: dict[str, Any]) -> str:
    reasons = [(status.get("state") or {}).get("waiting", {}).get("reason") for status in _statuses(pod)]
    return ", ".join(filter(None, reasons)) or str(pod.get("status", {}).get("phase") or "unknown")
