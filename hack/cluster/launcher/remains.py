"""Ending a cluster and removing all it left on the machine, whether it ran well, died half-way or was never finished.

Every step looks at what is there instead of trusting what should be, and finding nothing is no error: so it can run
after any crash, and again after it was itself interrupted. Records are deleted last.
"""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from . import firewall, network, processes
from .progress import ClusterError
from .state import CNI_NETWORK, State

CONTROL_GROUPS = Path("/sys/fs/cgroup")
PODS_GROUP = "kubepods"
# Ended together with the kubelet, these would leave their clients waiting for answers that never come.
SERVERS = ("containerd", "kube-apiserver", "etcd")
GRACE = 5.0  # seconds; what they hold is deleted afterwards
# Made by the node's programs at fixed places. Those that were not there before are removed, from the inside outwards.
FOLDERS = (
    Path("/var/lib/kubelet/device-plugins"),
    Path("/var/lib/kubelet/plugins"),
    Path("/var/lib/kubelet/plugins_registry"),
    Path("/var/lib/kubelet/pod-resources"),
    Path("/var/lib/kubelet"),
    Path("/var/lib/cni/results"),
    Path("/var/lib/cni/cache/results"),
    Path("/var/lib/cni/cache"),
    Path("/var/lib/cni"),
    Path("/var/log/containers"),
    Path("/run/containerd/s"),
    Path("/run/containerd/fifo"),
    Path("/run/containerd"),
)
CNI_RESULTS = (Path("/var/lib/cni/results"), Path("/var/lib/cni/cache/results"))
LOG_LINKS = Path("/var/log/containers")
SHIM_SOCKETS = Path("/run/containerd/s")


def end_processes(state: State, *, has_node: bool) -> bool:
    """Ends all processes of a cluster, containers included; True when there were any."""
    known = processes.recorded(state)
    others = [process for process in known.values() if process.name not in SERVERS]
    found = any(process.running() for process in known.values())
    processes.stop(others, GRACE)
    if has_node:
        found |= kill_pods()
    for name in SERVERS:
        if name in known:
            processes.stop([known[name]], GRACE)
    # containerd's shims, and what was started but not yet recorded when a launcher died.
    if strays := processes.marked(state):
        found = True
        processes.kill(strays)
    return found


def pod_groups() -> list[Path]:
    """The control groups in which the kubelet keeps Pods: one for each hierarchy of version 1, one of version 2."""
    return sorted(
        path for path in [CONTROL_GROUPS / PODS_GROUP, *CONTROL_GROUPS.glob(f"*/{PODS_GROUP}")] if path.is_dir()
    )


def kill_pods() -> bool:
    """Kills every process in the Pods' control groups; True when there were any."""
    found = False
    deadline = time.monotonic() + 10.0
    while members := _members():
        found = True
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise ClusterError(f"processes of Pods do not end: {sorted(members)}")
        time.sleep(0.05)
    return found


def _members() -> set[int]:
    found = set()
    for group in pod_groups():
        for path in group.rglob("cgroup.procs"):
            with suppress(OSError):  # the group has gone meanwhile
                found |= {int(pid) for pid in path.read_text().split()}
    return {pid for pid in found if processes.start_time(pid) is not None}


def clean_machine(state: State, before: network.Machine) -> None:
    """Removes mounts, control groups, network, packet filter rules and folders of a node, and restores the kernel's
    settings. All its processes must have ended.
    """
    unmount(state.folder)
    for group in pod_groups():
        _remove_group(group)
    network.tear_down()
    firewall.clean(before.tables)
    network.restore_kernel(before)
    _remove_files(state)
    _remove_folders(before)


def unmount(folder: Path) -> None:
    """Unmounts everything below a folder, the last mounted first. Raises ClusterError when something stays.

    Nothing may stay: the folder is about to be deleted, and a mount would lead the deletion out of it.
    """
    for target in reversed(_mounts(folder)):
        if subprocess.run(["umount", target], capture_output=True, check=False).returncode != 0:
            # Busy: out of sight now, away when its last user ends.
            subprocess.run(["umount", "--lazy", target], capture_output=True, check=False)
    if left := _mounts(folder):
        raise ClusterError(f"still mounted: {', '.join(left)}; unmount by hand, then run `cluster down` again")


def mount_points(mountinfo: str, folder: Path) -> list[str]:
    """The mount points below a folder, in the order of mounting; `mountinfo` as in proc_pid_mountinfo(5)."""
    found = []
    for line in mountinfo.splitlines():
        # Blanks in a path are written in octal.
        point = line.split()[4].encode().decode("unicode_escape").encode("latin-1").decode()
        if Path(point).is_relative_to(folder):
            found.append(point)
    return found


def _mounts(folder: Path) -> list[str]:
    return mount_points(Path("/proc/self/mountinfo").read_text(), folder)


def _remove_group(group: Path) -> None:
    """A control group is removed like a folder, without its files; just emptied, it may be busy for a moment."""
    deadline = time.monotonic() + 5.0
    while group.is_dir():
        for path, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):
                Path(path).rmdir()
        if time.monotonic() > deadline:
            raise ClusterError(f"the control group {group} cannot be removed: a process is left in it")
        time.sleep(0.02)


def _remove_files(state: State) -> None:
    """What the node's programs put at places outside the state folder."""
    for link in LOG_LINKS.glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(state.folder):
            link.unlink()
    listening = Path("/proc/net/unix").read_text()
    for path in SHIM_SOCKETS.glob("*"):
        if str(path) not in listening:
            path.unlink()
    for results in CNI_RESULTS:
        # CNI-NETWORK-CONTAINER-INTERFACE; our containers have a file for the loopback network too.
        for path in results.glob(f"{CNI_NETWORK}-*"):
            container = path.name.removeprefix(f"{CNI_NETWORK}-").partition("-")[0]
            for result in results.glob(f"*-{container}-*"):
                result.unlink()


def _remove_folders(before: network.Machine) -> None:
    for folder in FOLDERS:
        if str(folder) in before.absent:
            if folder.is_relative_to("/var/lib/kubelet"):
                shutil.rmtree(folder, ignore_errors=True)
            else:
                with suppress(OSError):  # not there, or something of somebody else in it
                    folder.rmdir()
