"""`make release`: builds everything that is published into dist/release/, so that the same commit gives the same bytes.

Times in archives are those of the commit (SOURCE_DATE_EPOCH), in images a fixed one. `--twice` builds all of it once
more, elsewhere and with empty caches, and fails where a byte differs. Needs network, git, and what `hack/images/build`
needs. `--without-images` leaves the images out, and Debian's packages in the lists of parts with them.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from councilor_operator import __version__
from hack.release import system
from hack.release.archive import normalized

ROOT: Final = Path(__file__).resolve().parents[2]
DIST: Final = ROOT / "dist" / "release"
CHART: Final = ROOT / "charts" / "councilor-operator"
SUMS: Final = "SHA256SUMS"
_EXTRAS: Final = {"councilor-operator": "operator", "councilor-runner": "runner", "councilor": "cli"}
"""Lists of parts, and the extra of the Python package whose dependencies are in them."""


def main(arguments: list[str]) -> int:
    """Build, and compare if asked to; returns 1 where two builds differ."""
    uv = os.environ["UV"]
    with_images = "--without-images" not in arguments
    if DIST.exists():
        shutil.rmtree(DIST)
    DIST.mkdir(parents=True)
    _build(DIST, uv, with_images=with_images)
    if "--twice" in arguments:
        with tempfile.TemporaryDirectory(dir=DIST.parent, prefix="again-") as folder:
            again = Path(folder) / "release"
            again.mkdir()
            _build(again, uv, with_images=with_images, cache=Path(folder) / "cache")
            differing = sorted(
                file.name for file in DIST.iterdir() if file.read_bytes() != (again / file.name).read_bytes()
            )
        _say("the same twice: " + ", ".join(sorted(file.name for file in DIST.iterdir() if file.name not in differing)))
        if differing:
            _say("different: " + ", ".join(differing))
            return 1
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(DIST.iterdir())]
    (DIST / SUMS).write_text("".join(sums))
    _say("".join(sums).rstrip())
    return 0


def _build(target: Path, uv: str, *, with_images: bool, cache: Path | None = None) -> None:
    """Build everything once; layers of images are kept in `cache` instead of the user's."""
    epoch = _output("git", "log", "-1", "--format=%ct")
    _packages(target, uv, {**os.environ, "SOURCE_DATE_EPOCH": epoch})
    if with_images:
        _images(target, {**os.environ, "XDG_CACHE_HOME": str(cache)} if cache else os.environ)


def _packages(target: Path, uv: str, environment: Mapping[str, str]) -> None:
    """Build all but the images: a wheel and its sources, the chart, the CRD, lists of parts."""
    _run(uv, "build", "--quiet", "--out-dir", str(target), env=environment)
    for left in target.glob(".*"):
        left.unlink()
    helm = _output("hack/tools/tool", "helm")
    with tempfile.TemporaryDirectory() as folder:
        _run(helm, "package", str(CHART), "--destination", folder)
        (made,) = Path(folder).iterdir()
        (target / made.name).write_bytes(normalized(made.read_bytes(), int(environment["SOURCE_DATE_EPOCH"])))
    (crd,) = (ROOT / "crds").glob("*.yaml")
    shutil.copyfile(crd, target / f"councilor-crd-{__version__}.yaml")
    for name, extra in _EXTRAS.items():
        text = _output(
            *(uv, "export", "--frozen", "--no-dev", "--extra", extra, "--format", "cyclonedx1.5"),
            *("--preview-features", "sbom-export", "--quiet"),
        )
        moment = datetime.fromtimestamp(int(environment["SOURCE_DATE_EPOCH"]), tz=UTC)
        written = moment.isoformat().replace("+00:00", "Z")
        (target / f"{name}-{__version__}.cdx.json").write_text(_without_chance(text, written))


def _without_chance(text: str, moment: str) -> str:
    """Return a list of parts with the commit's time (RFC 3339), and a serial number that follows from its content."""
    document = json.loads(text)
    document.pop("serialNumber", None)
    document["metadata"]["timestamp"] = moment
    plain = json.dumps(document, indent=2, sort_keys=True)
    document["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_URL, plain).urn
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _images(target: Path, environment: Mapping[str, str]) -> None:
    """Build the images, and pack them as archives that `docker load`, `ctr import` and `skopeo copy` read."""
    _run("hack/images/build", "--tag", __version__, "--output", str(target), env=environment)
    for part in ("operator", "runner"):
        archive = target / f"councilor-{part}-image-{__version__}.tar"
        (target / f"{part}.tar").rename(archive)
        parts = target / f"councilor-{part}-{__version__}.cdx.json"
        document = json.loads(parts.read_text())
        document["components"] += system.components(archive)
        parts.write_text(_without_chance(json.dumps(document), document["metadata"]["timestamp"]))


def _run(*words: str, env: Mapping[str, str] | None = None) -> None:
    subprocess.run(words, cwd=ROOT, env=env, check=True, stdout=sys.stderr)


def _output(*words: str) -> str:
    return subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
