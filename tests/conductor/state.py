"""What the applications and the watcher of one stub share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tests.conductor.answers import Scripts
from tests.conductor.documents import Database
from tests.conductor.faults import Faults
from tests.conductor.hub import Hub
from tests.conductor.request_log import RequestLog
from tests.conductor.settings import Settings


class StubStoppedError(Exception):
    """The stub ends: whoever waits gives up."""


@dataclass
class StubState:
    """One stub's parts. `database` and the events belong to the stub's event loop."""

    settings: Settings
    scripts: Scripts = field(default_factory=Scripts)
    faults: Faults = field(default_factory=Faults)
    requests: RequestLog = field(default_factory=RequestLog)
    hub: Hub = field(default_factory=Hub)
    submitted: asyncio.Event = field(default_factory=asyncio.Event)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _database: Database | None = None

    @property
    def database(self) -> Database:
        if self._database is None:
            raise RuntimeError("the stub has not been started")
        return self._database

    @database.setter
    def database(self, database: Database) -> None:
        self._database = database

    def stop(self) -> None:
        """Ends all waiting. Nothing is cancelled: pymongo leaks the socket of a connection cancelled half way."""
        self.stopping.set()
        self.submitted.set()

    async def pause(self, seconds: float | None) -> None:
        """Waits, None for ever. Raises StubStoppedError as soon as the stub ends."""
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return
        raise StubStoppedError
