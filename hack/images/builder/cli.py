"""The command `hack/images/build`."""

import argparse
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import archive, engine, inputs
from .progress import BuildError, say

TARGETS = ("operator", "runner")
EPILOG = """\
The tag is the version and a hash of everything the images are made of, unless --tag gives another. Images and archives
that are there already and made of the same things are not made again.

Without Docker, the base image is made of Debian's packages once and kept. To have it made again with Debian's newest
fixes, or to free the space, remove ${XDG_CACHE_HOME:-~/.cache}/councilor-operator/images.

SOURCE_DATE_EPOCH sets the time noted in images and files (default: 1980-01-01, so that they are reproducible)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds the images; the exit code."""
    asked = _parse(arguments)
    try:
        if asked.print_tag:
            print(asked.tag or _tag(inputs.ROOT, asked.base))
            return 0
        with _alone(_cache_folder()) as cache:
            builder = engine.choose(asked.engine, asked.base, cache)
            builder.prepare()
            asked.output.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache, prefix="context-") as folder:
                context = Path(folder)
                inputs.snapshot(context)
                tag = asked.tag or _tag(context, asked.base)
                content = inputs.content_hash(asked.base, context)
                revision = engine.revision(list(inputs.paths()))
                for target in asked.targets or TARGETS:
                    reference = f"councilor-{target}:{tag}"
                    image = engine.Image(context, target, reference, inputs.version(context), revision, content)
                    _make(builder, image, asked.output / f"{target}.tar", cache)
    except BuildError as error:
        say(str(error))
        return 1
    return 0


def _tag(root: Path, base_image: str | None) -> str:
    return f"{inputs.version(root)}-{inputs.content_hash(base_image, root)}"


def _make(builder: engine.Engine, image: engine.Image, file: Path, cache: Path) -> None:
    """Builds and saves what is not there yet, and prints one line about the image."""
    began = time.monotonic()
    identity = builder.current(image)
    if identity is None:
        say(f"building {image.reference} …")
        builder.build(image)
        identity = builder.current(image)
        how = f"built in {time.monotonic() - began:.1f} s"
    else:
        how = "current"
    if identity is None:
        raise BuildError(f"the engine built {image.reference}, but does not find it under this name")
    if not archive.holds(file, image.reference, identity):
        # An archive in its place is whole. Engines refuse to write to a file that exists.
        unfinished = file.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        saving = time.monotonic()
        builder.save(image, unfinished)
        unfinished.replace(file)
        how += f", saved in {time.monotonic() - saving:.1f} s"
    print(f"{image.reference}  {archive.measure(file, cache / 'layers.json')}  {how}  {file}", flush=True)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="build",
        description="Builds the container images and writes them to archives for `hack/cluster/cluster load-image`.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("targets", nargs="*", metavar="operator|runner", help="which images (default: both)")
    parser.add_argument(
        "--engine",
        choices=("auto", "docker", "buildah"),
        default="auto",
        help="what builds (default: docker if its daemon answers, else buildah)",
    )
    parser.add_argument("--base", metavar="IMAGE", help="base image with Python 3.11, `venv` and ca-certificates")
    parser.add_argument("--tag", help="tag of both images, instead of the one that follows from their content")
    parser.add_argument(
        "--output",
        type=Path,
        default=inputs.ROOT / "dist" / "images",
        metavar="DIR",
        help="where operator.tar and runner.tar are written (default: dist/images in the repository)",
    )
    parser.add_argument("--print-tag", action="store_true", help="print the tag and do nothing else")
    asked = parser.parse_args(arguments)
    if unknown := [target for target in asked.targets if target not in TARGETS]:
        parser.error(f"there is no image `{unknown[0]}`; there are: {', '.join(TARGETS)}")
    return asked


def _cache_folder() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "councilor-operator" / "images"


@contextmanager
def _alone(cache: Path) -> Iterator[Path]:
    """The cache folder, with no other builder at work in it."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another builder is at work; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield cache
