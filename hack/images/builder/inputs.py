"""What an image is made of, and the tag that follows from it: same files, same tag; a changed file, another tag."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from .progress import BuildError

ROOT = Path(__file__).resolve().parents[3]
FILES = ("Dockerfile", ".dockerignore", "LICENSE", "pyproject.toml", "uv.lock", "hack/images/builder/base.py")
SOURCE_ROOTS = ("operator", "runner")
VERSION_FILE = "operator/councilor_operator/__init__.py"
_HASH_LENGTH = 12  # hex digits: short in a Pod spec, and no collision among the images of one project


def version(root: Path = ROOT) -> str:
    """The project's version, from where pyproject.toml has it read. Raises BuildError when it is not there."""
    found = re.search(r'^__version__ = "([^"]+)"$', (root / VERSION_FILE).read_text(), re.MULTILINE)
    if found is None:
        raise BuildError(f'{VERSION_FILE} has no line `__version__ = "…"`')
    return found[1]


def paths(root: Path = ROOT) -> Iterator[str]:
    """The files that decide an image's content, relative to the root: what the Dockerfile copies, what builds it."""
    yield from FILES
    for source_root in SOURCE_ROOTS:
        for path in sorted((root / source_root).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix not in {".pyc", ".pyo", ".pyd"}:
                yield path.relative_to(root).as_posix()


def snapshot(folder: Path, root: Path = ROOT) -> None:
    """Copies the files. Builds use the copy, so that sources edited meanwhile can't end up under a tag of others."""
    for name in paths(root):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, folder / name)


def content_hash(base: str | None = None, root: Path = ROOT) -> str:
    """Hex digits of a digest over names, content and executable bits; `base` is an image other than the usual one."""
    digest = hashlib.sha256((base or "").encode())
    for name in paths(root):
        path = root / name
        content = path.read_bytes()
        executable = path.stat().st_mode & 0o100 != 0
        digest.update(f"\0{name}\0{executable}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:_HASH_LENGTH]
