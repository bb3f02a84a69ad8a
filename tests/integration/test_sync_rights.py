"""What the sync may do: a walk through everything it does under the rights of an installation, and no right beyond."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from councilor_operator.rights import SYNC_RULES
from tests.controlplane.account import Account, allowed, make_sync_account, rights, used
from tests.controlplane.api import COUNCILORS, Api, eventually
from tests.controlplane.launcher import ControlPlane
from tests.controlplane.sync import agent, sync_world
from tests.mongodb import Mongod

PROMPT = "the-prompt-is-nobodys-business"


@dataclass(frozen=True)
class Walk:
    """What is left of a walk through everything that the sync does."""

    account: Account
    requests: list[dict[str, Any]]
    """The API server's records of the sync's requests."""
    log: str


@pytest.fixture(scope="module")
def walk(
    api: Api, control_plane: ControlPlane, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Walk]:
    """Let the sync do everything it does: create, change, undo an edit, delete, and tell of it."""
    namespace, folder = api.make_namespace("sync-walk"), tmp_path_factory.mktemp("sync-walk")
    account = make_sync_account(api, kubeconfig, folder, namespace)
    mark = control_plane.audit_mark()
    with (
        Mongod("replica-set") as mongod,
        sync_world(api, account.kubeconfig, namespace, mongod.uri, folder / "sync.log") as sync,
    ):
        sync.database.agents.insert_many([agent(f"A{number}_Agent") for number in range(3)])
        sync.process.start()
        names = [f"agents/A{number}_Agent" for number in range(3)]
        name = sync.wait_for(*names)[names[0]]["metadata"]["name"]
        task = {"name": "Licence check", "prompt": PROMPT}
        sync.database.agents.update_one({"agent_id": "A0_Agent"}, {"$set": {"councilor_config.task": task}})
        eventually(lambda: sync.councilors()[names[0]]["spec"]["task"]["prompt"] == PROMPT, "it follows the document")
        api.patch(COUNCILORS, namespace, name, {"spec": {"suspendAfterFailures": 1}})
        eventually(lambda: sync.councilors()[names[0]]["spec"]["suspendAfterFailures"] == 5, "the edit is undone")
        sync.event("EditReverted")
        sync.database.agents.delete_one({"agent_id": "A1_Agent"})
        sync.wait_for(names[0], names[2])
        sync.event("Removed")
        sync.process.stop()
        yield Walk(account, list(control_plane.requests_of(account.user, since=mark)), sync.process.logged())


def test_each_right_is_used(walk: Walk) -> None:
    assert used(walk.requests) == rights(SYNC_RULES)


def test_nothing_is_refused(walk: Walk) -> None:
    refused = [entry for entry in walk.requests if entry["responseStatus"]["code"] in {401, 403}]
    assert [(entry["verb"], entry["requestURI"]) for entry in refused] == []


def test_nothing_outside_the_namespace_is_asked_for(walk: Walk) -> None:
    targets = [entry["objectRef"] for entry in walk.requests if "resource" in entry.get("objectRef", {})]
    assert {target.get("namespace") for target in targets} == {walk.account.namespace}


def test_the_account_can_do_nothing_else(api: Api, walk: Walk, namespace: str) -> None:
    assert allowed(api, walk.account.user, walk.account.namespace) == rights(SYNC_RULES)
    assert allowed(api, walk.account.user, namespace) == set()


def test_the_log_holds_neither_prompts_nor_the_token(walk: Walk) -> None:
    assert walk.log
    for marker in (PROMPT, walk.account.token, "mongodb://"):
        assert marker not in walk.log
