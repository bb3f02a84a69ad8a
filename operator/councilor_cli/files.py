"""Files that people name on the command line."""

import sys
from pathlib import Path
from typing import Final

from councilor_cli.errors import CliError

_STANDARD_INPUT: Final = "-"


def read_text(file: Path) -> tuple[str, str]:
    """Return a file's name for messages and its text; `-` is standard input. Raises CliError where it can't be read."""
    if str(file) == _STANDARD_INPUT:
        name, content = "standard input", sys.stdin.buffer.read()
    else:
        name = str(file)
        try:
            content = file.read_bytes()
        except OSError as error:
            raise CliError(f"{name} cannot be read: {(error.strerror or type(error).__name__).lower()}") from error
    try:
        return name, content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CliError(f"{name} is not UTF-8, from byte {error.start + 1} on: save it as UTF-8") from error
