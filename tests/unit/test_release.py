"""What is read from built images: Debian's packages, and what should not be there."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from hack.release.inspection import findings, main
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


GOOD = {"User": "65532:65532", "Entrypoint": ["councilor-runner"], "Env": ["PATH=/usr/bin"]}
Files = dict[str, tuple[bytes, int]]


def packed(files: Files) -> bytes:
    """A tar archive; names that end with / are folders."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name, (content, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return target.getvalue()


def image(folder: Path, *layers: Files, config: dict[str, Any] = GOOD) -> Path:
    names = [f"{number}.tar" for number in range(len(layers))]
    manifest = [{"Config": "config.json", "RepoTags": ["image:1"], "Layers": names}]
    files: Files = {
        **{name: (packed(layer), 0o644) for name, layer in zip(names, layers, strict=True)},
        "config.json": (json.dumps({"config": config}).encode(), 0o644),
        "manifest.json": (json.dumps(manifest).encode(), 0o644),
    }
    archive = folder / "image.tar"
    archive.write_bytes(packed(files))
    return archive


@pytest.mark.parametrize("prefix", ["", "./"])
def test_installed_packages_are_components(tmp_path: Path, prefix: str) -> None:
    archive = image(tmp_path, {"etc/passwd": (b"", 0o644)}, {f"{prefix}var/lib/dpkg/status": (STATUS.encode(), 0o644)})
    assert [(found["name"], found["version"], found["purl"]) for found in components(archive)] == [
        ("base-files", "12.4+deb12u15", "pkg:deb/debian/base-files@12.4+deb12u15?arch=amd64"),
        ("libc++1", "1:2.3-4~x", "pkg:deb/debian/libc++1@1%3A2.3-4~x?arch=all"),
    ]


def test_an_image_that_is_not_debian(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="dpkg"):
        components(image(tmp_path, {"etc/alpine-release": (b"3.20", 0o644)}))


KEY = b"-----BEGIN PRIVATE KEY-----\n" + b"M" * 64
WRONG: dict[str, tuple[dict[str, Any], Files, str]] = {
    "root": ({"User": "0:0"}, {}, "the user is 0"),
    "no user": ({"User": ""}, {}, "the user is not set"),
    "a name, which nobody can check": ({"User": "nonroot"}, {}, "the user is nonroot"),
    "no entry point": ({"Entrypoint": None}, {}, "no entry point"),
    "a secret": ({"Env": ["PATH=/usr/bin", "CONDUCTOR_TOKEN=x"]}, {}, "CONDUCTOR_TOKEN is baked in"),
    "a connection string": ({"Env": ["MONGODB_URI=x"]}, {}, "MONGODB_URI is baked in"),
    "a port": ({"ExposedPorts": {"8080/tcp": {}}}, {}, "ports are exposed"),
    "setuid": ({}, {"usr/bin/su": (b"", 0o4755)}, "/usr/bin/su is setuid"),
    "setgid": ({}, {"./usr/sbin/unix_chkpwd": (b"", 0o2755)}, "/usr/sbin/unix_chkpwd is setuid or setgid"),
    "a file for everybody": ({}, {"etc/passwd": (b"", 0o666)}, "/etc/passwd can be written"),
    "a folder for everybody": ({}, {"srv/": (b"", 0o777)}, "/srv can be written"),
    "pip": ({}, {"opt/venv/bin/pip": (b"", 0o755)}, "/opt/venv/bin/pip can install"),
    "curl": ({}, {"usr/bin/curl": (b"", 0o755)}, "/usr/bin/curl can install or fetch"),
    "a key": ({}, {"etc/ssl/private/tls.key": (KEY, 0o600)}, "/etc/ssl/private/tls.key holds a private key"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_an_image_should_not_have_is_found(tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    config, files, sentence = WRONG[case]
    archive = image(tmp_path, {"usr/bin/python3": (b"", 0o755)}, files, config={**GOOD, **config})
    (found,) = findings(archive)
    assert sentence in found
    assert main([str(archive)]) == 1
    assert found in capsys.readouterr().out


def test_what_is_as_it_should_be(tmp_path: Path) -> None:
    archive = image(
        tmp_path,
        {"usr/bin/su": (b"", 0o4755), "tmp/": (b"", 0o1777), "etc/apt/": (b"", 0o755)},
        {
            "usr/bin/su": (b"", 0o755),
            "usr/lib/python3/ssl.py": (b"-----BEGIN PRIVATE KEY-----", 0o644),
            "usr/share/doc/curl": (b"", 0o644),
        },
    )
    assert findings(archive) == []
    assert main([str(archive)]) == 0
