"""Prometheus metrics of the sync. No label holds the name of an object or document.

docs/metrics.md has a line for each; a test holds the two together.
"""

import platform
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, get_args

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
from councilor_operator.sync.candidate import Collection
from councilor_operator.sync.feed import Cause, Mode, Obstacle
from councilor_operator.sync.guard import HoldReason
from councilor_operator.sync.source import ErrorCause

COLLECTIONS: Final[tuple[Collection, ...]] = get_args(Collection)
CAUSES: Final = (*get_args(Cause), "watch", "clock")
RESULTS: Final = ("unchanged", "changed", "incomplete", "failed")
STATES: Final = ("enabled", "paused", "invalid")
WRITES: Final = ("create", "update", "delete")
MODES: Final[tuple[Mode, ...]] = get_args(Mode)


class SyncMetrics:
    """The metrics of the sync, in a registry of their own."""

    def __init__(self) -> None:
        # When a series began is of no use here, and would double the number of series.
        disable_created_metrics()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Info("councilor_sync_build", "What runs here; always 1.", registry=self.registry).info(
            {"version": __version__, "python_version": platform.python_version()}
        )
        self._add_rounds()
        self._add_councilors()
        self._add_connections()

    def _add_rounds(self) -> None:
        self.rounds = Counter(
            "councilor_sync_rounds",
            "Full comparisons by result: unchanged (nothing to write), changed, incomplete (a write did not succeed), "
            "failed (documents or Councilors could not be read).",
            ["result"],
            registry=self.registry,
        )
        self.causes = Counter(
            "councilor_sync_round_causes",
            "What full comparisons were asked for: change of a document, poll, stream resumed or restarted, watch of "
            "Councilors, clock. Several causes may lead to one.",
            ["cause"],
            registry=self.registry,
        )
        self.round_seconds = Histogram(
            "councilor_sync_round_duration_seconds",
            "Duration of a full comparison with its writes.",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
            registry=self.registry,
        )
        self.last_round = Gauge(
            "councilor_sync_last_comparison_timestamp_seconds",
            "When documents and Councilors were last read and compared completely; 0 before the first time.",
            registry=self.registry,
        )
        self.source_errors = Counter(
            "councilor_sync_source_errors",
            "Full reads of the documents that failed, by cause: unreachable, credentials, refused, configuration. "
            "Nothing is deleted for any of them.",
            ["cause"],
            registry=self.registry,
        )
        # A rate needs a value before the first event: without one the first of all is no increase.
        for result in RESULTS:
            self.rounds.labels(result)
        for cause in CAUSES:
            self.causes.labels(cause)
        for cause in get_args(ErrorCause):
            self.source_errors.labels(cause)

    def _add_councilors(self) -> None:
        self.documents = Gauge(
            "councilor_sync_documents",
            "Councilors' documents at the last comparison by collection and state: enabled, paused, invalid.",
            ["collection", "state"],
            registry=self.registry,
        )
        self.collisions = Gauge(
            "councilor_sync_collisions",
            "Documents without a Councilor because somebody else made one of its name.",
            registry=self.registry,
        )
        self.held = Gauge(
            "councilor_sync_held_councilors",
            "Councilors whose documents are gone and that are kept for now, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.refusals = Counter(
            "councilor_sync_refusals",
            "Councilors that were refused a deletion, by reason: SourceEmpty, SourceHalved, DeletionLimit. Each counts "
            "once for as long as it is held for that reason.",
            ["reason"],
            registry=self.registry,
        )
        self.writes = Counter(
            "councilor_sync_writes",
            "Successful writes of Councilors: create, update, delete.",
            ["verb"],
            registry=self.registry,
        )
        self.write_failures = Counter(
            "councilor_sync_write_failures",
            "Writes of Councilors that did not succeed, by cause: conflict, transient, refused.",
            ["cause"],
            registry=self.registry,
        )
        self.count_documents({})
        self.count_held({})
        for reason in HoldReason:
            self.refusals.labels(reason)
        for verb in WRITES:
            self.writes.labels(verb)
        for cause in ("conflict", "transient", "refused"):
            self.write_failures.labels(cause)

    def _add_connections(self) -> None:
        self.mode = Gauge(
            "councilor_sync_feed_mode",
            "How changes of documents are heard of: 1 for one of stream, poll, connecting.",
            ["mode"],
            registry=self.registry,
        )
        self.restarts = Counter(
            "councilor_sync_feed_restarts",
            "Interruptions of the change stream by cause: unreachable, credentials, forbidden, standalone, "
            "unsupported, unresumable, invalidated.",
            ["cause"],
            registry=self.registry,
        )
        for obstacle in get_args(Obstacle):
            self.restarts.labels(obstacle)
        self.requests = Counter(
            "councilor_sync_api_requests",
            "Answered requests to the API server by verb, resource and HTTP status code; code error: no answer. "
            "Without watches and discovery, which are the framework's.",
            ["verb", "resource", "code"],
            registry=self.registry,
        )
        self.event_failures = Counter(
            "councilor_sync_event_failures",
            "Events that were not sent: refused, or too many at once.",
            registry=self.registry,
        )

    def count_documents(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Set the number of documents by collection and state; what is not named is 0."""
        for collection in COLLECTIONS:
            for state in STATES:
                self.documents.labels(collection, state).set(counts.get((collection, state), 0))

    def count_held(self, counts: Mapping[HoldReason, int]) -> None:
        """Set the number of Councilors that are held by reason; what is not named is 0."""
        for reason in HoldReason:
            self.held.labels(reason).set(counts.get(reason, 0))

    def follow_mode(self, mode: Callable[[], str]) -> None:
        """Show how changes are heard of whenever somebody asks."""
        for each in MODES:
            self.mode.labels(each).set_function(partial(_is, mode, each))

    def count_request(self, verb: str, resource: str, code: str, _seconds: float) -> None:
        """Count a request to the API server."""
        self.requests.labels(verb, resource, code).inc()


def _is(current: Callable[[], str], mode: str) -> float:
    return float(current() == mode)
