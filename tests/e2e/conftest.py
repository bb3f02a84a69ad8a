"""Fixtures of the end-to-end tests. A missing prerequisite is a failure, never a skip."""

from __future__ import annotations

import itertools
import re
import signal
from collections.abc import Generator, Iterator
from dataclasses import replace
from types import FrameType

import pytest

from hack.demo import installation
from hack.demo.commands import CommandError
from tests.e2e.environment import Environment, started
from tests.e2e.workspace import Workspace

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def environment() -> Iterator[Environment]:
    """Everything, running; ended also when the tests are told to stop."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with started() as running:
            yield running
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.fixture
def workspace(environment: Environment, request: pytest.FixtureRequest) -> Iterator[Workspace]:
    """A namespace of the test's own."""
    words = re.sub("[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")
    found = Workspace(environment, f"{words[:40].strip('-')}-{next(_numbers)}")
    yield found
    found.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds what the cluster shows to the report of a test that failed, while it can still be seen."""
    report = yield
    workspace = getattr(item, "funcargs", {}).get("workspace")
    if report.failed and call.when == "call" and isinstance(workspace, Workspace):
        scope = replace(workspace.environment.installation.scope, councilor_namespace=workspace.namespace)
        try:
            text = installation.diagnosis(workspace.environment.cluster, scope)
        except CommandError as error:
            text = str(error)
        report.sections.append((f"cluster, namespace {workspace.namespace}", text))
    return report


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
