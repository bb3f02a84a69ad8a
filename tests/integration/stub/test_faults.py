"""The stub's faults over real HTTP: what a caller of the n-th call experiences."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from bson import ObjectId

from tests.conductor import Answer, StubConductor, wait_until
from tests.conductor.client import AGENT, DB, execution_request, finished_task, submit
from tests.conductor.faults import Operation


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_status(stub: StubConductor, http: httpx.Client, conductor_database: DB, status: int) -> None:
    stub.faults.next("submit", status=status)
    answer = submit(http)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert conductor_database.tasks.count_documents({}) == 0
    assert submit(http).status_code == 200
    assert conductor_database.tasks.count_documents({}) == 1


def test_retry_after_and_own_body(stub: StubConductor, http: httpx.Client) -> None:
    stub.faults.next(
        "submit",
        status=429,
        retry_after="2",
        body='{"detail": "slow down"}',
        headers={"content-type": "application/json"},
    )
    answer = submit(http)
    assert answer.headers["retry-after"] == "2"
    assert answer.json() == {"detail": "slow down"}


def test_a_body_that_is_no_json(stub: StubConductor, http: httpx.Client, conductor_database: DB) -> None:
    stub.faults.next("submit", kind="not-json")
    stub.faults.next("submit", kind="not-json", body="<html>", carried_out=True)
    for stored in (0, 1):
        answer = submit(http)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        with pytest.raises(json.JSONDecodeError):
            answer.json()
        assert conductor_database.tasks.count_documents({}) == stored


@pytest.mark.parametrize(
    ("kind", "error"),
    [("reset", httpx.ReadError), ("drop", httpx.RemoteProtocolError), ("hang", httpx.ReadTimeout)],
)
def test_no_answer(stub: StubConductor, http: httpx.Client, kind: str, error: type[Exception]) -> None:
    http.get("/health")
    stub.faults.next("submit", kind=kind)
    with pytest.raises(error):
        http.post(f"/agents/{AGENT}/execute", json=execution_request(), timeout=0.5)
    assert stub.executions == {}
    assert submit(http).status_code == 200


@pytest.mark.parametrize(
    "fault",
    [{"kind": "reset"}, {"kind": "drop"}, {"kind": "hang"}, {"status": 502}, {"status": 504}],
    ids=lambda fault: str(fault),
)
def test_task_stored_but_the_answer_lost(
    stub: StubConductor, http: httpx.Client, conductor_database: DB, fault: dict[str, Any]
) -> None:
    stub.faults.next("submit", carried_out=True, **fault)
    request = execution_request()
    try:
        first = http.post(f"/agents/{AGENT}/execute", json=request, timeout=2)
        assert first.status_code == fault["status"]
    except httpx.TransportError:
        assert "kind" in fault
    again = http.post(f"/agents/{AGENT}/execute", json=request)
    assert again.status_code == 500
    assert "11000" in again.json()["detail"]
    finished_task(conductor_database, request["task_id"])
    assert stub.executions == {request["task_id"]: 1}


def test_the_nth_call(stub: StubConductor, http: httpx.Client) -> None:
    stub.faults.next("health", status=503, call=2, times=2)
    stub.faults.next("health", status=504, call=2)
    assert [http.get("/health").status_code for _ in range(6)] == [200, 503, 503, 200, 504, 200]


@pytest.mark.parametrize(
    ("operation", "method", "path"),
    [
        ("gateway-health", "GET", "/health"),
        ("tasks", "GET", "/api/tasks"),
        ("task", "GET", "/api/tasks/d25315c9d47428a48cefb956"),
        ("details", "GET", "/api/tasks/d25315c9d47428a48cefb956/details"),
        ("event", "POST", "/api/internal/task-event"),
        ("other", "GET", "/api/councilors"),
    ],
)
def test_gateway_operations(stub: StubConductor, operation: Operation, method: str, path: str) -> None:
    stub.faults.next(operation, status=503)
    with httpx.Client(base_url=stub.gateway_url) as gateway:
        assert gateway.request(method, path).status_code == 503
        assert gateway.request(method, path).status_code != 503
    assert [request.operation for request in stub.requests] == [operation, operation]


def test_the_second_protocol_fails_on_its_own(stub: StubConductor, http: httpx.Client) -> None:
    stub.settings.era = "seed"
    stub.faults.next("legacy", status=502, times=2)
    request = {"agent_name": AGENT, "prompt": "x", "cwd": "/srv"}
    assert submit(http).status_code == 200
    for path in ("/conductor/execute", f"/conductor/agents/{AGENT}/execute"):
        assert http.post(path, json=request).status_code == 502
    assert http.post("/conductor/execute", json=request).status_code == 200


class TestRefusedConnections:
    def test_until_accepted_again(self, stub: StubConductor, http: httpx.Client) -> None:
        assert http.get("/health").status_code == 200
        stub.refuse("conductor")
        for _ in range(2):
            with pytest.raises(httpx.ConnectError):
                http.get("/health")
        with httpx.Client(base_url=stub.gateway_url) as gateway:
            assert gateway.get("/health").status_code == 200
        stub.accept("conductor")
        assert http.get("/health").status_code == 200
        stub.accept("conductor")
        assert http.get("/health").status_code == 200

    def test_for_a_time(self, stub: StubConductor, http: httpx.Client) -> None:
        stub.refuse("conductor", seconds=2)
        with pytest.raises(httpx.ConnectError):
            http.get("/health")
        wait_until(lambda: answers(http))

    def test_as_a_fault_of_the_nth_call(self, stub: StubConductor, http: httpx.Client) -> None:
        stub.faults.next("submit", status=502)
        stub.faults.next("submit", kind="refuse", seconds=2, call=2)
        assert [submit(http).status_code for _ in range(2)] == [502, 200]
        with pytest.raises(httpx.ConnectError):
            submit(http)
        wait_until(lambda: answers(http))
        assert submit(http).status_code == 200

    def test_a_call_under_way_is_still_answered(self, stub: StubConductor, http: httpx.Client) -> None:
        stub.script(AGENT, Answer(result="in time", delay=0.5))
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(submit, http, wait_for_result=True)
            wait_until(lambda: stub.executions)
            stub.refuse("conductor")
            with pytest.raises(httpx.ConnectError), httpx.Client() as other:
                other.get(f"{stub.conductor_url}/health")
            assert waiting.result().json()["result"] == "in time"

    def test_the_gateway_too(self, stub: StubConductor, http: httpx.Client) -> None:
        stub.faults.next("details", kind="refuse", seconds=30)
        with httpx.Client(base_url=stub.gateway_url) as gateway:
            wait_until(lambda: not answers(gateway))
        assert answers(http)
        stub.accept("gateway")
        with httpx.Client(base_url=stub.gateway_url) as gateway:
            assert answers(gateway)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


class TestRecordedRequests:
    def test_everything_is_kept(self, stub: StubConductor, http: httpx.Client) -> None:
        request = execution_request(task_id=str(ObjectId()), user_input="ação")
        stub.faults.next("submit", status=503)
        stub.faults.next("submit", kind="drop", call=2)
        for _ in range(2):
            http.post(f"/agents/{AGENT}/execute", json=request, headers={"X-Team": "a"})
        with pytest.raises(httpx.RemoteProtocolError):
            submit(http)
        with httpx.Client(base_url=stub.gateway_url) as gateway:
            gateway.get("/api/tasks", params={"status": "error", "agent_id": ""})
        first, second, third, fourth = stub.requests
        assert (first.operation, first.port, first.method) == ("submit", "conductor", "POST")
        assert first.path == f"/agents/{AGENT}/execute"
        assert first.json == second.json == request
        assert first.headers["x-team"] == "a"
        assert first.headers["content-type"] == "application/json"
        assert [(kept.status, kept.fault) for kept in stub.requests] == [
            (503, "status"),
            (200, None),
            (None, "drop"),
            (200, None),
        ]
        assert first.received_at <= second.received_at <= third.received_at
        assert (fourth.port, fourth.query) == ("gateway", {"status": "error", "agent_id": ""})
        assert stub.requests.of("tasks") == [fourth]
        assert stub.requests[-1] is fourth

    def test_clear(self, stub: StubConductor, http: httpx.Client) -> None:
        http.get("/health")
        assert len(stub.requests) == 1
        stub.requests.clear()
        assert list(stub.requests) == []
