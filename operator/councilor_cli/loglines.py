"""Log lines of the runner for people: one JSON object each becomes a sentence with what belongs to it. Pure."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from rich.text import Text

from councilor_cli.output import plain

_STYLES: Final = {"warning": "yellow", "error": "red", "critical": "bold red"}
_ON_EVERY_LINE: Final = frozenset({"time", "level", "message", "job", "pod", "taskId", "executionId"})
"""Known from elsewhere: a run is what was asked for."""


def readable(line: str) -> Text:
    """Return a line as `TIME message key=value`; what is no line of the runner stays as it is."""
    try:
        entry = json.loads(line)
        time = datetime.fromisoformat(entry["time"])
        message = str(entry["message"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return Text(plain(line))
    return Text(f"{time.astimezone():%H:%M:%S} ", style="dim").append(
        plain(f"{message}{_rest(entry)}"), style=_STYLES.get(str(entry.get("level")), "")
    )


def _rest(entry: Mapping[str, Any]) -> str:
    fields = {key: value for key, value in entry.items() if key not in _ON_EVERY_LINE and value is not None}
    return "".join(f" {key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in fields.items())
