"""`councilor-operator import` against a real mongod, and its output against a real API server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
import yaml
from pymongo.database import Database

from tests.controlplane.api import COUNCILORS, Api
from tests.controlplane.launcher import ControlPlane
from tests.controlplane.sync import DATABASE, Document, agent, instance, sync_world
from tests.mongodb import Mongod

PASSWORD = "a-password-that-nobody-may-see"


@pytest.fixture
def documents(any_mongod: Mongod) -> Iterator[Database[Document]]:
    client: pymongo.MongoClient[Document] = pymongo.MongoClient(any_mongod.uri)
    try:
        yield client[DATABASE]
    finally:
        client.close()


def run(uri: str, namespace: str = "councilors", **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COUNCILOR_")}
    return subprocess.run(
        [sys.executable, "-m", "councilor_operator", "import"],
        env={**environment, "MONGODB_URI": uri, "COUNCILOR_SYNC_NAMESPACE": namespace, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def councilors(output: str) -> list[dict[str, Any]]:
    return [item for item in yaml.safe_load_all(output) if item]


def test_what_is_printed_is_taken_as_it_is(
    documents: Database[Document], any_mongod: Mongod, control_plane: ControlPlane, api: Api, namespace: str
) -> None:
    prompt = "First line: {{project}}\n\n  - indented\n# no comment\nlast"
    documents.agents.insert_many([agent(title="1e3", task={"name": "n", "prompt": prompt}), agent("Reviewer_Agent")])
    documents.agent_instances.insert_one(instance())
    result = run(any_mongod.uri, namespace)
    assert (result.returncode, result.stderr) == (0, "")
    applied = subprocess.run(
        ["kubectl", "--kubeconfig", str(control_plane.up()), "apply", "--server-side", "-f", "-"],
        input=result.stdout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert applied.returncode == 0, applied.stderr
    found = {item["metadata"]["name"]: item for item in api.list(COUNCILORS, namespace)}
    assert sorted(found) == sorted(item["metadata"]["name"] for item in councilors(result.stdout))
    assert prompt in {item["spec"]["task"]["prompt"] for item in found.values()}
    assert all("labels" not in item["metadata"] for item in found.values())


def test_it_takes_the_place_of_the_sync(
    documents: Database[Document],
    any_mongod: Mongod,
    api: Api,
    kubeconfig: Path,
    control_plane: ControlPlane,
    namespace: str,
    tmp_path: Path,
) -> None:
    """The same names: what was synced goes on with its history, and once the label is gone it is hand-made."""
    documents.agents.insert_one(agent())
    with sync_world(api, kubeconfig, namespace, any_mongod.uri, tmp_path / "sync.log") as sync:
        sync.process.start()
        before = sync.wait_for("agents/Auditor_Agent")["agents/Auditor_Agent"]["metadata"]
    result = run(any_mongod.uri, namespace)
    (printed,) = councilors(result.stdout)
    assert printed["metadata"]["name"] == before["name"]
    control_plane.kubectl("label", "councilor", "-n", namespace, "--all", "conductor.community/source-")
    documents.agents.drop()
    with sync_world(api, kubeconfig, namespace, any_mongod.uri, tmp_path / "sync.log") as sync:
        sync.process.start()
        sync.round_passes()
        (after,) = api.list(COUNCILORS, namespace)
        assert after["metadata"]["uid"] == before["uid"]
        assert sync.writes() == 0


def test_what_is_left_out_is_named(documents: Database[Document], any_mongod: Mongod) -> None:
    documents.agents.insert_many([agent(), agent("Bad_Agent", schedule={"type": "interval", "value": "bogus"})])
    result = run(any_mongod.uri)
    assert result.returncode == 1
    assert [item["spec"]["agentId"] for item in councilors(result.stdout)] == ["Auditor_Agent"]
    assert "left out: agents/Bad_Agent: councilor_config.schedule.value" in result.stderr
    assert "1 of 2 documents left out" in result.stderr


UNUSABLE = {
    "no address": ({"MONGODB_URI": ""}, "MONGODB_URI: Field required"),
    "no namespace": ({"COUNCILOR_SYNC_NAMESPACE": ""}, "COUNCILOR_SYNC_NAMESPACE: Field required"),
    "not an address": ({"MONGODB_URI": f"mongo://u:{PASSWORD}@host"}, "MONGODB_URI is not a usable connection string"),
    "nobody there": (
        {"MONGODB_URI": f"mongodb://127.0.0.1:1/?directConnection=true&appname={PASSWORD}"},
        "MongoDB could not be reached",
    ),
    "a zone that is none": ({"COUNCILOR_SYNC_TIME_ZONE": "Mars/Olympus"}, "COUNCILOR_SYNC_TIME_ZONE: "),
    "a dialect that is none": ({"COUNCILOR_SYNC_CRON_DIALECT": "quartz"}, "COUNCILOR_SYNC_CRON_DIALECT: "),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_without_a_usable_configuration(case: str, mongod_standalone: Mongod) -> None:
    settings, message = UNUSABLE[case]
    result = run(mongod_standalone.uri, **settings)
    assert result.returncode == 78
    assert result.stdout == ""
    assert message in result.stderr
    assert PASSWORD not in result.stderr
    assert "Traceback" not in result.stderr
