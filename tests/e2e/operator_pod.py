"""The operator's container as the machine sees it: a process that can be killed as a crash would."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from hack.demo.manifests import LABEL_COMPONENT
from tests.e2e.environment import Environment
from tests.e2e.workspace import eventually


def container(environment: Environment) -> dict[str, Any] | None:
    """The status of the operator's container, None while there is none."""
    pods = environment.cluster.get(
        *("pods", "-n", environment.installation.scope.operator_namespace, "-l", f"{LABEL_COMPONENT}=operator")
    )["items"]
    statuses = [status for pod in pods for status in pod["status"].get("containerStatuses", [])]
    return statuses[0] if len(statuses) == 1 else None


def kill(environment: Environment) -> int:
    """Kills the operator with SIGKILL; how often its container had been restarted before.

    The node must be this machine: the process is found by the container's id in its control group.
    """
    status = eventually(lambda: container(environment), "the operator has a container")
    identifier = status["containerID"].rpartition("://")[2]
    pids = processes_of(identifier)
    assert pids, f"no process of this machine belongs to container {identifier}: these tests need CLUSTER=local or kind"
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    return int(status["restartCount"])


def await_restart(environment: Environment, restarts: int) -> None:
    """Waits until the container that was killed has been started again and is ready."""

    def back() -> bool:
        status = container(environment)
        return status is not None and status["restartCount"] > restarts and status["ready"]

    eventually(back, "the operator is ready again", state=lambda: container(environment))


def processes_of(container_id: str) -> list[int]:
    """The processes of this machine that belong to a container."""
    found = []
    for group in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            if container_id in group.read_text():
                found.append(int(group.parent.name))
        except OSError:  # ended meanwhile
            continue
    return found
