"""CLUSTER=kind: a cluster in Docker, for machines that have Docker, kind and kubectl."""

import ipaddress
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .progress import ClusterError, say, step

NAME = "councilor"
CONTEXT = f"kind-{NAME}"
GET = {
    "docker": "install Docker Engine: https://docs.docker.com/engine/install/",
    "kind": "install kind: https://kind.sigs.k8s.io/docs/user/quick-start/#installation",
    "kubectl": "install kubectl: https://kubernetes.io/docs/tasks/tools/",
}
OTHERWISE = "or use the cluster that needs none of them: CLUSTER=local (Linux, as root)"


@dataclass(frozen=True)
class KindCluster:
    """The kind cluster called `councilor`; only its kubeconfig is kept in `folder`."""

    folder: Path

    @classmethod
    def at(cls, folder: Path | None) -> "KindCluster":
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "councilor-operator"
        return cls((folder or state / "kind").resolve())

    @property
    def _path(self) -> Path:
        return self.folder / "kubeconfig"

    def prepare(self) -> None:
        """Checks for what `up` needs. Raises ClusterError naming what is missing."""
        self._need("docker", "kind", "kubectl")

    def up(self, *, audit: bool) -> None:
        """Creates the cluster, or does nothing when it is there. Raises ClusterError naming what is missing."""
        if audit:
            raise ClusterError("--audit is an option of CLUSTER=local")
        self.prepare()
        if NAME in self._clusters():
            self.folder.mkdir(parents=True, exist_ok=True)
            _run(["kind", "export", "kubeconfig", "--name", NAME, "--kubeconfig", str(self._path)])
            if self._reachable():
                say(f"running already: kind cluster {NAME}")
                return
            say("the kind cluster does not answer: starting over")
            self.down()
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ["kind", "create", "cluster", "--name", NAME, "--kubeconfig", str(self._path), "--wait", "300s"]
        with step("creating the kind cluster", announce=True):
            # kind reports its own progress; standard output is for results.
            code = subprocess.run(command, stdout=sys.stderr, check=False).returncode
        if code != 0:
            subprocess.run(["kind", "delete", "cluster", "--name", NAME], stdout=sys.stderr, check=False)
            raise ClusterError(f"`{' '.join(command)}` failed; its own messages are above")

    def down(self) -> None:
        """Deletes the cluster; none is no error."""
        self._need("docker", "kind")
        with step("deleting the kind cluster"):
            _run(["kind", "delete", "cluster", "--name", NAME, "--kubeconfig", str(self._path)])
        self._path.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def status(self) -> tuple[int, dict[str, Any]]:
        """Exit code (0 works, 1 does not answer, 3 down) and what `status --json` prints."""
        self._need("docker", "kind", "kubectl")
        exists = NAME in self._clusters()
        ready = exists and self._reachable()
        code = 0 if ready else 1 if exists else 3
        return code, {
            "cluster": "kind",
            "running": exists,
            "ready": ready,
            "context": CONTEXT,
            "kubeconfig": str(self._path) if exists else None,
        }

    def kubeconfig(self) -> str:
        if not self._path.exists():
            raise ClusterError(f"there is no {self._path}: start the cluster with `CLUSTER=kind cluster up`")
        return str(self._path)

    def kubectl(self, arguments: list[str]) -> None:
        """Becomes the user's kubectl; does not return."""
        self._need("kubectl")
        environment = {**os.environ, "KUBECONFIG": self.kubeconfig()}
        os.execvpe("kubectl", ["kubectl", *arguments], environment)  # noqa: S606

    def load_images(self, archives: list[Path]) -> None:
        self._need("docker", "kind")
        for archive in archives:
            with step(f"loading {archive.name}"):
                _run(["kind", "load", "image-archive", str(archive), "--name", NAME])

    def host_address(self) -> str:
        """The gateway of the docker network `kind`: the host, seen from the node's containers."""
        self._need("docker")
        template = "{{range .IPAM.Config}}{{.Gateway}} {{end}}"
        for word in _run(["docker", "network", "inspect", "kind", "--format", template]).split():
            if ipaddress.ip_address(word).version == 4:
                return word
        raise ClusterError("the docker network `kind` has no IPv4 gateway")

    def restart(self, name: str) -> None:
        raise ClusterError(f"restarting {name} is for CLUSTER=local: kind's components run inside its node container")

    def kill(self, name: str) -> None:
        raise ClusterError(f"killing {name} is for CLUSTER=local: kind's components run inside its node container")

    def _need(self, *programs: str) -> None:
        missing = [program for program in programs if shutil.which(program) is None]
        if missing:
            advice = "; ".join(GET[program] for program in missing)
            raise ClusterError(
                f"CLUSTER=kind: not found in PATH: {', '.join(missing)}. To get on: {advice}; {OTHERWISE}."
            )
        if "docker" in programs:
            ended = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
            if ended.returncode != 0:
                reason = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
                raise ClusterError(
                    f"CLUSTER=kind needs a Docker daemon, which `docker info` cannot reach: {reason} Start Docker (or "
                    f"join the group `docker`), {OTHERWISE}."
                )

    def _clusters(self) -> list[str]:
        return _run(["kind", "get", "clusters"]).split()

    def _reachable(self) -> bool:
        command = ["kubectl", "--kubeconfig", str(self._path), "get", "--raw", "/readyz", "--request-timeout=5s"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _run(command: list[str]) -> str:
    """Standard output of a command; raises ClusterError with its messages when it fails."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise ClusterError(f"`{' '.join(command)}` failed: {ended.stderr.strip()}")
    return ended.stdout
