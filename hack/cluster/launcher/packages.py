"""The programs a node needs from the machine, and how Debian calls the packages they come in."""

import os
import shutil
import subprocess
from pathlib import Path

from .progress import ClusterError, step

CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))  # Debian's package; everybody else
CNI_PLUGINS = ("bridge", "host-local", "portmap", "loopback")
PROGRAMS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables-save": "iptables",
    "nft": "nftables",  # iptables makes tables and cannot delete them
    "ip": "iproute2",
    "openssl": "openssl",
    "mount": "mount",
}
# Without them PATH of an ordinary user lacks where Debian puts ip and iptables.
SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


def cni_folder() -> Path | None:
    """Where the CNI plugins are; None when one is missing."""
    for folder in CNI_FOLDERS:
        if all((folder / plugin).exists() for plugin in CNI_PLUGINS):
            return folder
    return None


def missing() -> list[str]:
    """Debian packages whose programs are not on the machine."""
    path = f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}"
    packages = {package for program, package in PROGRAMS.items() if shutil.which(program, path=path) is None}
    if cni_folder() is None:
        packages.add("containernetworking-plugins")
    return sorted(packages)


def ensure() -> None:
    """Installs what is missing. Raises ClusterError, naming the packages, when that is not possible."""
    wanted = missing()
    if not wanted:
        return
    names = " ".join(wanted)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ClusterError(
            f"a node needs programs that are not on this machine. As root, on Debian: apt-get install {names}; "
            "elsewhere install the packages that correspond to them."
        )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    wait = ["-o", "DPkg::Lock::Timeout=300"]  # seconds; another apt may be at work
    with step(f"installing {names}", announce=True):
        for arguments in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *wanted]):
            command = ["apt-get", *wait, *arguments]
            ended = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            if ended.returncode != 0:
                tail = "\n".join((ended.stdout + ended.stderr).strip().splitlines()[-10:])
                raise ClusterError(f"`{' '.join(command)}` failed:\n{tail}")
    if still := missing():
        raise ClusterError(f"apt-get installed {names}, but programs of {' '.join(still)} are still missing")
