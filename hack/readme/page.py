"""Marked blocks of a page: output that a program refreshes stands between two comments that name it. Pure."""

import re
import textwrap
from typing import Final

WIDTH: Final = 128
"""Characters of a line; what is longer is folded."""

NEWLINE: Final = "\n"
_ANY: Final = r"<!-- output: (?P<name>[a-z-]+) -->\n```[a-z]*\n(?P<body>.*?)\n```\n<!-- end of output -->"


class PageError(Exception):
    """The page has not the blocks that it should have."""


def blocks(text: str) -> dict[str, str]:
    """The marked blocks of a page by name."""
    return {match["name"]: match["body"] for match in re.finditer(_ANY, text, re.DOTALL)}


def replaced(text: str, fresh: dict[str, str]) -> str:
    """The page with other output in its marked blocks.

    Raises `PageError` unless `fresh` has exactly the blocks that the page has.
    """
    if (present := set(blocks(text))) != set(fresh):
        raise PageError(f"the page has the blocks {sorted(present)}, not {sorted(fresh)}")

    def block(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- output: {name} -->\n```\n{fold(fresh[name]).strip(NEWLINE)}\n```\n<!-- end of output -->"

    return re.sub(_ANY, block, text, flags=re.DOTALL)


def fold(text: str) -> str:
    """Break lines that are too long for a page; tables stay as they are."""
    return "\n".join(
        line
        if len(line) <= WIDTH or re.search(r"\S {3,}\S", line)
        else textwrap.fill(line, WIDTH, break_long_words=False, break_on_hyphens=False, drop_whitespace=True)
        for line in text.splitlines()
    )
