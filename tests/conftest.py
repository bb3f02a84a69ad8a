"""Options and fixtures for the whole suite: golden files, and real servers, which start when a test asks for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

from tests.conductor.fixtures import conductor_database, stub_conductor
from tests.mongodb.fixtures import any_mongod, mongod, mongod_replica_set, mongod_standalone, mongodb_uri

__all__ = [
    "any_mongod",
    "conductor_database",
    "mongod",
    "mongod_replica_set",
    "mongod_standalone",
    "mongodb_uri",
    "stub_conductor",
]

# How long an example takes is the machine's affair; speed belongs to the benchmark.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the code makes now to tests/golden instead of comparing with it; review the diff",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with a file of tests/golden, or write it there with --update-golden."""
    update = bool(request.config.getoption("--update-golden"))

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if update:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        if not path.exists():
            pytest.fail(f"{path} is missing: make it with --update-golden and review it")
        assert text == path.read_text(encoding="utf-8"), (
            f"differs from {path}: run with --update-golden, review the diff"
        )

    return compare
