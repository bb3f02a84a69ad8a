"""One trial: a run, what befalls its Pods, and the judgement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.crashes.job import EndlessJobError, JobEnd, Mishap, run_job, run_overtaken
from tests.crashes.judgement import Judgement, judge, traces
from tests.crashes.scenario import Scenario
from tests.crashes.site import Site
from tests.crashes.tap import Point
from tests.runner import RunnerSetup


@dataclass(frozen=True)
class Trial:
    """What was tried and what came of it; `reached` says whether the run ever came to where it was to be struck."""

    scenario: Scenario
    words: str
    judgement: Judgement
    kills: int = 0
    reached: bool = True
    messages: Sequence[str] = ()
    log: str = ""

    def __str__(self) -> str:
        return f"{self.scenario}: {self.words}"


def struck(site: Site, scenario: Scenario, *mishaps: Mishap, words: str = "", servers_failed: bool = False) -> Trial:
    """Run a Job whose first Pods meet these mishaps; `words` for what befalls the servers besides."""
    return _carry_out(
        site,
        scenario,
        "; ".join([*map(str, mishaps), *([words] if words else [])]),
        lambda setup: run_job(site, scenario, setup, mishaps),
        servers_failed=servers_failed,
    )


def overtaken(site: Site, scenario: Scenario, point: Point, *, report: bool = False) -> Trial:
    """Hold the run's Pod up at the point until another one, or with `report` that of a report Job, has ended it."""
    other = "a report Job" if report else "another Pod"
    words = f"held up at message {point.number}, {point.moment.value}, until {other} has ended the run"
    return _carry_out(site, scenario, words, lambda setup: run_overtaken(site, scenario, setup, point, report=report))


def _carry_out(
    site: Site,
    scenario: Scenario,
    words: str,
    run: Callable[[RunnerSetup], JobEnd],
    *,
    servers_failed: bool = False,
) -> Trial:
    setup = site.setup(scenario)
    try:
        end = run(setup)
    except EndlessJobError as error:
        return Trial(scenario, words, Judgement(lost=[str(error)]))
    judgement = judge(scenario, traces(site, setup, end), servers_failed=servers_failed)
    return Trial(scenario, words, judgement, end.kills, end.reached, end.messages, end.last.log)
