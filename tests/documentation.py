"""What stands in the project's pages, for tests that hold it against the code, or type it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + [
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "charts" / "councilor-operator" / "README.md",
]
"""All of them."""


def page(path: str) -> str:
    """The text of a page."""
    return (ROOT / path).read_text(encoding="utf-8")


def json_with(path: str, key: str) -> Any:
    """The page's first JSON block with this key. Raises StopIteration when none has it."""
    blocks = re.findall(r"^```json\n(.*?)^```$", page(path), re.MULTILINE | re.DOTALL)
    return next(value for value in map(json.loads, blocks) if key in value)


def table(path: str, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, row by row, without its head."""
    section = page(path).split(f"\n{heading}\n", 1)[1]
    found = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert found is not None, f"no table below {heading}"
    rows = [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in found[0].splitlines()]
    return rows[2:]


def page_id(file: Path) -> str:
    """The page's path in the project."""
    return str(file.relative_to(ROOT))


def prose(file: Path) -> str:
    """A page without its fences."""
    return re.sub(r"^( *)```.*?^\1```", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def fenced(file: Path, language: str) -> Iterator[str]:
    """The texts in the page's fences of a language, without the indentation of the list they may stand in."""
    for found in re.finditer(
        rf"^( *)```{language}\n(.*?)^\1```", file.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    ):
        yield re.sub(rf"^{found[1]}", "", found[2], flags=re.MULTILINE)


def commands(file: Path) -> list[str]:
    """What is typed on a page, a line each."""
    return [line for block in fenced(file, "sh") for line in lines(block)]


def lines(block: str) -> list[str]:
    """The commands of a fence; one that goes on after a backslash is one."""
    found = block.replace("\\\n", " ").splitlines()
    return [line.strip() for line in found if line.strip() and not line.lstrip().startswith("#")]


def is_make(block: str) -> bool:
    """Whether all that a fence says is `make`: that is for a checkout of the project."""
    return all(re.match(r"make\s", line) for line in lines(block))
