"""What a run meets: shape of MongoDB, ways to ask, what the agent does, who started it; and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args

from councilor_runner.contract import ExitCode, Reason
from tests.conductor import Answer
from tests.mongodb.server import Shape
from tests.runner.process import RunnerSetup, job_name

Sources = Literal["gateway", "mongodb", "both", "none"]
Trigger = Literal["scheduled", "manual"]
EndingName = Literal["success", "warning", "failed", "skipped", "unknown agent"]

SHAPES: Final[tuple[Shape, ...]] = get_args(Shape)
_STARTING_DEADLINE: Final = 600
_FIRST: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Ending:
    """What a run comes to that nothing disturbs; no `answer` where the agent is not asked."""

    reason: Reason | str
    exit_code: ExitCode
    status: str
    severity: str | None
    answer: Answer | None = None


_WARNING: Final = Answer(result="One is old.\nSEVERITY: warning", delay=0.15)
_SUCCESS: Final = Answer(result="All have one.\nSEVERITY: success", delay=0.15)
_FAILURE: Final = Answer(result="Stopped half way.", exit_code=3, delay=0.15)

ENDINGS: Final[dict[EndingName, Ending]] = {
    "success": Ending(Reason.COMPLETED, ExitCode.COMPLETED, "completed", "success", _SUCCESS),
    "warning": Ending(Reason.COMPLETED, ExitCode.COMPLETED, "completed", "warning", _WARNING),
    "failed": Ending(Reason.AGENT_FAILED, ExitCode.AGENT_FAILED, "error", "error", _FAILURE),
    "skipped": Ending(Reason.STARTED_TOO_LATE, ExitCode.COMPLETED, "skipped", None),
    "unknown agent": Ending(Reason.AGENT_UNKNOWN, ExitCode.CONFIGURATION, "error", "error"),
}


SILENT: Final = Ending("OOMKilled", ExitCode.AGENT_FAILED, "error", "error")
"""How the operator counts a run whose Pod seems to have died without a word."""
UNKNOWN: Final = Ending(Reason.OUTCOME_UNKNOWN, ExitCode.AGENT_FAILED, "error", "error")
"""What a Pod makes of a run that an earlier one began and nobody can read about."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of run."""

    shape: Shape
    sources: Sources = "both"
    ending_name: EndingName = "warning"
    trigger: Trigger = "scheduled"
    seed: bool = False

    def __str__(self) -> str:
        protocol = "seed protocol, " if self.seed else ""
        return f"{self.shape}, {protocol}{self.sources}, {self.trigger}, {self.ending_name}"

    @property
    def ending(self) -> Ending:
        return ENDINGS[self.ending_name]

    @property
    def recorded(self) -> bool:
        """Whether there is a database to record in; only the dispatch can be counted where there is none."""
        return self.sources in ("mongodb", "both")

    @property
    def gateway(self) -> bool:
        return self.sources in ("gateway", "both")

    def apply(self, setup: RunnerSetup, number: int) -> None:
        """Make the setup that of this scenario; each number is a run of its own."""
        moment = _FIRST + timedelta(minutes=number)
        if self.ending_name == "skipped":
            setup.document["execution"]["startingDeadlineSeconds"] = _STARTING_DEADLINE
        setup.job = job_name("licences", moment) if self.trigger == "scheduled" else f"licences-now-{number}"
        setup.document["endpoints"]["protocol"] = "seed" if self.seed else "current"


WALKED: Final = (
    *(Scenario(shape) for shape in SHAPES),
    *(Scenario(shape, "mongodb", "success", "manual") for shape in SHAPES),
    *(Scenario(shape, "both", "failed", "manual") for shape in SHAPES),
    *(Scenario(shape, "both", "skipped") for shape in SHAPES),
    *(Scenario(shape, "mongodb", "unknown agent") for shape in SHAPES),
    *(Scenario(shape, seed=True) for shape in SHAPES),
    Scenario("replica-set", "gateway"),
    Scenario("replica-set", "gateway", "failed", "manual"),
    Scenario("replica-set", "none", "warning", "manual"),
)
"""Struck at every moment of every message; between them they hold each value of each part."""


def every_scenario() -> list[Scenario]:
    """All combinations there are."""
    combinations = (
        Scenario(shape, sources, ending, trigger, seed)
        for shape in SHAPES
        for sources in get_args(Sources)
        for ending in ENDINGS
        for trigger in get_args(Trigger)
        for seed in (False, True)
    )
    return [each for each in combinations if _makes_sense(each)]


def _makes_sense(scenario: Scenario) -> bool:
    # Only a schedule can be missed. The second protocol is refused without a database.
    return (scenario.trigger == "scheduled" or scenario.ending_name != "skipped") and (
        scenario.recorded or not scenario.seed
    )
