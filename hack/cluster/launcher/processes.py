"""The cluster's processes: started detached, recorded, recognised again, ended. Never found by their name.

A process is ours when its record says so *and* its start time is the recorded one (a pid alone may have been given to
another program since), or when its environment carries the cluster's own mark. The mark closes the gap between starting
a process and recording it, and finds what our processes started in turn, such as containerd's shims.
"""

import json
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from .progress import ClusterError, say
from .state import State, boot_id, write_json

MARK = "COUNCILOR_CLUSTER_STATE"
LOG_TAIL_LINES = 15
POLL_INTERVAL = 0.05  # seconds between two looks at a component that is starting

Probe = Callable[[], str | None]  # None: ready; else why not yet


@dataclass(frozen=True)
class Component:
    """A long-running program of the cluster."""

    name: str
    argv: tuple[str, ...]
    probe: Probe
    ready_within: float = 60.0  # seconds


@dataclass(frozen=True)
class Process:
    """A process that was started. `start_time` is field 22 of /proc/PID/stat, in clock ticks since boot."""

    name: str
    pid: int
    start_time: int
    boot: str

    def running(self) -> bool:
        return self.boot == boot_id() and start_time(self.pid) == self.start_time


def start_time(pid: int) -> int | None:
    """None when there is no such process, or only its exit code is left of it (a zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # Field 2, the program's name in brackets, may itself hold spaces and brackets.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def start(state: State, component: Component) -> Process:
    """Starts a component, detached from the launcher and from its terminal; output goes to the component's log."""
    path = state.log(component.name)
    with path.open("ab") as log:
        child = subprocess.Popen(
            component.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=_environment(state),
            start_new_session=True,
        )
    process = Process(component.name, child.pid, start_time(child.pid) or 0, boot_id())
    write_json(state.run / f"{component.name}.json", asdict(process))
    return process


def _environment(state: State) -> dict[str, str]:
    """A small one: proxies, Go settings and credentials of the caller must not change what a component does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "HOME": str(state.folder), "LANG": "C.UTF-8", MARK: str(state.folder)}


def recorded(state: State) -> dict[str, Process]:
    """All processes that were recorded and not ended by the launcher, running or not, by component name."""
    found = {}
    for path in sorted(state.run.glob("*.json")):
        with suppress(ValueError, TypeError):  # not a record of ours; the mark still finds its process
            process = Process(**json.loads(path.read_text()))
            found[process.name] = process
    return found


def marked(state: State) -> list[Process]:
    """All running processes that carry the cluster's mark, the launcher itself excepted."""
    wanted = f"{MARK}={state.folder}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):  # ended meanwhile, or of another user
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                started = start_time(int(entry.name))
                if started is not None:
                    found.append(Process(f"pid {entry.name}", int(entry.name), started, boot_id()))
    return found


def send(process: Process, number: signal.Signals) -> bool:
    """Sends a signal; False when the process has ended. Through a pid descriptor, so that it cannot hit a successor."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if not process.running():
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def stop(processes: Iterable[Process], grace: float) -> None:
    """Ends processes: SIGTERM to all, `grace` seconds for them together, SIGKILL to those that are left.

    Raises ClusterError when one survives that too (it hangs in the kernel).
    """
    left = [process for process in processes if send(process, signal.SIGTERM)]
    left = _gone_within(left, grace)
    if left:
        say(f"ending {', '.join(process.name for process in left)} the hard way: no end within {grace:.0f} s")
        for process in left:
            send(process, signal.SIGKILL)
        left = _gone_within(left, 10.0)
    if left:
        raise ClusterError(
            f"not ended by SIGKILL: {', '.join(f'{process.name} (pid {process.pid})' for process in left)}"
        )


def kill(processes: Iterable[Process]) -> None:
    """SIGKILL at once, and waits for the end."""
    left = [process for process in processes if send(process, signal.SIGKILL)]
    left = _gone_within(left, 10.0)
    if left:
        raise ClusterError(
            f"not ended by SIGKILL: {', '.join(f'{process.name} (pid {process.pid})' for process in left)}"
        )


def _gone_within(processes: Sequence[Process], seconds: float) -> list[Process]:
    """Those still running when the time is over."""
    deadline = time.monotonic() + seconds
    left = []
    for process in processes:
        try:
            descriptor = os.pidfd_open(process.pid)
        except ProcessLookupError:
            continue
        try:
            # Readable when the process has ended, also when its parent has not yet asked for its exit code.
            if process.running() and not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
                left.append(process)
        finally:
            os.close(descriptor)
    return left


def await_ready(state: State, component: Component, process: Process | None = None) -> None:
    """Waits until a component's probe is content.

    Raises ClusterError, with the end of the log and its path, when the process ends or the time is over.
    """
    began = time.monotonic()
    while True:
        reason = component.probe()
        if reason is None:
            return
        if process is not None and not process.running():
            raise ClusterError(f"{component.name} ended while it started. {log_tail(state, component.name)}")
        if time.monotonic() - began > component.ready_within:
            raise ClusterError(
                f"{component.name} is not ready after {component.ready_within:.0f} s: {reason}. "
                + log_tail(state, component.name)
            )
        time.sleep(POLL_INTERVAL)


def log_tail(state: State, name: str) -> str:
    """The end of a component's log, for a message."""
    path = state.log(name)
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 16_384))
            lines = log.read().decode(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    except FileNotFoundError:
        return f"It wrote no log ({path})."
    return f"The end of its log ({path}):\n" + "\n".join(f"  {line[:400]}" for line in lines)
