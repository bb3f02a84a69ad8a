"""pytest fixtures: a stub Conductor per test, on the session's replica set.

Import them from a conftest beside those of `tests.mongodb.fixtures`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pymongo
import pytest
from pymongo.database import Database

from tests.conductor.documents import DATABASE
from tests.conductor.stub import StubConductor
from tests.mongodb.server import Mongod


@pytest.fixture
def stub_conductor(mongod: Mongod) -> Iterator[StubConductor]:
    """A running stub without agents, on an emptied database."""
    with StubConductor(mongod.uri) as stub:
        yield stub


@pytest.fixture
def conductor_database(mongod: Mongod) -> Iterator[Database[dict[str, Any]]]:
    """The database the stub writes to, through a synchronous client of the test's own."""
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(mongod.uri, appname="test")
    try:
        yield client[DATABASE]
    finally:
        client.close()
