"""Prometheus metrics of the operator. No label holds the name of an object: their number must not grow with the
Councilors."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from councilor_operator.api.status import Run


class Metrics:
    """The operator's own metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reconciles = Counter(
            "councilor_operator_reconciles",
            "Reconcile passes by result: unchanged, changed, retried, failed.",
            ["result"],
            registry=self.registry,
        )
        self.reconcile_seconds = Histogram(
            "councilor_operator_reconcile_duration_seconds",
            "Duration of a reconcile pass.",
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )
        self.writes = Counter(
            "councilor_operator_api_writes",
            "Writes to the API server by object and verb.",
            ["object", "verb"],
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
        self.councilors = Gauge("councilor_operator_councilors", "Councilors known.", registry=self.registry)
        self.last_list = Gauge(
            "councilor_operator_last_list_timestamp_seconds",
            "When everything was last listed successfully.",
            registry=self.registry,
        )
        self.runs = Counter("councilor_runs", "Ended runs by result.", ["result"], registry=self.registry)
        self.missed = Counter(
            "councilor_missed_runs", "Scheduled times that passed without a run.", registry=self.registry
        )
        self.unknown = Counter(
            "councilor_unknown_runs",
            "Runs whose result was not seen: their Jobs were gone before they were read.",
            registry=self.registry,
        )
        self.reports = Counter(
            "councilor_report_jobs",
            "Report Jobs by what became of them: made, refused, succeeded, failed.",
            ["result"],
            registry=self.registry,
        )
        self.run_seconds = Histogram(
            "councilor_run_duration_seconds",
            "Duration of ended runs, as the runner measured it.",
            buckets=(1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400),
            registry=self.registry,
        )

    def count_run(self, run: Run) -> None:
        """Count a run that is in the status now."""
        self.runs.labels(run.result).inc()
        if run.duration_ms is not None:
            self.run_seconds.observe(run.duration_ms / 1000)
