"""The runner's way to MongoDB: TLS, users with the least privileges, and what it says when either is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pymongo import MongoClient

from councilor_runner.contract import ENV_CA_FILE, ExitCode, Reason
from tests.certificates import Authority
from tests.conductor import Answer, StubConductor
from tests.documentation import json_with
from tests.mongodb import Mongod
from tests.runner import RunnerProcess, RunnerSetup
from tests.runner.process import assert_end

PASSWORD = "hunter2:@/%"
ADMINISTRATOR = "administrator"
ROLE: dict[str, Any] = json_with("docs/runner.md", "createRole")
"""What the documentation tells people to grant."""
PRIVILEGES: list[dict[str, Any]] = ROLE["privileges"]

Deployment = tuple[Mongod, Path]


@pytest.fixture(scope="module", params=["replica-set", "standalone"])
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A server of each shape that demands TLS and users, and the certificate of its authority."""
    folder = tmp_path_factory.mktemp("mongodb")
    authority = Authority(folder / "authority")
    key_file = folder / "key"
    key_file.write_text("c2VjcmV0c2VjcmV0")
    key_file.chmod(0o600)
    with Mongod(request.param, identity=authority.issue("mongod"), key_file=key_file) as server:
        server.create_administrator(ADMINISTRATOR, PASSWORD)
        yield server, authority.certificate


def uri(server: Mongod, user: str, password: str = PASSWORD, options: str = "&tls=true") -> str:
    credentials = f"{quote(user, safe='')}:{quote(password, safe='')}@"
    return server.uri.replace("mongodb://", f"mongodb://{credentials}") + options


def runner_uri(server: Mongod, user: str = "runner", password: str = PASSWORD) -> str:
    return uri(server, user, password, "&tls=true&authSource=conductor_state")


def administrator(deployment: Deployment) -> MongoClient[dict[str, Any]]:
    server, certificate = deployment
    return MongoClient(uri(server, ADMINISTRATOR), tlsCAFile=str(certificate), tz_aware=True)


@pytest.fixture
def setup(deployment: Deployment, tmp_path: Path) -> Iterator[tuple[RunnerSetup, StubConductor]]:
    server, certificate = deployment
    with administrator(deployment) as client:
        client.drop_database("conductor_state")
    with StubConductor(f"{uri(server, ADMINISTRATOR)}&tlsCAFile={certificate}") as stub:
        stub.add_agent("A_Agent")
        stub.script("A_Agent", Answer(result="One is old.\nSEVERITY: warning"))
        setup = RunnerSetup(tmp_path, stub.conductor_url, None, runner_uri(server))
        setup.environment[ENV_CA_FILE] = str(certificate)
        yield setup, stub


def grant(deployment: Deployment, privileges: list[dict[str, Any]]) -> None:
    """Let the user `runner` have exactly these privileges."""
    with administrator(deployment) as client:
        database = client.conductor_state
        for command in ("dropAllUsersFromDatabase", "dropAllRolesFromDatabase"):
            database.command(command)
        # The very command of the documentation.
        database.command({**ROLE, "privileges": privileges})
        database.command("createUser", "runner", pwd=PASSWORD, roles=[ROLE["createRole"]])


def without(collection: str, *actions: str) -> list[dict[str, Any]]:
    """The documented privileges but for these actions on one collection."""
    less = [
        {
            "resource": entry["resource"],
            "actions": [
                action
                for action in entry["actions"]
                if entry["resource"]["collection"] != collection or action not in actions
            ],
        }
        for entry in PRIVILEGES
    ]
    assert less != PRIVILEGES
    return less


def ended(pod: RunnerProcess, code: ExitCode, reason: Reason, *words: str, **report: object) -> None:
    """Assert how a Pod ended, that a person is told these words, and nobody an address or the password."""
    assert_end(pod, code, reason, *words, **report)
    for secret in (PASSWORD, quote(PASSWORD, safe=""), "127.0.0.1"):
        assert secret not in pod.log + pod.message.decode()


# --- privileges -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("instance", [None, "councilor_A_Agent_1"])
def test_the_documented_privileges_are_enough(
    deployment: Deployment, setup: tuple[RunnerSetup, StubConductor], instance: str | None
) -> None:
    councilor, stub = setup
    grant(deployment, PRIVILEGES)
    councilor.document["agent"]["instanceId"] = instance
    with administrator(deployment) as client:
        client.conductor_state.agent_instances.insert_one({"instance_id": "councilor_A_Agent_1"})
        pod = councilor.run()
        ended(pod, ExitCode.COMPLETED, Reason.COMPLETED, severity="warning", recorded=True)
        database = client.conductor_state
        assert "index not created" not in pod.log
        assert {"execution_id_1", "councilor_id_1_started_at_-1"} < set(
            database.councilor_executions.index_information()
        )
        counted = database.agents.find_one({}) if instance is None else database.agent_instances.find_one({})
        assert counted is not None
        assert counted["stats" if instance is None else "statistics"]["total_executions"] == 1
        task = database.tasks.find_one({})
        assert task is not None
        assert task["severity"] == "warning"
    # A report, and a Pod after the end, need no more.
    told = pod.report.model_copy(update={"recorded": False})
    assert councilor.report(told).exit_code == ExitCode.COMPLETED
    ended(councilor.run(), ExitCode.COMPLETED, Reason.COMPLETED, recorded=True)
    assert stub.executions == {councilor.task_id: 1}


@pytest.mark.parametrize(
    ("collection", "action"),
    [(entry["resource"]["collection"], action) for entry in PRIVILEGES for action in entry["actions"]],
)
def test_each_documented_privilege_is_needed(
    deployment: Deployment, setup: tuple[RunnerSetup, StubConductor], collection: str, action: str
) -> None:
    councilor, stub = setup
    grant(deployment, without(collection, action))
    councilor.document["agent"]["instanceId"] = "councilor_A_Agent_1" if collection == "agent_instances" else None
    with administrator(deployment) as client:
        client.conductor_state.agent_instances.insert_one({"instance_id": "councilor_A_Agent_1"})
    pod = councilor.run()
    match collection, action:
        case "councilor_executions", "createIndex":
            ended(pod, ExitCode.COMPLETED, Reason.COMPLETED, recorded=True)
            assert "code 13" in next(line["detail"] for line in pod.lines if line["message"] == "index not created")
        case "councilor_executions", _:
            # Before anything is sent.
            ended(pod, ExitCode.CONFIGURATION, Reason.CREDENTIALS_REFUSED, "code 13", "roles", dispatched=False)
            assert not list(stub.requests)
        case "tasks", "find":
            # There is no gateway that could show the result instead.
            ended(pod, ExitCode.CONFIGURATION, Reason.CREDENTIALS_REFUSED, "MONGODB_URI", recorded=True)
        case "tasks", "update":
            ended(pod, ExitCode.COMPLETED, Reason.COMPLETED, recorded=True)
            assert any(line["message"] == "severity of the task not set" for line in pod.lines)
        case _:
            ended(pod, ExitCode.NOT_RECORDED, Reason.COMPLETED, "code 13", severity="warning", recorded=True)
    assert len(stub.executions) <= 1


@pytest.mark.parametrize(("user", "password"), [("runner", "wr0ng"), ("nobody", PASSWORD)])
def test_a_user_that_cannot_log_in(
    deployment: Deployment, setup: tuple[RunnerSetup, StubConductor], user: str, password: str
) -> None:
    councilor, stub = setup
    grant(deployment, PRIVILEGES)
    councilor.mongodb_uri = runner_uri(deployment[0], user, password)
    pod = councilor.run()
    ended(pod, ExitCode.CONFIGURATION, Reason.CREDENTIALS_REFUSED, "code 18", "MONGODB_URI", dispatched=False)
    assert not list(stub.requests)
    assert "wr0ng" not in pod.log + pod.message.decode()


def test_no_user_at_all(deployment: Deployment, setup: tuple[RunnerSetup, StubConductor]) -> None:
    councilor, stub = setup
    councilor.mongodb_uri = deployment[0].uri + "&tls=true"
    pod = councilor.run()
    ended(pod, ExitCode.CONFIGURATION, Reason.CREDENTIALS_REFUSED, "code 13", dispatched=False)
    assert not list(stub.requests)


# --- TLS --------------------------------------------------------------------------------------------------------------


def test_an_authority_that_nobody_knows(deployment: Deployment, setup: tuple[RunnerSetup, StubConductor]) -> None:
    councilor, stub = setup
    grant(deployment, PRIVILEGES)
    del councilor.environment[ENV_CA_FILE]
    pod = councilor.run()
    ended(
        pod,
        ExitCode.CONFIGURATION,
        Reason.TLS_FAILED,
        "the TLS certificate of MongoDB",
        "COUNCILOR_RUNNER_CA_CONFIG_MAP",
        dispatched=False,
    )
    assert not list(stub.requests)


def test_no_tls_to_a_server_that_demands_it(deployment: Deployment, setup: tuple[RunnerSetup, StubConductor]) -> None:
    councilor, stub = setup
    councilor.mongodb_uri = uri(deployment[0], "runner", options="")
    pod = councilor.run()
    ended(pod, ExitCode.TEMPORARY, Reason.DATABASE_UNREACHABLE, "tls=true", dispatched=False)
    assert not list(stub.requests)


def test_tls_to_a_server_without_it(mongod: Mongod, tmp_path: Path) -> None:
    setup = RunnerSetup(tmp_path, "http://127.0.0.1:1", None, f"{mongod.uri}&tls=true")
    ended(setup.run(), ExitCode.TEMPORARY, Reason.DATABASE_UNREACHABLE, "tls=true", dispatched=False)


def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    with Mongod("standalone", identity=authority.issue("other", ("DNS:db.example",))) as server:
        setup = RunnerSetup(tmp_path, "http://127.0.0.1:1", None, f"{server.uri}&tls=true")
        pod = setup.run(**{ENV_CA_FILE: str(authority.certificate)})
    ended(pod, ExitCode.CONFIGURATION, Reason.TLS_FAILED, "is for another host name", "MONGODB_URI", dispatched=False)
