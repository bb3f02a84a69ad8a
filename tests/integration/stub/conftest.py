"""Fixtures of the stub's own tests."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conductor import StubConductor
from tests.conductor.client import AGENT


@pytest.fixture
def stub(stub_conductor: StubConductor) -> StubConductor:
    """The stub with one agent."""
    stub_conductor.add_agent(AGENT)
    return stub_conductor


@pytest.fixture
def http(stub: StubConductor) -> Iterator[httpx.Client]:
    """A client of its Conductor port."""
    with httpx.Client(base_url=stub.conductor_url, timeout=30) as client:
        yield client
