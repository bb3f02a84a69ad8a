"""The image of a Pod's sandbox, made without a registry: one static binary in an archive as `docker save` writes it."""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

PAUSE_IMAGE = "localhost/councilor-cluster/pause:1"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # as Linux and as image configurations call them
NOBODY = "65535:65535"


def write_archive(binary: Path, name: str, archive: Path) -> None:
    """Writes a docker-archive (manifest.json, configuration, one layer) whose only file and entry point is `binary`.

    The same binary gives the same bytes: times and owners in the archive are fixed.
    """
    layer = _tar({binary.name: (binary.read_bytes(), 0o755)})
    machine = platform.machine()
    configuration = json.dumps(
        {
            "architecture": ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "config": {"Entrypoint": [f"/{binary.name}"], "User": NOBODY},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    configuration_name = f"{hashlib.sha256(configuration).hexdigest()}.json"
    manifest = [{"Config": configuration_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    content = {
        "manifest.json": (json.dumps(manifest).encode(), 0o644),
        configuration_name: (configuration, 0o644),
        "layer.tar": (layer, 0o644),
    }
    archive.write_bytes(_tar(content))


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    """An archive of files: name → content and mode."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
