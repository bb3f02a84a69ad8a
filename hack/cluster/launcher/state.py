"""What a local cluster remembers on disk: one folder per cluster, with the settings everything else follows from.

The folder is written before the machine is changed, so that a launcher that dies at any point leaves enough behind for
the next one to clean up. Addresses of a cluster with a node are fixed: there is one bridge, hence one such cluster, per
machine. Control planes alone take free ports of the loopback address and run side by side.
"""

import fcntl
import hashlib
import json
import os
import random
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from .build import cache_folder
from .progress import ClusterError, say

Shape = Literal["control-plane", "node"]

LOOPBACK = "127.0.0.1"
BRIDGE = "councilor0"
BRIDGE_ADDRESS = "10.244.77.1"
POD_NETWORK = "10.244.77.0/24"
SERVICE_NETWORK = "10.96.77.0/24"
API_SERVICE_ADDRESS = "10.96.77.1"  # the first of SERVICE_NETWORK: Service default/kubernetes
DNS_SERVICE_ADDRESS = "10.96.77.10"
CNI_NETWORK = "councilor-cluster"
NODE = "councilor-node"
API_PORT = 6443
KUBELET_PORT = 10250

SETTINGS = "cluster.json"
UNFINISHED = ".unfinished-"  # begins the name of a file that is being written
# Everything a cluster puts into its state folder. `discard` deletes these and nothing else, whatever the folder.
CONTENT = (
    "run", "logs", "pki", "config", "etcd", "containerd", "cni", "kubelet", "pod-logs", "audit.log",
    "kubeconfig", SETTINGS,
)  # fmt: skip

# Below the range the kernel takes ports of outgoing connections from (32768 on Linux): a component that is stopped for
# a while finds its port still free when it comes back.
PORTS = range(20000, 32000)


@dataclass(frozen=True)
class Settings:
    """What was decided once for a cluster and must not change while it lives."""

    shape: Shape
    audit: bool
    ports: dict[str, int]  # component, or component and purpose → TCP port
    programs: dict[str, str]  # what was built for it → path of the binary

    @property
    def address(self) -> str:
        """The address the API server listens on."""
        return BRIDGE_ADDRESS if self.shape == "node" else LOOPBACK

    @property
    def api_url(self) -> str:
        return f"https://{self.address}:{self.ports['kube-apiserver']}"


@dataclass(frozen=True)
class State:
    """The paths of one cluster. `folder` is absolute."""

    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, for users and tests."""
        return self.folder / "kubeconfig"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def config(self) -> Path:
        return self.folder / "config"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    @property
    def exists(self) -> bool:
        """Whether the folder is a cluster's, running or not. Nothing is deleted in a folder that is not."""
        return (self.folder / SETTINGS).exists()

    def shape(self) -> Shape | None:
        """The shape of the cluster here, also of one made by another version of the launcher."""
        try:
            shape: Shape = "node" if json.loads(self._read())["shape"] == "node" else "control-plane"
        except (FileNotFoundError, ValueError, KeyError):
            return None
        return shape

    def settings(self) -> Settings | None:
        """None when no cluster was made here. Raises ClusterError when the settings are another version's."""
        try:
            return Settings(**json.loads(self._read()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise ClusterError(
                f"the cluster in {self.folder} was made by another version of this program: end it with `cluster down "
                f"--state {self.folder}`, then start it again."
            ) from error

    def _read(self) -> str:
        try:
            return (self.folder / SETTINGS).read_text()
        except PermissionError:
            raise ClusterError(f"{self.folder} belongs to another user: run this as that user, or with sudo") from None

    def check(self) -> None:
        """Raises ClusterError when the folder holds something and is not a cluster's."""
        foreign = [path.name for path in self.folder.glob("*") if not path.name.startswith(UNFINISHED)]
        if foreign and not self.exists:
            raise ClusterError(
                f"{self.folder} holds other things ({', '.join(sorted(foreign)[:3])}): name an empty folder, or one "
                "that does not exist, with --state."
            )

    def prepare(self, settings: Settings) -> None:
        """Makes the folder and remembers the settings, which are also the sign that the folder is a cluster's."""
        self.check()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_json(self.folder / SETTINGS, asdict(settings))
        for folder in (self.run, self.logs, self.pki, self.config):
            folder.mkdir(exist_ok=True, mode=0o700)

    def discard(self, *, keep_logs: bool = False, known: bool = False) -> None:
        """Deletes what the cluster put here, the settings last; with `keep_logs` all but the logs and the settings.

        Does so only in a folder that is a cluster's, by its settings or because the caller has `known` it elsewhere.
        """
        names = CONTENT if self.exists or known else ()
        for path in [*self.folder.glob(f"{UNFINISHED}*"), *(self.folder / name for name in names)]:
            if keep_logs and path.name in ("logs", SETTINGS):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()


def default_folder(shape: Shape) -> Path:
    """Where a cluster lives when no --state is given."""
    if shape == "node":
        return Path("/var/lib/councilor-cluster")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "councilor-operator" / shape


def write_json(path: Path, content: object) -> None:
    """Replaces a file as a whole: a launcher that is killed here leaves the old content or the new one."""
    unfinished = path.with_name(f"{UNFINISHED}{path.name}")
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    unfinished.rename(path)


def boot_id() -> str:
    """Changes with each start of the machine; only within one are process start times comparable."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def free_ports(names: list[str]) -> dict[str, int]:
    """A free loopback port for each name, all different."""
    chosen: dict[str, int] = {}
    for port in random.sample(PORTS, len(PORTS)):
        if len(chosen) == len(names):
            break
        with socket.socket() as probe:
            # As Go's listeners do: a port whose last connections linger is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        chosen[names[len(chosen)]] = port
    if len(chosen) < len(names):
        raise ClusterError(f"no {len(names)} free ports of {LOOPBACK} between {PORTS.start} and {PORTS.stop}")
    return chosen


@contextmanager
def locked(key: str) -> Iterator[None]:
    """One command at a time works on what `key` names. The kernel drops the lock of a launcher that dies."""
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / hashlib.sha256(key.encode()).hexdigest()[:16]).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another cluster command is at work here; waiting for it to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
