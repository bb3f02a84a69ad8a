"""What the demo says while it works, and the error it stops with. Lowest module: imports nothing of the package."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class DemoError(Exception):
    """Something the user can act on. The text says what is wrong, where, and what to do instead."""


def say(text: str) -> None:
    """Prints one line of progress on standard error; standard output carries results only."""
    sys.stderr.write(f"demo: {text}\n")  # in one piece: threads report too
    sys.stderr.flush()


@contextmanager
def step(what: str) -> Iterator[None]:
    """Says that the body begins and, unless it fails, how long it took."""
    say(f"{what} …")
    began = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - began:.1f} s")
