"""What the sync needs of MongoDB: the role of docs/sync.md is enough, and less of it is told and lived with."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pymongo import MongoClient

from tests.controlplane.api import Api, eventually
from tests.controlplane.sync import SyncWorld, agent, instance, sync_world
from tests.documentation import json_with
from tests.mongodb import Mongod

PASSWORD = "hunter2:@/%"
ADMINISTRATOR = "administrator"
ROLE: dict[str, Any] = json_with("docs/sync.md", "createRole")
"""What the documentation tells people to grant."""
FIND_ONLY = [
    {"resource": {"db": "conductor_state", "collection": name}, "actions": ["find"]}
    for name in ("agents", "agent_instances")
]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    """A replica set that demands users."""
    key_file = tmp_path_factory.mktemp("mongodb") / "key"
    key_file.write_text("c2VjcmV0c2VjcmV0")
    key_file.chmod(0o600)
    with Mongod("replica-set", key_file=key_file) as server:
        server.create_administrator(ADMINISTRATOR, PASSWORD)
        yield server


@pytest.fixture
def administrator(guarded: Mongod) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](uri(guarded, ADMINISTRATOR)) as client:
        client.drop_database("conductor_state")
        client.conductor_state.agents.insert_one(agent())
        client.conductor_state.agent_instances.insert_one(instance())
        yield client


def uri(server: Mongod, user: str, options: str = "") -> str:
    return server.uri.replace("mongodb://", f"mongodb://{user}:{quote(PASSWORD, safe='')}@") + options


def grant(client: MongoClient[dict[str, Any]], privileges: list[dict[str, Any]]) -> None:
    """Let the user `sync` have exactly these privileges."""
    database = client.conductor_state
    for command in ("dropAllUsersFromDatabase", "dropAllRolesFromDatabase"):
        database.command(command)
    # The very command of the documentation.
    database.command({**ROLE, "privileges": privileges})
    database.command("createUser", "sync", pwd=PASSWORD, roles=[ROLE["createRole"]])


def follows(sync: SyncWorld, client: MongoClient[dict[str, Any]]) -> None:
    """See that what is there has its Councilors, and that a change arrives."""
    sync.process.start()
    eventually(lambda: len(sync.councilors()) == 2, "both documents have their Councilors")
    client.conductor_state.agents.insert_one(agent("Later_Agent"))
    eventually(lambda: len(sync.councilors()) == 3, "a document that comes later has its own")


def test_the_documented_role_is_enough(
    api: Api,
    kubeconfig: Path,
    namespace: str,
    guarded: Mongod,
    administrator: MongoClient[dict[str, Any]],
    tmp_path: Path,
) -> None:
    grant(administrator, ROLE["privileges"])
    address = uri(guarded, "sync", "&authSource=conductor_state")
    with sync_world(api, kubeconfig, namespace, address, tmp_path / "sync.log") as sync:
        follows(sync, administrator)
        assert sync.sample("feed_mode", mode="stream") == 1
        assert sync.sample("feed_restarts_total", cause="forbidden") == 0


def test_with_the_right_to_read_alone_it_polls_and_says_so(
    api: Api,
    kubeconfig: Path,
    namespace: str,
    guarded: Mongod,
    administrator: MongoClient[dict[str, Any]],
    tmp_path: Path,
) -> None:
    grant(administrator, FIND_ONLY)
    address = uri(guarded, "sync", "&authSource=conductor_state")
    with sync_world(api, kubeconfig, namespace, address, tmp_path / "sync.log") as sync:
        follows(sync, administrator)
        eventually(lambda: sync.sample("feed_mode", mode="poll") == 1, "it polls")
        assert "changeStream" in sync.process.logged()
        assert PASSWORD not in sync.process.logged()


def test_without_a_collection_nothing_is_compared_and_the_message_says_what_to_grant(
    api: Api,
    kubeconfig: Path,
    namespace: str,
    guarded: Mongod,
    administrator: MongoClient[dict[str, Any]],
    tmp_path: Path,
) -> None:
    """Half of the documents are no documents: none of the other half is taken for all."""
    grant(administrator, FIND_ONLY[:1])
    address = uri(guarded, "sync", "&authSource=conductor_state")
    with sync_world(api, kubeconfig, namespace, address, tmp_path / "sync.log") as sync:
        sync.process.launch()
        assert "grant it `find` on agents and agent_instances" in sync.event("SourceFailed")["note"]
        assert sync.councilors() == {}
        answer = sync.process.probe("/readyz")
        assert answer.status_code == 503
        assert "first-comparison" in answer.text
