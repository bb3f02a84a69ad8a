"""The Kubernetes cluster, through `hack/cluster/cluster`, and kubectl and Helm with it.

Which cluster is decided by the environment variable CLUSTER (local, kind or current), as everywhere in the project.
"""

import json
import os
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from .commands import ROOT, Commands
from .progress import DemoError

LAUNCHER = ROOT / "hack" / "cluster" / "cluster"
TOOL = ROOT / "hack" / "tools" / "tool"
FIELD_MANAGER = "councilor-demo"
DOWN = 3
"""Exit code of `cluster status` when there is no cluster."""


class Cluster:
    """One cluster. `kind` is a value of CLUSTER; `kubeconfig`, if not empty, decides what `current` means."""

    def __init__(self, commands: Commands, *, kind: str | None = None, kubeconfig: str | None = None) -> None:
        self._commands = commands
        self.kind = kind or os.environ.get("CLUSTER") or "local"
        if self.kind not in {"local", "kind", "current"}:
            raise DemoError(f"CLUSTER={self.kind} is not known: set it to local, kind or current")
        found = os.environ.get("KUBECONFIG", "") if kubeconfig is None else kubeconfig
        self._environment = {**os.environ, "CLUSTER": self.kind} | ({"KUBECONFIG": found} if found else {})

    def is_running(self) -> bool:
        """Whether there is a cluster; one that is broken counts. Raises DemoError when nobody can tell."""
        return self._launcher("status", accept=(0, 1, DOWN))[0] != DOWN

    def context(self) -> str:
        """The context that `current` means now; empty for the other kinds and when nobody can tell."""
        if self.kind != "current":
            return ""
        return str(json.loads(self._launcher("status", "--json", accept=(0, 1, DOWN))[1]).get("context") or "")

    def up(self) -> None:
        """Starts the cluster, or does nothing when it works already."""
        self._launcher("up", shows_progress=True)

    def down(self) -> None:
        """Ends the cluster."""
        self._launcher("down", shows_progress=True)

    def load_images(self, archives: Sequence[Path]) -> None:
        """Makes the images of docker-archives available to Pods."""
        self._launcher("load-image", *(str(archive) for archive in archives), shows_progress=True)

    def host_address(self) -> str:
        """The address at which Pods reach this machine."""
        return self._launcher("host-address")[1].strip()

    def kubeconfig(self) -> str:
        """What KUBECONFIG has to be for this cluster."""
        return self._launcher("kubeconfig")[1].strip()

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs kubectl; its output. Raises CommandError with what kubectl said."""
        return self._launcher("kubectl", *arguments, stdin=stdin)[1]

    def helm(self, *arguments: str, stdin: str | None = None, version: str = "helm") -> str:
        """Runs Helm, a tool of hack/tools; its output. Raises CommandError with what Helm said."""
        environment = {**self._environment, "KUBECONFIG": self.kubeconfig()}
        return self._commands.run([self._program(version), *arguments], environment=environment, stdin=stdin)[1]

    @cache  # noqa: B019 - there is one cluster
    def _program(self, name: str) -> str:
        return self._commands.run([TOOL, name], shows_progress=True)[1].strip()

    def watch_command(self, *arguments: str) -> tuple[list[str | Path], dict[str, str]]:
        """Command and environment of a kubectl that goes on until it is ended."""
        return [LAUNCHER, "kubectl", *arguments], self._environment

    def get(self, *arguments: str) -> Any:
        """`kubectl get … -o json`, parsed."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def find(self, kind: str, name: str, *arguments: str) -> dict[str, Any] | None:
        """One object, None when there is none."""
        found = self.kubectl("get", kind, name, *arguments, "--ignore-not-found", "-o", "json")
        return json.loads(found) if found.strip() else None

    def apply(self, manifests: Iterable[dict[str, Any]], *arguments: str) -> None:
        """Applies objects on the server's side."""
        document = yaml.safe_dump_all(manifests, allow_unicode=True, sort_keys=False)
        self.kubectl("apply", "--server-side", "--field-manager", FIELD_MANAGER, *arguments, "-f", "-", stdin=document)

    def _launcher(
        self,
        *arguments: str,
        stdin: str | None = None,
        shows_progress: bool = False,
        accept: Sequence[int] = (0,),
    ) -> tuple[int, str]:
        return self._commands.run(
            [LAUNCHER, *arguments],
            environment=self._environment,
            stdin=stdin,
            shows_progress=shows_progress,
            accept=accept,
        )
