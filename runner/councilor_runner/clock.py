"""Time as the run sees it, so that tests can pass their own."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Two kinds of time: the calendar for records, the monotonic one for limits."""

    def now(self) -> datetime:
        """Return the current time: UTC, cut to the milliseconds that BSON keeps."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        return whole_milliseconds(datetime.now(UTC))

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def whole_milliseconds(moment: datetime) -> datetime:
    """Cut a time to what BSON keeps of it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@dataclass(frozen=True, slots=True)
class Calendar:
    """What is written down as the time: by the clock that all Pods of a run share, which is `ahead` of the Pod's own.

    Nodes' clocks disagree. By its own a Pod could end a run before another one began it, or take another's time limit
    for over.
    """

    clock: Clock
    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return whole_milliseconds(self.clock.now() + self.ahead)


def milliseconds(moment: datetime) -> int:
    """Return Unix milliseconds, exact (a float's `timestamp() * 1000` is not)."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
