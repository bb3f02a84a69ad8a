"""What stands in the project's pages, for tests that hold it against the code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def page(path: str) -> str:
    """The text of a page."""
    return (ROOT / path).read_text(encoding="utf-8")


def fenced(path: str, key: str) -> Any:
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
