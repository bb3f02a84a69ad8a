"""The stub's gateway port: task look-up, task events and the WebSocket."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from bson import ObjectId
from websockets.sync.client import ClientConnection, connect

from tests.conductor import Answer, StubConductor, wait_until
from tests.conductor.client import AGENT, DB, finished_task, stored_task, submit
from tests.conductor.documents import now

DETAIL_KEYS = {
    *("task_id", "agent_id", "agent_name", "agent_emoji", "prompt", "result", "status", "severity", "created_at"),
    *("completed_at", "duration", "error", "is_councilor"),
}


@pytest.fixture
def gateway(stub: StubConductor) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stub.gateway_url) as client:
        yield client


def failed_before_submission() -> dict[str, Any]:
    """The different document that the gateway writes itself when a run fails early."""
    return {
        "task_id": "exec_LicenseAuditor_Agent_1772442004",
        "agent_id": AGENT,
        "instance_id": None,
        "is_councilor_execution": True,
        "councilor_config": {"task_name": "Licence check", "display_name": "Lia Paragraph"},
        "prompt": "List dependencies.",
        "status": "error",
        "severity": "error",
        "result": None,
        "error": "Conductor is away",
        "created_at": now(),
        "completed_at": now(),
        "duration": 0.1,
    }


def test_health(gateway: httpx.Client) -> None:
    assert gateway.get("/health").json() == {
        "status": "healthy",
        "service": "conductor_gateway",
        "version": "3.1.0",
    }


class TestTaskLookUp:
    def test_details_while_processing(
        self, stub: StubConductor, http: httpx.Client, gateway: httpx.Client, conductor_database: DB
    ) -> None:
        stub.script(AGENT, Answer(ends="never"))
        task_id = submit(http).json()["_id"]
        wait_until(lambda: stored_task(conductor_database, task_id)["status"] == "processing")
        answer = gateway.get(f"/api/tasks/{task_id}/details")
        assert answer.status_code == 200
        stored = stored_task(conductor_database, task_id)
        assert answer.json() == {
            "success": True,
            "task": {
                "task_id": "",
                "agent_id": AGENT,
                "agent_name": AGENT,
                "agent_emoji": "📜",
                "prompt": stored["prompt"],
                "result": "",
                "status": "processing",
                "severity": None,
                "created_at": stored["created_at"].isoformat(),
                "completed_at": None,
                "duration": None,
                "error": None,
                "is_councilor": True,
            },
        }

    def test_details_of_a_failed_run_have_no_exit_code(
        self, stub: StubConductor, http: httpx.Client, gateway: httpx.Client, conductor_database: DB
    ) -> None:
        stub.script(AGENT, Answer(result="Half way.", exit_code=3))
        task_id = submit(http).json()["_id"]
        finished_task(conductor_database, task_id)
        task = gateway.get(f"/api/tasks/{task_id}/details").json()["task"]
        assert set(task) == DETAIL_KEYS
        assert (task["status"], task["result"], task["task_id"]) == ("error", "Half way.", "")

    @pytest.mark.parametrize("task_id", ["d25315c9d47428a48cefb956", "no-object-id"])
    def test_details_of_an_unknown_task(self, gateway: httpx.Client, task_id: str) -> None:
        answer = gateway.get(f"/api/tasks/{task_id}/details")
        assert answer.status_code == 404
        assert isinstance(answer.json()["detail"], str)

    def test_tasks_of_the_conductor_are_not_found_by_id(self, http: httpx.Client, gateway: httpx.Client) -> None:
        task_id = submit(http).json()["_id"]
        assert gateway.get(f"/api/tasks/{task_id}/details").status_code == 200
        assert gateway.get(f"/api/tasks/{task_id}").status_code == 404

    def test_tasks_of_the_gateway_are(self, gateway: httpx.Client, conductor_database: DB) -> None:
        document = failed_before_submission()
        conductor_database.tasks.insert_one(document)
        assert gateway.get(f"/api/tasks/{document['task_id']}").json()["task"]["error"] == "Conductor is away"
        task = gateway.get(f"/api/tasks/{document['task_id']}/details").json()["task"]
        assert (task["task_id"], task["error"], task["result"]) == (document["task_id"], "Conductor is away", None)

    def test_details_after_the_task_vanished(
        self, stub: StubConductor, http: httpx.Client, gateway: httpx.Client
    ) -> None:
        stub.script(AGENT, Answer(ends="vanishes", delay=0.2))
        task_id = submit(http).json()["_id"]
        assert gateway.get(f"/api/tasks/{task_id}/details").status_code == 200
        wait_until(lambda: gateway.get(f"/api/tasks/{task_id}/details").status_code == 404)


class TestTaskList:
    @pytest.fixture(autouse=True)
    def _tasks(self, stub: StubConductor, conductor_database: DB) -> None:
        stub.add_agent("Other_Agent")
        conductor_database.tasks.insert_many(
            {
                "_id": ObjectId(f"{number:024x}"),
                "agent_id": AGENT if number % 2 else "Other_Agent",
                "status": "error" if number == 3 else "completed",
                "exit_code": 3 if number == 3 else 0,
                "created_at": now() + timedelta(seconds=number),
            }
            for number in range(1, 6)
        )

    @pytest.mark.parametrize(
        ("query", "numbers", "total"),
        [
            ({}, [5, 4, 3, 2, 1], 5),
            ({"agent_id": AGENT}, [5, 3, 1], 3),
            ({"status": "error"}, [3], 1),
            ({"agent_id": AGENT, "status": "completed"}, [5, 1], 2),
            ({"limit": 2}, [5, 4], 5),
            ({"limit": 2, "offset": 3}, [2, 1], 5),
            ({"sort": "created_at", "limit": 1}, [1], 5),
            ({"sort": "-created_at", "limit": 500}, [5, 4, 3, 2, 1], 5),
            ({"agent_id": "Nobody_Agent"}, [], 0),
        ],
    )
    def test_selection(self, gateway: httpx.Client, query: dict[str, Any], numbers: list[int], total: int) -> None:
        answer = gateway.get("/api/tasks", params=query).json()
        assert set(answer) == {"success", "count", "total", "tasks"}
        assert [int(task["_id"], 16) for task in answer["tasks"]] == numbers
        assert (answer["success"], answer["count"], answer["total"]) == (True, len(numbers), total)

    def test_documents_are_raw(self, gateway: httpx.Client) -> None:
        (task,) = gateway.get("/api/tasks", params={"status": "error"}).json()["tasks"]
        assert set(task) == {"_id", "agent_id", "status", "exit_code", "created_at"}
        assert task["exit_code"] == 3

    @pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 501}, {"limit": "many"}, {"offset": -1}])
    def test_limits(self, gateway: httpx.Client, query: dict[str, Any]) -> None:
        answer = gateway.get("/api/tasks", params=query)
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["query", next(iter(query))]


@pytest.fixture
def listener(stub: StubConductor) -> Iterator[ClientConnection]:
    with connect(stub.websocket_url) as connection:
        wait_until(lambda: stub.listeners == 1)
        yield connection


def hear(listener: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(listener.recv(timeout=20))
    assert set(message) == {"type", "data", "timestamp"}
    assert message["timestamp"] <= time.time()
    return message


class TestEvents:
    @pytest.mark.parametrize(
        "kind", ["task_inputted", "task_submitted", "task_picked", "task_started", "task_completed", "task_error"]
    )
    def test_a_posted_event_reaches_every_listener(
        self, stub: StubConductor, gateway: httpx.Client, listener: ClientConnection, kind: str
    ) -> None:
        with connect(stub.websocket_url) as second:
            wait_until(lambda: stub.listeners == 2)
            data = {"task_id": "d25315c9d47428a48cefb956", "result_summary": "42 dependencies read."}
            answer = gateway.post("/api/internal/task-event", json={"type": kind, "data": data})
            assert answer.status_code == 200
            assert set(answer.json()) == {"success", "message", "clients_count"}
            assert (answer.json()["success"], answer.json()["clients_count"]) == (True, 2)
            for connection in (listener, second):
                message = hear(connection)
                assert (message["type"], message["data"]) == (kind, data)

    @pytest.mark.parametrize("kind", ["councilor_completed", "councilor_started", "", "task_done"])
    def test_other_types_are_refused(self, gateway: httpx.Client, kind: str) -> None:
        answer = gateway.post("/api/internal/task-event", json={"type": kind, "data": {}})
        assert answer.status_code == 400
        assert isinstance(answer.json()["detail"], str)

    def test_nobody_listens(self, gateway: httpx.Client) -> None:
        answer = gateway.post("/api/internal/task-event", json={"type": "task_error", "data": {}})
        assert answer.json()["clients_count"] == 0

    def test_there_is_no_replay(self, stub: StubConductor, gateway: httpx.Client) -> None:
        gateway.post("/api/internal/task-event", json={"type": "task_error", "data": {}})
        with connect(stub.websocket_url) as late:
            late.send('{"command": "ping"}')
            assert hear(late)["type"] == "pong"

    def test_commands(self, listener: ClientConnection) -> None:
        listener.send('{"command": "subscribe", "topics": ["all"]}')
        assert hear(listener)["data"] == {"topics": ["all"]}
        listener.send('{"command": "get_stats"}')
        assert hear(listener)["data"] == {"clients_count": 1}
        listener.send('{"command": "dance"}')
        assert hear(listener)["type"] == "error"
        listener.send('["no command"]')
        assert hear(listener)["type"] == "error"

    def test_a_listener_that_left_is_not_counted(self, stub: StubConductor, gateway: httpx.Client) -> None:
        with connect(stub.websocket_url):
            wait_until(lambda: stub.listeners == 1)
        wait_until(lambda: stub.listeners == 0)
        answer = gateway.post("/api/internal/task-event", json={"type": "task_error", "data": {}})
        assert answer.json()["clients_count"] == 0

    def test_the_watcher_tells_of_its_tasks(
        self, stub: StubConductor, http: httpx.Client, listener: ClientConnection
    ) -> None:
        stub.script(AGENT, Answer(result="x" * 500), Answer(exit_code=3))
        for last in ("task_completed", "task_error"):
            task_id = submit(http, instance_id="councilor_x_1").json()["_id"]
            heard = [hear(listener) for _ in range(3)]
            assert [message["type"] for message in heard] == ["task_picked", "task_started", last]
            assert {message["data"]["task_id"] for message in heard} == {task_id}
            data = heard[-1]["data"]
            assert (data["agent_id"], data["agent_emoji"], data["instance_id"]) == (AGENT, "📜", "councilor_x_1")
            assert data["exit_code"] == (0 if last == "task_completed" else 3)
            assert len(data["result_summary"]) <= 200
        assert stub.requests.of("event") == []
