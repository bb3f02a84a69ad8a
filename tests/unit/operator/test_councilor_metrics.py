"""What Prometheus is told of each Councilor."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from councilor_operator.cache import Cache
from councilor_operator.councilor_metrics import CouncilorCollector, Facts
from councilor_operator.observed import ObservedCouncilor
from tests import factories
from tests.factories import CREATED, NAME, NAMESPACE, rfc3339

MONDAY = datetime.fromisoformat("2026-03-09T09:00:00+00:00")
HOUR, DAY = 3600.0, 86400.0

Sample = tuple[str, frozenset[tuple[str, str]]]


def scrape(*councilors: ObservedCouncilor, each: bool = True) -> dict[Sample, float]:
    registry = CollectorRegistry()
    registry.register(CouncilorCollector(lambda: councilors, each=each))
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def of(samples: dict[Sample, float], name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset({"namespace": NAMESPACE, "name": NAME, **labels}.items())))


def status(**over: Any) -> dict[str, Any]:
    return {
        "phase": "Scheduled",
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "Reconciled"},
            {"type": "Scheduled", "status": "True", "reason": "Active"},
            {"type": "Healthy", "status": "False", "reason": "RunFailed"},
        ],
        "nextRunTimes": ["2026-03-03T09:00:00-03:00", "2026-03-04T09:00:00-03:00", "2026-03-05T09:00:00-03:00"],
        "lastRun": {
            "scheduledAt": "2026-03-02T12:00:00Z",
            "startedAt": "2026-03-02T12:00:03Z",
            "completedAt": "2026-03-02T12:00:09Z",
            "result": "failed",
        },
        "lastSuccessTime": "2026-03-01T12:00:08Z",
        "stats": {"consecutiveFailures": 2},
        **over,
    }


def test_everything_that_the_status_says() -> None:
    samples = scrape(factories.councilor(status=status()))
    stamp = datetime.fromisoformat
    assert of(samples, "councilor_created_timestamp_seconds") == CREATED.timestamp()
    assert of(samples, "councilor_last_run_timestamp_seconds") == stamp("2026-03-02T12:00:09Z").timestamp()
    assert of(samples, "councilor_last_run_result", result="failed") == 1
    assert of(samples, "councilor_last_success_timestamp_seconds") == stamp("2026-03-01T12:00:08Z").timestamp()
    assert of(samples, "councilor_next_run_timestamp_seconds") == stamp("2026-03-03T12:00:00Z").timestamp()
    assert of(samples, "councilor_expected_interval_seconds") == DAY
    assert of(samples, "councilor_consecutive_failures") == 2
    assert of(samples, "councilor_condition", type="Ready", status="True", reason="Reconciled") == 1
    assert of(samples, "councilor_condition", type="Healthy", status="False", reason="RunFailed") == 1
    assert len([name for name, _ in samples if name == "councilor_condition"]) == 3


def test_what_there_is_not_has_no_series() -> None:
    names = {name for name, _ in scrape(factories.councilor(status=None))}
    assert names == {
        "councilor_operator_councilors",
        "councilor_created_timestamp_seconds",
        "councilor_consecutive_failures",
    }


def test_a_councilor_that_waits_for_its_finalizers_is_counted_and_no_more() -> None:
    samples = scrape(factories.councilor(status=status(), deleting=True))
    assert {name for name, _ in samples} == {"councilor_operator_councilors"}


def test_each_councilor_can_be_left_out() -> None:
    samples = scrape(factories.councilor(status=status()), factories.councilor(uid="2"), each=False)
    assert {name for name, _ in samples} == {"councilor_operator_councilors"}
    assert sum(samples.values()) == 2


@pytest.mark.parametrize("phase", ["Scheduled", "Running", "Paused", "Suspended", "Invalid", None, "OfANewerOperator"])
def test_councilors_by_phase(phase: str | None) -> None:
    samples = scrape(factories.councilor(status={} if phase is None else {"phase": phase}))
    expected = phase if phase not in {None, "OfANewerOperator"} else "Unknown"
    counted = {dict(labels)["phase"]: value for (name, labels), value in samples.items() if "operator" in name}
    assert {name for name, value in counted.items() if value} == {expected}
    assert len(counted) == 6


@pytest.mark.parametrize(
    ("created", "last", "missed", "upcoming", "expected"),
    [
        pytest.param(0, None, None, [1, 2, 3], 1, id="new"),
        # Office hours: the next three runs are an hour apart, and the one before was on Friday.
        pytest.param(-99, {"scheduledAt": -64}, None, [0, 1, 2], 64, id="weekend"),
        pytest.param(-3, None, None, [60, 61, 62], 63, id="made on Friday night"),
        # While nothing runs at all, the interval does not grow with the outage: missed times are times.
        pytest.param(-99, {"scheduledAt": -72}, -1, [0, 1, 2], 1, id="outage"),
        pytest.param(-99, {"scheduledAt": -30}, -72, [1, 2, 3], 31, id="missed before the last run"),
        # Resumed after a long pause: no run was due meanwhile.
        pytest.param(-999, {"scheduledAt": -500}, None, [1, 2, 3], 501, id="pause"),
        pytest.param(-99, {"startedAt": -2}, None, [1, 2, 3], 3, id="by hand"),
        pytest.param(-99, {"scheduledAt": -5, "startedAt": -2}, None, [1, 2, 3], 6, id="scheduled before started"),
        pytest.param(-99, {"scheduledAt": 0}, None, [1], 1, id="once more"),
        # The status of before the run that has just ended.
        pytest.param(-99, {"scheduledAt": 1}, None, [1], 0, id="late"),
    ],
)
def test_expected_interval(
    created: float, last: dict[str, float] | None, missed: float | None, upcoming: list[float], expected: float
) -> None:
    def at(hours: float) -> str:
        return rfc3339(MONDAY + timedelta(hours=hours))

    over: dict[str, Any] = {"nextRunTimes": [at(hours) for hours in upcoming], "lastRun": None}
    if last is not None:
        over["lastRun"] = {name: at(hours) for name, hours in last.items()}
    if missed is not None:
        over["lastMissedTime"] = at(missed)
    councilor = factories.councilor(status=status(**over), created_at=MONDAY + timedelta(hours=created))
    assert Facts.of(councilor).interval == expected * HOUR


@pytest.mark.parametrize(
    "times", [[], None, ["soon"], [7], ["2026-13-01T00:00:00Z"], [None], ["2026-03-03T09:00:00"]], ids=repr
)
def test_a_badly_written_time_does_not_cost_the_scrape(times: Any) -> None:
    facts = Facts.of(factories.councilor(status=status(nextRunTimes=times)))
    assert (facts.next_run is None) == (times != ["2026-03-03T09:00:00"])
    assert facts.failures == 2


TEXT = st.text(st.characters(codec="utf-8"), min_size=1)


@given(text=TEXT, other=TEXT)
def test_any_text_is_a_label(text: str, other: str) -> None:
    councilor = factories.councilor(
        name=text, namespace=other, status={"conditions": [{"type": text, "status": other, "reason": text}]}
    )
    registry = CollectorRegistry()
    registry.register(CouncilorCollector(lambda: [councilor], each=True))
    found = [
        sample.labels
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
        if sample.name == "councilor_condition"
    ]
    assert found == [{"namespace": other, "name": text, "type": text, "status": other, "reason": text}]


def test_scrapes_while_the_cache_changes() -> None:
    """Prometheus is answered by other threads than the one that fills the cache."""
    cache = Cache()
    collector = CouncilorCollector(cache.councilors.snapshot, each=True)
    done = threading.Event()
    failures: list[BaseException] = []

    def scrapes() -> None:
        try:
            while not done.is_set():
                for _ in collector.collect():
                    pass
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=scrapes) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for version in range(1, 20):
            items = [
                factories.councilor(uid=f"{version}-{number}", resource_version=str(100 * version + number))
                for number in range(50)
            ]
            cache.councilors.replace(items, 100 * version + 99)
            for item in items[::2]:
                cache.councilors.drop(item)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert len(cache.councilors.snapshot()) == 25
