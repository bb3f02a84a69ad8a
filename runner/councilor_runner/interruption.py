"""SIGTERM and SIGINT as a value that the run can wait for.

The kubelet sends SIGTERM when the Pod has to go: a drained node, a deleted Job, `activeDeadlineSeconds`. As process 1
of its container the runner would never notice it without a handler, so one stands before anything else is imported,
asyncio included.
"""

import math
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio

_T = TypeVar("_T")


class Interruption:
    """Whether and when the process was asked to end."""

    def __init__(self) -> None:
        self.at: float | None = None
        """Monotonic time of the first signal."""
        self._loop: asyncio.AbstractEventLoop | None = None

    @cached_property
    def _event(self) -> "asyncio.Event":
        import asyncio

        return asyncio.Event()

    def install(self) -> None:
        """Note signals from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.trigger())

    def attach(self, loop: "asyncio.AbstractEventLoop") -> None:
        """Let the loop wake up for signals, also for one that came before it ran."""
        self._loop = loop
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.trigger)
        if self.at is not None:
            self._event.set()

    def trigger(self) -> None:
        """Ask the run to end."""
        if self.at is None:
            self.at = time.monotonic()
        if self._loop is not None:
            self._event.set()

    async def wait(self) -> None:
        """Return once the process was asked to end."""
        await self._event.wait()

    @asynccontextmanager
    async def limit(self, seconds: float, interrupted: float) -> AsyncIterator[None]:
        """Bound a block: to `seconds`, and to `interrupted` from a signal on, or from its start if that came before.

        Raises TimeoutError when the time is over.
        """
        import asyncio

        loop = asyncio.get_running_loop()
        async with asyncio.timeout(seconds if self.at is None else min(seconds, interrupted)) as limit:

            async def shorten() -> None:
                await self.wait()
                limit.reschedule(min(limit.when() or math.inf, loop.time() + interrupted))

            watching = asyncio.create_task(shorten()) if self.at is None else None
            try:
                yield
            finally:
                if watching is not None:
                    watching.cancel()

    async def cut_short(self, work: Coroutine[Any, Any, _T]) -> _T | None:
        """Return the work's result; None when a signal came first, so that it was cancelled."""
        import asyncio

        task = asyncio.create_task(work)
        signalled = asyncio.create_task(self.wait())
        await asyncio.wait((task, signalled), return_when=asyncio.FIRST_COMPLETED)
        signalled.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
        return None if task.cancelled() else task.result()
