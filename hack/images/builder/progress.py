"""What the builder says while it works, and the error it stops with. Lowest module: imports nothing of the package."""

import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from textwrap import shorten
from threading import Timer

TAIL_LINES = 30
_STEP = re.compile(r"STEP \d+/\d+|COMMIT ")
_RUN = re.compile(r"STEP \d+/\d+: RUN (?:--mount=\S+\s+)*(?P<command>.+)")
_STEP_SECONDS = 1.0  # a step that takes longer is shown
_STEP_WIDTH = 100  # characters of a step's command that are shown


class BuildError(Exception):
    """Something the user can act on. The text says what is wrong, where, and what to do instead."""


def say(text: str) -> None:
    """Prints one line of progress on standard error; standard output carries results only."""
    print(f"build: {text}", file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Says that the body begins and how long it took, in seconds."""
    say(f"{what} …")
    began = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - began:.1f} s")


def answer(command: Sequence[str], environment: Mapping[str, str] = os.environ) -> str | None:
    """Standard output of a short command without surrounding space; None when it is missing or fails."""
    try:
        ended = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return ended.stdout.strip() if ended.returncode == 0 else None


def hand_over(command: Sequence[str], environment: Mapping[str, str] = os.environ) -> None:
    """Runs a long command that shows its own progress. Raises BuildError when it fails."""
    if (
        subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode
        != 0
    ):
        raise BuildError(f"{' '.join(command[:2])} failed; its output above tells why")


def run(command: Sequence[str], environment: Mapping[str, str] = os.environ) -> None:
    """Runs a long command; of buildah's steps those are shown that take a while, so none that its cache has.

    Raises BuildError with the end of its output when it fails.
    """
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    with process:
        announcement = Timer(0, say)
        for line in process.stdout or ():
            tail.append(line.rstrip())
            if _STEP.search(line):
                announcement.cancel()
                if found := _RUN.search(line):
                    shown = shorten(found["command"], _STEP_WIDTH, placeholder=" …")
                    announcement = Timer(_STEP_SECONDS, say, [f"  {shown}"])
                    announcement.daemon = True
                    announcement.start()
        announcement.cancel()
    if process.returncode != 0:
        raise BuildError(f"{command[0]} failed; the end of its output:\n" + "\n".join(tail))
