"""What all commands print alike: tables for people, JSON and YAML for programs."""

import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table


class Format(StrEnum):
    """The values of --output."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def console(*, error: bool = False) -> Console:
    """A terminal, or whatever the output goes to; without colours where nobody sees them (NO_COLOR, a pipe)."""
    return Console(stderr=error, highlight=False, soft_wrap=True)


def print_document(document: Any, output: Format) -> None:
    """Print a document of plain values as JSON or YAML."""
    if output is Format.JSON:
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120))


def table(headings: Sequence[str]) -> Table:
    """A table as kubectl prints them: no lines, three spaces between columns, nothing cut."""
    made = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="")
    for heading in headings:
        made.add_column(heading, no_wrap=True)
    return made
