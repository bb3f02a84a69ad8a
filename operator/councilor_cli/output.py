"""What all commands print alike: tables for people, JSON and YAML for programs, and nothing that steers a terminal.

Texts from the cluster are somebody else's. They reach the terminal as `Text` only, in which rich reads no markup, and
without control characters.
"""

import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH: Final = 100_000
"""Columns of every output: rich cuts nothing, the terminal wraps, and a pipe gets whole lines."""
_GAP: Final = "   "
_JOINERS: Final = frozenset("\u200c\u200d")
"""Without effect on anything else, and parts of emoji and of several scripts."""
_STEERING: Final = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What JSON leaves as it is and a terminal may heed."""

STYLES: Final = {
    "success": "green",
    "warning": "yellow",
    "error": "red",
    "failed": "bold red",
    "skipped": "dim",
    "Running": "cyan",
    "Paused": "dim",
    "Suspended": "red",
    "Invalid": "red",
    "True": "green",
    "False": "red",
    "Unknown": "yellow",
}
"""Colours of results, phases and conditions."""


class Format(StrEnum):
    """The values of --output."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class ListFormat(StrEnum):
    """The values of --output where there is a wide table too."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


def console(*, error: bool = False) -> Console:
    """A terminal, or whatever the output goes to; without colours where nobody sees them (NO_COLOR, a pipe)."""
    return Console(stderr=error, highlight=False, soft_wrap=True, markup=False, emoji=False, width=_WIDTH)


def note(text: str) -> None:
    """Tell the person something beside the output: on standard error, and so in nobody's pipe."""
    sys.stderr.write(f"{plain(text)}\n")
    sys.stderr.flush()


def plain(text: str) -> str:
    """Return a text without what steers terminals or turns the reading direction; its lines stay lines."""
    return "".join(_shown(character) for character in text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return a text as one line, fit for a terminal."""
    return plain(" ".join(text.split()))


def _shown(character: str) -> str:
    if character in "\n\t" or character in _JOINERS:
        return character
    match unicodedata.category(character):
        case "Cc" | "Cs":
            return "\ufffd"
        case "Cf":
            return ""
        case "Zl" | "Zp":
            return "\n"
        case _:
            return character


def cell(text: object, style: str | None = None) -> Text:
    """Return a text as a cell of a table, in the colour that its word has; "-" for nothing."""
    shown = one_line(str(text)) if text not in (None, "") else "-"
    return Text(shown, style=STYLES.get(shown, "") if style is None else style, end="")


class Grid:
    """A table as kubectl prints them: no lines, three spaces between columns, nothing cut.

    Rows may follow later, as with --watch: the columns stay as wide as they have become.
    """

    def __init__(self, headings: Sequence[str], *, indent: str = "") -> None:
        self._headings: Sequence[Text] | None = [Text(heading) for heading in headings]
        self._widths = [0] * len(headings)
        self._indent = indent

    def lines(self, rows: Iterable[Sequence[Text]]) -> list[Text]:
        """Return rows as lines, at first with the headings above."""
        rows = [*([self._headings] if self._headings else ()), *rows]
        self._headings = None
        for row in rows:
            self._widths = [max(width, cell_len(item.plain)) for width, item in zip(self._widths, row, strict=True)]
        return [self._line(row) for row in rows]

    def _line(self, row: Sequence[Text]) -> Text:
        line = Text(self._indent)
        for position, (item, width) in enumerate(zip(row, self._widths, strict=True)):
            line.append_text(item)
            if position < len(row) - 1:
                line.append(" " * (width - cell_len(item.plain)) + _GAP)
        line.rstrip()
        return line


def print_lines(lines: Iterable[Text], *, error: bool = False) -> None:
    """Print lines of text, coloured where somebody sees it."""
    target = console(error=error)
    for line in lines:
        target.print(line)


def print_document(document: Any, output: str) -> None:
    """Print a document of plain values as JSON or YAML."""
    if output == Format.JSON:
        text = json.dumps(document, indent=2, ensure_ascii=False)
        sys.stdout.write(_STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n")
    else:
        import yaml

        sys.stdout.write(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120))
    sys.stdout.flush()


def table(headings: Sequence[str]) -> Table:
    """A table as kubectl prints them: no lines, three spaces between columns, nothing cut."""
    made = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="")
    for heading in headings:
        made.add_column(heading, no_wrap=True)
    return made
