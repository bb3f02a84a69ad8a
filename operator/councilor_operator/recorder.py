"""Sends events in the background: one at a time, in order, never in the way of a reconcile pass.

Events are a courtesy, the status has it all: what is not sent when the process ends is gone, and a queue that is full
takes no more.
"""

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Final, Protocol

from prometheus_client import Counter

from councilor_operator.errors import ApiError, NamespaceGoneError, NotFoundError
from councilor_operator.events import Event
from councilor_operator.observed import Reference

logger = logging.getLogger(__name__)

CAPACITY: Final = 10_000
"""Events that may wait: about one for each Councilor of a large cluster."""


class Sender(Protocol):
    """Where events go; raises the errors of `errors.py`."""

    async def send_event(self, about: Reference, event: Event, now: datetime) -> None:
        """Send an event about an object; `now` is when it happened."""
        ...


class EventRecorder:
    """Takes events from the passes and sends them when there is time."""

    def __init__(self, sender: Sender, failures: Counter, *, capacity: int = CAPACITY) -> None:
        """`failures` counts what is not sent."""
        self._sender = sender
        self._failures = failures
        self._waiting: asyncio.Queue[tuple[Reference, Event, datetime]] = asyncio.Queue(capacity)

    def record(self, about: Reference, events: Iterable[Event], now: datetime) -> None:
        """Take events about an object that happened now."""
        for event in events:
            try:
                self._waiting.put_nowait((about, event, now))
            except asyncio.QueueFull:
                self._failures.inc()
                logger.warning("event %s for %s is not sent: too many wait", event.reason, about)

    async def work(self) -> None:
        """Send what comes, for ever."""
        while True:
            about, event, now = await self._waiting.get()
            try:
                await self._sender.send_event(about, event, now)
            except (NotFoundError, NamespaceGoneError):
                # Its namespace is being deleted or gone: nobody will look.
                continue
            except ApiError as error:
                self._failures.inc()
                logger.warning("event %s for %s was not sent: %s", event.reason, about, error.message)
            finally:
                self._waiting.task_done()

    async def sent(self) -> None:
        """Wait until everything that was taken is sent or given up."""
        await self._waiting.join()
