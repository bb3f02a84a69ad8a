"""The sync's process: builds the parts, runs them together, and ends when one of them does."""

import asyncio
import signal
import sys
from datetime import timedelta

import kopf

from councilor_operator import handlers as framework
from councilor_operator import health
from councilor_operator.connection import connect
from councilor_operator.errors import ConfigurationError
from councilor_operator.process import JSON_LEVELS, serve_metrics, until_first_ends, utc_now
from councilor_operator.recorder import EventRecorder
from councilor_operator.sync.config import SyncConfig
from councilor_operator.sync.feed import ChangeFeed, Pace
from councilor_operator.sync.handlers import build_registry
from councilor_operator.sync.health import SyncHealth
from councilor_operator.sync.metrics import SyncMetrics
from councilor_operator.sync.rounds import Rounds
from councilor_operator.sync.source import Source, SourceError
from councilor_operator.sync.target import KubernetesTarget


def open_source(config: SyncConfig) -> Source:
    """Return the source of the documents; raises `ConfigurationError` when its address cannot be used."""
    try:
        return Source(config.mongodb_uri.get_secret_value(), config.database)
    except SourceError as error:
        raise ConfigurationError(error.message) from None


async def run(config: SyncConfig) -> None:
    """Run the sync until it is told to stop (SIGTERM, SIGINT).

    Raises `ConfigurationError` when there is no way to the API server, MongoDB's address cannot be used or a port
    cannot be had, and whatever ends a part of it for good: the kubelet starts a new one.
    """
    sys.setrecursionlimit(JSON_LEVELS + 2_000)
    metrics = SyncMetrics()
    source = open_source(config)
    if config.metrics_port:
        serve_metrics(config, metrics.registry)
    try:
        async with connect(metrics.count_request) as connection:
            target = KubernetesTarget(connection, config.namespace)
            recorder = EventRecorder(target, metrics.event_failures)
            rounds = Rounds(
                source=source, target=target, config=config, recorder=recorder, metrics=metrics, clock=utc_now
            )
            feed = ChangeFeed(
                source,
                rounds.ask,
                pace=Pace(poll=config.poll_seconds),
                interrupted=lambda obstacle: metrics.restarts.labels(obstacle).inc(),
            )
            metrics.follow_mode(lambda: feed.mode)
            terminated = asyncio.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                # Until kopf takes them over at its own start. In a container's first process they would do nothing.
                asyncio.get_running_loop().add_signal_handler(number, terminated.set)
            checks = SyncHealth(rounds, timedelta(seconds=config.full_seconds), utc_now)
            watch = kopf.operator(
                registry=build_registry(rounds),
                settings=framework.build_settings(),
                standalone=True,
                namespaces=(config.namespace,),
            )
            await until_first_ends(
                watch,
                terminated.wait(),
                rounds.work(),
                feed.run(),
                recorder.work(),
                *([health.serve(config.listen_address, config.health_port, checks)] if config.health_port else []),
            )
    finally:
        await source.close()
