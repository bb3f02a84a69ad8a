"""The base image where no registry is within reach: a small Debian 12 with its Python 3.11, made of Debian's packages.

It stands in for `python:3.11-slim-bookworm`: same distribution, same Python series, also with `venv` (which the
Dockerfile builds with and later strips) and ca-certificates. Debian keeps Python in /usr/bin instead of /usr/local/bin.
"""

import hashlib
from pathlib import Path

SUITE = "bookworm"
SOURCES = (
    "deb http://deb.debian.org/debian bookworm main",
    "deb http://deb.debian.org/debian bookworm-updates main",
    "deb http://deb.debian.org/debian-security bookworm-security main",
)
INCLUDED = ("ca-certificates", "python3", "python3-venv")
# Copyright files stay: the packages' licences ask for it.
EXCLUDED_FILES = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*")
KEPT_FILES = ("/usr/share/doc/*/copyright",)
# usrmerge converts old systems with the help of all of Perl (50 MB); on a new one `usr-is-merged` serves instead.
MERGED_USR_HOOKS = "/usr/share/mmdebstrap/hooks/merged-usr"
PREFERENCE = "/etc/apt/preferences.d/no-usrmerge"
BEFORE = f'printf "Package: usrmerge\\nPin: release *\\nPin-Priority: -1\\n" > "$1"{PREFERENCE}'
# The build machine's name and resolver, which mmdebstrap lends to the packages' scripts, are not to be shipped.
AFTER = f'rm -f "$1"{PREFERENCE} "$1"/etc/hostname "$1"/etc/resolv.conf'


def arguments() -> list[str]:
    """What mmdebstrap is told, apart from where to write to. With SOURCE_DATE_EPOCH set the archive is reproducible."""
    return [
        "--quiet",
        "--variant=essential",  # without apt
        f"--include={','.join(INCLUDED)}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED_FILES),
        *(f"--dpkgopt=path-include={pattern}" for pattern in KEPT_FILES),
        f"--hook-dir={MERGED_USR_HOOKS}",
        f"--setup-hook={BEFORE}",
        f"--customize-hook={AFTER}",
    ]


def command(archive: Path) -> list[str]:
    """The command that writes the root file system to `archive`, a tar file."""
    return ["mmdebstrap", *arguments(), SUITE, str(archive), *SOURCES]


def reference() -> str:
    """The image's name in the builder's own storage; another recipe has another name."""
    recipe = "\0".join([*arguments(), SUITE, *SOURCES])
    return f"localhost/councilor-python:{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
