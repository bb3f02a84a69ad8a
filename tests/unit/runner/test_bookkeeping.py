"""How long the bookkeeping may take: each operation of a slow database is bounded, and so are all of them together."""

from datetime import UTC, datetime
from typing import Any

import pytest

from councilor_runner import bookkeeping
from councilor_runner.bookkeeping import Bookkeeper, Settled
from councilor_runner.contract import Agent, Reason
from councilor_runner.interruption import Interruption
from councilor_runner.outcome import Outcome
from councilor_runner.records import Finished
from councilor_runner.store import StoreError

MOMENT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FINISHED = Finished(Outcome(Reason.COMPLETED, "One is old."), "warning", MOMENT, MOMENT)


class Clock:
    """A clock that only moves when something takes time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return MOMENT

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class SlowStore:
    """A database that takes its time over each operation, and refuses the first ones."""

    def __init__(self, clock: Clock, seconds: float, refusals: int = 0) -> None:
        self._clock, self._seconds, self._refusals = clock, seconds, refusals
        self.operations: list[str] = []

    async def _operate(self, name: str) -> None:
        self._clock.seconds += self._seconds
        if self._refusals:
            self._refusals -= 1
            raise StoreError(Reason.DATABASE_UNREACHABLE, "MongoDB could not be reached")
        self.operations.append(name)

    async def finish(self, *_: object) -> None:
        await self._operate("finish")

    async def count(self, **_: object) -> bool:
        await self._operate("count")
        return True

    async def set_severity(self, *_: object) -> bool:
        await self._operate("set_severity")
        return True


async def settle(store: Any, clock: Clock) -> Settled:
    fields = {"task_id": "d25315c9d47428a48cefb956", "execution_id": "exec_A_1_d25315c9"}
    keeper = Bookkeeper(store, clock, Interruption())
    return await keeper.settle(fields, FINISHED, Agent(id="A"), already_recorded=False)


@pytest.mark.parametrize(
    ("seconds", "refusals", "carried_out", "recorded", "complains"),
    [
        (0.1, 0, ["finish", "count", "set_severity"], True, False),
        (4.9, 0, ["finish", "count", "set_severity"], True, False),
        (4.9, 2, ["finish", "count", "set_severity"], True, False),
        # The third operation begins when the time is over: the severity of the task is given up without complaint.
        (4.9, 4, ["finish", "count"], True, False),
        # What belongs to the run is complained of, so that a report Job makes it good.
        (8.0, 3, ["finish"], True, True),
        (4.9, 99, [], False, True),
    ],
)
async def test_a_slow_database(
    seconds: float, refusals: int, carried_out: list[str], recorded: bool, complains: bool
) -> None:
    clock = Clock()
    store = SlowStore(clock, seconds, refusals)
    settled = await settle(store, clock)
    assert store.operations == carried_out
    assert (settled.recorded, settled.complaint is not None, settled.temporary) == (recorded, complains, complains)
    assert clock.seconds < bookkeeping.BUDGET_SECONDS + seconds
