"""Runs programs of this machine, from several threads, so that all of them can be ended together.

Each runs in a session of its own: Ctrl-C in the terminal reaches the demo alone, which then ends what it started in an
order that leaves nothing behind.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from .progress import DemoError

ROOT = Path(__file__).resolve().parents[2]
GRACE = 60.0
"""Seconds that an interrupted program may take to clean up: `cluster up` ends its components one after another."""


class CommandError(DemoError):
    """A program failed; `stderr` holds what it said, empty when that went straight to the terminal."""

    def __init__(self, message: str, stderr: str) -> None:
        super().__init__(message)
        self.stderr = stderr


class Commands:
    """The programs that run on behalf of one command of the user."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._interrupted = False

    def run(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] = os.environ,
        stdin: str | None = None,
        shows_progress: bool = False,
        accept: Sequence[int] = (0,),
    ) -> tuple[int, str]:
        """Runs a program to its end; exit code and standard output.

        With `shows_progress` its standard error is the user's to read. Raises CommandError for an exit code that is not
        in `accept`, DemoError when the program does not exist or the demo was interrupted.
        """
        name = " ".join(str(word) for word in command[:3])
        process = self._start(command, environment, shows_progress=shows_progress)
        with process:
            output, complaint = process.communicate(stdin)
        with self._lock:
            self._running.discard(process)
            if self._interrupted:
                raise DemoError(f"interrupted while `{name}` was running")
        if process.returncode not in accept:
            reason = "its own messages are above" if shows_progress else complaint.strip() or "it said nothing"
            raise CommandError(f"`{name}` failed with exit code {process.returncode}: {reason}", complaint or "")
        return process.returncode, output

    def _start(
        self, command: Sequence[str | Path], environment: Mapping[str, str], *, shows_progress: bool
    ) -> subprocess.Popen[str]:
        with self._lock:
            if self._interrupted:
                raise DemoError("interrupted")
            try:
                process = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=sys.stderr if shows_progress else subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )
            except FileNotFoundError as error:
                raise DemoError(f"there is no program {command[0]}: install it, or put it into PATH") from error
            self._running.add(process)
            return process

    def interrupt(self) -> None:
        """Asks every running program to end and waits for it; those started later are refused."""
        with self._lock:
            self._interrupted = True
            running = list(self._running)
        for process in running:
            # With what it started, as Ctrl-C in a terminal would; the cluster's own components have other sessions.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in running:
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
