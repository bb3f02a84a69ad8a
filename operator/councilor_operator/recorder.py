"""Sends events about Councilors in the background: one at a time, in order, never in the way of a reconcile pass.

Events are a courtesy, the status has it all: what is not sent when the process ends is gone, and a queue that is full
takes no more.
"""

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Final, Protocol

from councilor_operator.errors import ApiError, NamespaceGoneError, NotFoundError
from councilor_operator.events import Event
from councilor_operator.metrics import Metrics
from councilor_operator.observed import ObservedCouncilor

logger = logging.getLogger(__name__)

CAPACITY: Final = 10_000
"""Events that may wait: about one for each Councilor of a large cluster."""


class Sender(Protocol):
    """Where events go; raises the errors of `errors.py`."""

    async def send_event(self, councilor: ObservedCouncilor, event: Event, now: datetime) -> None:
        """Send an event about a Councilor; `now` is when it happened."""
        ...


class EventRecorder:
    """Takes events from the passes and sends them when there is time."""

    def __init__(self, sender: Sender, metrics: Metrics, *, capacity: int = CAPACITY) -> None:
        self._sender = sender
        self._metrics = metrics
        self._waiting: asyncio.Queue[tuple[ObservedCouncilor, Event, datetime]] = asyncio.Queue(capacity)

    def record(self, councilor: ObservedCouncilor, events: Iterable[Event], now: datetime) -> None:
        """Take events about a Councilor that happened now."""
        for event in events:
            try:
                self._waiting.put_nowait((councilor, event, now))
            except asyncio.QueueFull:
                self._metrics.event_failures.inc()
                logger.warning("event %s for %s is not sent: too many wait", event.reason, councilor.full_name)

    async def work(self) -> None:
        """Send what comes, for ever."""
        while True:
            councilor, event, now = await self._waiting.get()
            try:
                await self._sender.send_event(councilor, event, now)
            except (NotFoundError, NamespaceGoneError):
                # Its namespace is being deleted or gone: nobody will look.
                continue
            except ApiError as error:
                self._metrics.event_failures.inc()
                logger.warning("event %s for %s was not sent: %s", event.reason, councilor.full_name, error.message)
            finally:
                self._waiting.task_done()

    async def sent(self) -> None:
        """Wait until everything that was taken is sent or given up."""
        await self._waiting.join()
