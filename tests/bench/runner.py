"""The runner's cost: real processes against a real MongoDB and the stub Conductor, beside a script without any of its
care.

Runner and script take turns, so that a busy machine slows both. What counts is a process's own time: from start to
exit, less what Conductor took for its answers. Conductor answers a submission when the task has ended, so the first
look finds it and no pause between two looks passes for work, or hides any.
"""

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pymongo import MongoClient

from councilor_runner import contract
from tests.bench.container import RUNNER, SCRIPT, Container
from tests.bench.report import Report
from tests.conductor import Answer
from tests.mongodb import Mongod
from tests.runner.process import job_name
from tests.runner.world import World, world_on

ANSWER: Final = Answer(result="42 dependencies read, each with a licence.\n\nSEVERITY: success")
WARM_UP: Final = 2
LOOK_SECONDS: Final = 0.005
TASK_SECONDS: Final = 2.0
IMPORTS_SHOWN: Final = 10
USER, PASSWORD = "runner", "for-the-benchmark"


@dataclass(frozen=True, slots=True)
class Run:
    """One process: milliseconds in all and of its own, MB at its peak, standard error."""

    wall: float
    own: float
    peak_mb: float
    log: str


class Bench:
    """Executes runs of one Councilor, each a Job of its own, and takes Conductor's share off their time."""

    def __init__(self, container: Container, world: World) -> None:
        self._container = container
        self._world = world
        self._moment = datetime.now(UTC)

    def run(self, module: str, *, flags: Sequence[str] = (), **environment: str) -> Run:
        """Let the runner, or the script in its place, execute the next run."""
        self._next_job()
        return self._measure(module, "run", flags, environment)

    def report(self) -> Run:
        """Let the runner record and tell a run whose Pod died without a word."""
        self._next_job()
        told = self._world.told().model_dump_json(by_alias=True, exclude_none=True)
        return self._measure(RUNNER, "report", (), {contract.ENV_REPORT: told})

    def _next_job(self) -> None:
        self._moment -= timedelta(minutes=1)
        self._world.setup.job = job_name("licences", self._moment)

    def _measure(self, module: str, argument: str, flags: Sequence[str], environment: Mapping[str, str]) -> Run:
        self._world.stub.requests.clear()
        setup = self._world.setup
        variables = setup.variables(setup.directory / "termination", dict(environment))
        usage = self._container.run(module, argument, environment=variables, flags=flags)
        own = usage.seconds - self._conductor_seconds()
        return Run(1000 * usage.seconds, 1000 * own, usage.peak_mb, usage.log)

    def _conductor_seconds(self) -> float:
        taken = timedelta()
        for request in self._world.stub.requests:
            assert request.answered_at is not None
            taken += request.answered_at - request.received_at
        return taken.total_seconds()


def measure(folder: Path, runs: int, report: Report) -> None:
    """Measure the runner, `runs` processes of each kind, and report on it."""
    container = Container(folder)
    with Mongod() as mongod, world_on(mongod, folder) as world:
        world.stub.script("A_Agent", ANSWER)
        world.stub.settings.accept_finished, world.stub.settings.sync_step = True, LOOK_SECONDS
        bench = Bench(container, world)
        _beside_the_script(bench, runs, report, "")
        _beside_the_script(bench, runs, report, "scram_", MONGODB_URI=_with_password(mongod))
        _alone(bench, runs, report)
        _imports(bench, runs, report)
        _wait(bench, world, report)


def _beside_the_script(bench: Bench, runs: int, report: Report, name: str, **environment: str) -> None:
    taken: dict[str, list[Run]] = {RUNNER: [], SCRIPT: []}
    for number in range(WARM_UP + runs):
        for module, measured in taken.items():
            run = bench.run(module, **environment)
            if number >= WARM_UP:
                measured.append(run)
    runner, script = (statistics.median(run.own for run in taken[module]) for module in (RUNNER, SCRIPT))
    report.add(f"runner_{name}own", runner, "ms", runs)
    report.add(f"runner_{name}script_own", script, "ms", runs)
    report.add(f"runner_{name}ratio", runner / script, "x script", runs)
    report.add(f"runner_{name}spread", _spread([run.own for run in taken[RUNNER]]), "q3/q1", runs)
    report.add(f"runner_{name}memory_peak", max(run.peak_mb for run in taken[RUNNER]), "MB", runs)
    report.add(f"runner_{name}script_memory_peak", max(run.peak_mb for run in taken[SCRIPT]), "MB", runs)


def _alone(bench: Bench, runs: int, report: Report) -> None:
    without = {contract.ENV_MONGODB_URI: ""}
    kinds: dict[str, Callable[[], Run]] = {
        "without_mongodb": lambda: bench.run(RUNNER, **without),
        "report": bench.report,
    }
    for name, execute in kinds.items():
        measured = [execute() for _ in range(WARM_UP + runs)][WARM_UP:]
        report.add(f"runner_{name}_own", statistics.median(run.own for run in measured), "ms", runs)
        report.add(f"runner_{name}_memory_peak", max(run.peak_mb for run in measured), "MB", runs)


def _imports(bench: Bench, runs: int, report: Report) -> None:
    """Report where the start-up goes, for developers: the packages that take longest to load, without each other.

    Measuring imports slows them, most of all packages of many small modules: the shares tell more than the times.
    """
    packages: dict[str, list[float]] = {}
    for _ in range(runs):
        taken: Counter[str] = Counter()
        for line in bench.run(RUNNER, flags=("-X", "importtime")).log.splitlines():
            if line.startswith("import time:") and not line.endswith("imported package"):
                microseconds, _, name = line.removeprefix("import time:").split("|")
                taken[name.strip().partition(".")[0]] += int(microseconds)
        for package, total in taken.items():
            packages.setdefault(package, []).append(total / 1000)
    medians = {package: statistics.median(times) for package, times in packages.items()}
    report.add("runner_import_all", sum(medians.values()), "ms", runs)
    for package in sorted(medians, key=lambda package: -medians[package])[:IMPORTS_SHOWN]:
        report.add(f"runner_import_{package}", medians[package], "ms", runs)


def _wait(bench: Bench, world: World, report: Report) -> None:
    """Report how long the end of a task of some seconds goes unnoticed, and what noticing it costs in requests."""
    world.stub.settings.accept_finished = False
    world.stub.script("A_Agent", ANSWER.model_copy(update={"delay": TASK_SECONDS}))
    bench.run(RUNNER)
    task = world.database.tasks.find_one({"status": "completed"}, sort=[("completed_at", -1)])
    assert task is not None
    looks = world.stub.requests.of("details")
    unnoticed = looks[-1].received_at - task["completed_at"].astimezone(UTC)
    report.add("runner_unnoticed", unnoticed.total_seconds(), f"s of {TASK_SECONDS:g}", 1)
    report.add("runner_looks", len(looks), "requests", 1)


def _spread(values: Sequence[float]) -> float:
    lower, _, upper = statistics.quantiles(values, n=4)
    return upper / lower


def _with_password(mongod: Mongod) -> str:
    """Make a user, and return the connection string with it: a server that asks for none takes a password all the same
    (SCRAM-SHA-256)."""
    with MongoClient[dict[str, Any]](mongod.uri) as client:
        client.admin.command("createUser", USER, pwd=PASSWORD, roles=["root"])
    return mongod.uri.replace("mongodb://", f"mongodb://{USER}:{PASSWORD}@")
