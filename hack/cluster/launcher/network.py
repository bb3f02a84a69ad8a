"""The node's network: a bridge, routes for Pods, and kernel settings; made, and undone.

Pods reach each other, the addresses of this machine and Services, and nothing else: their traffic is routed by a table
of its own that has no way out, so a mistake in a test gets "unreachable" at once and never leaves the machine.
"""

import json
import subprocess
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from . import firewall
from .progress import ClusterError
from .state import BRIDGE, BRIDGE_ADDRESS, POD_NETWORK, SERVICE_NETWORK, State, boot_id, write_json

TABLE = "10244"  # routing table and rule priority
BRIDGE_MAC = "02:00:0a:f4:4d:01"  # fixed, else it changes with each Pod that comes or goes and neighbours lose us
KERNEL = Path("/proc/sys")
# What this launcher, the kubelet or kube-proxy set. Turning forwarding on or off also resets settings of single
# interfaces, hence the patterns; ip_forward comes first, so that those are put back after it.
KERNEL_SETTINGS = (
    "net/ipv4/ip_forward",
    "net/ipv4/conf/*/forwarding",
    "net/ipv4/conf/*/accept_redirects",
    "net/ipv4/conf/*/send_redirects",
    "net/ipv4/conf/*/route_localnet",
    "net/bridge/bridge-nf-call-*",
    "net/netfilter/nf_conntrack_max",
    "net/netfilter/nf_conntrack_tcp_*",
    "net/netfilter/nf_conntrack_udp_*",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
)


# Outside the state folder, which people delete while the cluster runs; /run is empty after a restart of the machine,
# and then there is nothing to put back.
NOTE = Path("/run/councilor-cluster-node")


@dataclass(frozen=True)
class Machine:
    """Which cluster has its node on this machine, and what the machine was like before."""

    state: str  # the cluster's state folder
    boot: str
    kernel: dict[str, str]  # path below /proc/sys → value
    tables: list[str]  # of the packet filter
    absent: list[str]  # folders that did not exist


def remember(state: State, folders: tuple[Path, ...]) -> None:
    """Notes, before anything is changed, what has to be put back; of `folders` those that do not exist."""
    values = {}
    for pattern in KERNEL_SETTINGS:
        for path in sorted(KERNEL.glob(pattern)):
            with suppress(OSError):
                values[str(path.relative_to(KERNEL))] = path.read_text().strip()
    absent = [str(folder) for folder in folders if not folder.exists()]
    write_json(NOTE, asdict(Machine(str(state.folder), boot_id(), values, firewall.tables(), absent)))


def remembered() -> Machine | None:
    """What was noted; None when this machine has no node."""
    try:
        return Machine(**json.loads(NOTE.read_text()))
    except (FileNotFoundError, PermissionError):  # only root has a node
        return None
    except (ValueError, TypeError) as error:
        raise ClusterError(
            f"{NOTE} is not readable by this version of the launcher. End the cluster with the version that started "
            "it, or restart the machine."
        ) from error


def forget() -> None:
    """The last step of putting everything back."""
    NOTE.unlink(missing_ok=True)


def restore_kernel(machine: Machine) -> None:
    """Puts back the noted settings that differ. After a restart of the machine there is nothing to put back."""
    if machine.boot != boot_id():
        return
    for name, value in machine.kernel.items():
        path = KERNEL / name
        with suppress(OSError):  # an interface that has gone since
            if path.read_text().strip() != value:
                path.write_text(value)


def set_up() -> None:
    """Makes bridge and routes and lets the kernel forward. Raises ClusterError when `ip` refuses."""
    _ip("link", "add", BRIDGE, "address", BRIDGE_MAC, "type", "bridge")
    (KERNEL / "net/ipv6/conf" / BRIDGE / "disable_ipv6").write_text("1")
    _ip("address", "add", f"{BRIDGE_ADDRESS}/{POD_NETWORK.partition('/')[2]}", "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")
    # Until kube-proxy knows a Service, and when it has none, its address must not follow the machine's default route.
    _ip("route", "replace", SERVICE_NETWORK, "dev", BRIDGE)
    _ip("route", "replace", POD_NETWORK, "dev", BRIDGE, "table", TABLE)
    _ip("route", "replace", "unreachable", "default", "table", TABLE)
    _ip("rule", "add", "priority", TABLE, "iif", BRIDGE, "lookup", TABLE)
    (KERNEL / "net/ipv4/ip_forward").write_text("1")


def tear_down() -> None:
    """Deletes bridge, the Pods' ends of it, rule and routes. What does not exist is no error."""
    for interface in _json("link", "show", "master", BRIDGE):
        _ip("link", "delete", interface["ifname"], may_fail=True)
    _ip("link", "delete", BRIDGE, may_fail=True)
    while _ip("rule", "delete", "priority", TABLE, may_fail=True):
        pass
    _ip("route", "flush", "table", TABLE, may_fail=True)


def conflict() -> str | None:
    """Why the network cannot be made here; None when it can."""
    for interface in _json("address", "show"):
        if interface["ifname"] == BRIDGE:
            return f"an interface {BRIDGE} exists that no known cluster made; delete it: ip link delete {BRIDGE}"
    for network in (POD_NETWORK, SERVICE_NETWORK):
        for route in _json("route", "show", "root", network):
            interface_name = route.get("dev", "unknown")
            return (
                f"{network}, which the cluster needs, is in use on this machine (interface {interface_name}); free it, "
                "or use CLUSTER=kind"
            )
    return None


def _json(*arguments: str) -> list[dict[str, str]]:
    ended = subprocess.run(["ip", "-json", *arguments], capture_output=True, text=True, check=False)
    try:
        found = json.loads(ended.stdout or "[]")
    except ValueError:
        return []
    return [entry for entry in found if entry]


def _ip(*arguments: str, may_fail: bool = False) -> bool:
    command = ["ip", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0 and not may_fail:
        raise ClusterError(f"`{' '.join(command)}` failed: {ended.stderr.strip()}")
    return ended.returncode == 0
