"""What can go wrong on the command line, as sentences for whoever typed. Lowest layer."""

from typing import Final

EXIT_OK: Final = 0
EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2


class CliError(Exception):
    """Ends the command: the text says what is wrong, where, and what to do instead."""

    def __init__(self, message: str, *, exit_code: int = EXIT_ERROR) -> None:
        super().__init__(message)
        self.exit_code = exit_code
