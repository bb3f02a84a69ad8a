"""What Councilors work with: a genuine mongod and a stub Conductor, as processes of this machine that Pods can reach.

Both listen on the one address of the machine that the cluster's Pods see, on ports that were free.
"""

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.launcher.processes import stop

from .commands import ROOT
from .progress import DemoError
from .state import State

READY_WITHIN = 60.0
STOP_GRACE = 30.0
TAIL_LINES = 10
AGENTS = Path(__file__).with_name("agents.yaml")


@dataclass(frozen=True)
class Services:
    """Where they are. The connection string holds no credentials: this mongod has none."""

    mongodb_uri: str
    conductor_url: str
    gateway_url: str


def start(state: State, address: str) -> Services:
    """Starts both and returns when they answer. Raises DemoError with the end of the log of the one that does not."""
    database = _start(
        state,
        "mongodb",
        ["-m", "tests.mongodb", "--host", address, "--data", str(state.database), "--shape", "replica-set"],
        re.compile(r"mongod ready: (?P<uri>\S+) pid (?P<pid>\d+)"),
    )
    # The server outlives a parent that is killed; with its own record it is found all the same.
    state.add_process("mongod", int(database["pid"]))
    conductor = _start(
        state,
        "conductor",
        [
            *("-m", "tests.conductor", "--host", address, "--conductor-port", "0", "--gateway-port", "0"),
            *("--mongodb-uri", database["uri"], "--scripts", str(AGENTS), "--create-agents"),
        ],
        re.compile(r"stub conductor ready: conductor (?P<conductor>\S+) gateway (?P<gateway>\S+)"),
    )
    return Services(database["uri"], conductor["conductor"], conductor["gateway"])


def end(state: State) -> None:
    """Ends whatever runs of them: Conductor first, which needs the database."""
    known = state.processes()
    for name in ("conductor", "mongodb", "mongod"):
        if name in known:
            stop([known[name]], STOP_GRACE)


def _start(state: State, name: str, arguments: Sequence[str], ready: re.Pattern[str]) -> re.Match[str]:
    """Starts a Python program, detached, and waits for the line in its log that says it is ready."""
    path = state.logs / f"{name}.log"
    with path.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    state.add_process(name, process.pid)
    deadline = time.monotonic() + READY_WITHIN
    while (found := ready.search(path.read_text(errors="replace"))) is None:
        if process.poll() is not None:
            raise DemoError(f"{name} ended with exit code {process.returncode} while it started. {_tail(path)}")
        if time.monotonic() > deadline:
            raise DemoError(f"{name} is not ready after {READY_WITHIN:.0f} s. {_tail(path)}")
        time.sleep(0.05)
    return found


def _tail(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines()[-TAIL_LINES:]
    return f"The end of its log ({path}):\n" + "\n".join(f"  {line}" for line in lines)
