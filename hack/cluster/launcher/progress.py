"""What the launcher says while it works, and the error it stops with. Lowest module: imports nothing of the package."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class ClusterError(Exception):
    """Something the user can act on. The text says what is wrong, where, and what to do instead."""


def say(text: str) -> None:
    """Prints one line of progress on standard error; standard output carries results only."""
    print(f"cluster: {text}", file=sys.stderr, flush=True)


@contextmanager
def step(what: str, *, announce: bool = False) -> Iterator[None]:
    """Reports how long the body took, in seconds; with `announce` also that it began, for steps of many seconds."""
    if announce:
        say(f"{what} …")
    began = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - began:.1f} s")
