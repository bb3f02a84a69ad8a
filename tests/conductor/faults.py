"""Faults of the stub's HTTP side, each for the n-th call of one operation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

PortName = Literal["conductor", "gateway", "control"]
Operation = Literal["health", "submit", "legacy", "gateway-health", "tasks", "task", "details", "event", "other"]
Kind = Literal["status", "not-json", "reset", "drop", "hang", "trickle", "refuse"]

OPERATIONS: Final[tuple[Operation, ...]] = get_args(Operation)
GATEWAY_OPERATIONS: Final = frozenset({"gateway-health", "tasks", "task", "details", "event"})


class Fault(BaseModel):
    """One thing that goes wrong.

    * `status`: answers `status` with `headers` and `body` (an HTML page as proxies send it, unless given);
      `retry_after` becomes the header of that name.
    * `not-json`: 200, declared as JSON, with a body that is none.
    * `reset`: the connection is reset (RST). `drop`: it is closed without an answer. `hang`: no answer at all.
      `trickle`: an answer of which a little comes from time to time, for ever.
    * `refuse`: the port stops listening for `seconds`, as soon as the preceding calls are answered.

    `call` counts the operation's calls from the moment the fault is first in its queue: 1 is the next one. `times`
    calls fail; None means all further ones. With `carried_out` the call takes effect and only its answer is lost or
    replaced: a submission is stored, the caller does not hear of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    operation: Operation
    kind: Kind = "status"
    status: Annotated[int, Field(ge=100, le=599)] | None = None
    headers: dict[str, str] = {}
    body: str | None = None
    retry_after: str | None = None
    call: PositiveInt = 1
    times: PositiveInt | None = 1
    carried_out: bool = False
    seconds: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.kind == "status") != (self.status is not None):
            raise ValueError("kind 'status' needs a status such as 503, and no other kind takes one")
        if (self.kind == "refuse") != (self.seconds is not None):
            raise ValueError("kind 'refuse' needs seconds, and no other kind takes them")
        if self.kind == "refuse" and (self.carried_out or self.times != 1):
            raise ValueError("a refused connection is never carried out and cannot be counted: give seconds only")
        return self

    @property
    def port(self) -> PortName:
        return "gateway" if self.operation in GATEWAY_OPERATIONS else "conductor"


@dataclass
class _Queued:
    fault: Fault
    calls_before: int
    times: int | None


class Faults:
    """The faults to come: one queue per operation, used up in order; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[Operation, list[_Queued]] = {}
        self.on_change: Callable[[], None] = lambda: None

    def next(self, operation: Operation, **fields: Any) -> None:
        """Queues a fault behind those of the same operation; `fields` are those of `Fault`.

        Raises pydantic.ValidationError for a fault that makes no sense.
        """
        self.add(Fault(operation=operation, **fields))

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._queues.setdefault(fault.operation, []).append(_Queued(fault, fault.call - 1, fault.times))
        self.on_change()

    def clear(self) -> None:
        """Forgets all faults; a port that is refusing goes on to do so until its seconds are over."""
        with self._lock:
            self._queues.clear()

    def pending(self) -> list[Fault]:
        with self._lock:
            return [queued.fault for queue in self._queues.values() for queued in queue]

    def take(self, operation: Operation) -> Fault | None:
        """Counts one call and returns the fault that hits it, if any."""
        with self._lock:
            queue = self._queues.get(operation)
            if not queue:
                return None
            head = queue[0]
            if head.calls_before > 0:
                head.calls_before -= 1
                return None
            if head.fault.kind == "refuse":
                return None  # this call came in before the port could close
            if head.times is not None:
                head.times -= 1
                if head.times == 0:
                    queue.pop(0)
            return head.fault

    def take_refusals(self) -> list[Fault]:
        """Removes and returns the refusals whose turn has come: no server can count refused calls."""
        due: list[Fault] = []
        with self._lock:
            for queue in self._queues.values():
                while queue and queue[0].fault.kind == "refuse" and queue[0].calls_before == 0:
                    due.append(queue.pop(0).fault)
        return due
