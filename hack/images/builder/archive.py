"""A docker-archive as clusters load it: whether it holds a certain image, and how large that is."""

import gzip
import json
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_CHUNK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True)
class Size:
    """Bytes of an image's layers: unpacked archives as on a node's disk, and gzip-compressed as in a registry."""

    unpacked: int
    compressed: int

    def __str__(self) -> str:
        return f"{self.unpacked / 1e6:.0f} MB, {self.compressed / 1e6:.0f} MB compressed"


def holds(archive: Path, reference: str, image: str) -> bool:
    """Whether the archive is that of this image (hex digits of its configuration) under this name."""
    try:
        with tarfile.open(archive) as tar:
            manifest = _manifest(tar)
    except (OSError, tarfile.TarError, LookupError, ValueError):
        return False  # absent, or cut short by an interrupted run: it is written again
    names = {name.removeprefix("docker.io/library/") for name in manifest["RepoTags"]}
    return names == {reference} and image in manifest["Config"]


def measure(archive: Path, known: Path) -> Size:
    """The size of the archive's image. `known` is a JSON file of layers measured before: compressing takes seconds."""
    sizes: dict[str, list[int]] = json.loads(known.read_text()) if known.exists() else {}
    with tarfile.open(archive) as tar:
        manifest = _manifest(tar)
        layers = json.load(_member(tar, manifest["Config"]))["rootfs"]["diff_ids"]
        for layer, name in zip(layers, manifest["Layers"], strict=True):
            if layer not in sizes:
                sizes[layer] = _layer_size(_member(tar, name))
    unfinished = known.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(sizes))
    unfinished.replace(known)
    return Size(sum(sizes[layer][0] for layer in layers), sum(sizes[layer][1] for layer in layers))


def _manifest(tar: tarfile.TarFile) -> dict[str, Any]:
    [manifest] = json.load(_member(tar, "manifest.json"))
    return dict(manifest)


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    found = tar.extractfile(name)
    if found is None:
        raise LookupError(name)
    return found


def _layer_size(layer: IO[bytes]) -> list[int]:
    """Bytes unpacked and compressed; engines write layers either way."""
    unpacked = compressed = 0
    if layer.read(2) == _GZIP_MAGIC:
        compressed = layer.seek(0, 2)
        layer.seek(0)
        with gzip.open(layer) as content:
            while chunk := content.read(_CHUNK):
                unpacked += len(chunk)
        return [unpacked, compressed]
    layer.seek(0)
    packer = zlib.compressobj()
    while chunk := layer.read(_CHUNK):
        unpacked += len(chunk)
        compressed += len(packer.compress(chunk))
    return [unpacked, compressed + len(packer.flush())]
