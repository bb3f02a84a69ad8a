"""Starting, stopping and surviving: the stub as a process among others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.conductor import Answer, StubConductor, StubConductorError, wait_until
from tests.conductor.client import AGENT, execution_request, submit
from tests.mongodb import Mongod


def test_it_works_on_either_shape(any_mongod: Mongod) -> None:
    with StubConductor(any_mongod.uri) as stub, httpx.Client(base_url=stub.conductor_url) as http:
        stub.add_agent(AGENT)
        assert submit(http, wait_for_result=True).json()["status"] == "completed"


async def test_it_serves_asynchronous_tests(mongod: Mongod) -> None:
    async with StubConductor(mongod.uri) as stub, httpx.AsyncClient(base_url=stub.conductor_url) as http:
        stub.add_agent(AGENT)
        answer = await http.post(f"/agents/{AGENT}/execute", json=execution_request(wait_for_result=True))
        assert answer.json()["status"] == "completed"


def test_mongodb_away_is_500_and_the_watcher_recovers() -> None:
    # A replica set: its writes are on disk before they are acknowledged, so that the crash loses none of them.
    with Mongod("replica-set") as server, StubConductor(server.uri) as stub:
        stub.add_agent(AGENT)
        stub.script(AGENT, Answer(delay=0.5))
        with httpx.Client(base_url=stub.conductor_url, timeout=30) as http:
            task_id = submit(http).json()["_id"]
            wait_until(lambda: stub.executions)
            server.kill()
            answer = submit(http)
            assert answer.status_code == 500
            assert isinstance(answer.json()["detail"], str)
            server.restart()
            with httpx.Client(base_url=stub.gateway_url) as gateway:
                wait_until(lambda: details_status(gateway, task_id) == "completed")
            assert submit(http, wait_for_result=True).json()["status"] == "completed"
        assert stub.executions[task_id] == 1


def details_status(gateway: httpx.Client, task_id: str) -> str | None:
    answer = gateway.get(f"/api/tasks/{task_id}/details")
    return str(answer.json()["task"]["status"]) if answer.status_code == 200 else None


class TestLifecycle:
    def test_mongodb_missing_at_the_start(self) -> None:
        with pytest.raises(StubConductorError, match="MongoDB cannot be used"):
            StubConductor("mongodb://127.0.0.1:9/?directConnection=true").start()

    def test_port_taken(self, stub: StubConductor, mongod: Mongod) -> None:
        taken = int(stub.conductor_url.rpartition(":")[2])
        with pytest.raises(StubConductorError, match="Address already in use"):
            StubConductor(mongod.uri, gateway_port=taken).start()

    def test_not_started(self) -> None:
        stub = StubConductor("mongodb://127.0.0.1:9")
        with pytest.raises(StubConductorError, match="not been started"):
            _ = stub.conductor_url
        with pytest.raises(StubConductorError, match="not been started"):
            stub.add_agent(AGENT)

    def test_stopping_ends_calls_that_wait(self, mongod: Mongod) -> None:
        with ThreadPoolExecutor(2) as pool, StubConductor(mongod.uri) as stub:
            stub.add_agent(AGENT)
            stub.script(AGENT, Answer(ends="never"))
            stub.faults.next("health", kind="hang")
            with httpx.Client(base_url=stub.conductor_url, timeout=60) as http:
                calls = [pool.submit(submit, http, wait_for_result=True), pool.submit(http.get, "/health")]
                wait_until(lambda: stub.executions and len(stub.requests) == 2)
                stub.stop()
                for call in calls:
                    with pytest.raises(httpx.TransportError):
                        call.result(timeout=30)
