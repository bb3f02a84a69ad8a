"""The pages for users, as tests read them: which there are, and what stands in their fences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + [
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "charts" / "councilor-operator" / "README.md",
]


def page_id(page: Path) -> str:
    """The page's path in the project."""
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """A page without its fences."""
    return re.sub(r"^( *)```.*?^\1```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def fenced(page: Path, language: str) -> Iterator[str]:
    """The texts in the page's fences of a language, without the indentation of the list they may stand in."""
    for found in re.finditer(rf"^( *)```{language}\n(.*?)^\1```", page.read_text(), re.MULTILINE | re.DOTALL):
        yield re.sub(rf"^{found[1]}", "", found[2], flags=re.MULTILINE)


def commands(page: Path) -> list[str]:
    """What is typed on a page, a line each."""
    return [line for block in fenced(page, "sh") for line in lines(block)]


def lines(block: str) -> list[str]:
    """The commands of a fence; one that goes on after a backslash is one."""
    found = block.replace("\\\n", " ").splitlines()
    return [line.strip() for line in found if line.strip() and not line.lstrip().startswith("#")]


def is_make(block: str) -> bool:
    """Whether all that a fence says is `make`: that is for a checkout of the project."""
    return all(re.match(r"make\s", line) for line in lines(block))
