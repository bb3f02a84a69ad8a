"""Entry points of the command line: errors become one line and an exit code here and nowhere else."""

import io
import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Final

from councilor_cli.errors import EXIT_BROKEN_PIPE, EXIT_INTERRUPTED, CliError

COMPLETE_VARIABLE: Final = "_COUNCILOR_COMPLETE"
_PLUGIN: Final = "kubectl-councilor"
_NO_FILES: Final = ":4"
"""ShellCompDirectiveNoFileComp, the last line that kubectl expects (cobra, completions.go)."""


def main() -> None:
    """Run a command and exit with its code."""
    try:
        code = _run()
        # Here, where it can still be caught, and not when the interpreter ends.
        sys.stdout.flush()
    except CliError as error:
        sys.stderr.write(f"error: {error}\n")
        code = error.exit_code
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read has seen enough. The interpreter flushes once more at its end: into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_BROKEN_PIPE
    sys.exit(code)


def complete_for_kubectl() -> None:
    """Print completions as kubectl asks a plugin for them.

    kubectl calls `kubectl_complete-councilor WORD... BEGINNING` and reads a completion a line, then a directive.
    """
    sys.stdout.write("".join(f"{word}\n" for word in completions(sys.argv[1:])) + f"{_NO_FILES}\n")


def completions(words: Sequence[str]) -> list[str]:
    """Return what the last of the words may become."""
    os.environ |= {
        COMPLETE_VARIABLE: "complete_bash",
        "COMP_WORDS": shlex.join(["councilor", *words]),
        "COMP_CWORD": str(len(words)),
    }
    answer = io.StringIO()
    with redirect_stdout(answer), redirect_stderr(io.StringIO()):
        _run()
    return answer.getvalue().splitlines()


def _run() -> int:
    from councilor_cli.application import application

    try:
        application(prog_name=_program(), complete_var=COMPLETE_VARIABLE)
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    return 0


def _program() -> str:
    """Return the name under which it was called, as usage texts have it."""
    return "kubectl councilor" if Path(sys.argv[0]).stem == _PLUGIN else "councilor"


if __name__ == "__main__":
    main()
