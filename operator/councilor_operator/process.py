"""The operator's process: builds the parts, runs them together, and ends when one of them does."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import monotonic

import kopf
from prometheus_client import CollectorRegistry, start_http_server

from councilor_operator import handlers, health
from councilor_operator.cache import Cache
from councilor_operator.cluster import KubernetesCluster, Listing
from councilor_operator.config import PREFIX, OperatorConfig, ProcessConfig
from councilor_operator.connection import connect
from councilor_operator.councilor_metrics import CouncilorCollector
from councilor_operator.errors import ConfigurationError
from councilor_operator.metrics import Metrics
from councilor_operator.observer import Observer
from councilor_operator.reconciler import Reconciler
from councilor_operator.recorder import EventRecorder
from councilor_operator.workqueue import WorkQueue

LATEST_WATCH_SECONDS = 10.0
"""After so long the watches start, however much there is still to do."""
JSON_LEVELS = 10_000
"""How deep an object of the API server may be (Go, encoding/json). Python's reader gives up at a tenth of that, and one
such object would keep every list and watch from being read."""


def utc_now() -> datetime:
    """Return the time; the one clock of the process."""
    return datetime.now(tz=UTC)


async def run(config: OperatorConfig) -> None:
    """Run the operator until it is told to stop (SIGTERM, SIGINT).

    Raises `ConfigurationError` when there is no way to the API server or a port cannot be had, and whatever ends a part
    of it for good: the kubelet starts a new one.
    """
    sys.setrecursionlimit(JSON_LEVELS + 2_000)
    metrics = Metrics()
    cache = Cache()
    queue: WorkQueue[str] = WorkQueue(monotonic)
    metrics.queue_depth.set_function(lambda: float(len(queue)))
    metrics.queue_age.set_function(lambda: queue.oldest_age)
    metrics.queue_backing_off.set_function(lambda: float(queue.backing_off))
    metrics.longest_pass.set_function(lambda: queue.longest_work)
    metrics.registry.register(CouncilorCollector(cache.councilors.snapshot, each=config.metrics_per_councilor))
    if config.metrics_port:
        serve_metrics(config, metrics.registry)

    async with connect(metrics.count_request) as connection:
        observer = Observer(
            cache=cache, queue=queue, lists=Listing(connection, config.namespaces), metrics=metrics, clock=utc_now
        )
        cluster = KubernetesCluster(connection, instance=os.environ.get("HOSTNAME") or socket.gethostname())
        recorder = EventRecorder(cluster, metrics.event_failures)
        reconciler = Reconciler(
            cache=cache,
            queue=queue,
            cluster=cluster,
            recorder=recorder,
            config=config,
            metrics=metrics,
            clock=utc_now,
        )

        async def work() -> None:
            await observer.children_listed.wait()
            await reconciler.work()

        async def watch() -> None:
            # kopf lists everything once more when it starts: not in the way of the first look at every Councilor.
            with suppress(TimeoutError):
                async with asyncio.timeout(LATEST_WATCH_SECONDS):
                    await observer.synced.wait()
                    await queue.empty()
            await kopf.operator(
                registry=handlers.build_registry(observer),
                settings=handlers.build_settings(),
                standalone=True,
                clusterwide=not config.namespaces,
                namespaces=config.namespaces,
            )

        terminated = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            # Until kopf takes them over at its own start. In a container's first process they would do nothing.
            asyncio.get_running_loop().add_signal_handler(number, terminated.set)

        resync = timedelta(seconds=config.resync_seconds)
        checks = health.Health(observer=observer, queue=queue, limits=health.Limits.of_resync(resync), clock=utc_now)
        await until_first_ends(
            watch(),
            terminated.wait(),
            observer.resync(resync),
            recorder.work(),
            *([health.serve(config.listen_address, config.health_port, checks)] if config.health_port else []),
            *(work() for _ in range(config.workers)),
        )


def serve_metrics(config: ProcessConfig, registry: CollectorRegistry) -> None:
    """Answer Prometheus, in threads of their own; raises `ConfigurationError` when the port cannot be had."""
    try:
        start_http_server(config.metrics_port, addr=config.listen_address, registry=registry)
    except OSError as error:
        raise ConfigurationError(
            f"{PREFIX}METRICS_PORT: {config.listen_address} port {config.metrics_port} cannot be listened on, "
            f"{error.strerror}; set another one, or 0 for none"
        ) from error


async def until_first_ends(*parts: Awaitable[object]) -> None:
    """Run all parts until one ends, then end the others; raises what ended it."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
