"""A semaphore whose size may change: threads for calls, workers for tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType


class Slots:
    """At most `limit()` holders at once; the others wait in order."""

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._used = 0
        self._freed = asyncio.Condition()

    async def __aenter__(self) -> None:
        async with self._freed:
            await self._freed.wait_for(lambda: self._used < self._limit())
            self._used += 1

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        async with self._freed:
            self._used -= 1
            self._freed.notify()
