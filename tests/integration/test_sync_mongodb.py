"""The sync's way to MongoDB: TLS, users with the least privileges, and what it says when either is wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pymongo import MongoClient

from councilor_operator.sync.source import SourceError
from tests.certificates import Authority
from tests.integration.listener import DATABASE, FORGOTTEN, POLLING, listening, reading, sockets_collected
from tests.integration.test_sync_source import agent
from tests.mongodb import Mongod

__all__ = ["sockets_collected"]

pytestmark = FORGOTTEN

PASSWORD = "hunter2:@/%"
ADMINISTRATOR = "administrator"


def on(collection: str, *actions: str) -> dict[str, Any]:
    return {"resource": {"db": DATABASE, "collection": collection}, "actions": list(actions)}


READ = [on("agents", "find"), on("agent_instances", "find")]
"""All that reading needs. Changes are noticed by polling."""
WATCH = [on("", "find", "changeStream")]
"""All that reading and watching need: a stream over a database asks for both on the whole of it."""

ROLES: dict[str, list[dict[str, Any]]] = {
    "reads": READ,
    "watches": WATCH,
    "watches-two": [on(name, "find", "changeStream") for name in ("agents", "agent_instances")],
    "watches-blindly": [*READ, on("", "changeStream")],
    "reads-half": [on("agents", "find")],
    "nothing": [],
}

Deployment = tuple[Mongod, Path]


@pytest.fixture(scope="module", params=["replica-set", "standalone"])
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A server of each shape that demands TLS and users, and the certificate of its authority."""
    folder = tmp_path_factory.mktemp("mongodb")
    authority = Authority(folder / "authority")
    key_file = folder / "key"
    key_file.write_text("c2VjcmV0c2VjcmV0")
    key_file.chmod(0o600)
    with Mongod(request.param, identity=authority.issue("mongod"), key_file=key_file) as server:
        server.create_administrator(ADMINISTRATOR, PASSWORD)
        with MongoClient[dict[str, Any]](
            uri(server, ADMINISTRATOR, authority.certificate, source="admin")
        ) as administrator:
            database = administrator[DATABASE]
            database.agents.insert_one(agent())
            for name, privileges in ROLES.items():
                database.command("createRole", name, privileges=privileges, roles=[])
                database.command("createUser", name, pwd=PASSWORD, roles=[name])
            database.command("createUser", "read", pwd=PASSWORD, roles=["read"])
        yield server, authority.certificate


def uri(server: Mongod, user: str, certificate: Path | None, password: str = PASSWORD, source: str = DATABASE) -> str:
    credentials = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    ca = "" if certificate is None else f"&tlsCAFile={quote(str(certificate), safe='')}"
    address = server.uri.replace("mongodb://", f"mongodb://{credentials}")
    return f"{address}&tls=true{ca}" + (f"&authSource={source}" if user else "")


@pytest.mark.parametrize("user", ["read", "watches"])
async def test_who_may_watch_has_a_stream(deployment: Deployment, user: str) -> None:
    server, certificate = deployment
    async with reading(uri(server, user, certificate)) as source:
        assert len(await source.read()) == 1
        async with listening(source, POLLING) as listener:
            await listener.until("restarted" if server.shape == "replica-set" else "poll")
            assert listener.mode == ("stream" if server.shape == "replica-set" else "poll")


@pytest.mark.parametrize("user", ["reads", "watches-two", "watches-blindly"])
async def test_who_may_only_read_is_told_once_and_polls(
    deployment: Deployment, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    server, certificate = deployment
    caplog.set_level(logging.INFO)
    async with reading(uri(server, user, certificate)) as source:
        async with listening(source, POLLING) as listener:
            while len(listener.obstacles) < 3:
                assert await listener.next() == "poll"
            assert listener.mode == "poll"
        assert len(await source.read()) == 1
    said = [record.getMessage() for record in caplog.records if record.name.startswith("councilor_operator")]
    if "forbidden" in listener.obstacles:
        (warning,) = said
        assert "OperationFailure, code 13" in warning
        assert "grant the sync's user `find` and `changeStream` on the whole database" in warning
        assert "until then changes are noticed by polling" in warning
    else:
        assert (server.shape, len(said)) == ("standalone", 1)


@pytest.mark.parametrize("user", ["reads-half", "nothing", ""])
async def test_who_may_not_read_everything_gets_nothing(deployment: Deployment, user: str) -> None:
    server, certificate = deployment
    async with reading(uri(server, user, certificate)) as source:
        with pytest.raises(SourceError, match="grant it `find` on agents and agent_instances") as caught:
            await source.read()
    assert caught.value.cause == "credentials"


@pytest.mark.parametrize(
    ("user", "password", "trusted", "cause", "words"),
    [
        ("read", "wr0ng-one", True, "credentials", "check user, password and authSource"),
        ("stranger", PASSWORD, True, "credentials", "check user, password and authSource"),
        ("read", PASSWORD, False, "configuration", "tlsCAFile"),
    ],
)
async def test_nothing_secret_is_said(
    deployment: Deployment,
    caplog: pytest.LogCaptureFixture,
    user: str,
    password: str,
    trusted: bool,
    cause: str,
    words: str,
) -> None:
    server, certificate = deployment
    caplog.set_level(logging.DEBUG)
    address = uri(server, user, certificate if trusted else None, password)
    async with reading(address, timeout_seconds=3.0) as source:
        with pytest.raises(SourceError, match=words) as caught:
            await source.read()
        async with listening(source, POLLING) as listener:
            await listener.interrupted()
    assert caught.value.cause == cause
    said = caplog.text + caught.value.message
    assert words in said
    for secret in (password, quote(password, safe=""), address, server.address, str(server.port), DATABASE):
        assert secret not in said


async def test_a_server_with_tls_and_an_address_without(deployment: Deployment) -> None:
    server, _ = deployment
    async with reading(server.uri, timeout_seconds=3.0) as source:
        with pytest.raises(SourceError, match="tls=true stands there if, and only if") as caught:
            await source.read()
    assert caught.value.cause == "unreachable"
