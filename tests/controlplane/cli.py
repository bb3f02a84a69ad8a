"""The command line in a process of its own, as a person starts it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.controlplane.api import eventually

SECONDS = 120.0


@dataclass(frozen=True)
class Printed:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """Its one line about an error."""
        assert self.err.count("error: ") == 1, self.err
        assert "Traceback" not in self.err
        return self.err.partition("error: ")[2].rstrip("\n")


class Started:
    """A command that goes on."""

    def __init__(self, process: "subprocess.Popen[str]", out: Path, err: Path) -> None:
        self._process, self._out, self._err = process, out, err

    @property
    def out(self) -> str:
        """What it printed so far."""
        return self._out.read_text()

    @property
    def err(self) -> str:
        """What it told so far."""
        return self._err.read_text()

    def wait_for_out(self, text: str) -> None:
        """Wait until it has printed a text."""
        eventually(lambda: self._goes_on(self.out, text), f"the command prints {text!r}")

    def wait_for_err(self, text: str) -> None:
        """Wait until it has told a text."""
        eventually(lambda: self._goes_on(self.err, text), f"the command tells {text!r}")

    def _goes_on(self, printed: str, text: str) -> bool:
        assert text in printed or self._process.poll() is None, f"it ended: {self.out}{self.err}"
        return text in printed

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> Printed:
        """Wait for its end."""
        code = self._process.wait(timeout=SECONDS)
        return Printed(code, self.out, self.err)

    def stop(self) -> None:
        """End it, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class CommandLine:
    """`councilor` with a kubeconfig, in a namespace."""

    def __init__(self, kubeconfig: Path, namespace: str, folder: Path, **environment: str) -> None:
        self._kubeconfig, self._namespace, self._folder = kubeconfig, namespace, folder
        self._extra = environment
        self._count = 0

    @property
    def environment(self) -> Mapping[str, str]:
        """Its environment: no colours, no width of somebody's terminal."""
        kept = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        return {**kept, "KUBECONFIG": str(self._kubeconfig), "COLUMNS": "120", **self._extra}

    def __call__(self, *words: str, **environment: str) -> Printed:
        """Run a command in the namespace, and wait for its end."""
        return self.bare(*words, "-n", self._namespace, **environment)

    def bare(self, *words: str, **environment: str) -> Printed:
        """Run a command with no other options."""
        done = subprocess.run(
            self._line(*words),
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Printed(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def started(self, *words: str) -> Iterator[Started]:
        """Start a command in the namespace; it is ended afterwards."""
        self._count += 1
        out, err = (self._folder / f"command-{self._count}.{stream}" for stream in ("out", "err"))
        with out.open("w") as stdout, err.open("w") as stderr:
            process = subprocess.Popen(
                # Tests that a shell started in the background ignore Ctrl-C, and what they start would too.
                ["env", "--default-signal=INT", *self._line(*words, "-n", self._namespace)],
                env=self.environment,
                stdout=stdout,
                stderr=stderr,
                text=True,
            )
        found = Started(process, out, err)
        try:
            yield found
        finally:
            found.stop()

    def _line(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "councilor_cli", *words]
