"""Entry point of the command line: errors become one line and an exit code here and nowhere else."""

import sys

from councilor_cli.application import application
from councilor_cli.errors import CliError


def main() -> None:
    """Run a command and exit with its code."""
    try:
        application()
    except CliError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
