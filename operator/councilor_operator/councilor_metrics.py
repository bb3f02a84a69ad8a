"""What Prometheus is told of the Councilors, made from the cache when it asks: nothing to keep up to date, and a
Councilor that is deleted takes its series along at once.

Each value stands in the status already; nothing is computed from the spec. A scrape runs in a thread of its own beside
the event loop: it takes a snapshot of immutable observations and works on that, one family after the other, so that
the samples of thousands of Councilors are never in memory together.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, Self, get_args

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from councilor_operator.observed import ObservedCouncilor
from councilor_operator.status import Phase

UNKNOWN_PHASE: Final = "Unknown"
_PHASES: Final[tuple[str, ...]] = get_args(Phase)
Sample = tuple[tuple[str, ...], float]
"""Label values after namespace and name, and the value."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is told of one Councilor: times in seconds since 1970, None for what its status does not say."""

    namespace: str
    name: str
    created: float
    last_run: float | None
    last_result: str | None
    last_success: float | None
    next_run: float | None
    interval: float | None
    failures: int
    conditions: tuple[tuple[str, str, str], ...]
    """Type, status and reason of each."""

    @classmethod
    def of(cls, councilor: ObservedCouncilor) -> Self:
        """Read them from an observation."""
        status, created = councilor.status, councilor.created_at.timestamp()
        last: Mapping[str, Any] = status.get("lastRun") or {}
        upcoming = [time for text in status.get("nextRunTimes") or () if (time := _time(text)) is not None]
        return cls(
            namespace=councilor.namespace,
            name=councilor.name,
            created=created,
            last_run=_time(last.get("completedAt")),
            last_result=last.get("result"),
            last_success=_time(status.get("lastSuccessTime")),
            next_run=upcoming[0] if upcoming else None,
            interval=_longest_gap((_last_due(created, last, status), *upcoming)) if upcoming else None,
            failures=(status.get("stats") or {}).get("consecutiveFailures", 0),
            conditions=tuple(
                (condition["type"], condition["status"], condition["reason"])
                for condition in status.get("conditions") or ()
            ),
        )


def _last_due(created: float, last: Mapping[str, Any], status: Mapping[str, Any]) -> float:
    """Return when a run was due last: over a weekend, and after a pause, the next one is far from there. A time that
    was missed counts too, or else an outage would look like a long interval."""
    started, missed = _time(last.get("scheduledAt") or last.get("startedAt")), _time(status.get("lastMissedTime"))
    return max(created, started or 0.0, missed or 0.0)


def _longest_gap(times: Iterable[float]) -> float:
    return max(0.0, *(later - earlier for earlier, later in pairwise(times)))


def _time(text: Any) -> float | None:
    """Read a time of the status. The schema checks all but `nextRunTimes`, which anybody with the right to may have
    written badly: that must not cost the whole scrape."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class _Family:
    name: str
    documentation: str
    samples: Callable[[Facts], Iterable[Sample]]
    labels: tuple[str, ...] = ()

    def empty(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(self.name, self.documentation, labels=("namespace", "name", *self.labels))

    def of(self, facts: Sequence[Facts]) -> GaugeMetricFamily:
        family = self.empty()
        for one in facts:
            for labels, value in self.samples(one):
                family.add_metric((one.namespace, one.name, *labels), value)
        return family


def _if_known(value: float | None) -> Iterable[Sample]:
    return () if value is None else (((), value),)


_EACH: Final = (
    _Family(
        "councilor_created_timestamp_seconds", "When the Councilor was created.", lambda facts: _if_known(facts.created)
    ),
    _Family(
        "councilor_last_run_timestamp_seconds",
        "When its last run ended; none before the first.",
        lambda facts: _if_known(facts.last_run),
    ),
    _Family(
        "councilor_last_run_result",
        "Result of its last run: success, warning, error, failed or skipped; always 1.",
        lambda facts: [((facts.last_result,), 1.0)] if facts.last_result else [],
        labels=("result",),
    ),
    _Family(
        "councilor_last_success_timestamp_seconds",
        "When a run was last judged success; none before the first.",
        lambda facts: _if_known(facts.last_success),
    ),
    _Family(
        "councilor_next_run_timestamp_seconds",
        "When it runs next; none while no run will come.",
        lambda facts: _if_known(facts.next_run),
    ),
    _Family(
        "councilor_expected_interval_seconds",
        "The longest time between two runs in a row, from the one that was due last to the next three; none while no "
        "run will come.",
        lambda facts: _if_known(facts.interval),
    ),
    _Family(
        "councilor_consecutive_failures",
        "Runs that failed since the last one that completed.",
        lambda facts: _if_known(facts.failures),
    ),
    _Family(
        "councilor_condition",
        "Its conditions as they are now: type Ready, Scheduled or Healthy, status True, False or Unknown, and the "
        "reason; always 1.",
        lambda facts: [(condition, 1.0) for condition in facts.conditions],
        labels=("type", "status", "reason"),
    ),
)


class CouncilorCollector(Collector):
    """Collects from `snapshot`, all Councilors as they are now; with `each` also the series of each one.

    `snapshot` is called from other threads.
    """

    def __init__(self, snapshot: Callable[[], Sequence[ObservedCouncilor]], *, each: bool) -> None:
        self._snapshot = snapshot
        self._families = _EACH if each else ()

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return the families without samples."""
        return [_phases({}), *(family.empty() for family in self._families)]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the families with what the status of each Councilor says now."""
        councilors = self._snapshot()
        yield _phases(Counter(_phase(councilor) for councilor in councilors))
        # One that waits for its finalizers runs no more: nobody should be alerted about it.
        facts = [Facts.of(councilor) for councilor in councilors if not councilor.deleting]
        for family in self._families:
            yield family.of(facts)


def _phase(councilor: ObservedCouncilor) -> str:
    phase = str(councilor.status.get("phase"))
    return phase if phase in _PHASES else UNKNOWN_PHASE


def _phases(counted: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "councilor_operator_councilors",
        "Councilors by phase: Scheduled, Running, Paused, Suspended, Invalid, or Unknown before the first pass.",
        labels=("phase",),
    )
    for phase in (*_PHASES, UNKNOWN_PHASE):
        family.add_metric((phase,), counted.get(phase, 0))
    return family
