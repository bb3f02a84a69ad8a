"""Requests and answers that a real API server gives only by chance, from a small server in its place."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration

from councilor_operator.cluster import KubernetesCluster, Listing
from councilor_operator.connection import Connection
from councilor_operator.errors import ConflictError, TransientError
from councilor_operator.metrics import Metrics
from councilor_operator.observed import ObservedCronJob
from tests import factories
from tests.factories import Body, merged
from tests.unit.operator.test_builders import build

Answer = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def api_server(answer: Answer) -> AsyncIterator[Connection]:
    """A connection to a server on loopback that answers like this."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    client = ApiClient(Configuration(host=f"http://{host}:{port}"))
    try:
        yield Connection(client, Metrics().count_request)
    finally:
        await client.close()
        await runner.cleanup()


@pytest.mark.parametrize("content", ["", "<html>Log in</html>", '{"kind": '])
async def test_an_answer_that_is_no_json_is_tried_again(content: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=content, content_type="text/html")

    async with api_server(answer) as connection:
        with pytest.raises(TransientError) as caught:
            await connection.request("GET", "/api/v1/namespaces/n/pods")
    assert caught.value.status == 200
    assert "Log in" not in caught.value.message


async def test_a_job_that_is_deleted_while_it_is_made_is_a_conflict() -> None:
    """Its name is taken, and then it is not there: nothing is said about the Councilor."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"kind": "Status", "message": "m"}, status=409 if request.method == "POST" else 404)

    async with api_server(answer) as connection:
        with pytest.raises(ConflictError, match="deleted at the same moment"):
            await KubernetesCluster(connection, instance="i").create_job(factories.job_body())


async def test_a_list_leaves_out_what_cannot_be_read(caplog: pytest.LogCaptureFixture) -> None:
    good = factories.cron_job_body(build())
    bad: Body = merged(good, {"metadata": {"name": "bad", "creationTimestamp": None}})
    pages: list[Any] = [
        {"metadata": {"resourceVersion": "7", "continue": "more"}, "items": [bad, good]},
        {"metadata": {"resourceVersion": "7"}, "items": [bad]},
    ]

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=json.dumps(pages["continue" in request.query]), content_type="application/json")

    async with api_server(answer) as connection:
        found = [page async for page in Listing(connection, ()).cron_jobs()]
    assert [list(page.items) for page in found] == [[ObservedCronJob.from_object(good)], []]
    assert f"CronJob {good['metadata']['namespace']}/bad is left out" in caplog.text
