"""Trials: tests that mostly wait for processes, run side by side, each in surroundings of its own.

A test with the decorator `side_by_side` takes a `Trial` as its first argument. Before the first such test of a module
all of them that were selected are carried out, a few at a time, and each test then shows its own result: names,
parameters, `-k` and tracebacks are those of ordinary tests.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from tests.conductor import Answer, StubConductor
from tests.mongodb import Mongod
from tests.runner.process import RunnerSetup

P = ParamSpec("P")

AT_A_TIME: Final = 8
"""More than there are processors: a trial spends nine tenths of its time waiting."""
_FUNCTION: Final = "trial_function"
_numbers = itertools.count(1)
_failpoint = threading.Lock()
_starting = threading.Lock()


@dataclass(frozen=True)
class Trial:
    """One Councilor with a Conductor and a database of its own, on a MongoDB server that all share.

    Unless scripted otherwise the agent warns after a moment.
    """

    setup: RunnerSetup
    stub: StubConductor
    mongod: Mongod
    database: Database[dict[str, Any]]

    @contextlib.contextmanager
    def fail_command(self, command: str, collection: str, **data: Any) -> Iterator[None]:
        """Make a command of the runner fail inside the block; `data` as for `Mongod.fail_command`."""
        namespace = f"{self.database.name}.{collection}"
        # The server has one such failpoint: the namespace spares the other trials, the lock their failpoints.
        with _failpoint, self.mongod.fail_command(command, namespace=namespace, appName="councilor-runner", **data):
            yield


@contextlib.contextmanager
def new_trial(mongod: Mongod, directory: Path) -> Iterator[Trial]:
    name = f"trial_{next(_numbers)}"
    with contextlib.ExitStack() as ending:
        client = ending.enter_context(MongoClient[dict[str, Any]](mongod.uri, appname="test"))
        ending.callback(client.drop_database, name)
        # FastAPI silences a warning while it builds an application, which is a matter of the whole process.
        with _starting:
            stub = ending.enter_context(StubConductor(mongod.uri, database=name))
        setup = RunnerSetup(directory, stub.conductor_url, stub.gateway_url, mongod.uri)
        setup.document["endpoints"]["database"] = name
        stub.add_agent(setup.agent_id)
        stub.script(setup.agent_id, Answer(result="One is old.\nSEVERITY: warning", delay=0.2))
        yield Trial(setup, stub, mongod, client[name])


def side_by_side(function: Callable[Concatenate[Trial, P], None]) -> Callable[..., None]:
    """Turn a function of a trial, and of parameters, into a test that runs beside the others of its module."""

    def test(trials: dict[str, Future[None]], request: pytest.FixtureRequest, **_: Any) -> None:
        trials[request.node.nodeid].result()

    _, *parameters = inspect.signature(function).parameters.values()
    own = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in ("trials", "request")]
    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    test.__name__, test.__doc__, test.__module__ = function.__name__, function.__doc__, function.__module__
    # What pytest reads to find out which fixtures and parameters the test takes.
    vars(test)["__signature__"] = inspect.Signature([*own, *keywords])
    vars(test)[_FUNCTION] = function
    return test


@pytest.fixture(scope="module")
def trials(
    request: pytest.FixtureRequest, mongod_replica_set: Mongod, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Future[None]]:
    """The selected trials of the module, ended, by node id."""

    def carry_out(function: Callable[..., None], parameters: dict[str, Any], directory: Path) -> None:
        with new_trial(mongod_replica_set, directory) as trial:
            function(trial, **parameters)

    with contextlib.ExitStack() as ending:
        pool = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="trial")
        ending.callback(pool.shutdown, cancel_futures=True)
        ended = {}
        for item in request.session.items:
            if isinstance(item, pytest.Function) and item.module is request.module:
                function = getattr(item.function, _FUNCTION, None)
                if function is not None:
                    parameters = item.callspec.params if hasattr(item, "callspec") else {}
                    directory = tmp_path_factory.mktemp("trial")
                    ended[item.nodeid] = pool.submit(carry_out, function, parameters, directory)
        # Not while tests go by: pytest changes the warning filters of the process for each.
        wait(ended.values())
    return ended
