"""The stub's fake watcher: how a task advances, fails, hangs, vanishes, and how many run at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from bson import ObjectId

from tests.conductor import ODD_ANSWERS, Answer, Delegation, StubConductor, wait_until
from tests.conductor.client import AGENT, DB, finished_task, stored_task, submit


class TestWatcher:
    def test_states_in_order(self, stub: StubConductor, http: httpx.Client, conductor_database: DB) -> None:
        stub.script(AGENT, Answer(pending=0.7, delay=0.7))
        task_id = submit(http).json()["_id"]
        seen: list[str] = []

        def look() -> bool:
            task = stored_task(conductor_database, task_id)
            if not seen or seen[-1] != task["status"]:
                seen.append(task["status"])
            assert ("started_at" in task) is (task["status"] != "pending")
            assert ("completed_at" in task) is (task["status"] == "completed")
            assert task["updated_at"] == task["created_at"]
            return bool(task["status"] == "completed")

        wait_until(look)
        assert seen == ["pending", "processing", "completed"]
        task = finished_task(conductor_database, task_id)
        assert task["created_at"] <= task["started_at"] <= task["completed_at"]
        assert task["duration"] > 0
        assert stub.executions == {task_id: 1}

    @pytest.mark.parametrize(
        ("answer", "fields", "exit_code", "fragment"),
        [
            (Answer(result="half", exit_code=1, stderr="broken"), {}, 1, "half\nbroken"),
            (Answer(result="half", exit_code=3), {}, 3, "half"),
            (Answer(result="half", exit_code=124), {}, 124, "half"),
            (Answer(result="half", exit_code=127), {}, 127, "half"),
            (Answer(), {"cwd": "/nowhere"}, 1, "Diretório de trabalho não encontrado"),
            (Answer(), {"provider": "gpt"}, 1, "não suportado"),
            (Answer(), {"provider": "cursor-agent"}, 127, "Comando não encontrado"),
            (Answer(delay=30), {"provider": "gemini", "timeout": 1}, 124, "excedeu tempo limite"),
        ],
    )
    def test_failed_runs(
        self,
        stub: StubConductor,
        http: httpx.Client,
        conductor_database: DB,
        answer: Answer,
        fields: dict[str, Any],
        exit_code: int,
        fragment: str,
    ) -> None:
        stub.settings.missing_directories = frozenset({"/nowhere"})
        stub.settings.missing_commands = frozenset({"cursor-agent"})
        stub.script(AGENT, answer)
        outcome = finished_task(conductor_database, submit(http, **fields).json()["_id"])
        assert outcome["status"] == "error"
        assert outcome["exit_code"] == exit_code
        assert fragment in outcome["result"]

    def test_claude_has_no_limit(self, stub: StubConductor, http: httpx.Client, conductor_database: DB) -> None:
        stub.script(AGENT, Answer(result="late", delay=1.2))
        task_id = submit(http, timeout=1).json()["_id"]
        assert finished_task(conductor_database, task_id)["result"] == "late"

    @pytest.mark.parametrize(
        "name", ["empty", "null", "object", "huge", "raw NDJSON", "zero failures", "exit code null"]
    )
    def test_odd_results_are_stored_as_they_are(
        self, stub: StubConductor, http: httpx.Client, conductor_database: DB, name: str
    ) -> None:
        stub.script(AGENT, ODD_ANSWERS[name])
        task = finished_task(conductor_database, submit(http).json()["_id"])
        assert task["result"] == ODD_ANSWERS[name].final_result
        assert task["exit_code"] == ODD_ANSWERS[name].exit_code
        assert task["status"] == "completed"

    @pytest.mark.parametrize("name", ["stays processing", "too large to store"])
    def test_processing_for_ever(
        self, stub: StubConductor, http: httpx.Client, conductor_database: DB, name: str
    ) -> None:
        stub.script(AGENT, ODD_ANSWERS[name], Answer(result="next"))
        stuck = submit(http).json()["_id"]
        wait_until(lambda: stub.executions.get(stuck))
        other = submit(http).json()["_id"]
        assert finished_task(conductor_database, other)["result"] == "next"
        task = stored_task(conductor_database, stuck)
        assert (task["status"], task["result"]) == ("processing", "")

    def test_a_task_vanishes_while_polled(
        self, stub: StubConductor, http: httpx.Client, conductor_database: DB
    ) -> None:
        stub.script(AGENT, Answer(ends="vanishes", delay=0.2))
        task_id = submit(http).json()["_id"]
        assert conductor_database.tasks.count_documents({}) == 1
        wait_until(lambda: conductor_database.tasks.count_documents({}) == 0)
        assert stub.executions == {task_id: 1}
        assert "Tempo de espera excedido" in submit(http, wait_for_result=True, timeout=1).json()["detail"]

    def test_answers_by_agent_and_prompt(self, stub: StubConductor, http: httpx.Client) -> None:
        stub.add_agent("Other_Agent")
        stub.script("*", Answer(result="anyone"))
        stub.script(AGENT, Answer(result="one"), Answer(result="two"))
        stub.script(AGENT, Answer(result="odd <prompt>"), prompt="a < b & c")
        asked = [(AGENT, "x"), (AGENT, "if a < b & c"), (AGENT, "x"), ("Other_Agent", "x"), (AGENT, "x")]
        results = [
            submit(http, agent, user_input=prompt, wait_for_result=True).json()["result"] for agent, prompt in asked
        ]
        assert results == ["one", "odd <prompt>", "two", "anyone", "one"]

    def test_two_tasks_run_in_one_directory_at_once(self, stub: StubConductor, http: httpx.Client) -> None:
        stub.script(AGENT, Answer(ends="never"))
        for _ in range(2):
            submit(http, cwd="/srv/shared")
        wait_until(lambda: stub.peak_concurrency("/srv/shared") == 2)
        assert stub.peak_concurrency("/srv/project") == 0

    def test_workers_are_limited(self, stub: StubConductor, http: httpx.Client, conductor_database: DB) -> None:
        assert stub.settings.workers == 10
        stub.settings.workers = 2
        stub.script(AGENT, Answer(delay=0.3))
        for task_id in [submit(http).json()["_id"] for _ in range(5)]:
            finished_task(conductor_database, task_id)
        assert stub.peak_concurrency("/srv/project") == 2

    def test_delegation_starts_another_agent(
        self, stub: StubConductor, http: httpx.Client, conductor_database: DB
    ) -> None:
        stub.add_agent("Other_Agent")
        stub.script(AGENT, Answer(result="Mine.", delegation=Delegation(agent_id="Other_Agent", prompt="Do it.")))
        stub.script("Other_Agent", Answer(result="Theirs."), prompt="Do it.")
        own = finished_task(conductor_database, submit(http).json()["_id"])
        wait_until(lambda: conductor_database.tasks.find_one({"agent_id": "Other_Agent", "status": "completed"}))
        other = conductor_database.tasks.find_one({"agent_id": "Other_Agent"})
        assert other is not None
        assert (own["result"], other["result"], other["cwd"]) == ("Mine.", "Theirs.", own["cwd"])
        assert other["is_councilor_execution"] is False
        assert stub.executions == {str(own["_id"]): 1, str(other["_id"]): 1}

    def test_tasks_stored_by_others_are_run(
        self, stub: StubConductor, http: httpx.Client, conductor_database: DB
    ) -> None:
        task = finished_task(conductor_database, submit(http).json()["_id"])
        foreign = [{**task, "_id": ObjectId(), "status": "pending", "prompt": "not wrapped"}, {"status": "pending"}]
        ids = conductor_database.tasks.insert_many(foreign).inserted_ids
        wait_until(lambda: all(stub.executions.get(str(task_id)) for task_id in ids))


def test_full_pool_slows_health(stub: StubConductor, http: httpx.Client, conductor_database: DB) -> None:
    assert stub.settings.sync_slots == 40
    stub.settings.sync_slots = 2
    stub.settings.workers = 1
    stub.script(AGENT, Answer(ends="never"))
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(submit, http, wait_for_result=True, timeout=3) for _ in range(2)]
        wait_until(lambda: conductor_database.tasks.count_documents({}) == 2)
        with pytest.raises(httpx.ReadTimeout):
            http.get("/health", timeout=0.3)
        details = [future.result().json()["detail"] for future in waiting]
    assert all("Tempo de espera excedido" in detail for detail in details)
    assert http.get("/health").status_code == 200
    statuses = {task["status"] for task in conductor_database.tasks.find()}
    assert statuses == {"processing", "pending"}, "one worker is stuck, the other task never gets one"
