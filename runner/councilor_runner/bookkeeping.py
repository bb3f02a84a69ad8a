"""What follows a finished run in MongoDB: record, count, severity of the task.

Record first, so that a counted run always has a record; each step may be repeated. The result exists only in this
process until the record stands, hence the patience here, bounded because the kubelet's is.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from councilor_runner import logs
from councilor_runner.clock import Clock
from councilor_runner.contract import Agent, Reason
from councilor_runner.interruption import Interruption
from councilor_runner.records import Finished, read_finished, result_fields

if TYPE_CHECKING:
    # Importing pymongo takes longer than the whole run of a Councilor without a database.
    from councilor_runner.store import Store

_T = TypeVar("_T")

BUDGET_SECONDS = 30.0
INTERRUPTED_BUDGET_SECONDS = 8.0
"""After SIGTERM; together with an operation under way and the notifications it stays below `GRACE_SECONDS`."""
_DELAYS = (0.2, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Settled:
    """The run as it stands, and how far the bookkeeping got; `complaint` says what is missing.

    `temporary`: another attempt may find MongoDB willing.
    """

    finished: Finished
    recorded: bool
    complaint: str | None = None
    temporary: bool = False


class Bookkeeper:
    """Writes one run's traces."""

    def __init__(self, store: "Store", clock: Clock, interruption: Interruption) -> None:
        self._store = store
        self._clock = clock
        self._interruption = interruption
        self._end = 0.0

    async def settle(
        self, fields: Mapping[str, Any], finished: Finished, agent: Agent, *, already_recorded: bool
    ) -> Settled:
        """Record the run, count it and mark its task; `already_recorded` after a Pod that got that far.

        Where another Pod records it in this very moment, that record is what is counted, told and reported.
        """
        from councilor_runner.store import StoreError

        self._end = self._clock.monotonic() + BUDGET_SECONDS
        store, task_id = self._store, fields["task_id"]
        recorded = already_recorded
        try:
            if not already_recorded:
                result = result_fields(finished)
                before = await self._persist(lambda: store.finish(fields, result))
                recorded = True
                finished = (read_finished(before) if before is not None else None) or finished
                logs.info("execution recorded", status=result["status"], outputTruncated=result["output_truncated"])
            severity = finished.severity
            if severity is not None:
                counted = await self._persist(
                    lambda: store.count(
                        agent_id=agent.id,
                        instance_id=agent.instance_id,
                        task_id=task_id,
                        severity=severity,
                        completed_at=finished.completed_at,
                    )
                )
                if counted is None:
                    logs.warning("statistics not kept: the agent has no document")
                else:
                    logs.info("execution counted" if counted else "execution had been counted before")
        except StoreError as error:
            logs.error("bookkeeping failed", detail=error.message)
            return Settled(finished, recorded, error.message, error.temporary)
        if severity is not None:
            try:
                await self._persist(lambda: store.set_severity(task_id, agent.id, severity))
            except StoreError as error:
                # The run itself is recorded and counted; another Pod could not do better.
                logs.warning("severity of the task not set", detail=error.message)
        return Settled(finished, recorded)

    async def _persist(self, write: Callable[[], Awaitable[_T]]) -> _T:
        """Repeat a write while trying again can help and time is left."""
        from councilor_runner.store import StoreError

        delays = iter(_DELAYS)
        delay = next(delays)
        if self._clock.monotonic() >= self._limit():
            # Each of several slow operations would take its time again.
            raise StoreError(Reason.DATABASE_UNREACHABLE, "MongoDB was too slow to take all that belongs to the run")
        while True:
            try:
                return await write()
            except StoreError as error:
                if not error.temporary or self._clock.monotonic() + delay >= self._limit():
                    raise
                logs.warning("MongoDB did not take it, trying again", detail=error.message)
            await self._clock.sleep(delay)
            delay = next(delays, delay)

    def _limit(self) -> float:
        if self._interruption.at is None:
            return self._end
        return min(
            self._end, self._clock.monotonic() + self._interruption.at + INTERRUPTED_BUDGET_SECONDS - time.monotonic()
        )
