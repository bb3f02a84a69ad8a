"""Prometheus metrics of the operator's own work and of the runs it counted. No label holds the name of an object: the
number of series must not grow with the Councilors. What is told of each Councilor stands in `councilor_metrics.py`.

docs/metrics.md has a line for each; a test holds the two together.
"""

import platform
from collections.abc import Iterable
from datetime import datetime
from itertools import product
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)

from councilor_operator import __version__
from councilor_operator.api.status import NotifiedChannel, Run
from councilor_runner.contract import ChannelResult, ExitCode

NO_SEVERITY: Final = "none"
"""Severity of a skipped run: Prometheus takes an empty label for a missing one."""
_ENDINGS: Final = (
    ("completed", "success"),
    ("completed", "warning"),
    ("completed", "error"),
    ("error", "error"),
    ("skipped", NO_SEVERITY),
)
_RESOURCES: Final = ("councilors", "cronjobs", "jobs")


class Metrics:
    """The operator's own metrics, in a registry of their own."""

    def __init__(self) -> None:
        # When a series began is of no use here, and would double the number of series.
        disable_created_metrics()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Info(
            "councilor_operator_build",
            "What runs here; always 1.",
            registry=self.registry,
        ).info({"version": __version__, "python_version": platform.python_version()})
        self._add_work()
        self._add_api()
        self._add_runs()

    def _add_work(self) -> None:
        self.reconciles = Counter(
            "councilor_operator_reconciles",
            "Reconcile passes by result: unchanged, changed, retried, failed.",
            ["result"],
            registry=self.registry,
        )
        self.reconcile_errors = Counter(
            "councilor_operator_reconcile_errors",
            "Reconcile passes that ended with an error, by cause: conflict (somebody wrote in between), transient "
            "(the API server is away or busy), refused (the API server does not allow it), fault (of the operator).",
            ["cause"],
            registry=self.registry,
        )
        self.reconcile_seconds = Histogram(
            "councilor_operator_reconcile_duration_seconds",
            "Duration of a reconcile pass.",
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )
        self.longest_pass = Gauge(
            "councilor_operator_longest_reconcile_seconds",
            "For how long the longest of the passes that are going on has been going on; 0 without one.",
            registry=self.registry,
        )
        self.queue_depth = Gauge(
            "councilor_operator_queue_depth", "Councilors waiting to be reconciled.", registry=self.registry
        )
        self.queue_age = Gauge(
            "councilor_operator_queue_age_seconds",
            "How long the first Councilor in the queue has been waiting.",
            registry=self.registry,
        )
        self.queue_retries = Counter(
            "councilor_operator_queue_retries",
            "Passes that were put back into the queue after an error.",
            registry=self.registry,
        )
        self.queue_backing_off = Gauge(
            "councilor_operator_queue_backing_off",
            "Councilors whose last pass ended with an error and that wait for, or are in, another one.",
            registry=self.registry,
        )
        for result in ("unchanged", "changed", "retried", "failed"):
            self.reconciles.labels(result)
        for cause in ("conflict", "transient", "refused", "fault"):
            self.reconcile_errors.labels(cause)

    def _add_api(self) -> None:
        self.requests = Counter(
            "councilor_operator_api_requests",
            "Answered requests to the API server by verb, resource and HTTP status code; code error: no answer. "
            "Without watches and discovery, which are the framework's.",
            ["verb", "resource", "code"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "councilor_operator_api_request_duration_seconds",
            "Duration of a request to the API server.",
            ["verb"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )
        self.writes = Counter(
            "councilor_operator_api_writes",
            "Successful writes to the API server by object and purpose; events are left out.",
            ["object", "verb"],
            registry=self.registry,
        )
        self.event_failures = Counter(
            "councilor_operator_event_failures",
            "Events about Councilors that were not sent: refused, or too many at once. The status has what they say.",
            registry=self.registry,
        )
        self.watch_events = Counter(
            "councilor_operator_watch_events",
            "Watch events by resource, with those of the initial lists.",
            ["resource"],
            registry=self.registry,
        )
        self.list_seconds = Histogram(
            "councilor_operator_list_duration_seconds",
            "Duration of a full list of everything that succeeded.",
            buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
            registry=self.registry,
        )
        self.list_failures = Counter(
            "councilor_operator_list_failures",
            "Full lists that failed; they are tried again at once.",
            registry=self.registry,
        )
        self.last_list = Gauge(
            "councilor_operator_last_list_timestamp_seconds",
            "When everything was last listed successfully; 0 before the first time.",
            registry=self.registry,
        )
        self.list_corrections = Counter(
            "councilor_operator_list_corrections",
            "Objects that a full list, after the first, showed new, changed or gone before the watch did. A few are "
            "normal while much is changing.",
            ["resource"],
            registry=self.registry,
        )
        for resource in _RESOURCES:
            self.watch_events.labels(resource)
            self.list_corrections.labels(resource)

    def _add_runs(self) -> None:
        self.runs = Counter(
            "councilor_runs",
            "Ended runs by status (completed, error, skipped), severity (success, warning, error; none for a skipped "
            "run) and trigger (scheduled, manual).",
            ["status", "severity", "trigger"],
            registry=self.registry,
        )
        self.unknown = Counter(
            "councilor_unknown_runs",
            "Runs whose result was not seen: their Jobs were gone before they were read.",
            registry=self.registry,
        )
        self.reports = Counter(
            "councilor_report_jobs",
            "Report Jobs by what became of them: made, refused, succeeded, failed, unknown (gone unread).",
            ["result"],
            registry=self.registry,
        )
        for result in ("made", "refused", "succeeded", "failed", "unknown"):
            self.reports.labels(result)
        self.run_seconds = Histogram(
            "councilor_run_duration_seconds",
            "Duration of ended runs, as the runner measured it.",
            buckets=(1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400),
            registry=self.registry,
        )
        self.start_delay = Histogram(
            "councilor_run_start_delay_seconds",
            "From the scheduled time of a run to the start of its container; exact to a second.",
            buckets=(1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3600),
            registry=self.registry,
        )
        self.missed = Counter(
            "councilor_missed_runs", "Scheduled times that passed without a run.", registry=self.registry
        )
        self.record_failures = Counter(
            "councilor_run_record_failures",
            "Runs whose result is known but was not recorded in MongoDB.",
            registry=self.registry,
        )
        self.notifications = Counter(
            "councilor_notifications",
            "Notifications about ended runs by outcome: delivered, failed.",
            ["outcome"],
            registry=self.registry,
        )
        # A rate needs a value before the first run: without one the first failure of all is no increase.
        for (status, severity), trigger in product(_ENDINGS, ("scheduled", "manual")):
            self.runs.labels(status, severity, trigger)
        for outcome in ("delivered", "failed"):
            self.notifications.labels(outcome)

    def count_run(self, run: Run, scheduled_at: datetime | None) -> None:
        """Count a run that is in the status now.

        `scheduled_at` is the Job's own exact scheduled time, None for a Job made by hand.
        """
        self.runs.labels(run.status, run.severity or NO_SEVERITY, run.trigger).inc()
        if run.duration_ms is not None:
            self.run_seconds.observe(run.duration_ms / 1000)
        # Without an exit code nobody knows of a container that started.
        if scheduled_at is not None and run.started_at is not None and run.exit_code is not None:
            # The start is known in whole seconds, rounded down: it may seem to lie before the scheduled time.
            self.start_delay.observe(max(0.0, (run.started_at - scheduled_at).total_seconds()))
        if run.exit_code == ExitCode.NOT_RECORDED:
            self.record_failures.inc()
        self.count_notifications(run.notified or ())

    def count_notifications(self, entries: Iterable[NotifiedChannel | ChannelResult]) -> None:
        """Count what became of notifications about a run."""
        for entry in entries:
            self.notifications.labels("delivered" if entry.delivered else "failed").inc()

    def count_request(self, verb: str, resource: str, code: str, seconds: float) -> None:
        """Count a request to the API server."""
        self.requests.labels(verb, resource, code).inc()
        self.request_seconds.labels(verb).observe(seconds)
