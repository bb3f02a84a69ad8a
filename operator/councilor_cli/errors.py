"""What can go wrong on the command line, as sentences for whoever typed. Lowest layer."""

from typing import Final

EXIT_OK: Final = 0
EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2
EXIT_WARNING: Final = 10
"""`run`: the run was judged warning."""
EXIT_BAD: Final = 11
"""`run`: the run was judged error."""
EXIT_FAILED: Final = 12
"""`run`: the run failed, there is no answer to judge."""
EXIT_SKIPPED: Final = 13
"""`run`: the run was refused, or skipped."""
EXIT_WAITING: Final = 14
"""`run`: the time to wait is over, the run goes on."""
EXIT_INTERRUPTED: Final = 130

RESULT_CODES: Final = {
    "success": EXIT_OK,
    "warning": EXIT_WARNING,
    "error": EXIT_BAD,
    "failed": EXIT_FAILED,
    "skipped": EXIT_SKIPPED,
}
"""Exit code of `run` by the run's result."""


class CliError(Exception):
    """Ends the command: the text says what is wrong, where, and what to do instead."""

    def __init__(self, message: str, *, exit_code: int = EXIT_ERROR) -> None:
        super().__init__(message)
        self.exit_code = exit_code
