"""CLUSTER=current: the cluster that kubectl talks to now, used as it is; never created or deleted by the launcher."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .progress import ClusterError, say


@dataclass(frozen=True)
class CurrentCluster:
    """The cluster of kubectl's current context."""

    def prepare(self) -> None:
        """Checks for what `up` needs. Raises ClusterError."""
        self._need_kubectl()

    def up(self, *, audit: bool) -> None:
        """Checks that it answers. Raises ClusterError when there is no context, or no answer."""
        if audit:
            raise ClusterError("--audit is an option of CLUSTER=local")
        context = self._context()
        if (reason := self._unreachable()) is not None:
            raise ClusterError(
                f"the cluster of kubectl's current context {context!r} does not answer: {reason}. Choose another with "
                "`kubectl config use-context`, or CLUSTER=local."
            )
        say(f"using the cluster of the current context {context!r}")

    def down(self) -> None:
        say("CLUSTER=current: the cluster is not ours, nothing was deleted")

    def status(self) -> tuple[int, dict[str, Any]]:
        """Exit code (0 answers, 3 does not) and what `status --json` prints."""
        context = self._context()
        ready = self._unreachable() is None
        return 0 if ready else 3, {
            "cluster": "current",
            "running": ready,
            "ready": ready,
            "context": context,
            "kubeconfig": self.kubeconfig(),
        }

    def kubeconfig(self) -> str:
        """What KUBECONFIG has to be: one path, or several with colons where the user has several."""
        return os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")

    def kubectl(self, arguments: list[str]) -> None:
        """Becomes the user's kubectl; does not return."""
        self._need_kubectl()
        os.execvp("kubectl", ["kubectl", *arguments])  # noqa: S606

    def load_images(self, archives: list[Path]) -> None:
        names = ", ".join(archive.name for archive in archives)
        raise ClusterError(
            f"CLUSTER=current: {names} cannot be put into a cluster of unknown make. Push the images to a registry the "
            "cluster can pull from, and name them there when installing (chart values of the images)."
        )

    def host_address(self) -> str:
        """`$CLUSTER_HOST_ADDRESS`: only the user knows how Pods of that cluster reach this machine."""
        address = os.environ.get("CLUSTER_HOST_ADDRESS")
        if not address:
            raise ClusterError(
                "CLUSTER=current: set CLUSTER_HOST_ADDRESS to the IP address or name at which Pods of that cluster "
                "reach servers on this machine."
            )
        return address

    def restart(self, name: str) -> None:
        raise ClusterError(f"restarting {name} is for CLUSTER=local: the current cluster is not ours")

    def kill(self, name: str) -> None:
        raise ClusterError(f"killing {name} is for CLUSTER=local: the current cluster is not ours")

    def _context(self) -> str:
        self._need_kubectl()
        ended = subprocess.run(["kubectl", "config", "current-context"], capture_output=True, text=True, check=False)
        if ended.returncode != 0:
            raise ClusterError(
                f"kubectl has no current context (looked in {self.kubeconfig()}): choose one with `kubectl config "
                "use-context`, set KUBECONFIG, or use CLUSTER=local."
            )
        return ended.stdout.strip()

    def _need_kubectl(self) -> None:
        if shutil.which("kubectl") is None:
            raise ClusterError(
                "CLUSTER=current needs kubectl, not found in PATH. Install it: https://kubernetes.io/docs/tasks/tools/"
            )

    def _unreachable(self) -> str | None:
        command = ["kubectl", "get", "--raw", "/readyz", "--request-timeout=10s"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        return None if ended.returncode == 0 else (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
