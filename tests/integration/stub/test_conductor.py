"""The stub's conductor port, over real HTTP and a genuine MongoDB.

The stub is what the runner is tested against, so each rule of Conductor's contract that it claims is pinned here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from bson import ObjectId

from tests.conductor import Answer, StubConductor
from tests.conductor.client import AGENT, DB, execution_request, finished_task, stored_task, submit

SYNC_KEYS = {
    *("_id", "agent_id", "provider", "prompt", "cwd", "timeout", "status", "instance_id", "conversation_id"),
    *("screenplay_id", "context", "created_at", "updated_at", "result", "exit_code", "duration"),
    *("is_councilor_execution", "councilor_config", "severity", "source", "started_at", "completed_at"),
}


def test_health(http: httpx.Client) -> None:
    assert http.get("/health").json() == {"status": "ok"}


def test_there_is_no_task_look_up(http: httpx.Client) -> None:
    task_id = submit(http).json()["_id"]
    for path in (f"/tasks/{task_id}", f"/api/tasks/{task_id}", f"/api/tasks/{task_id}/details", "/api/tasks"):
        assert http.get(path).status_code == 404


class TestSubmission:
    def test_the_task_is_stored_before_the_answer(
        self, stub: StubConductor, http: httpx.Client, conductor_database: DB
    ) -> None:
        stub.script(AGENT, Answer(pending=60))
        config = {"title": "Licence counsel", "schedule": {"type": "cron", "value": "0 9 * * MON"}}
        request = execution_request(
            timeout=900, instance_id="councilor_x_1", councilor_config=config, provider="gemini"
        )
        before = datetime.now(UTC).replace(tzinfo=None) - timedelta(milliseconds=1)
        answer = http.post(f"/agents/{AGENT}/execute", json=request)
        task = stored_task(conductor_database, request["task_id"])
        assert answer.status_code == 200
        assert set(answer.json()) == {"_id", "status", "message"}
        assert answer.json()["_id"] == request["task_id"]
        assert answer.json()["status"] == "pending"
        created = task.pop("created_at")
        assert before <= created <= datetime.now(UTC).replace(tzinfo=None)
        assert task.pop("updated_at") == created
        prompt = task.pop("prompt")
        assert ET.fromstring(prompt).findtext("user_request") == request["user_input"]  # noqa: S314 - the stub's own
        assert task == {
            "_id": ObjectId(request["task_id"]),
            "agent_id": AGENT,
            "provider": "gemini",
            "cwd": "/srv/project",
            "timeout": 900,
            "status": "pending",
            "instance_id": "councilor_x_1",
            "conversation_id": None,
            "screenplay_id": None,
            "context": {},
            "result": "",
            "exit_code": None,
            "duration": None,
            "is_councilor_execution": True,
            "councilor_config": config,
            "severity": None,
            "source": "dispatch_api",
        }

    def test_defaults(self, stub: StubConductor, http: httpx.Client, conductor_database: DB) -> None:
        stub.script(AGENT, Answer(pending=60))
        task_id = submit(http).json()["_id"]
        task = stored_task(conductor_database, task_id)
        assert (task["timeout"], task["provider"], task["instance_id"], task["councilor_config"]) == (
            1800,
            "claude",
            None,
            None,
        )

    def test_waiting_is_the_default(self, http: httpx.Client) -> None:
        assert submit(http, wait_for_result=...).json()["status"] == "completed"

    @pytest.mark.parametrize(
        ("own", "sent", "expected"),
        [
            ("gemini", ..., "claude"),
            ("gemini", None, "gemini"),
            ("gemini", "cursor-agent", "cursor-agent"),
            (None, None, "claude"),
        ],
    )
    def test_the_agents_own_provider_counts_for_null_only(
        self, stub: StubConductor, http: httpx.Client, own: str | None, sent: Any, expected: str
    ) -> None:
        stub.add_agent("Other_Agent", ai_provider=own)
        answer = submit(http, "Other_Agent", provider=sent, wait_for_result=True)
        assert answer.json()["provider"] == expected

    def test_history_is_left_out_for_councilors(self, http: httpx.Client) -> None:
        chat: dict[str, Any] = {"is_councilor_execution": False, "conversation_id": "c", "screenplay_id": "s"}
        with_history = submit(http, wait_for_result=True, **chat).json()
        assert "conversation_history" in with_history["prompt"]
        assert (with_history["conversation_id"], with_history["screenplay_id"]) == ("c", "s")
        assert "conversation_history" not in submit(http, wait_for_result=True).json()["prompt"]


class TestErrors:
    @pytest.mark.parametrize(
        ("field", "value", "kind"),
        [
            ("task_id", ..., "missing"),
            ("user_input", ..., "missing"),
            ("cwd", ..., "missing"),
            ("task_id", None, "string_type"),
            ("user_input", None, "string_type"),
            ("cwd", None, "string_type"),
            ("timeout", None, "int_type"),
            ("wait_for_result", None, "bool_type"),
            ("councilor_config", "text", "dict_type"),
        ],
    )
    def test_invalid_field(self, http: httpx.Client, field: str, value: Any, kind: str) -> None:
        answer = submit(http, **{field: value})
        assert answer.status_code == 422
        (problem,) = answer.json()["detail"]
        assert set(problem) == {"type", "loc", "msg", "input"}
        assert (problem["type"], problem["loc"]) == (kind, ["body", field])

    def test_missing_field_shows_the_whole_input(self, http: httpx.Client) -> None:
        answer = http.post(f"/agents/{AGENT}/execute", json={"task_id": "t", "user_input": "Check it."})
        assert answer.json() == {
            "detail": [
                {
                    "type": "missing",
                    "loc": ["body", "cwd"],
                    "msg": "Field required",
                    "input": {"task_id": "t", "user_input": "Check it."},
                }
            ]
        }

    def test_unknown_agent_is_500_not_404(self, http: httpx.Client, conductor_database: DB) -> None:
        answer = submit(http, "Nobody_Agent")
        assert answer.status_code == 500
        assert answer.json()["detail"].startswith("404:")
        assert "não encontrado" in answer.json()["detail"]
        assert conductor_database.tasks.count_documents({}) == 0

    @pytest.mark.parametrize("known", [{}, {"conversation_id": "c"}, {"screenplay_id": "s"}])
    def test_chat_without_its_context(self, http: httpx.Client, known: dict[str, str]) -> None:
        answer = submit(http, is_councilor_execution=..., **known)
        assert answer.status_code == 500
        assert "campos obrigatórios" in answer.json()["detail"]

    @pytest.mark.parametrize("task_id", ["", "exec_1", "d25315c9d47428a48cefb95", "z25315c9d47428a48cefb956"])
    def test_task_id_that_is_no_object_id(self, http: httpx.Client, task_id: str) -> None:
        answer = submit(http, task_id=task_id)
        assert answer.status_code == 500
        assert "is not a valid ObjectId" in answer.json()["detail"]

    def test_mongo_uri_unset(self, stub: StubConductor, http: httpx.Client) -> None:
        stub.settings.mongo_uri_set = False
        answer = submit(http)
        assert answer.status_code == 500
        assert "MONGO_URI" in answer.json()["detail"]

    def test_required_header(self, stub: StubConductor, http: httpx.Client) -> None:
        assert http.get("/health").status_code == 200
        stub.settings.required_headers = {"authorization": "Bearer secret", "x-team": "a"}
        assert submit(http).status_code == 401
        assert http.get("/health", headers={"Authorization": "Bearer wrong", "X-Team": "a"}).status_code == 401
        assert http.get("/health", headers={"Authorization": "Bearer secret", "X-Team": "a"}).status_code == 200
        with httpx.Client(base_url=stub.gateway_url) as gateway:
            assert gateway.get("/health").status_code == 401
        assert stub.executions == {}


def test_duplicate_task_id_is_no_second_run(stub: StubConductor, http: httpx.Client, conductor_database: DB) -> None:
    task_id = str(ObjectId())
    assert submit(http, task_id=task_id).status_code == 200
    first = finished_task(conductor_database, task_id)
    for wait in (False, True):
        again = submit(http, task_id=task_id, user_input="Something else.", wait_for_result=wait)
        assert again.status_code == 500
        assert "E11000 duplicate key" in again.json()["detail"]
        assert "11000" in again.json()["detail"]
    assert conductor_database.tasks.find_one() == first
    assert stub.executions == {task_id: 1}


class TestSynchronousCall:
    def test_answers_the_finished_document(self, stub: StubConductor, http: httpx.Client) -> None:
        stub.script(AGENT, Answer(result="1 has no licence file.", delay=0.05))
        answer = submit(http, wait_for_result=True).json()
        assert set(answer) == SYNC_KEYS
        assert (answer["status"], answer["exit_code"], answer["result"]) == ("completed", 0, "1 has no licence file.")
        assert isinstance(answer["duration"], float)
        assert answer["severity"] is None
        assert answer["updated_at"] == answer["created_at"]
        times = [datetime.fromisoformat(answer[name]) for name in ("created_at", "started_at", "completed_at")]
        assert times == sorted(times)
        assert {time.tzinfo for time in times} == {None}

    def test_a_failed_run_is_200_too(self, stub: StubConductor, http: httpx.Client) -> None:
        stub.script(AGENT, Answer(result="Audit stopped half way.\n", exit_code=3, stderr="lockfile is not readable\n"))
        answer = submit(http, wait_for_result=True)
        assert answer.status_code == 200
        assert set(answer.json()) == SYNC_KEYS
        assert (answer.json()["status"], answer.json()["exit_code"]) == ("error", 3)
        assert answer.json()["result"] == "Audit stopped half way.\nlockfile is not readable\n"

    def test_beyond_its_timeout_the_task_goes_on(
        self, stub: StubConductor, http: httpx.Client, conductor_database: DB
    ) -> None:
        stub.script(AGENT, Answer(result="late", delay=3))
        task_id = str(ObjectId())
        answer = submit(http, task_id=task_id, wait_for_result=True, timeout=1)
        assert answer.status_code == 500
        assert "Tempo de espera excedido" in answer.json()["detail"]
        assert task_id in answer.json()["detail"]
        assert finished_task(conductor_database, task_id)["result"] == "late"

    def test_queueing_counts(self, stub: StubConductor, http: httpx.Client) -> None:
        stub.script(AGENT, Answer(pending=30))
        assert "Tempo de espera excedido" in submit(http, wait_for_result=True, timeout=1).json()["detail"]
        assert stub.executions == {}

    def test_answers_come_in_steps(self, stub: StubConductor, http: httpx.Client) -> None:
        stub.settings.sync_step = 1.0
        answer = submit(http, wait_for_result=True).json()
        waited = datetime.now(UTC).replace(tzinfo=None) - datetime.fromisoformat(answer["created_at"])
        done = datetime.fromisoformat(answer["completed_at"]) - datetime.fromisoformat(answer["created_at"])
        assert done < waited
        assert waited >= timedelta(seconds=1)

    def test_a_submission_may_be_answered_with_its_task_at_an_end(
        self, stub: StubConductor, http: httpx.Client, conductor_database: DB
    ) -> None:
        stub.settings.accept_finished = True
        stub.script(AGENT, Answer(delay=0.2))
        answer = submit(http).json()
        assert answer["status"] == "pending"
        task = stored_task(conductor_database, answer["_id"])
        assert task["status"] == "completed"
        (request,) = stub.requests.of("submit")
        assert request.answered_at is not None
        assert request.received_at.replace(tzinfo=None) < task["completed_at"]
        assert task["completed_at"] <= request.answered_at.replace(tzinfo=None)


class TestSecondProtocol:
    def test_the_seed_era_works(self, stub: StubConductor, http: httpx.Client) -> None:
        stub.settings.era = "seed"
        stub.script(AGENT, Answer(result="42 dependencies read."))
        for name, text in (("agent_name", "prompt"), ("agent_id", "input_text")):
            answer = http.post("/conductor/execute", json={name: AGENT, text: "Check.", "cwd": "/srv/project"})
            assert answer.status_code == 200
            assert set(answer.json()) == SYNC_KEYS - {"conversation_id", "screenplay_id", "source"}
            assert answer.json()["is_councilor_execution"] is False
            assert (answer.json()["status"], answer.json()["timeout"]) == ("completed", 600)
            assert ObjectId.is_valid(answer.json()["_id"])
        by_path = http.post(f"/conductor/agents/{AGENT}/execute", json={"prompt": "Check.", "cwd": "/srv/project"})
        assert by_path.json()["status"] == "completed"

    def test_cwd_defaults_to_a_directory_the_host_lacks(self, stub: StubConductor, http: httpx.Client) -> None:
        stub.settings.era = "seed"
        answer = http.post("/conductor/execute", json={"agent_name": AGENT, "prompt": "Check."})
        assert answer.status_code == 200
        assert (answer.json()["cwd"], answer.json()["status"], answer.json()["exit_code"]) == ("/app", "error", 1)
        assert "Diretório não encontrado" in answer.json()["result"]

    @pytest.mark.parametrize(
        ("payload", "status", "fragment"),
        [
            ({"agent_name": "Nobody_Agent", "prompt": "x"}, 404, "não encontrado"),
            ({"agent_name": AGENT}, 400, "prompt"),
            ({"prompt": "x"}, 400, "agent_name"),
        ],
    )
    def test_seed_era_errors(
        self, stub: StubConductor, http: httpx.Client, payload: dict[str, str], status: int, fragment: str
    ) -> None:
        stub.settings.era = "seed"
        answer = http.post("/conductor/execute", json=payload)
        assert answer.status_code == status
        assert fragment in answer.json()["detail"]

    def test_seed_era_wait_exceeded(self, stub: StubConductor, http: httpx.Client) -> None:
        stub.settings.era = "seed"
        stub.script(AGENT, Answer(ends="never"))
        answer = http.post("/conductor/execute", json={"agent_name": AGENT, "prompt": "x", "cwd": "/srv", "timeout": 1})
        assert answer.status_code == 500
        assert answer.json()["detail"]["error_type"] == "TimeoutError"

    @pytest.mark.parametrize(
        ("context", "error_type"),
        [({}, "ValueError"), ({"conversation_id": "c", "screenplay_id": "s"}, "InvalidId")],
    )
    @pytest.mark.parametrize("path", ["/conductor/execute", f"/conductor/agents/{AGENT}/execute"])
    def test_at_current_it_always_fails(
        self, stub: StubConductor, http: httpx.Client, context: dict[str, str], error_type: str, path: str
    ) -> None:
        payload = {"agent_name": AGENT, "prompt": "x", "cwd": "/srv", **context}
        answer = http.post(path, json=payload)
        assert answer.status_code == 500
        detail = answer.json()["detail"]
        assert set(detail) == {"error", "error_type", "traceback", "agent_id", "context"}
        assert (detail["error_type"], detail["agent_id"]) == (error_type, AGENT)
        assert stub.executions == {}
