"""What all commands print alike: tables for people, JSON and YAML for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


class Format(StrEnum):
    """The values of --output."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"

    @property
    def is_document(self) -> bool:
        """Whether programs read it."""
        return self in (Format.JSON, Format.YAML)


def console(*, error: bool = False) -> Console:
    """A terminal, or whatever the output goes to; without colours where nobody sees them (NO_COLOR, a pipe)."""
    from rich.console import Console

    return Console(stderr=error, highlight=False, soft_wrap=True, markup=False, emoji=False)


def print_document(document: Any, output: Format) -> None:
    """Print a document of plain values as JSON or YAML."""
    if output is Format.JSON:
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        import yaml

        sys.stdout.write(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], styles: Mapping[str, str]) -> None:
    """Print a table as kubectl does: no lines, three spaces between columns, nothing cut. Cells that are a key of
    `styles` stand out where there are colours."""
    from rich.text import Text

    lines = [list(headings), *(list(row) for row in rows)]
    # Width in cells of a terminal, not in characters.
    widths = [max(Text(line[column]).cell_len for line in lines) for column in range(len(headings))]
    out = console()
    for line in lines:
        text = Text()
        for cell, width in zip(line, widths, strict=True):
            text.append(cell, style=styles.get(cell, ""))
            text.append(" " * (width - Text(cell).cell_len + 3))
        text.rstrip()
        out.print(text)


def say(text: str) -> None:
    """A line of progress on standard error: standard output carries results only."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
