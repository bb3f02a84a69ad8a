"""The operator's own metrics: conventions, what is counted, and the page that explains them."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from councilor_operator.api.status import NotifiedChannel, Run
from councilor_operator.connection import target
from councilor_operator.councilor_metrics import CouncilorCollector
from councilor_operator.errors import ConfigurationError
from councilor_operator.metrics import Metrics
from councilor_operator.process import serve_metrics
from councilor_operator.sync.metrics import SyncMetrics
from tests import factories
from tests.factories import NOW

PAGE = Path(__file__).parents[3] / "docs/metrics.md"
BASE_UNITS = ("_seconds", "_bytes", "_ratio", "_info")
WITHOUT_UNIT = {
    # Numbers of things, and states.
    "councilor_operator_queue_depth",
    "councilor_operator_queue_backing_off",
    "councilor_operator_councilors",
    "councilor_last_run_result",
    "councilor_consecutive_failures",
    "councilor_condition",
    "councilor_sync_documents",
    "councilor_sync_collisions",
    "councilor_sync_held_councilors",
    "councilor_sync_feed_mode",
    "process_open_fds",
    "process_max_fds",
}


def everything() -> Metrics:
    """The registry of a process with one Councilor that has all there is to have."""
    metrics = Metrics()
    status = {
        "phase": "Scheduled",
        "nextRunTimes": ["2026-03-03T09:00:00+00:00", "2026-03-04T09:00:00+00:00"],
        "lastRun": {"completedAt": "2026-03-02T09:00:05Z", "result": "success"},
        "lastSuccessTime": "2026-03-02T09:00:05Z",
        "conditions": [{"type": "Ready", "status": "True", "reason": "Reconciled"}],
    }
    metrics.registry.register(CouncilorCollector(lambda: [factories.councilor(status=status)], each=True))
    metrics.count_request("get", "jobs", "200", 0.1)
    metrics.writes.labels("status", "patch").inc()
    return metrics


def families() -> list[Metric]:
    text = generate_latest(everything().registry).decode() + generate_latest(sync().registry).decode()
    return list(text_string_to_metric_families(text))


def sync() -> SyncMetrics:
    """The registry of the sync."""
    metrics = SyncMetrics()
    metrics.follow_mode(lambda: "stream")
    metrics.count_request("list", "councilors", "200", 0.1)
    return metrics


def sample(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_names_follow_the_conventions_of_prometheus(family: Metric) -> None:
    assert family.name.startswith(("councilor_", "process_"))
    assert family.documentation
    assert family.samples
    assert family.type in {"counter", "gauge", "histogram"}
    # Only counters are totals; what a name says stands in it once.
    assert {entry.name.endswith("_total") for entry in family.samples} == {family.type == "counter"}
    assert not re.search(r"_(counter|gauge|histogram|count|sum|bucket|milliseconds|ms|minutes|hours)(_|$)", family.name)
    if family.type != "counter":
        assert family.name.endswith(BASE_UNITS) or family.name in WITHOUT_UNIT
    labels = {label for entry in family.samples for label in entry.labels}
    assert labels.isdisjoint({"job", "instance", "__name__"}), "these are Prometheus's own"


def test_no_series_tells_when_a_series_began() -> None:
    assert [family.name for family in families() if family.name.endswith("_created")] == []


def test_a_gauge_of_seconds_is_a_point_in_time_or_one_of_these_durations() -> None:
    gauges = {family.name for family in families() if family.type == "gauge" and family.name.endswith("_seconds")}
    assert {name for name in gauges if not name.endswith("_timestamp_seconds")} == {
        "councilor_operator_queue_age_seconds",
        "councilor_operator_longest_reconcile_seconds",
        "councilor_expected_interval_seconds",
        "process_start_time_seconds",
    }


def run(**over: Any) -> Run:
    values: dict[str, Any] = {
        "execution_id": "exec_a_1_2",
        "task_id": "t",
        "job_name": "j",
        "trigger": "scheduled",
        "started_at": NOW + timedelta(seconds=4),
        "completed_at": NOW + timedelta(seconds=34),
        "duration_ms": 30_500,
        "status": "completed",
        "severity": "success",
        "result": "success",
        "exit_code": 0,
        "reason": "Completed",
        "recorded": True,
    }
    return Run.model_validate(values | over)


@pytest.mark.parametrize(
    ("over", "labels"),
    [
        ({}, ("completed", "success", "scheduled")),
        ({"severity": "warning", "result": "warning"}, ("completed", "warning", "scheduled")),
        ({"severity": "error", "result": "error", "trigger": "manual"}, ("completed", "error", "manual")),
        ({"status": "error", "severity": "error", "result": "failed"}, ("error", "error", "scheduled")),
        ({"status": "skipped", "severity": None, "result": "skipped"}, ("skipped", "none", "scheduled")),
    ],
)
def test_runs_by_status_severity_and_trigger(over: dict[str, Any], labels: tuple[str, str, str]) -> None:
    metrics = Metrics()
    before = series(metrics, "councilor_runs_total")
    metrics.count_run(run(**over), NOW)
    key = dict(zip(("status", "severity", "trigger"), labels, strict=True))
    assert sample(metrics, "councilor_runs_total", **key) == 1
    # Every combination that there is was there before, at zero: else the first one would be no increase.
    assert set(series(metrics, "councilor_runs_total")) == set(before)
    assert sum(series(metrics, "councilor_runs_total").values()) == 1


def series(metrics: Metrics, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    return {
        tuple(sorted(entry.labels.items())): entry.value
        for family in metrics.registry.collect()
        for entry in family.samples
        if entry.name == name
    }


@pytest.mark.parametrize(
    ("over", "scheduled_at", "expected"),
    [
        ({}, NOW, [4.0]),
        # The start is known in whole seconds only.
        ({"started_at": NOW}, NOW + timedelta(milliseconds=900), [0.0]),
        # Too late to be carried out: just what the histogram is for.
        ({"status": "skipped", "severity": None, "result": "skipped"}, NOW - timedelta(minutes=10), [604.0]),
        ({"trigger": "manual"}, None, []),
        ({"started_at": None}, NOW, []),
        # No container is known to have started: the time is the Job's.
        ({"exit_code": None, "status": "error", "result": "failed"}, NOW, []),
    ],
)
def test_start_delay(over: dict[str, Any], scheduled_at: datetime | None, expected: list[float]) -> None:
    metrics = Metrics()
    metrics.count_run(run(**over), scheduled_at)
    assert sample(metrics, "councilor_run_start_delay_seconds_count") == len(expected)
    assert sample(metrics, "councilor_run_start_delay_seconds_sum") == sum(expected)


def test_duration_and_what_was_not_delivered() -> None:
    metrics = Metrics()
    told = (
        NotifiedChannel(channel="panel", delivered=True),
        NotifiedChannel(channel="slack", delivered=False, reason="TimedOut"),
        NotifiedChannel(channel="email", delivered=False, reason="Refused"),
    )
    metrics.count_run(run(notified=told, exit_code=20, recorded=False), NOW)
    metrics.count_run(run(duration_ms=None), NOW)
    assert sample(metrics, "councilor_run_duration_seconds_sum") == 30.5
    assert sample(metrics, "councilor_run_duration_seconds_count") == 1
    assert sample(metrics, "councilor_run_record_failures_total") == 1
    assert sample(metrics, "councilor_notifications_total", outcome="delivered") == 1
    assert sample(metrics, "councilor_notifications_total", outcome="failed") == 2


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = factories.config(metrics_port=port, listen_address="127.0.0.1")
        with pytest.raises(ConfigurationError, match=f"COUNCILOR_METRICS_PORT: 127.0.0.1 port {port} "):
            serve_metrics(config, Metrics().registry)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/namespaces/a/pods", ("list", "pods")),
        ("GET", "/api/v1/pods", ("list", "pods")),
        ("GET", "/api/v1/namespaces", ("list", "namespaces")),
        ("GET", "/api/v1/namespaces/a", ("get", "namespaces")),
        ("GET", "/apis/batch/v1/cronjobs", ("list", "cronjobs")),
        ("GET", "/apis/batch/v1/namespaces/a/cronjobs/b", ("get", "cronjobs")),
        ("PATCH", "/apis/batch/v1/namespaces/a/cronjobs/b", ("patch", "cronjobs")),
        ("PATCH", "/apis/batch/v1/namespaces/a/cronjobs/b/status", ("patch", "cronjobs/status")),
        ("POST", "/apis/batch/v1/namespaces/a/jobs", ("create", "jobs")),
        ("DELETE", "/apis/batch/v1/namespaces/namespaces/jobs/b", ("delete", "jobs")),
        (
            "PATCH",
            "/apis/councilors.conductor.community/v1alpha1/namespaces/a/councilors/status/status",
            ("patch", "councilors/status"),
        ),
    ],
)
def test_a_request_has_the_verb_and_resource_of_an_rbac_rule(method: str, path: str, expected: tuple[str, str]) -> None:
    assert target(method, path) == expected


def rows() -> Iterator[list[str]]:
    """The lines of the page's tables, without headings."""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `councilor_"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def described() -> dict[str, list[str]]:
    """What the registry says of each metric, in the form of the page: type, labels, meaning."""
    found = {}
    for family in families():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = sorted({label for entry in family.samples for label in entry.labels if label != "le"})
        text = ", ".join(f"`{label}`" for label in labels)
        found[name] = [family.type, text, family.documentation]
    return {name: row for name, row in found.items() if not name.startswith("process_")}


def test_the_page_has_a_line_for_each_metric_and_says_the_same() -> None:
    page = {row[0].strip("`"): row[1:4] for row in rows()}
    assert page == described()
