"""The command line: reads arguments and environment, picks the kind of cluster, prints results, decides exit codes.

Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 an error that was explained,
2 wrong usage, 3 (`status` only) the cluster is down, 130 interrupted.
"""

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from .current import CurrentCluster
from .kind import KindCluster
from .local import LocalCluster
from .progress import ClusterError, say
from .state import Shape

DESCRIPTION = "A Kubernetes cluster for integration tests, end-to-end tests and the demo."
EPILOG = """\
environment:
  CLUSTER                local (default): processes of this machine, built from source; no Docker, no registry
                         kind: a kind cluster, where Docker is
                         current: the cluster of kubectl's current context, used as it is
  CLUSTER_STATE          the same as --state
  CLUSTER_HOST_ADDRESS   with CLUSTER=current: how Pods reach this machine
  PYTHON                 the Python to run with, 3.11 or newer
"""


class Cluster(Protocol):
    """What every kind of cluster can do, or explains that it cannot (ClusterError)."""

    def prepare(self) -> object: ...
    def up(self, *, audit: bool) -> None: ...
    def down(self) -> None: ...
    def status(self) -> tuple[int, dict[str, Any]]: ...
    def kubeconfig(self) -> str: ...
    def kubectl(self, arguments: list[str]) -> None: ...
    def load_images(self, archives: list[Path]) -> None: ...
    def host_address(self) -> str: ...
    def restart(self, name: str) -> None: ...
    def kill(self, name: str) -> None: ...


def main() -> int:
    """Runs one command; the exit code."""
    # A closed terminal or a cancelled job is an interruption like Ctrl-C, and is cleaned up after like one.
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        signal.signal(signal.SIGHUP, _interrupt)
    arguments, rest = _parse(sys.argv[1:])
    try:
        return _run(_cluster(arguments), arguments, rest)
    except ClusterError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def _parse(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The arguments, and those that are kubectl's: all after the word kubectl, without a look at them."""
    rest: list[str] = []
    if "kubectl" in words:
        at = words.index("kubectl") + 1
        words, rest = words[:at], words[at:]
        # `cluster kubectl --state DIR get pods`: kubectl itself has no such option.
        while rest[:1] == ["--control-plane"] or (rest[:1] == ["--state"] and len(rest) > 1):
            taken = 1 if rest[0] == "--control-plane" else 2
            words, rest = [*words, *rest[:taken]], rest[taken:]
    return _parser().parse_args(words), rest


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="where the cluster's state is (CLUSTER=local)",
    )
    common.add_argument(
        "--control-plane",
        action="store_true",
        default=argparse.SUPPRESS,
        help="the control plane alone, on loopback: no node, no root, several side by side",
    )
    parser = argparse.ArgumentParser(
        prog="cluster",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[common], allow_abbrev=False)

    add("prepare", "install and build what `up` needs, start nothing")
    up = add("up", "start the cluster, print the path of its kubeconfig")
    up.add_argument("--audit", action="store_true", help="log each request's metadata to audit.log in the state folder")
    add("down", "end it and leave the machine as it was")
    status = add("status", "what runs; exit code 0 all ready, 1 something is not, 3 down")
    status.add_argument("--json", action="store_true", help="for programs")
    add("kubeconfig", "print the path of the kubeconfig")
    add("kubectl", "run kubectl with it: cluster kubectl get pods -A")
    load = add("load-image", "make the images of docker-archives (`docker save`, `podman save`) available to Pods")
    load.add_argument("archives", nargs="+", type=Path, metavar="ARCHIVE")
    add("host-address", "print the address at which Pods reach servers on this machine")
    for name, text in (
        ("restart", "end a component and start it again, or start one that was killed; returns when it is ready"),
        ("kill", "kill a component as a crash would (SIGKILL)"),
    ):
        add(name, text).add_argument(
            "name", metavar="COMPONENT", help="etcd, apiserver, controller-manager, kubelet, …"
        )
    return parser


def _cluster(arguments: argparse.Namespace) -> Cluster:
    shape: Shape = "control-plane" if "control_plane" in arguments else "node"
    folder: Path | None = getattr(arguments, "state", None)
    if folder is None and os.environ.get("CLUSTER_STATE"):
        folder = Path(os.environ["CLUSTER_STATE"])
    match os.environ.get("CLUSTER") or "local":
        case "local":
            return LocalCluster.at(folder, shape)
        case other if shape == "control-plane":
            raise ClusterError(f"--control-plane is an option of CLUSTER=local, not of CLUSTER={other}")
        case "kind":
            return KindCluster.at(folder)
        case "current":
            return CurrentCluster()
        case other:
            raise ClusterError(f"CLUSTER={other} is not known: set it to local, kind or current")


def _run(cluster: Cluster, arguments: argparse.Namespace, rest: list[str]) -> int:
    match arguments.command:
        case "prepare":
            cluster.prepare()
        case "up":
            cluster.up(audit=arguments.audit)
            print(cluster.kubeconfig())
        case "down":
            cluster.down()
        case "status":
            code, found = cluster.status()
            print(json.dumps(found, indent=2) if arguments.json else _readable(found))
            return code
        case "kubeconfig":
            print(cluster.kubeconfig())
        case "kubectl":
            cluster.kubectl(rest)
        case "load-image":
            for archive in arguments.archives:
                if not archive.is_file():
                    raise ClusterError(f"there is no file {archive}; write one with `docker save` or `podman save`")
            cluster.load_images(arguments.archives)
        case "host-address":
            print(cluster.host_address())
        case "restart":
            cluster.restart(arguments.name)
        case "kill":
            cluster.kill(arguments.name)
    return 0


def _readable(found: dict[str, Any]) -> str:
    """`status` for people: one line for each fact, one for each component."""
    if not found["running"]:
        return f"{found['cluster']}: down"
    lines = [f"{found['cluster']}: {'ready' if found['ready'] else 'not ready'}"]
    lines += [
        f"{name}: {found[name]}" for name in ("shape", "context", "api", "kubeconfig", "state") if found.get(name)
    ]
    for component in found.get("components", []):
        state = "ready" if component["ready"] else component["reason"]
        lines.append(f"  {component['name']:<24} pid {component['pid'] or '-':<8} {state}")
    return "\n".join(lines)
