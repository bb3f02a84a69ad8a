"""values.yaml read with its comments: the table of the chart's README, and the descriptions in its schema. Pure.

A comment that begins with `# --` explains the value below it; lines that follow belong to it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

BEGIN: Final = "<!-- values: generated from values.yaml by `make manifests` -->"
END: Final = "<!-- end of values -->"


@dataclass(frozen=True)
class Value:
    """A value: `path` with dots, default, explanation."""

    path: str
    default: Any
    text: str


def described(source: str) -> Iterator[Value]:
    """The values that have an explanation, in the order of the file."""
    values = yaml.safe_load(source)
    path: list[str] = []
    comment: list[str] = []
    for line in source.splitlines():
        if begun := re.match(r"\s*# -- (.*)", line):
            comment = [begun[1]]
        elif comment and (more := re.match(r"\s*# (.*)", line)):
            comment.append(more[1])
        elif key := re.match(r"( *)([A-Za-z]+):", line):
            path = [*path[: len(key[1]) // 2], key[2]]
            if comment:
                yield Value(".".join(path), _at(values, path), " ".join(comment))
            comment = []
        else:
            comment = []


def page(source: str, text: str) -> str:
    """The README of the chart with a fresh table of values."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = [f"| `{value.path}` | `{json.dumps(value.default)}` | {value.text} |" for value in described(source)]
    return "\n".join([before + BEGIN, "", "| value | default | |", "|---|---|---|", *rows, "", END]) + after


def schema(source: str, text: str) -> str:
    """The schema with fresh descriptions."""
    document = json.loads(text)
    for value in described(source):
        node = document
        for key in value.path.split("."):
            node = node["properties"][key]
        node["description"] = value.text
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _at(values: Any, path: list[str]) -> Any:
    for key in path:
        values = values[key]
    return values
