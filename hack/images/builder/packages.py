"""The programs that stand in for Docker, and how Debian calls the packages they come in."""

import os
import shutil

from .progress import BuildError, run, step

# mmdebstrap makes a root file system of Debian's packages; the keyring tells which of them are genuine.
PACKAGES = {"buildah": "buildah", "mmdebstrap": "mmdebstrap"}
KEYRING = "debian-archive-keyring"


def missing() -> list[str]:
    """Debian packages whose programs are not on the machine."""
    packages = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    return [*packages, KEYRING] if "mmdebstrap" in packages else packages


def ensure() -> None:
    """Installs what is missing. Raises BuildError, naming the packages, when that is not possible."""
    if os.geteuid() != 0:
        raise BuildError(
            "without a Docker daemon, buildah builds the images, and here it does so as root. Start Docker (`docker "
            "info` has to answer), or run this command as root, for example with sudo."
        )
    wanted = missing()
    if not wanted:
        return
    names = " ".join(wanted)
    if shutil.which("apt-get") is None:
        raise BuildError(
            f"no Docker daemon answers `docker info`, and building without one needs {names}, packages of Debian and "
            "its relatives. Start Docker, or install the programs of these names."
        )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # Seconds to wait for another apt that is at work. The lists are only fetched if the packages are not found without.
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]
    install = [*command, "install", "--yes", "--quiet", "--no-install-recommends", *wanted]
    with step(f"installing {names}"):
        try:
            run(install, environment)
        except BuildError:
            run([*command, "update", "--quiet"], environment)
            run(install, environment)
    if still := missing():
        raise BuildError(f"apt-get installed {names}, but programs of {' '.join(still)} are still missing")
