"""`councilor version`."""

import sys

from councilor_operator import __version__


def version() -> None:
    """Print the version of this command line."""
    sys.stdout.write(f"councilor {__version__}\n")
