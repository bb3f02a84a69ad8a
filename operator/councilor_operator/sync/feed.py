"""Says when documents may have changed: from a change stream where there is one, else at intervals.

It says that something changed and never what: every cause leads to the same round, a full read and a full comparison.
So nothing here has to be exact but one thing: no change may stay unnoticed. A stream is therefore open before the first
word about it, what interrupts it for good is followed by a new one and another word, and without a stream there are
polls. The resume token is kept in memory only, docs/decisions/0017.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Never

from bson.errors import BSONError
from pymongo.errors import PyMongoError

from councilor_operator.sync.documents import is_relevant
from councilor_operator.sync.source import COLLECTIONS, CREDENTIAL_CODES, Source, error_code, heed_cancellation, passes

logger = logging.getLogger(__name__)

Cause = Literal["change", "poll", "resumed", "restarted"]
"""Why a round is asked for: a relevant event; an interval passed without a stream; a stream goes on where it was
interrupted; a stream begins, and what happened before is for the round to find."""

Mode = Literal["connecting", "stream", "poll"]

Obstacle = Literal["unreachable", "credentials", "forbidden", "standalone", "unsupported", "unresumable", "invalidated"]
"""What ended or prevented a stream; a word for a metric's label."""

AWAIT_MS: Final = 1000
"""How long the server waits for events before it answers with none, and with a newer resume token."""

PIPELINE: Final[list[dict[str, Any]]] = [
    {
        "$match": {
            "$or": [
                {"ns.coll": {"$in": list(COLLECTIONS)}},
                # A collection that is renamed to one of these.
                {"to.coll": {"$in": list(COLLECTIONS)}},
                {"operationType": {"$in": ["dropDatabase", "invalidate"]}},
            ]
        }
    },
    # The names of changed fields and nothing of what stands in them: no prompt travels for nothing, and an event of a
    # document near 16 MB stays below the limit, which would end the stream. `_id` is the resume token.
    {
        "$project": {
            "operationType": 1,
            "fields": {
                "$concatArrays": [
                    {
                        "$map": {
                            "input": {"$objectToArray": {"$ifNull": ["$updateDescription.updatedFields", {}]}},
                            "in": "$$this.k",
                        }
                    },
                    {"$ifNull": ["$updateDescription.removedFields", []]},
                    {"$ifNull": ["$updateDescription.truncatedArrays.field", []]},
                ]
            },
        }
    },
]

_UNAUTHORIZED = 13
_NO_REPLICA_SET = 40573
_NOT_RESUMABLE = "NonResumableChangeStreamError"

GRANT: Final = (
    "grant the sync's user `find` and `changeStream` on the whole database, for instance by the role read; until then "
    "changes are noticed by polling"
)


@dataclass(frozen=True, slots=True)
class Pace:
    """Intervals, in seconds."""

    poll: float = 30.0
    """Between two polls."""
    stream: float = 60.0
    """Between two attempts to have a stream after all, while polling."""
    first_retry: float = 0.5
    last_retry: float = 30.0
    """Bounds of the growing pause after an interruption."""


def concerns(event: Mapping[str, Any]) -> bool:
    """Tell whether an event of `PIPELINE` may be about councilors.

    Statistics are written with every run, places on the screen with every drag: updates of such fields alone are not.
    MongoDB turns an update that changes most of a small document into `replace`, which names no fields and counts.
    """
    return event.get("operationType") != "update" or is_relevant(event.get("fields", ()))


def judge(error: Exception, *, fresh: bool) -> Obstacle:
    """Tell what stands in the way of a stream; `fresh` for one that was to begin now, without resume token."""
    code = error_code(error)
    if isinstance(error, PyMongoError) and error.has_error_label(_NOT_RESUMABLE):
        return "unresumable"
    if passes(error):
        return "unreachable"
    if code == _UNAUTHORIZED:
        return "forbidden"
    if code in CREDENTIAL_CODES:
        return "credentials"
    if code == _NO_REPLICA_SET:
        return "standalone"
    # Whatever else a server has against continuing (9, 136, 260, 280, 286, 10334 and those of later versions): to begin
    # anew is always right, because the round finds what was missed. Against beginning: no streams here.
    return "unsupported" if fresh else "unresumable"


POLLING: Final[frozenset[Obstacle]] = frozenset({"forbidden", "standalone", "unsupported"})
"""No stream to be had, though the server answers."""
RESUMABLE: Final[frozenset[Obstacle]] = frozenset({"unreachable", "credentials"})
"""The token is good for the next stream."""


def pause(failures: int, pace: Pace, jitter: float) -> float:
    """Return the seconds before the next attempt, after so many failures in a row; `jitter` from 0 to 1."""
    # Jitter: what lost its server together should not come back together.
    return float(min(pace.first_retry * 2.0 ** min(failures, 32), pace.last_retry) * (0.8 + 0.4 * jitter))


class ChangeFeed:
    """Watches the database of a source; `notify` is called whenever its documents may have changed.

    `notify` is to return at once and may be called any number of times. `interrupted` hears of each obstacle, for a
    counter.
    """

    def __init__(
        self,
        source: Source,
        notify: Callable[[Cause], None],
        *,
        pace: Pace | None = None,
        interrupted: Callable[[Obstacle], None] = lambda _: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._source = source
        self._notify = notify
        self._pace = pace or Pace()
        self._interrupted = interrupted
        self._sleep = sleep
        self._jitter = jitter
        self._token: Mapping[str, Any] | None = None
        self._failures = 0
        self._mode: Mode = "connecting"
        self._said: Obstacle | None = None

    @property
    def mode(self) -> Mode:
        """How changes are noticed now. While connecting there are polls, too: reading may work where watching fails."""
        return self._mode

    async def run(self) -> Never:
        """Watch for ever; errors of the database end up as obstacles and never end it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll())
            while True:
                fresh = self._token is None
                try:
                    await self._follow()
                    obstacle: Obstacle = "invalidated"
                except (PyMongoError, BSONError) as error:
                    obstacle = judge(error, fresh=fresh and self._mode != "stream")
                    self._log(obstacle, error)
                heed_cancellation()
                await self._recover(obstacle)

    async def _poll(self) -> Never:
        while True:
            await self._sleep(self._pace.poll)
            if self._mode != "stream":
                self._notify("poll")

    async def _follow(self) -> None:
        """Open a stream and follow it; returns when it was invalidated (the database was dropped)."""
        resumed = self._token is not None
        stream = await self._source.database.watch(PIPELINE, resume_after=self._token, max_await_time_ms=AWAIT_MS)
        async with stream:
            self._token = stream.resume_token
            self._mode = "stream"
            # Only now: whatever changes from here on is an event, whatever changed before is found by the round.
            self._notify("resumed" if resumed else "restarted")
            while stream.alive:
                event = await stream.try_next()
                heed_cancellation()
                # Also without an event: the token of a quiet database would age until the oplog has lost it.
                self._token = stream.resume_token
                self._failures = 0
                if self._said is not None:
                    logger.info("changes are noticed by a change stream again")
                    self._said = None
                if event is not None and concerns(event):
                    self._notify("change")

    async def _recover(self, obstacle: Obstacle) -> None:
        self._interrupted(obstacle)
        if obstacle not in RESUMABLE:
            self._token = None
        if obstacle in POLLING:
            if self._mode != "poll":
                self._mode = "poll"
                self._notify("poll")
            self._failures = 0
            await self._sleep(self._pace.stream)
        else:
            self._mode = "connecting"
            await self._sleep(pause(self._failures, self._pace, self._jitter()))
            self._failures += 1

    def _log(self, obstacle: Obstacle, error: Exception) -> None:
        """Say once what is wrong; repeating it with each attempt would bury everything else."""
        if obstacle == self._said:
            return
        self._said = obstacle
        code = error_code(error)
        name = type(error).__name__ if code is None else f"{type(error).__name__}, code {code}"
        if obstacle == "standalone":
            logger.info("MongoDB is no replica set and has no change streams: changes are noticed by polling")
        elif obstacle == "forbidden":
            logger.warning("MongoDB does not let the sync watch (%s): %s", name, GRANT)
        elif obstacle == "unsupported":
            logger.warning("MongoDB has no change stream for the sync (%s): changes are noticed by polling", name)
        elif obstacle == "unresumable":
            logger.warning("the change stream cannot go on (%s): a new one begins, and everything is compared", name)
        else:
            logger.warning("the change stream is interrupted: %s", self._source.explain(error).message)
