"""What is in an image: reads a docker-archive, starts nothing."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any


def configuration(archive: Path) -> dict[str, Any]:
    """Return how a container of the image starts: User, Env, Entrypoint and so on (OCI image specification 1.1)."""
    with tarfile.open(archive) as image:
        found: dict[str, Any] = json.load(_member(image, _manifest(image)["Config"]))
    return dict(found["config"])


def layers(archive: Path) -> Iterator[tarfile.TarFile]:
    """Yield the image's layers, the lowest first; each is open until the next one is asked for."""
    with tarfile.open(archive) as image:
        for name in _manifest(image)["Layers"]:
            with tarfile.open(fileobj=_member(image, name)) as layer:
                yield layer


def _manifest(image: tarfile.TarFile) -> dict[str, Any]:
    [manifest] = json.load(_member(image, "manifest.json"))
    return dict(manifest)


def _member(image: tarfile.TarFile, name: str) -> IO[bytes]:
    found = image.extractfile(name)
    if found is None:
        raise LookupError(name)
    return found
