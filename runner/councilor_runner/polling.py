"""Waiting for a task that Conductor has accepted.

Conductor has no endpoint to read a task. The gateway has one, MongoDB has the document itself; either may be
configured, either may be away for a while, and the gateway leaves out the exit code. Sources are asked in order and
the first that knows the task answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from councilor_runner import logs
from councilor_runner.answers import TaskState
from councilor_runner.clock import Clock


class SourceUnavailableError(Exception):
    """A poll source did not answer; `refused` when it did, and will not let us read."""

    def __init__(self, name: str, detail: str, *, refused: bool = False) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name
        self.detail = detail
        self.refused = refused


class PollSource(Protocol):
    """A place where a task can be read."""

    name: str

    async def read(self, task_id: str) -> TaskState | None:
        """Return the task, None when the source is sure there is none. Raises SourceUnavailableError."""


@dataclass(frozen=True, slots=True)
class PollLimits:
    """Pace of polling, seconds."""

    first_interval: float = 0.2
    growth: float = 1.3
    longest_interval: float = 5.0
    vanished_after: float = 10.0
    """How long every source that answers has to deny a task before it counts as deleted: replicas lag."""


class Lookup(Enum):
    """What asking the sources gave when it gave no task."""

    ABSENT = auto()
    UNAVAILABLE = auto()
    REFUSED = auto()


class WaitEnd(Enum):
    """Why waiting ended without a result."""

    DEADLINE = auto()
    UNREADABLE = auto()
    """The deadline came and no source had answered for the last part of the wait."""
    VANISHED = auto()
    """No source knows the task, for longer than replicas lag or at the deadline."""
    REFUSED = auto()


async def look_up(task_id: str, sources: Sequence[PollSource]) -> TaskState | Lookup:
    """Ask the sources once."""
    found: TaskState | None = None
    denied = False
    refusals = 0
    for source in sources:
        try:
            task = await source.read(task_id)
        except SourceUnavailableError as error:
            logs.warning("poll source did not answer", source=error.name, detail=error.detail)
            refusals += error.refused
            continue
        if task is None:
            denied = True
            continue
        found = task
        # A finished task without its exit code: the next source may know it.
        if not task.final or task.exit_code_known:
            break
    if found is not None:
        return found
    if denied:
        return Lookup.ABSENT
    return Lookup.REFUSED if sources and refusals == len(sources) else Lookup.UNAVAILABLE


async def wait_for_task(
    task_id: str, sources: Sequence[PollSource], clock: Clock, deadline: float, limits: PollLimits
) -> TaskState | WaitEnd:
    """Poll until the task is final or the deadline (of the monotonic clock) has passed; look once more at the end."""
    interval = limits.first_interval
    absent_since: float | None = None
    readable = True
    while True:
        last = clock.monotonic() >= deadline
        state = await look_up(task_id, sources)
        if isinstance(state, TaskState):
            if state.final:
                return state
            absent_since = None
        elif state is Lookup.REFUSED:
            return WaitEnd.REFUSED
        elif state is Lookup.ABSENT:
            absent_since = clock.monotonic() if absent_since is None else absent_since
            if last or clock.monotonic() - absent_since >= limits.vanished_after:
                return WaitEnd.VANISHED
        readable = state is not Lookup.UNAVAILABLE
        if last:
            return WaitEnd.DEADLINE if readable else WaitEnd.UNREADABLE
        await clock.sleep(max(0.0, min(interval, deadline - clock.monotonic())))
        interval = min(interval * limits.growth, limits.longest_interval)
