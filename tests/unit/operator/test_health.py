"""What the kubelet is told: what is wrong, in words, and when it is right again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from councilor_operator.cache import Cache
from councilor_operator.errors import ConfigurationError
from councilor_operator.health import MISSED_LISTS, Health, Limits, serve, text
from councilor_operator.metrics import Metrics
from councilor_operator.observer import Observer
from councilor_operator.workqueue import WorkQueue
from tests.factories import FixedClock
from tests.ports import free_port
from tests.unit.operator.test_observer import Lists

EVERY = timedelta(minutes=10)


class Parts:
    def __init__(self) -> None:
        self.clock = FixedClock()
        self.queue: WorkQueue[str] = WorkQueue(lambda: self.clock.now.timestamp())
        self.observer = Observer(cache=Cache(), queue=self.queue, lists=Lists(), metrics=Metrics(), clock=self.clock)
        self.health = Health(observer=self.observer, queue=self.queue, limits=Limits.of_resync(EVERY), clock=self.clock)

    def wrong(self) -> dict[str, str]:
        return {name: found for name, found in self.health.live().items() if found is not None}


@pytest.fixture
def parts() -> Parts:
    return Parts()


async def test_lists_that_stop_coming(parts: Parts) -> None:
    assert parts.wrong() == {}
    await parts.observer.list()
    parts.clock.advance(minutes=10 * MISSED_LISTS)
    assert parts.wrong() == {}
    parts.clock.advance(seconds=1)
    since = "no full list since 2026-03-02T09:30:00+00:00"
    assert parts.wrong() == {"lists": f"{since}: the API server takes long to answer"}
    parts.observer.list_problem = "the API server cannot be reached: TimeoutError"
    assert parts.wrong() == {"lists": f"{since}: the API server cannot be reached: TimeoutError"}
    await parts.observer.list()
    assert parts.wrong() == {}


async def test_a_first_list_that_never_comes(parts: Parts) -> None:
    parts.clock.advance(minutes=10 * MISSED_LISTS, seconds=1)
    assert set(parts.wrong()) == {"lists"}


async def test_a_queue_that_nobody_serves(parts: Parts) -> None:
    parts.queue.add("a")
    parts.clock.advance(minutes=5)
    assert parts.wrong() == {}
    parts.clock.advance(seconds=7)
    assert parts.wrong() == {"queue": "a Councilor has been waiting for 307 s"}
    parts.queue.done(await parts.queue.get())
    assert parts.wrong() == {}


async def test_a_worker_that_hangs_in_one_pass(parts: Parts) -> None:
    """The others still serve the queue: it shows no age."""
    for key in ("hangs", "goes on"):
        parts.queue.add(key)
    hanging, other = await parts.queue.get(), await parts.queue.get()
    parts.clock.advance(minutes=5, seconds=1)
    parts.queue.done(other)
    assert parts.wrong() == {"workers": "a worker has been busy with one Councilor for 301 s"}
    parts.queue.retry(hanging)
    assert parts.wrong() == {}


async def test_ready_once_everything_was_listed(parts: Parts) -> None:
    assert any(parts.health.ready().values())
    await parts.observer.list()
    assert not any(parts.health.ready().values())
    parts.clock.advance(hours=9)
    assert not any(parts.health.ready().values())


@pytest.mark.parametrize(
    ("findings", "verbose", "expected"),
    [
        ({"a": None}, False, "ok"),
        ({"a": None, "b": None}, True, "[+]a ok\n[+]b ok\nhealthz check passed\n"),
        ({"a": None, "b": "broken"}, False, "[+]a ok\n[-]b failed: broken\nhealthz check failed\n"),
        ({"b": "broken"}, True, "[-]b failed: broken\nhealthz check failed\n"),
    ],
)
def test_answers_look_like_those_of_the_api_server(
    findings: dict[str, str | None], verbose: bool, expected: str
) -> None:
    assert text("healthz", findings, verbose=verbose) == expected


@asynccontextmanager
async def served(health: Health) -> AsyncIterator[str]:
    """The endpoints over HTTP; yields their address."""
    port = free_port()
    task = asyncio.create_task(serve("127.0.0.1", port, health))
    address = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(10), httpx.AsyncClient() as client:
            while not task.done():
                try:
                    await client.get(f"{address}/readyz")
                except httpx.TransportError:
                    await asyncio.sleep(0.01)
                else:
                    break
        yield address
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_over_http(parts: Parts) -> None:
    async with served(parts.health) as address, httpx.AsyncClient(base_url=address) as client:
        live, ready = await client.get("/healthz"), await client.get("/readyz")
        assert (live.status_code, live.text) == (200, "ok")
        assert ready.status_code == 503
        assert "[-]first-list failed" in ready.text
        await parts.observer.list()
        assert (await client.get("/readyz")).text == "ok"
        parts.clock.advance(hours=1)
        sick = await client.get("/healthz")
        assert sick.status_code == 503
        assert "no full list since" in sick.text
        assert (await client.get("/readyz?verbose")).text == "[+]first-list ok\nreadyz check passed\n"
        assert (await client.get("/")).status_code == 404


async def test_a_port_that_is_taken_is_named(parts: Parts) -> None:
    async with served(parts.health) as address:
        port = httpx.URL(address).port
        assert port is not None
        with pytest.raises(ConfigurationError, match=f"COUNCILOR_HEALTH_PORT: 127.0.0.1 port {port} "):
            await serve("127.0.0.1", port, parts.health)
