"""Series of trials: each strikes one kind of blow, everywhere or at random."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.crashes.job import Kill, LastWord, Start, Trouble
from tests.crashes.scenario import Scenario
from tests.crashes.site import Site
from tests.crashes.tap import Blow, Moment, Point
from tests.crashes.trial import Trial, overtaken, struck

_MESSAGES: Final = 14
"""About as many as a run has; what strikes beyond the last one strikes nothing."""
_ANSWERED: Final = (Moment.BEFORE, Moment.CARRIED_OUT)


def everywhere(
    attempt: Callable[[Point], Trial], moments: Sequence[Moment] = tuple(Moment), every: int = 1
) -> Iterator[Trial]:
    """Strike at the moments of every message, or of every n-th, until a run ends by itself."""
    for number in itertools.count(step=every):
        for moment in moments:
            trial = attempt(Point(number, moment))
            yield trial
            # How often a task is polled differs from run to run: only a message that never came is the end.
            if not trial.reached and moment is moments[0]:
                return


def killed(site: Site, scenario: Scenario) -> Iterator[Trial]:
    """Kill the Pod in every window there is."""
    yield from everywhere(lambda point: struck(site, scenario, Kill(point)))
    for place in (*Start, *LastWord):
        yield struck(site, scenario, Kill(place))


def late(site: Site, scenario: Scenario) -> Iterator[Trial]:
    """Kill the Pod while a message is on its way, which arrives when the run is over."""
    yield from everywhere(lambda point: struck(site, scenario, Kill(point, late=True)), (Moment.BEFORE,))


def two_pods(site: Site, scenario: Scenario) -> Iterator[Trial]:
    """Hold a Pod up while another one works on the same run."""
    yield from everywhere(lambda point: overtaken(site, scenario, point))


def report_at_once(site: Site, scenario: Scenario) -> Iterator[Trial]:
    """Hold a Pod up while the report Job of its run ends it as one that died without a word."""
    yield from everywhere(lambda point: overtaken(site, scenario, point, report=True))


def cut(site: Site, scenario: Scenario) -> Iterator[Trial]:
    """Reset the connection of a message, in each direction; the Pod lives on."""

    async def nothing() -> None:
        pass

    def attempt(point: Point) -> Trial:
        return struck(site, scenario, Trouble(Blow(point, nothing), "connection cut"))

    yield from everywhere(attempt, _ANSWERED)


def random_kill(site: Site, scenario: Scenario, rng: random.Random) -> Trial:
    """Kill one to three Pods of a Job at random places; some of what they sent arrives late."""

    def place() -> Kill:
        if rng.random() < 0.1:
            return Kill(rng.choice((*Start, *LastWord)))
        point = Point(rng.randrange(_MESSAGES), rng.choice(tuple(Moment)))
        return Kill(point, late=point.moment is Moment.BEFORE and rng.random() < 0.5)

    return struck(site, scenario, *(place() for _ in range(rng.choice((1, 2, 2, 3)))))


def server_crash(site: Site, scenario: Scenario, every: int = 1) -> Iterator[Trial]:
    """SIGKILL mongod before a message is carried out, or right after it was acknowledged; it comes back on its data."""
    with ThreadPoolExecutor(1) as restarting:

        def attempt(point: Point) -> Trial:
            back: list[Future[None]] = []

            async def crash() -> None:
                site.mongod.kill()
                back.append(restarting.submit(site.mongod.restart))

            trouble = Trouble(Blow(point, crash, "go on"), "mongod killed")
            try:
                return struck(site, scenario, trouble, servers_failed=True)
            finally:
                for restart in back:
                    restart.result()

        yield from everywhere(attempt, _ANSWERED, every)


def step_down(site: Site, scenario: Scenario) -> Iterator[Trial]:
    """Let the primary step down before a message is carried out, for a second at least."""

    def order() -> None:
        with MongoClient[dict[str, Any]](site.mongod.uri, appname="test") as client:
            try:
                client.admin.command("replSetStepDown", 1, force=True)
            except PyMongoError as error:
                raise AssertionError("the primary did not step down") from error

    async def strike() -> None:
        await asyncio.to_thread(order)

    def attempt(point: Point) -> Trial:
        trouble = Trouble(Blow(point, strike, "go on"), "primary stepped down")
        return struck(site, scenario, trouble, servers_failed=True)

    yield from everywhere(attempt, (Moment.BEFORE,))


@dataclass(frozen=True, slots=True)
class Failure:
    """A way in which MongoDB fails a command once: the data of the failpoint `failCommand`."""

    words: str
    data: dict[str, Any]


FAILURES: Final = (
    Failure("connection closed", {"closeConnection": True}),
    Failure("no answer for longer than the runner waits", {"blockConnection": True, "blockTimeMS": 5500}),
    # ShutdownInProgress, InterruptedDueToReplStateChange, InterruptedAtShutdown, NotWritablePrimary,
    # PrimarySteppedDown, WriteConflict.
    *(Failure(f"code {code}", {"errorCode": code}) for code in (91, 11602, 11600, 10107, 189, 112)),
    Failure(
        "carried out, but a shutdown kept it from being confirmed", {"writeConcernError": {"code": 91, "errmsg": ""}}
    ),
)
COMMANDS: Final = (
    ("createIndexes", "councilor_executions"),
    ("findAndModify", "councilor_executions"),
    ("find", "tasks"),
    ("update", "councilor_executions"),
    ("find", "agents"),
    ("update", "agents"),
    ("update", "tasks"),
    ("find", "councilor_executions"),
)


def failing_commands(site: Site, scenario: Scenario, failures: Sequence[Failure] = FAILURES) -> Iterator[Trial]:
    """Let MongoDB fail each command of the runner once, in each way."""
    for command, collection in COMMANDS:
        for failure in failures:
            if "writeConcernError" in failure.data and command == "find":
                continue  # reads have no write concern
            with site.mongod.fail_command(
                command,
                times=1,
                namespace=f"{site.database.name}.{collection}",
                appName="councilor-runner",
                **failure.data,
            ):
                before = _failed(site)
                trial = struck(site, scenario, words=f"{command} {collection}: {failure.words}")
                yield replace(trial, reached=_failed(site) > before)


def _failed(site: Site) -> int:
    """Return how many commands the server has failed on purpose."""
    with MongoClient[dict[str, Any]](site.mongod.uri, appname="test") as client:
        state = client.admin.command({"getParameter": 1, "failpoint.failCommand": 1})
    times: int = state["failpoint.failCommand"]["timesEntered"]
    return times
