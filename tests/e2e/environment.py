"""What the end-to-end tests share: cluster, images, operator, MongoDB and Conductor, started once for the session.

The demo's parts do the work, with a state folder, namespaces and an instance name of their own. Conductor and MongoDB
belong to the test process, so that tests can script and break them; both listen where Pods reach them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymongo
from pymongo.database import Database

from hack.demo import images
from hack.demo.assembly import assemble
from hack.demo.cluster import Cluster
from hack.demo.commands import Commands
from hack.demo.demo import Demo, begin
from hack.demo.manifests import Installation, Scope
from hack.demo.services import Services
from hack.demo.state import State
from tests.conductor.documents import DATABASE
from tests.conductor.stub import StubConductor
from tests.mongodb.server import Mongod

SCOPE = Scope(instance="e2e", operator_namespace="councilor-operator-e2e", councilor_namespace="councilors-e2e")


@dataclass(frozen=True)
class Environment:
    """Everything a test may look at, script or break."""

    cluster: Cluster
    installation: Installation
    conductor: StubConductor
    mongod: Mongod
    database: Database[dict[str, Any]]


def state_folder() -> Path:
    """Beside the demo's: what a killed test run left is found and removed by the next one."""
    return State.at(None).folder.with_name("e2e")


@contextlib.contextmanager
def started() -> Iterator[Environment]:
    """A running environment; all of it is gone afterwards. A cluster that ran before stays.

    Raises DemoError with what is missing and how to get it.
    """
    state = State.at(state_folder())
    with state.locked(wait=False), contextlib.ExitStack() as stack:
        Demo(state, Commands(), SCOPE).clear(keep_logs=False)
        state.prepare()
        # An interrupted start leaves its commands refusing to run: the end has its own.
        stack.callback(lambda: Demo(state, Commands(), SCOPE).clear(keep_logs=False))
        commands = Commands()
        cluster = Cluster(commands)
        ready_made = images.named(os.environ, cluster=cluster.kind)
        begin(state, cluster)
        servers: list[tuple[Mongod, StubConductor]] = []

        def serve(address: str) -> Services:
            mongod = stack.enter_context(Mongod("replica-set", bind_ip=address))
            state.add_process("mongod", mongod.pid)
            conductor = stack.enter_context(StubConductor(mongod.uri, host=address))
            servers.append((mongod, conductor))
            return Services(mongod.uri, conductor.conductor_url, conductor.gateway_url)

        installation = assemble(commands, cluster, SCOPE, ready_made=ready_made, serve=serve)
        mongod, conductor = servers[0]
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(mongod.uri, tz_aware=True, appname="e2e")
        stack.callback(client.close)
        yield Environment(cluster, installation, conductor, mongod, client[DATABASE])
