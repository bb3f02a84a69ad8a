"""A version before this one, as far as there is any: the chart of this tree under another version, and the images under
another tag."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path

import yaml

from hack.demo.images import ARCHIVES
from hack.demo.installation import CHART
from tests.e2e.environment import Environment

VERSION = "0.0.9"
TAG = "previous"


def previous_chart(folder: Path) -> Path:
    """The chart under its earlier version; its folder."""
    copy = folder / CHART.name
    shutil.copytree(CHART, copy)
    about = copy / "Chart.yaml"
    document = yaml.safe_load(about.read_text())
    about.write_text(yaml.safe_dump({**document, "version": VERSION, "appVersion": VERSION}))
    return copy


def load_images_as(environment: Environment, tag: str, folder: Path) -> None:
    """Gives the cluster both images under another tag, too."""
    archives = []
    for name in ("operator.tar", "runner.tar"):
        assert (ARCHIVES / name).exists(), "these tests need images that were built here: unset OPERATOR_IMAGE"
        retag(ARCHIVES / name, folder / name, tag)
        archives.append(folder / name)
    environment.cluster.load_images(archives)


def retag(archive: Path, target: Path, tag: str) -> None:
    """Copies a docker-archive and names its image otherwise."""
    with tarfile.open(archive) as source, tarfile.open(target, "w") as copy:
        for member in source:
            content = source.extractfile(member) if member.isreg() else None
            if member.name == "manifest.json" and content is not None:
                (image,) = json.load(content)
                names = [f"{name.rpartition(':')[0]}:{tag}" for name in image["RepoTags"]]
                text = json.dumps([{**image, "RepoTags": names}]).encode()
                member.size = len(text)
                content = io.BytesIO(text)
            copy.addfile(member, content)
