"""Councilors that fire each minute, as evenly over the minute as schedules allow, and how promptly they start.

An interval of a minute counts from the creation of its CronJob: Councilors made one after another fire one after
another. Every eighth has the cron schedule `* * * * *` instead, so that each minute begins with a crowd.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from councilor_operator.constants import API_VERSION, KIND
from tests.conductor.answers import Answer
from tests.e2e.environment import Environment
from tests.endurance.witness import Job

PERIOD: Final = timedelta(minutes=1)
"""From one scheduled time to the next, of every Councilor."""
_CROWD: Final = 8
_SHARED_BY: Final = 2
ANSWERS: Final = (
    Answer(result="All in order.\nSEVERITY: success", delay=0.5),
    Answer(result="Something to look at.\nSEVERITY: warning", delay=0.2),
    Answer(result="All in order again.\nSEVERITY: success", delay=1.0),
    Answer(result="Broken.\nSEVERITY: error", delay=0.5),
)


@dataclass(frozen=True)
class Member:
    """A Councilor of the load."""

    number: int

    @property
    def name(self) -> str:
        """Name of the Councilor and of its CronJob."""
        return f"endurance-{self.number:03}"

    @property
    def agent_id(self) -> str:
        """Two Councilors share an agent: its statistics have to count runs that end at the same time."""
        return f"Endurance{self.number // _SHARED_BY:03}_Agent"

    @property
    def is_interval(self) -> bool:
        """Whether its schedule is an interval, not cron."""
        return self.number % _CROWD != 0

    def manifest(self, *, enabled: bool) -> dict[str, Any]:
        """The Councilor. All that a run guarantees by default is left at its default."""
        schedule = {"type": "interval", "value": "1m"} if self.is_interval else {"type": "cron", "value": "* * * * *"}
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": self.name},
            "spec": {
                "agentId": self.agent_id,
                "schedule": {**schedule, "enabled": enabled},
                "task": {"prompt": "Is everything in order?"},
                "execution": {"cwd": "/srv/project", "timeoutSeconds": 120},
                # An outage of minutes is more than five runs of one that fires each minute.
                "suspendAfterFailures": 0,
                "runner": {"resources": {"requests": {"cpu": "1m", "memory": "16Mi"}, "limits": {"memory": "256Mi"}}},
            },
        }


class Load:
    """The Councilors, running and paused."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.namespace: Final = environment.installation.scope.councilor_namespace
        self.members: list[Member] = []
        self.paused_at: dict[str, datetime] = {}
        """By name, when a member that is paused had been told so."""

    @property
    def firing(self) -> list[Member]:
        """The members that are not paused."""
        return [member for member in self.members if member.name not in self.paused_at]

    def grow(self) -> None:
        """Make one Councilor more."""
        member = Member(len(self.members))
        if member.number % _SHARED_BY == 0:
            self._environment.conductor.add_agent(member.agent_id)
            self._environment.conductor.script(member.agent_id, *ANSWERS)
        self._apply([member], enabled=True)
        self.members.append(member)

    def pause(self, members: Sequence[Member]) -> None:
        """Let some fire no more; what runs goes on."""
        self._apply(members, enabled=False)
        now = datetime.now(UTC)
        self.paused_at |= {member.name: now for member in members}

    def thin_out(self, left: int) -> None:
        """Pause as many as it takes for `left` to fire, from everywhere in the minute."""
        firing = self.firing
        surplus = max(0, len(firing) - left)
        self.pause([firing[index * len(firing) // surplus] for index in range(surplus)])

    def _apply(self, members: Iterable[Member], *, enabled: bool) -> None:
        documents = [member.manifest(enabled=enabled) for member in members]
        if documents:
            self._environment.cluster.apply(documents, "-n", self.namespace)


@dataclass(frozen=True)
class Promptness:
    """How runs that were due in a time began."""

    due: int
    """Jobs that were made for that time."""
    median: float
    """Seconds from the scheduled time to the runner's claim; of a run that has not begun, the time so far."""
    p95: float


def promptness(
    jobs: Iterable[Job], started: Mapping[str, datetime], start: datetime, end: datetime, now: datetime
) -> Promptness | None:
    """Judge the Jobs that were due in [start, end); `started` has the begin of a run by its Job's name."""
    delays = [
        ((started.get(job.name) or now) - job.scheduled_at).total_seconds()
        for job in jobs
        if job.scheduled_at is not None and start <= job.scheduled_at < end
    ]
    if not delays:
        return None
    return Promptness(len(delays), percentile(delays, 50), percentile(delays, 95))


def percentile(values: Sequence[float], percent: int) -> float:
    """The least value that is not exceeded by so many percent of all."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
