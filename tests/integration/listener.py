"""A change feed at work and what it says, for tests that wait for the next word instead of a time."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import pytest

from councilor_operator.sync.feed import Cause, ChangeFeed, Mode, Obstacle, Pace
from councilor_operator.sync.source import Source

DATABASE: Final = "conductor_state"
DEADLINE: Final = 60.0

STREAMING: Final = Pace(poll=3600, stream=3600, first_retry=0.05, last_retry=0.2)
"""Whatever is heard comes from a stream."""
POLLING: Final = Pace(poll=0.05, stream=0.1, first_retry=0.05, last_retry=0.2)


class Listener:
    """What a feed has said so far, word by word, and what interrupted it."""

    def __init__(self) -> None:
        self.obstacles: list[Obstacle] = []
        self._said: asyncio.Queue[Cause] = asyncio.Queue()
        self._interrupted = asyncio.Event()
        self.feed: ChangeFeed

    @property
    def mode(self) -> Mode:
        return self.feed.mode

    def notify(self, cause: Cause) -> None:
        self._said.put_nowait(cause)

    def obstacle(self, obstacle: Obstacle) -> None:
        self.obstacles.append(obstacle)
        self._interrupted.set()

    async def interrupted(self) -> None:
        """Wait for the first obstacle."""
        async with asyncio.timeout(DEADLINE):
            await self._interrupted.wait()

    async def next(self) -> Cause:
        """The next word, which has to come."""
        async with asyncio.timeout(DEADLINE):
            return await self._said.get()

    async def until(self, cause: Cause) -> None:
        """Pass over other words up to this one."""
        while await self.next() != cause:
            pass

    def silent(self) -> bool:
        """Whether every word was taken."""
        return self._said.empty()


@asynccontextmanager
async def listening(source: Source, pace: Pace = STREAMING, token: str | None = None) -> AsyncIterator[Listener]:
    """Run a feed inside the block; `token` is the resume token with which it begins."""
    listener = Listener()
    listener.feed = ChangeFeed(source, listener.notify, pace=pace, interrupted=listener.obstacle)
    if token is not None:
        listener.feed._token = {"_data": token}
    task = asyncio.create_task(listener.feed.run())
    try:
        yield listener
        assert not task.done(), "a feed never ends"
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def reading(uri: str, database: str = DATABASE, timeout_seconds: float = 30.0) -> AsyncIterator[Source]:
    """A source inside the block."""
    source = Source(uri, database, timeout_seconds=timeout_seconds)
    try:
        yield source
    finally:
        await source.close()


@pytest.fixture(autouse=True)
def sockets_collected() -> Iterator[None]:
    """Let the sockets that the driver forgot go at the end of the test that made it forget them.

    Where connections break and are cancelled, PyMongo 4.20 leaves one to the garbage collector now and then, and a
    later test would be blamed for the warning. For modules that break connections, with `FORGOTTEN`.
    """
    yield
    gc.collect()


FORGOTTEN: Final = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)
