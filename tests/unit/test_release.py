"""What a release is made of: Debian's packages of an image."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from hack.release.system import components

STATUS = """\
Package: base-files
Status: install ok installed
Architecture: amd64
Version: 12.4+deb12u15
Description: Debian base system
 This package contains the hierarchy.
 .
 Version: not a field

Package: libc++1
Status: install ok installed
Architecture: all
Version: 1:2.3-4~x

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0
"""


def packed(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return target.getvalue()


def image(folder: Path, *layers: dict[str, bytes]) -> Path:
    files = {f"{number}.tar": packed(layer) for number, layer in enumerate(layers)}
    archive = folder / "image.tar"
    archive.write_bytes(packed({"config.json": json.dumps({}).encode(), **files}))
    return archive


@pytest.mark.parametrize("prefix", ["", "./"])
def test_installed_packages_are_components(tmp_path: Path, prefix: str) -> None:
    archive = image(tmp_path, {"etc/passwd": b""}, {f"{prefix}var/lib/dpkg/status": STATUS.encode()})
    assert [(found["name"], found["version"], found["purl"]) for found in components(archive)] == [
        ("base-files", "12.4+deb12u15", "pkg:deb/debian/base-files@12.4+deb12u15?arch=amd64"),
        ("libc++1", "1:2.3-4~x", "pkg:deb/debian/libc++1@1%3A2.3-4~x?arch=all"),
    ]


def test_an_image_that_is_not_debian(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="dpkg"):
        components(image(tmp_path, {"etc/alpine-release": b"3.20"}))
