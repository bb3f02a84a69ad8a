"""The work queue: which Councilors are to be looked at, and when. The semantics are those of client-go's workqueue.

A key that waits twice is processed once; a key is never processed by two workers at the same time; a key added while
in work is processed once more afterwards; failures back off exponentially per key. Single event loop, no locks.
"""

import asyncio
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")

FIRST_RETRY_SECONDS = 0.5
LAST_RETRY_SECONDS = 300.0


class WorkQueue(Generic[Key]):
    """A keyed, de-duplicating, delaying queue; `clock` returns seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: deque[Key] = deque()
        self._added_at: dict[Key, float] = {}
        self._in_work: dict[Key, bool] = {}
        self._taken_at: dict[Key, float] = {}
        self._delayed: list[tuple[float, int, Key]] = []
        self._due: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._sequence = itertools.count()
        self._wakeup = asyncio.Event()
        self._drained = asyncio.Event()

    def __len__(self) -> int:
        """Return how many keys wait to be processed now."""
        return len(self._waiting)

    @property
    def oldest_age(self) -> float:
        """Return for how many seconds the first key has been waiting, 0 for an empty queue."""
        try:
            return self._clock() - self._added_at[self._waiting[0]]
        except (IndexError, KeyError):
            # Empty; or asked by the thread of the metrics just when a worker takes the last key.
            return 0.0

    @property
    def longest_work(self) -> float:
        """Return for how many seconds the key that was taken first has been in work, 0 without one."""
        # A copy: the thread of the metrics asks too.
        return self._clock() - min(self._taken_at.copy().values(), default=self._clock())

    @property
    def backing_off(self) -> int:
        """Return how many keys failed the last time."""
        return len(self._failures)

    def add(self, key: Key) -> None:
        """Ask for `key` to be processed soon."""
        if key in self._in_work:
            self._in_work[key] = True
        elif key not in self._added_at:
            self._added_at[key] = self._clock()
            self._waiting.append(key)
            self._wakeup.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Ask for `key` to be processed in so many seconds, or earlier if that was asked for already."""
        due = self._clock() + max(0.0, seconds)
        if due >= self._due.get(key, float("inf")):
            return
        # An entry that it replaces stays in the heap and is passed over when its time comes.
        self._due[key] = due
        heapq.heappush(self._delayed, (due, next(self._sequence), key))
        self._wakeup.set()

    async def get(self) -> Key:
        """Wait for the next key; `done` or `retry` must follow."""
        while True:
            self._promote()
            if self._waiting:
                key = self._waiting.popleft()
                del self._added_at[key]
                self._in_work[key] = False
                self._taken_at[key] = self._clock()
                if not self._waiting:
                    self._drained.set()
                return key
            self._wakeup.clear()
            pause = self._delayed[0][0] - self._clock() if self._delayed else None
            try:
                async with asyncio.timeout(pause):
                    await self._wakeup.wait()
            except TimeoutError:
                continue

    async def empty(self) -> None:
        """Wait until no key waits to be processed now."""
        while self._waiting:
            self._drained.clear()
            await self._drained.wait()

    def done(self, key: Key) -> None:
        """Say that `key` was processed without failure."""
        self._failures.pop(key, None)
        self._finish(key)

    def retry(self, key: Key, *, at_least: float = 0.0) -> float:
        """Say that `key` failed; it comes back after a growing delay, which is returned in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(FIRST_RETRY_SECONDS * 2.0 ** min(failures, 32), LAST_RETRY_SECONDS)
        # Jitter: what failed together should not come back together.
        delay = max(delay * random.uniform(0.8, 1.2), at_least)  # noqa: S311 - no secret
        self._finish(key)
        self.add_after(key, delay)
        return delay

    def forget(self, key: Key) -> None:
        """Drop what is remembered about a key that is gone."""
        self._due.pop(key, None)
        self._failures.pop(key, None)

    def _finish(self, key: Key) -> None:
        del self._taken_at[key]
        if self._in_work.pop(key):
            self.add(key)

    def _promote(self) -> None:
        now = self._clock()
        while self._delayed and self._delayed[0][0] <= now:
            due, _, key = heapq.heappop(self._delayed)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)
