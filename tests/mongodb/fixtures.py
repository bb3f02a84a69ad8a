"""pytest fixtures: one mongod of each shape per session, started when first asked for.

Import them from a conftest. Tests that kill, block or reconfigure a server start their own `Mongod` instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from tests.mongodb.server import Mongod, Shape


@pytest.fixture(scope="session")
def mongod_replica_set() -> Iterator[Mongod]:
    """The session's replica set of one member, failpoints allowed."""
    with Mongod("replica-set", failpoints=True) as server:
        yield server


@pytest.fixture(scope="session")
def mongod_standalone() -> Iterator[Mongod]:
    """The session's standalone server, failpoints allowed."""
    with Mongod("standalone", failpoints=True) as server:
        yield server


@pytest.fixture
def mongod(mongod_replica_set: Mongod) -> Mongod:
    """The session's replica set, emptied before the test."""
    mongod_replica_set.drop_databases()
    return mongod_replica_set


@pytest.fixture(params=["replica-set", "standalone"])
def any_mongod(request: pytest.FixtureRequest) -> Mongod:
    """Runs the test once on each shape, on an emptied server."""
    shape = cast("Shape", request.param)
    name = "mongod_replica_set" if shape == "replica-set" else "mongod_standalone"
    server = cast("Mongod", request.getfixturevalue(name))
    server.drop_databases()
    return server


@pytest.fixture
def mongodb_uri(mongod: Mongod) -> str:
    """Connection string of the emptied replica set."""
    return mongod.uri
