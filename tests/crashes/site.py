"""Where trials take place: a mongod and a stub Conductor that the trials of one shape share.

Each trial has an agent, a Job and a task of its own, so that trials go on side by side.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pymongo import MongoClient
from pymongo.database import Database

from tests.conductor import Settings, StubConductor
from tests.conductor.documents import DATABASE
from tests.crashes.scenario import Scenario
from tests.crashes.tap import Exchange, Service
from tests.mongodb import Mongod
from tests.runner.process import RunnerSetup

_numbers: Final = itertools.count(1)
_starting: Final = threading.Lock()


@dataclass(frozen=True)
class Site:
    """Servers, and the loop of the taps before them."""

    mongod: Mongod
    stub: StubConductor
    database: Database[dict[str, Any]]
    exchange: Exchange
    directory: Path

    def setup(self, scenario: Scenario) -> RunnerSetup:
        """Return the setup of a new run; its agent exists and knows its answer, unless it is not to exist."""
        number = next(_numbers)
        setup = RunnerSetup(self.directory, self.stub.conductor_url, agent_id=f"Agent_{number}")
        scenario.apply(setup, number)
        if scenario.ending_name != "unknown agent":
            self.stub.add_agent(setup.agent_id)
        if scenario.ending.answer is not None:
            self.stub.script(setup.agent_id, scenario.ending.answer)
        return setup

    def upstreams(self, scenario: Scenario) -> dict[Service, tuple[str, int]]:
        """Return the servers a run of the scenario talks to."""
        addresses: dict[Service, tuple[str, int]] = {"conductor": _address(self.stub.conductor_url)}
        if scenario.recorded:
            addresses["mongodb"] = (self.mongod.bind_ip, self.mongod.port)
        if scenario.gateway:
            addresses["gateway"] = _address(self.stub.gateway_url)
        return addresses


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


@contextlib.contextmanager
def open_site(mongod: Mongod, exchange: Exchange, directory: Path) -> Iterator[Site]:
    """Start a Conductor on this server. Its own writes are journaled: what it loses is not what is tried here."""
    with contextlib.ExitStack() as ending:
        # FastAPI silences a warning while it builds an application, which is a matter of the whole process.
        with _starting:
            stub = StubConductor(f"{mongod.uri}&journal=true", settings=Settings(era="seed"))
            ending.enter_context(stub)
        client = ending.enter_context(MongoClient[dict[str, Any]](mongod.uri, appname="test", tz_aware=True))
        yield Site(mongod, stub, client[DATABASE], exchange, directory)
