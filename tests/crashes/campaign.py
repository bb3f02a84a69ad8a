"""All series, some side by side, and the figures of each kind."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from typing import Final, Self

from tests.crashes import series
from tests.crashes.scenario import SHAPES, WALKED, Scenario, every_scenario
from tests.crashes.site import Site
from tests.crashes.trial import Trial
from tests.mongodb.server import Shape

Sites = dict[Shape, Site]

AT_A_TIME: Final = 6
"""More than there are processors: a trial waits half of its time."""


@dataclass
class Figures:
    """What is added up for one kind of trial on one shape of MongoDB: trials, killed Pods, trials with violations."""

    trials: int = 0
    kills: int = 0
    lost: int = 0
    double: int = 0
    wrong: int = 0

    def __iadd__(self, other: Figures) -> Self:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        return self


@dataclass
class Tally:
    """Counts trials as they end, from any thread. A run that never came to where it was to be struck is no trial."""

    on_trial: Callable[[Trial], None] = lambda _: None
    figures: dict[tuple[str, Shape], Figures] = field(default_factory=dict)
    violations: list[Trial] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, trial: Trial) -> None:
        found = trial.judgement
        with self._lock:
            if found.violations:
                self.violations.append(trial)
            if trial.reached:
                row = self.figures.setdefault((kind, trial.scenario.shape), Figures())
                row += Figures(1, trial.kills, bool(found.lost), bool(found.double), bool(found.wrong))
            self.on_trial(trial)

    @property
    def total(self) -> Figures:
        total = Figures()
        with self._lock:
            for row in self.figures.values():
                total += row
        return total


Series = tuple[str, Callable[[], Iterable[Trial]]]
"""The kind, and what carries the trials out one after the other."""


def systematic(sites: Sites) -> list[Series]:
    """Every window of the walked scenarios, and each kind of trouble at every message of a run on either shape."""
    planned: list[Series] = []

    def plan(kind: str, carry_out: Callable[[Site, Scenario], Iterable[Trial]], scenario: Scenario) -> None:
        planned.append((kind, lambda: carry_out(sites[scenario.shape], scenario)))

    for scenario in WALKED:
        plan("killed everywhere", series.killed, scenario)
    for shape in SHAPES:
        for scenario in (Scenario(shape), Scenario(shape, "mongodb", "failed", "manual"), Scenario(shape, seed=True)):
            plan("two Pods at once", series.two_pods, scenario)
            plan("arriving late", series.late, scenario)
        plan("report Job at once", series.report_at_once, Scenario(shape))
        for scenario in (Scenario(shape), Scenario(shape, "mongodb", "failed", "manual")):
            plan("connection cut", series.cut, scenario)
    return planned


def disturbing(site: Site) -> list[Series]:
    """What takes a whole server along, and so has to have it to itself; in this order."""
    shape = site.mongod.shape
    from_database = Scenario(shape, "mongodb", "success", "manual")
    planned: list[Series] = [("failCommand", lambda: series.failing_commands(site, from_database))]
    if shape == "replica-set":
        planned.append(("step-down", lambda: series.step_down(site, Scenario(shape))))
    return [*planned, ("mongod killed", lambda: series.server_crash(site, Scenario(shape)))]


def carry_out(
    tally: Tally, planned: Iterable[Series], *, alone: Iterable[Iterable[Series]] = (), at_a_time: int = AT_A_TIME
) -> None:
    """Carry out series side by side; those of one item of `alone` go one after the other."""

    interrupted = threading.Event()

    def one_after_the_other(several: Iterable[Series]) -> None:
        for kind, trials in several:
            for trial in trials():
                tally.add(kind, trial)
                if interrupted.is_set():
                    return

    with ThreadPoolExecutor(at_a_time, thread_name_prefix="series") as pool:
        # The longest first.
        ends = [pool.submit(one_after_the_other, several) for several in (*alone, *([each] for each in planned))]
        try:
            for end in ends:
                end.result()
        finally:
            interrupted.set()
            pool.shutdown(cancel_futures=True)


def random_trials(tally: Tally, sites: Sites, seed: int, trials: int) -> None:
    """Kill at random places in scenarios of every combination, so many times; what strikes nothing is made up for."""
    rng = random.Random(seed)
    scenarios = every_scenario()
    wanted = tally.total.trials + trials

    def one() -> Series:
        scenario, own = rng.choice(scenarios), random.Random(rng.random())
        return "killed at random", lambda: [series.random_kill(sites[scenario.shape], scenario, own)]

    while (missing := wanted - tally.total.trials) > 0:
        carry_out(tally, [one() for _ in range(missing)])
