"""Fixtures of the operator's unit tests: a cluster in memory, and its clock."""

import pytest

from tests.factories import FixedClock
from tests.unit.operator.fake_cluster import FakeCluster


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def cluster(clock: FixedClock) -> FakeCluster:
    return FakeCluster(clock)
