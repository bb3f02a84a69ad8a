"""A Job and its Pods: started one after the other like the Job controller does, some of them struck on the way."""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from councilor_runner import contract as contracts
from councilor_runner.contract import ExitCode, RunReport
from tests.crashes.scenario import SILENT, Scenario
from tests.crashes.site import Site
from tests.crashes.tap import Blow, Point, Tap
from tests.runner import RunnerProcess, RunnerSetup
from tests.runner.process import wait_for

_PODS: Final = 8
"""More than any Job of a trial needs; one that goes on for ever is a violation."""


class LastWord(Enum):
    """Moments around the termination message."""

    BEFORE = "before the termination message"
    OPENED = "while the termination message is written"
    WRITTEN = "after the termination message"


class Start(Enum):
    """Moments before the first message."""

    AT_ONCE = "as the process starts"
    READY = "once it handles signals"


Place = Point | LastWord | Start


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL at a place. `late`: the message in question stays on its way until the Pods after it are done."""

    place: Place
    late: bool = False

    def __str__(self) -> str:
        place = self.place
        if isinstance(place, Point):
            return f"killed at message {place.number}, {'arriving late' if self.late else place.moment.value}"
        return f"killed {place.value}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that befalls the servers or the connection at a point, while the Pod lives on."""

    blow: Blow
    words: str

    def __str__(self) -> str:
        return f"{self.words} at message {self.blow.point.number}, {self.blow.point.moment.value}"


Mishap = Kill | Trouble


@dataclass
class JobEnd:
    """How a Job went: its last Pod, and what was done to its Pods."""

    last: RunnerProcess
    other: RunnerProcess | None = None
    """A Pod that worked on the run at the same time, of the same Job or of its report Job."""
    reported: bool = False
    """Whether it was the latter."""
    kills: int = 0
    reached: bool = True
    """Whether the first mishap came about: a Pod may end before the message it was meant for."""
    messages: list[str] = field(default_factory=list)
    """Those of the first Pod."""

    @property
    def disturbed(self) -> bool:
        """Whether more than one Pod worked on the run."""
        return self.kills > 0 or self.other is not None


class EndlessJobError(AssertionError):
    """No Pod ended the run."""


def run_job(site: Site, scenario: Scenario, setup: RunnerSetup, mishaps: Sequence[Mishap]) -> JobEnd:
    """Start Pods until one ends the run. The first Pods meet the mishaps, one each."""
    remaining = list(mishaps)
    with contextlib.ExitStack() as late:
        end: JobEnd | None = None
        for _ in range(_PODS):
            mishap = remaining.pop(0) if remaining else None
            pod, tap, happened = late.enter_context(_pod(site, scenario, setup, mishap))
            if end is None:
                end = JobEnd(pod, reached=happened or mishap is None, messages=tap.messages)
            end.last = pod
            killed = happened and isinstance(mishap, Kill)
            end.kills += killed
            if isinstance(mishap, Kill) and mishap.late and happened:
                late.callback(_let_go, site, tap)
            if not killed and pod.exit_code != ExitCode.TEMPORARY:
                return end
        raise EndlessJobError(f"no end after {_PODS} Pods, the last with exit code {pod.exit_code}")


def run_overtaken(site: Site, scenario: Scenario, setup: RunnerSetup, point: Point, *, report: bool) -> JobEnd:
    """Hold a Pod up at a point until another one has ended the run, like a node that was given up and comes back.

    With `report` the other one is that of a report Job.
    """

    async def nothing() -> None:
        pass

    with site.exchange.tap(site.upstreams(scenario), Blow(point, nothing, "hold")) as tap:
        pod = _start(setup, tap)
        with _ended(pod):
            wait_for(lambda: tap.struck.is_set() or not pod.alive)
            if not tap.struck.is_set():
                return JobEnd(pod.finish(), reached=False, messages=tap.messages)
            second = copy.deepcopy(setup)
            other = _report(site, second) if report else run_job(site, scenario, second, ()).last
            site.exchange.do(tap.let_go())
            pod.finish()
    if pod.exit_code == ExitCode.TEMPORARY:
        # On a busy machine it was held up for longer than it waits for an answer: another one follows.
        pod = run_job(site, scenario, setup, ()).last
    return JobEnd(pod, other, report, messages=tap.messages)


def _report(site: Site, setup: RunnerSetup) -> RunnerProcess:
    setup.document["endpoints"] |= {"conductorUrl": site.stub.conductor_url, "gatewayUrl": site.stub.gateway_url}
    setup.mongodb_uri = site.mongod.uri
    moment = datetime.now(UTC)
    told = RunReport(
        execution_id=setup.execution_id,
        task_id=setup.task_id,
        trigger="scheduled",
        status="error",
        severity="error",
        exit_code=SILENT.exit_code,
        reason=SILENT.reason,
        started_at=moment,
        completed_at=moment,
        duration_ms=0,
    )
    pod = setup.report(told)
    if pod.exit_code != ExitCode.COMPLETED:
        raise EndlessJobError(f"the report Job ended with {pod.exit_code}")
    return pod


@contextlib.contextmanager
def _ended(pod: RunnerProcess) -> Iterator[None]:
    """Leave no process behind, whatever goes wrong inside the block."""
    try:
        yield
    finally:
        if pod.alive:
            pod.strike()
            pod.finish()


def _let_go(site: Site, tap: Tap) -> None:
    site.exchange.do(tap.let_go())
    site.exchange.do(tap.settle())


@contextlib.contextmanager
def _pod(
    site: Site, scenario: Scenario, setup: RunnerSetup, mishap: Mishap | None
) -> Iterator[tuple[RunnerProcess, Tap, bool]]:
    """Start one Pod behind a tap and wait for its end, one way or the other; the tap stays open inside the block."""
    pods: list[RunnerProcess] = []

    async def kill() -> None:
        pods[0].strike()

    blow = None
    if isinstance(mishap, Trouble):
        blow = mishap.blow
    elif isinstance(mishap, Kill) and isinstance(mishap.place, Point):
        blow = Blow(mishap.place, kill, "hold" if mishap.late else "cut")
    with site.exchange.tap(site.upstreams(scenario), blow) as tap:
        if isinstance(mishap, Kill) and isinstance(mishap.place, LastWord):
            pod, happened = _killed_around_last_word(setup, tap, mishap.place)
        else:
            pod = _start(setup, tap)
            pods.append(pod)
            if isinstance(mishap, Kill) and isinstance(mishap.place, Start):
                if mishap.place is Start.READY:
                    wait_for(lambda: pod.handles_signals)
                pod.strike()
            pod.finish()
            happened = tap.struck.is_set() or (isinstance(mishap, Kill) and isinstance(mishap.place, Start))
        yield pod, tap, happened


def _start(setup: RunnerSetup, tap: Tap, **environment: str) -> RunnerProcess:
    endpoints, addresses = setup.document["endpoints"], {name: f"127.0.0.1:{port}" for name, port in tap.ports.items()}
    endpoints["conductorUrl"] = f"http://{addresses['conductor']}"
    endpoints["gatewayUrl"] = f"http://{addresses['gateway']}" if "gateway" in addresses else None
    # Directly, or the driver would go on to the address that the replica set calls its own.
    uri = f"mongodb://{addresses['mongodb']}/?directConnection=true" if "mongodb" in addresses else None
    setup.mongodb_uri = uri
    return setup.start(**environment)


def _killed_around_last_word(setup: RunnerSetup, tap: Tap, place: LastWord) -> tuple[RunnerProcess, bool]:
    """Kill a Pod at its last word: the message's file is a FIFO, which nobody can open for writing without a reader."""
    fifo = setup.directory / f"last-word-{id(tap)}"
    os.mkfifo(fifo)
    try:
        pod = _start(setup, tap, **{contracts.ENV_TERMINATION_MESSAGE_PATH: str(fifo)})
        with _ended(pod):
            wait_for(lambda: tap.deserted.is_set() or not pod.alive)
            if place is LastWord.BEFORE:
                pod.strike()
            else:
                with fifo.open("rb") as reader:
                    if place is LastWord.WRITTEN:
                        reader.read()
                    pod.strike()
            return pod.finish(), True
    finally:
        fifo.unlink()
