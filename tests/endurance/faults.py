"""What happens to the installation: operators killed, an API server that crashes, a database that is gone.

The node must be this machine: processes are found by the container's id in their control group.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

from hack.demo.cluster import LAUNCHER
from hack.demo.commands import CommandError, Commands
from hack.demo.manifests import LABEL_COMPONENT, OPERATOR
from tests.e2e.environment import Environment
from tests.e2e.operator_pod import processes_of
from tests.e2e.workspace import eventually

Blow = Literal["replaced", "overlapping", "restarted"]
"""How an operator is killed.

`replaced`: SIGKILL, and its Pod is deleted by force, so that a new Pod starts without the kubelet's back-off.
`overlapping`: its Pod is deleted by force and without SIGKILL: the old process still ends while the new one works.
`restarted`: SIGKILL alone; the kubelet starts the container again, later each time (CrashLoopBackOff).
"""


class Operators:
    """The Pods of the operator's Deployment."""

    def __init__(self, environment: Environment) -> None:
        self._cluster = environment.cluster
        self._namespace = environment.installation.scope.operator_namespace
        self.killed = 0
        self.killed_ready = 0
        """How many of them had been at work: the others had only begun to start."""

    def scale(self, replicas: int) -> None:
        """Change the number of replicas, as somebody might by accident, and wait until all are ready."""
        self._cluster.kubectl(
            "scale", f"deployment/{OPERATOR}", "-n", self._namespace, f"--replicas={replicas}", "--timeout=60s"
        )
        self.await_ready(replicas)

    def await_ready(self, replicas: int) -> None:
        """Wait until exactly so many Pods are there and ready. A kubelet's back-off may take five minutes."""
        eventually(
            lambda: len(pods := self._pods()) == replicas and all(map(_is_ready, pods)),
            f"{replicas} operators are ready",
            seconds=330,
            state=lambda: [pod["status"].get("containerStatuses") for pod in self._pods()],
        )

    def strike(self, blow: Blow) -> None:
        """Kill the oldest operator that has a process; nothing when there is none at the moment."""
        for pod in sorted(self._pods(), key=lambda pod: str(pod["metadata"]["creationTimestamp"])):
            pids = [pid for identifier in _containers(pod) for pid in processes_of(identifier)]
            if not pids:
                continue
            self.killed += 1
            self.killed_ready += _is_ready(pod)
            if blow != "overlapping":
                for pid in pids:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            if blow != "restarted":
                name = pod["metadata"]["name"]
                force = ("--force", "--grace-period=0", "--wait=false", "--ignore-not-found")
                self._cluster.kubectl("delete", "pod", name, "-n", self._namespace, *force)
            return

    def strike_every(self, seconds: float, *, for_seconds: float, blows: tuple[Blow, ...]) -> None:
        """Kill an operator each so many seconds, in turn in every way."""
        kinds = itertools.cycle(blows)
        every(seconds, for_seconds, lambda: self.strike(next(kinds)))

    def _pods(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._cluster.get(
            "pods", "-n", self._namespace, "-l", f"{LABEL_COMPONENT}=operator"
        )["items"]
        return found


def crash_api_server(environment: Environment, away_seconds: float) -> None:
    """Kill the API server with SIGKILL and start it again after a while; returns when it is ready."""
    environment_variables = {**os.environ, "CLUSTER": environment.cluster.kind}
    commands = Commands()
    commands.run([LAUNCHER, "kill", "apiserver"], environment=environment_variables)
    try:
        time.sleep(away_seconds)
    finally:
        commands.run([LAUNCHER, "restart", "apiserver"], environment=environment_variables)


def away_database(environment: Environment, seconds: float) -> None:
    """End mongod, and start it again on its data."""
    environment.mongod.shutdown()
    try:
        time.sleep(seconds)
    finally:
        environment.mongod.restart()


def every(seconds: float, for_seconds: float, do: Callable[[], None]) -> None:
    """Do something at once and then each so many seconds, by the clock and not after the last time it was done."""
    began = time.monotonic()
    for number in itertools.count():
        due = began + number * seconds
        if due - began >= for_seconds:
            time.sleep(max(0.0, began + for_seconds - time.monotonic()))
            return
        time.sleep(max(0.0, due - time.monotonic()))
        with suppress(CommandError):  # a Pod that went by itself
            do()


def _containers(pod: dict[str, Any]) -> list[str]:
    identifiers = [status.get("containerID", "") for status in pod["status"].get("containerStatuses", [])]
    return [identifier.rpartition("://")[2] for identifier in identifiers if identifier]


def _is_ready(pod: dict[str, Any]) -> bool:
    statuses = pod["status"].get("containerStatuses", [])
    return bool(statuses) and all(status["ready"] for status in statuses)
