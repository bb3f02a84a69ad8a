"""`python -m tests.endurance` (`make endurance`): load a real node, break things, count, and print the figures.

    python -m tests.endurance --short           # two minutes of load and faults, to see that it works
    python -m tests.endurance --councilors 40   # no ramp: so many fire each minute

As root: it starts the machine's cluster, or uses the one that runs. Ends with 1 when anything was lost, done twice or
wrong. What was compared stays in `dist/endurance.json`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Final

from hack.demo import installation
from hack.demo.commands import ROOT, CommandError
from hack.demo.progress import DemoError
from tests.e2e.environment import Environment, started
from tests.endurance import evidence as gathering
from tests.endurance import figures
from tests.endurance.faults import Blow, Operators, away_database, crash_api_server, every
from tests.endurance.figures import Course, Phase, Step
from tests.endurance.judgement import Evidence, Judgement, judge
from tests.endurance.load import Load, Promptness, promptness
from tests.endurance.meter import Meter
from tests.endurance.witness import Witness

START_LIMIT: Final = 10.0
"""Seconds: a load is held as long as 95 % of the runs begin within them. A node beyond that is not far from where each
Pod that starts slows down all others, and it takes minutes to recover."""
_LOOK_EVERY: Final = 15.0
_WINDOW: Final = timedelta(minutes=1)
_LEAD: Final = timedelta(seconds=START_LIMIT + 5)
"""How long after they were due runs are looked at."""
_SHARE: Final = 0.7
"""Of the load that the node just held: what the faults are survived under. They cost processor time of their own."""
_DRAIN_SECONDS: Final = 240.0
_EVIDENCE: Final = ROOT / "dist" / "endurance.json"
_DURATIONS: Final = {
    "calm": (45.0, 30.0, "without faults, before and after them"),
    "kill": (300.0, 60.0, "of killing the operator, which is replaced"),
    "restart": (120.0, 30.0, "of killing the operator, which the kubelet restarts"),
    "replicas": (120.0, 60.0, "with two operators, in the second half of which one is killed each time"),
    "api-server": (90.0, 30.0, "of crashing the API server"),
    "database": (120.0, 30.0, "without MongoDB"),
    "settle": (420.0, 300.0, "at most, until all is quiet in the end"),
}
"""Name of the option to seconds, seconds of the short form, and what happens for so long."""


def main() -> int:
    options = _options()
    warnings.simplefilter("ignore")  # FastAPI warns while it builds an application
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    began = time.monotonic()
    try:
        with started() as environment:
            namespace = environment.installation.scope.councilor_namespace
            with Witness(environment.cluster, namespace) as witness:
                campaign = Campaign(environment, witness, options)
                try:
                    campaign.carry_out()
                except Exception:
                    _say(installation.diagnosis(environment.cluster, environment.installation.scope))
                    raise
                left, verdict = campaign.end()
                _print(f"\n{_machine()}; {time.monotonic() - began:.0f} s\n")
                _print(f"{figures.ramp(campaign.course.steps)}\n" if campaign.course.steps else "")
                _print(f"{figures.phases(campaign.course.phases, left)}\n")
                _print(figures.sums(verdict, left, campaign.more))
                for finding in verdict.findings:
                    _print(f"  {finding}")
                if verdict.findings:
                    _say(installation.diagnosis(environment.cluster, environment.installation.scope))
    except DemoError as error:
        _say(f"error: {error}")
        return 1
    return 1 if verdict.findings else 0


class Campaign:
    """One after another: growing load, then every fault under it."""

    def __init__(self, environment: Environment, witness: Witness, options: argparse.Namespace) -> None:
        self._environment = environment
        self._witness = witness
        self._options = options
        self._load = Load(environment)
        self._operators = Operators(environment)
        self.course: Final = Course()
        self.more: Final[dict[str, object]] = {}

    def carry_out(self) -> None:
        """All phases. Raises what a phase raises; the load goes on then."""
        options = self._options
        self._find_load()
        while True:
            with self._phase("undisturbed") as phase:
                time.sleep(options.calm)
            prompt = self._promptness(phase.start, datetime.now(UTC) - _LEAD)
            if prompt is None or prompt.p95 <= START_LIMIT:
                break
            self._leave(int(len(self._load.firing) * _SHARE))
        self.more["Councilors that fired each minute"] = len(self._load.firing)
        self._strike("operator killed and replaced", ("replaced", "overlapping"), options.kill)
        self._strike("operator killed, kubelet restarts it", ("restarted",), options.restart)
        self._operators.scale(2)
        with self._phase("two operators"):
            time.sleep(options.replicas / 2)
        self._strike("two operators, one killed", ("replaced", "overlapping"), options.replicas / 2, replicas=2)
        self._operators.scale(1)
        with self._phase("API server killed") as phase:
            # Ten seconds in which nothing can be asked or written, each half minute.
            every(30, options.api_server, lambda: self._crash_api_server(phase))
        with self._phase("MongoDB away") as phase:
            phase.blows = 1
            away_database(self._environment, options.database)
        with self._phase("after that"):
            time.sleep(options.calm)

    def end(self) -> tuple[Evidence, Judgement]:
        """Let the load end, wait until everything is quiet, and judge. Quiet or not: what is left is judged."""
        _say("pausing all")
        self._load.pause(self._load.firing)
        began = time.monotonic()
        while True:
            left = gathering.unsettled(self._environment, self._witness)
            # A run of the last moment is made after its Councilor was told to pause.
            if not left and time.monotonic() - began > 2 * _LOOK_EVERY:
                break
            if time.monotonic() - began > self._options.settle:
                _say(f"not settled: {left}")
                break
            time.sleep(2)
        self.more["seconds until all was quiet"] = time.monotonic() - began
        self.more["operators killed"] = self._operators.killed
        self.more["of these ready when killed"] = self._operators.killed_ready
        self.more["report Jobs"] = len(self._witness.reports)
        evidence = gathering.gather(self._environment, self._load, self._witness)
        _EVIDENCE.parent.mkdir(parents=True, exist_ok=True)
        _EVIDENCE.write_text(json.dumps(asdict(evidence), default=str, indent=1))
        return evidence, judge(evidence)

    def _find_load(self) -> None:
        """Grow until runs start late or there are enough Councilors, then leave as many as the node holds."""
        options = self._options
        if options.councilors:
            for _ in range(options.councilors):
                began = time.monotonic()
                self._load.grow()
                time.sleep(max(0.0, 60 / options.councilors - (time.monotonic() - began)))
            return
        held, meter, looked = 0, Meter(), time.monotonic()
        while len(self._load.members) < options.most:
            began = time.monotonic()
            self._load.grow()
            if began - looked >= _LOOK_EVERY:
                looked = began
                step = self._look(meter)
                if step is not None and step.p95 > START_LIMIT:
                    break
                held = step.due if step is not None else held
            time.sleep(max(0.0, options.pace - (time.monotonic() - began)))
        else:
            held = len(self._load.members)
        self.more["Councilors that the node held"] = held
        self._leave(int(held * _SHARE))

    def _leave(self, left: int) -> None:
        """Let so many fire on, and wait until the runs that pile up are done."""
        _say(f"{left} Councilors stay")
        self._load.thin_out(max(1, left))
        deadline = time.monotonic() + _DRAIN_SECONDS
        while time.monotonic() < deadline:
            waiting = sum(job.outcome is None for job in self._witness.runs)
            if waiting <= max(3, left // 10):
                return
            time.sleep(1)

    def _look(self, meter: Meter) -> Step | None:
        """Judge the runs that were due a short while ago."""
        end = datetime.now(UTC) - _LEAD
        prompt = self._promptness(end - _WINDOW, end)
        if prompt is None:
            return None
        step = Step(len(self._load.firing), prompt.due, prompt.median, prompt.p95, meter.read())
        self.course.steps.append(step)
        _say(f"{step.councilors} Councilors, {step.due} runs: start p50 {step.median:.1f} s, p95 {step.p95:.1f} s")
        return step

    def _promptness(self, start: datetime, end: datetime) -> Promptness | None:
        begun = gathering.started(self._environment, start)
        return promptness(self._witness.runs, begun, start, end, datetime.now(UTC))

    def _strike(self, name: str, blows: tuple[Blow, ...], seconds: float, *, replicas: int = 1) -> None:
        with self._phase(name) as phase:
            before = self._operators.killed
            self._operators.strike_every(self._options.interval, for_seconds=seconds, blows=blows)
            phase.blows = self._operators.killed - before
            # With the last back-off, which may take longer than all before.
            self._operators.await_ready(replicas)

    def _crash_api_server(self, phase: Phase) -> None:
        crash_api_server(self._environment, away_seconds=self._options.away)
        phase.blows += 1

    @contextlib.contextmanager
    def _phase(self, name: str) -> Iterator[Phase]:
        phase = Phase(name, datetime.now(UTC), len(self._load.firing))
        self.course.phases.append(phase)
        meter = Meter()
        _say(f"{name} …")
        yield phase
        phase.end, phase.busy_cores = datetime.now(UTC), meter.read()
        _say(f"{name}: {(phase.end - phase.start).total_seconds():.0f} s, {phase.blows} blows")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--short", action="store_true", help="20 Councilors and short phases, unless said otherwise")
    add("--councilors", type=int, default=0, help="how many fire each minute (default: as many as the node holds)")
    add("--most", type=int, default=200, help="no more than so many (default: %(default)s)")
    add("--pace", type=float, default=1.5, help="seconds from one new Councilor to the next (default: %(default)s)")
    add("--interval", type=float, default=10.0, help="seconds from kill to kill (default: %(default)s)")
    add("--away", type=float, default=10.0, help="seconds without an API server, each time (default: %(default)s)")
    for name, (full, short, what) in _DURATIONS.items():
        add(f"--{name}", type=float, metavar="SECONDS", help=f"{what} (default: {full:.0f}, short {short:.0f})")
    options = parser.parse_args()
    if options.short and not options.councilors:
        options.councilors = 20
    for name, (full, short, _) in _DURATIONS.items():
        field = name.replace("-", "_")
        if getattr(options, field) is None:
            setattr(options, field, short if options.short else full)
    return options


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}"


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    sys.stderr.write(f"endurance: {text}\n")
    sys.stderr.flush()


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (AssertionError, CommandError):
        traceback.print_exc()
        sys.exit(1)
