"""What can go wrong on the command line, as sentences for whoever typed. Lowest layer."""

from typing import Final

EXIT_OK: Final = 0
EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2
EXIT_WARNING: Final = 10
"""Exit codes from here on are those of `councilor run`: the verdict of the run, clear of shells' and usage errors'."""
EXIT_VERDICT_ERROR: Final = 11
EXIT_FAILED: Final = 12
EXIT_NO_RUN: Final = 13
"""Refused, or skipped: the agent was not asked."""
EXIT_UNKNOWN: Final = 14
"""Nobody knows yet: out of time, the operator silent, or the Job gone before it was read."""
EXIT_INTERRUPTED: Final = 130
"""128 and the number of SIGINT, as shells have it."""
EXIT_BROKEN_PIPE: Final = 141


class CliError(Exception):
    """Ends the command: the text says what is wrong, where, and what to do instead."""

    def __init__(self, message: str, *, exit_code: int = EXIT_ERROR) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class MissingError(CliError):
    """What was asked for is not there."""


class UnreachableError(CliError):
    """The API server does not answer, or not now; the next attempt may succeed."""


class ForbiddenError(CliError):
    """The API server knows who asks, and does not let them."""
