"""Fixtures of the integration tests: the control plane and the operator, and the runner's store."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from councilor_runner.store import Store
from tests.controlplane.fixtures import (
    api,
    control_plane,
    kubeconfig,
    namespace,
    operator_account,
    operator_process,
    shared_operator,
)
from tests.mongodb import Mongod
from tests.runner.trials import trials
from tests.runner.world import World, world_on

__all__ = [
    "api",
    "control_plane",
    "kubeconfig",
    "namespace",
    "operator_account",
    "operator_process",
    "shared_operator",
    "trials",
]


@pytest.fixture
async def store(any_mongod: Mongod) -> AsyncIterator[Store]:
    """The runner's store on an emptied server, once on each shape."""
    opened = Store(any_mongod.uri, "conductor_state")
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def database(any_mongod: Mongod) -> AsyncIterator[AsyncDatabase[dict[str, Any]]]:
    """The same database through a client of the test's own."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(any_mongod.uri, tz_aware=True)
    try:
        yield client.conductor_state
    finally:
        await client.close()


@pytest.fixture
def both(any_mongod: Mongod, tmp_path: Path) -> Iterator[World]:
    """Once on each shape of MongoDB."""
    with world_on(any_mongod, tmp_path) as world:
        yield world


@pytest.fixture
def world(mongod: Mongod, tmp_path: Path) -> Iterator[World]:
    """On a replica set."""
    with world_on(mongod, tmp_path) as world:
        yield world
