"""The stub from another process: its control port, and the foreground mode of the demo."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo.database import Database

from tests.conductor import StubConductor
from tests.conductor.client import submit
from tests.mongodb import Mongod

ROOT = Path(__file__).parents[3]


@pytest.fixture
def control(stub_conductor: StubConductor) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stub_conductor.control_url) as client:
        yield client


@pytest.fixture
def http(stub_conductor: StubConductor) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stub_conductor.conductor_url) as client:
        yield client


class TestControlPort:
    def test_agents(self, control: httpx.Client, http: httpx.Client) -> None:
        assert submit(http, "A_Agent").status_code == 500
        assert control.put("/_stub/agents/A_Agent").status_code == 204
        assert control.put("/_stub/agents/A_Agent", json={"persona": {"content": "P."}}).status_code == 204
        answer = submit(http, "A_Agent", wait_for_result=True).json()
        assert "<persona>P.</persona>" in answer["prompt"]
        assert control.delete("/_stub/agents/A_Agent").status_code == 204
        assert submit(http, "A_Agent").status_code == 500

    def test_scripts(self, control: httpx.Client, http: httpx.Client) -> None:
        control.put("/_stub/agents/A_Agent")
        path = "/_stub/scripts/A_Agent"
        assert control.put(path, json=[{"result": "one"}, {"result": "two", "exit_code": 3}]).status_code == 204
        assert control.put(path, json=[{"result": "odd"}], params={"prompt": "licences"}).status_code == 204
        runs = [
            submit(http, "A_Agent", user_input=text, wait_for_result=True).json() for text in ("a", "licences", "b")
        ]
        assert [(run["result"], run["exit_code"]) for run in runs] == [("one", 0), ("odd", 0), ("two", 3)]
        assert control.delete("/_stub/scripts").status_code == 204
        assert submit(http, "A_Agent", wait_for_result=True).json()["result"] == "Nothing to report."

    @pytest.mark.parametrize("answers", [[], [{"resultat": "x"}], {"result": "x"}])
    def test_bad_scripts_are_refused(self, control: httpx.Client, answers: Any) -> None:
        answer = control.put("/_stub/scripts/A_Agent", json=answers)
        assert answer.status_code == 422
        assert answer.json()["detail"]

    def test_faults(self, control: httpx.Client, http: httpx.Client) -> None:
        fault = {"operation": "health", "status": 503, "times": 2}
        assert control.post("/_stub/faults", json=fault).status_code == 204
        assert http.get("/health").status_code == 503
        (pending,) = control.get("/_stub/faults").json()
        assert pending.items() >= fault.items()
        assert control.delete("/_stub/faults").status_code == 204
        assert http.get("/health").status_code == 200
        assert control.post("/_stub/faults", json={"operation": "health", "kind": "status"}).status_code == 422

    def test_requests(self, control: httpx.Client, http: httpx.Client) -> None:
        http.get("/health")
        submit(http, "A_Agent", user_input="ação")
        every = control.get("/_stub/requests").json()
        assert [request["operation"] for request in every] == ["health", "submit"]
        (only,) = control.get("/_stub/requests", params={"operation": "submit"}).json()
        assert json.loads(only["body"])["user_input"] == "ação"
        assert (only["port"], only["status"], only["fault"]) == ("conductor", 500, None)
        assert control.delete("/_stub/requests").status_code == 204
        assert control.get("/_stub/requests").json() == []

    def test_executions(self, control: httpx.Client, http: httpx.Client) -> None:
        control.put("/_stub/agents/A_Agent")
        task_id = submit(http, "A_Agent", wait_for_result=True).json()["_id"]
        assert control.get("/_stub/executions").json() == {task_id: 1}

    def test_settings(self, control: httpx.Client, stub_conductor: StubConductor) -> None:
        assert control.get("/_stub/settings").json()["era"] == "current"
        changes = {"era": "seed", "required_headers": {"x-team": "a"}, "missing_directories": ["/x"]}
        changed = control.patch("/_stub/settings", json=changes)
        assert changed.status_code == 200
        assert changed.json().items() >= changes.items()
        assert stub_conductor.settings.missing_directories == {"/x"}
        for bad in ({"era": "stone"}, {"workers": 0}, {"worker": 1}):
            assert control.patch("/_stub/settings", json=bad).status_code == 422
        assert stub_conductor.settings.era == "seed"

    def test_it_is_not_recorded(self, control: httpx.Client, stub_conductor: StubConductor) -> None:
        control.get("/_stub/settings")
        assert len(stub_conductor.requests) == 0


def foreground(*arguments: str) -> list[str]:
    ports = ["--conductor-port", "0", "--gateway-port", "0"]
    return [sys.executable, "-m", "tests.conductor", *ports, *arguments]


class TestForegroundMode:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_it_answers_by_its_scripts_file_and_ends_cleanly(
        self, mongod: Mongod, conductor_database: Database[dict[str, Any]], tmp_path: Path, number: signal.Signals
    ) -> None:
        scripts = tmp_path / "scripts.yaml"
        scripts.write_text("A_Agent:\n- result: all is well\n- {result: stopped, exit_code: 3, stderr: no lock}\n")
        pid_file = tmp_path / "pid"
        command = foreground(
            *("--mongodb-uri", mongod.uri, "--scripts", str(scripts), "--create-agents", "--pid-file", str(pid_file))
        )
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            ready = process.stdout.readline().split()
            assert ready[:3] == ["stub", "conductor", "ready:"]
            urls = dict(zip(ready[3::2], ready[4::2], strict=True))
            assert int(pid_file.read_text()) == process.pid
            with httpx.Client(base_url=urls["conductor"]) as http:
                runs = [submit(http, "A_Agent", wait_for_result=True).json() for _ in range(3)]
            assert [run["exit_code"] for run in runs] == [0, 3, 0]
            assert runs[1]["result"] == "stopped\nno lock"
            assert httpx.get(f"{urls['gateway']}/health").json()["status"] == "healthy"
            assert len(httpx.get(f"{urls['control']}/_stub/requests").json()) == 4
            os.kill(process.pid, number)
            assert process.wait(timeout=60) == 0
        assert not pid_file.exists()
        assert conductor_database.agents.count_documents({"agent_id": "A_Agent"}) == 1

    def test_agents_that_exist_are_left_alone(
        self, stub_conductor: StubConductor, conductor_database: Database[dict[str, Any]]
    ) -> None:
        stub_conductor.add_agent("A_Agent", is_councilor=True)
        stub_conductor.ensure_agent("A_Agent")
        agent = conductor_database.agents.find_one({"agent_id": "A_Agent"})
        assert agent is not None
        assert agent["is_councilor"] is True

    @pytest.mark.parametrize(
        ("content", "message"),
        [("A_Agent: [{resultat: x}]", "Extra inputs are not permitted"), ("A_Agent: [", "not YAML")],
    )
    def test_a_bad_scripts_file_is_explained(self, tmp_path: Path, content: str, message: str) -> None:
        scripts = tmp_path / "scripts.yaml"
        scripts.write_text(content)
        command = foreground("--mongodb-uri", "mongodb://127.0.0.1:9", "--scripts", str(scripts))
        finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        assert finished.returncode == 1
        assert str(scripts) in finished.stderr
        assert message in finished.stderr

    def test_an_absent_mongodb_is_explained_without_its_uri(self) -> None:
        uri = "mongodb://user:secret@127.0.0.1:9/?directConnection=true"
        finished = subprocess.run(
            foreground("--mongodb-uri", uri), cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
        )
        assert finished.returncode == 1
        assert "MongoDB cannot be used" in finished.stderr
        assert "secret" not in finished.stderr + finished.stdout
