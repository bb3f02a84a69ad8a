"""Looks for misconfigurations in built images: `python -m hack.release.inspection ARCHIVE...`, part of `make scan`.

Held against what the CIS Docker Benchmark 1.6 asks of images (4.1, 4.8, 4.10) and what these images promise: no root,
no way to become it, nothing that installs, no secret. Ends with 1 when anything was found.
"""

import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hack.release.image import configuration, layers

_SETUID: Final = 0o6000
_STICKY: Final = 0o1000
_WORLD_WRITABLE: Final = 0o002
_INSTALLERS: Final = {"apt", "apt-get", "pip", "pip3", "easy_install", "uv", "curl", "wget", "gcc", "cc"}
_PROGRAMS: Final = re.compile(r"(?:usr/)?(?:local/)?s?bin/|opt/venv/bin/")
_SECRET: Final = re.compile(r"(?i)token|password|secret|credential|_uri$|apikey")
_PRIVATE_KEY: Final = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}")
_READ_AT_MOST: Final = 100_000
"""Bytes of a file that are searched for a key."""


def findings(archive: Path) -> list[str]:
    """Return what is wrong with an image, a sentence each; none is as it should be."""
    found = list(_of_configuration(archive))
    # Of a file that several layers have, only the uppermost is there in a container.
    files: dict[str, list[str]] = {}
    for layer in layers(archive):
        for member in layer:
            name = member.name.removeprefix("./").rstrip("/")
            files[name] = list(_of_file(name, member, layer))
    return found + [sentence for sentences in files.values() for sentence in sentences]


def _of_configuration(archive: Path) -> Iterator[str]:
    config = configuration(archive)
    user = str(config.get("User") or "").partition(":")[0]
    if not user.isdigit() or int(user) == 0:
        yield f"the user is {user or 'not set'}: it has to be a number other than 0, which runAsNonRoot can check"
    if not config.get("Entrypoint"):
        yield "there is no entry point"
    for variable in config.get("Env") or ():
        if _SECRET.search(name := variable.partition("=")[0]):
            yield f"the environment variable {name} is baked in: it belongs into a Secret"
    if config.get("ExposedPorts"):
        yield "ports are exposed: the chart names those that there are"


def _of_file(name: str, member: tarfile.TarInfo, layer: tarfile.TarFile) -> Iterator[str]:
    if member.isfile() and member.mode & _SETUID:
        yield f"/{name} is setuid or setgid"
    if (member.isfile() or (member.isdir() and not member.mode & _STICKY)) and member.mode & _WORLD_WRITABLE:
        yield f"/{name} can be written by everybody"
    if _PROGRAMS.match(name) and Path(name).name in _INSTALLERS and not member.isdir():
        yield f"/{name} can install or fetch programs"
    content = layer.extractfile(member) if member.isfile() else None
    if content is not None and _PRIVATE_KEY.search(content.read(_READ_AT_MOST)):
        yield f"/{name} holds a private key"


def main(arguments: list[str]) -> int:
    """Inspect archives; the exit code."""
    failed = False
    for archive in map(Path, arguments):
        found = findings(archive)
        failed = failed or bool(found)
        sys.stdout.write("".join(f"{archive.name}: {line}\n" for line in found or ["nothing found"]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
