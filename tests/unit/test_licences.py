"""The licences of dependencies: known, and such that the project may be given on."""

from pathlib import Path

import pytest

from hack.release.archive import normalized
from hack.release.licences import EXTRAS, Part, names, parts

LOCK = (Path(__file__).parents[2] / "uv.lock").read_text()
PARTS = parts(LOCK)
ALLOWED = {
    *("MIT", "MIT-0", "ISC", "0BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "PSF-2.0", "Python-2.0"),
    # Two or three clauses: the metadata does not say, and it makes no difference here.
    "BSD",
    # Of single files: what is changed in them stays open, what uses them does not have to be.
    "MPL-2.0",
    "Unlicense",
}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_licence_is_allowed(part: Part) -> None:
    assert names(part.licence)
    assert names(part.licence) <= ALLOWED


@pytest.mark.parametrize(("extra", "name"), [("operator", "kopf"), ("runner", "httpx"), ("cli", "typer")])
def test_every_half_has_its_own(extra: str, name: str) -> None:
    assert extra in {found for part in PARTS if part.name == name for found in part.extras}
    assert extra in EXTRAS


def test_the_runner_has_neither_kopf_nor_kubernetes() -> None:
    assert not {part.name for part in PARTS if "runner" in part.extras} & {"kopf", "kubernetes", "aiohttp"}


def test_an_archive_follows_from_its_content(tmp_path: Path) -> None:
    import tarfile

    made = []
    for order in (("a", "b"), ("b", "a")):
        folder = tmp_path / order[0]
        folder.mkdir()
        with tarfile.open(folder / "x.tgz", "w:gz") as archive:
            for name in order:
                (folder / name).write_text(name)
                archive.add(folder / name, name)
        made.append((folder / "x.tgz").read_bytes())
    assert made[0] != made[1]
    assert normalized(made[0], 7) == normalized(made[1], 7) != normalized(made[0], 8)
