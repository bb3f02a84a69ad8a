"""A replica set of several members, for what a single one cannot show: the primary changes."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Final, Self

import pymongo
from pymongo.errors import AutoReconnect, PyMongoError

from tests.mongodb.server import REPLICA_SET, Mongod, MongodError

ELECTION_MS: Final = 2000
"""How long members wait for a primary that is silent, by default 10 s."""
START_SECONDS: Final = 60.0


class ReplicaSet:
    """Members that belong to this object and end with it; any of them may be killed and restarted."""

    def __init__(self, members: int = 3) -> None:
        self.members: Final = tuple(Mongod("replica-set", alone=False) for _ in range(members))
        self._stack = ExitStack()

    @property
    def uri(self) -> str:
        """Connection string without a database."""
        return f"mongodb://{','.join(member.address for member in self.members)}/?replicaSet={REPLICA_SET}"

    def primary(self) -> Mongod:
        """Waits until there is a primary that takes writes, and returns it."""
        with self._client() as client:
            deadline = time.monotonic() + START_SECONDS
            while True:
                # `hello` of a primary that just lost its majority may still say it is one: a write tells.
                with suppress(PyMongoError):
                    client.admin.command("appendOplogNote", 1, data={"probe": 1}, writeConcern={"w": "majority"})
                    address = client.primary
                    if address is not None:
                        return next(member for member in self.members if member.port == address[1])
                if time.monotonic() > deadline:
                    raise MongodError(f"the replica set has no primary after {START_SECONDS:.0f} s: {self.uri}")
                time.sleep(0.05)

    def step_down(self) -> None:
        """Makes the primary a secondary, in an orderly way; another one is elected at once."""
        with (
            pymongo.MongoClient[dict[str, Any]](self.primary().address, directConnection=True) as client,
            suppress(AutoReconnect),  # before 4.2 the connection is closed, and later when the time is short
        ):
            client.admin.command("replSetStepDown", 60, secondaryCatchUpPeriodSecs=30)

    def __enter__(self) -> Self:
        with self._stack:
            for member in self.members:
                self._stack.enter_context(member)
            with pymongo.MongoClient[dict[str, Any]](self.members[0].address, directConnection=True) as client:
                client.admin.command(
                    "replSetInitiate",
                    {
                        "_id": REPLICA_SET,
                        "members": [{"_id": i, "host": member.address} for i, member in enumerate(self.members)],
                        "settings": {"electionTimeoutMillis": ELECTION_MS, "heartbeatIntervalMillis": 200},
                    },
                )
            self.primary()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # All at once: a primary that is told to stop waits for a majority, which the last one would never see.
        for member in self.members:
            member.kill()
        self._stack.close()

    def _client(self) -> pymongo.MongoClient[dict[str, Any]]:
        return pymongo.MongoClient(self.uri, serverSelectionTimeoutMS=1000, appname="mongod-fixture")
