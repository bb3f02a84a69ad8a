"""Entry point of the command line: errors become one line and an exit code here and nowhere else."""

import os
import sys

from councilor_cli.application import application, program
from councilor_cli.errors import EXIT_ERROR, EXIT_INTERRUPTED, CliError
from councilor_cli.text import legible


def main() -> None:
    """Run a command and exit with its code."""
    try:
        application(prog_name=program(sys.argv[0]))
    except CliError as error:
        sys.stderr.write(f"error: {legible(str(error))}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has enough of it (`| head`); the interpreter must not find that out once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_ERROR)


if __name__ == "__main__":
    main()
