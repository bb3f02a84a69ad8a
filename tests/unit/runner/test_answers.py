"""Every shape of an answer, and what the run makes of it."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from councilor_runner.answers import (
    Answer,
    AnswerKind,
    TaskState,
    classify,
    outcome_of,
    read_task,
    retry_after_seconds,
)
from councilor_runner.contract import ExitCode, Reason

DUPLICATE = "E11000 duplicate key error collection: conductor_state.tasks index: _id_ dup key: { _id: ObjectId('d2') }"
FINISHED = {"_id": "d25315c9d47428a48cefb956", "status": "completed", "result": "fine", "exit_code": 0}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {"_id": "d2", "status": "pending", "message": "accepted"}, AnswerKind.ACCEPTED),
        (200, {"_id": "d2", "status": "processing"}, AnswerKind.ACCEPTED),
        (202, {"status": "pending"}, AnswerKind.ACCEPTED),
        (200, FINISHED, AnswerKind.FINISHED),
        (200, {**FINISHED, "status": "error", "exit_code": 3}, AnswerKind.FINISHED),
        (200, {"status": "success", "returncode": 0, "stdout": "fine", "stderr": ""}, AnswerKind.FINISHED),
        (200, {"status": "cancelled"}, AnswerKind.UNRECOGNISED),
        (200, {"_id": "d2"}, AnswerKind.UNRECOGNISED),
        (200, {"status": 200}, AnswerKind.UNRECOGNISED),
        (200, [{"error": "no agent"}, 500], AnswerKind.UNRECOGNISED),
        (200, None, AnswerKind.UNRECOGNISED),
        (204, None, AnswerKind.UNRECOGNISED),
        (300, None, AnswerKind.UNRECOGNISED),
        *((status, None, AnswerKind.REFUSED) for status in (301, 302, 307, 308)),
        # Whoever answers "see other" may have taken the request.
        (303, None, AnswerKind.UNRECOGNISED),
        (304, None, AnswerKind.UNRECOGNISED),
        (407, None, AnswerKind.CREDENTIALS_REFUSED),
        (422, {"detail": [{"type": "missing", "loc": ["body", "cwd"], "msg": "Field required"}]}, AnswerKind.REFUSED),
        (422, {"detail": "no"}, AnswerKind.REFUSED),
        (422, {"detail": [3, {"loc": "cwd"}, {"type": "x"}]}, AnswerKind.REFUSED),
        (400, {"detail": "prompt or input_text is required"}, AnswerKind.REFUSED),
        (404, {"detail": "Agente 'A_Agent' não encontrado"}, AnswerKind.AGENT_UNKNOWN),
        (404, {"detail": "Not Found"}, AnswerKind.REFUSED),
        (404, None, AnswerKind.REFUSED),
        (405, {"detail": "Method Not Allowed"}, AnswerKind.REFUSED),
        (413, None, AnswerKind.REFUSED),
        (401, None, AnswerKind.CREDENTIALS_REFUSED),
        (403, {"detail": "no"}, AnswerKind.CREDENTIALS_REFUSED),
        (500, {"detail": "404: Agente 'A_Agent' não encontrado"}, AnswerKind.AGENT_UNKNOWN),
        (500, {"detail": DUPLICATE}, AnswerKind.ALREADY_SUBMITTED),
        (500, {"detail": {"error": DUPLICATE, "error_type": "DuplicateKeyError"}}, AnswerKind.ALREADY_SUBMITTED),
        (500, {"detail": "Erro 11000"}, AnswerKind.ALREADY_SUBMITTED),
        (500, {"detail": "task 110001 broke"}, AnswerKind.UNRECOGNISED),
        (500, {"detail": "Tempo de espera excedido para a tarefa d25315"}, AnswerKind.STILL_RUNNING),
        (500, {"detail": {"error": "wait", "error_type": "TimeoutError", "traceback": ""}}, AnswerKind.STILL_RUNNING),
        (500, {"detail": {"error": "x", "error_type": "InvalidId"}}, AnswerKind.REFUSED),
        (500, {"detail": {"error": "x", "error_type": "ValueError"}}, AnswerKind.REFUSED),
        (500, {"detail": "campos obrigatórios: conversation_id, screenplay_id"}, AnswerKind.REFUSED),
        (500, {"detail": "'abc' is not a valid ObjectId, it must be a 12-byte input"}, AnswerKind.REFUSED),
        (500, {"detail": "localhost:27017: [Errno 111] Connection refused"}, AnswerKind.UNRECOGNISED),
        (500, {"detail": []}, AnswerKind.UNRECOGNISED),
        (500, None, AnswerKind.UNRECOGNISED),
        (501, None, AnswerKind.UNRECOGNISED),
        (429, None, AnswerKind.UNAVAILABLE),
        (502, None, AnswerKind.UNAVAILABLE),
        (503, {"detail": "later"}, AnswerKind.UNAVAILABLE),
        (504, None, AnswerKind.UNAVAILABLE),
    ],
)
def test_classify(status: int, body: object, kind: AnswerKind) -> None:
    answer = classify(status, body)
    assert answer.kind is kind
    if kind not in (AnswerKind.ACCEPTED, AnswerKind.FINISHED, AnswerKind.ALREADY_SUBMITTED, AnswerKind.STILL_RUNNING):
        assert answer.message, "a person has to be told"


def test_messages_never_quote_the_body() -> None:
    secret = "mongodb://root:hunter2@db"
    for status in (200, 400, 401, 404, 422, 500, 503):
        for detail in (secret, {"error": secret}, [{"loc": ["body", "cwd"], "type": "missing", "input": secret}]):
            assert "hunter2" not in classify(status, {"detail": detail, "status": secret}).message


def test_a_refusal_names_the_fields() -> None:
    problems = [{"type": "missing", "loc": ["body", "cwd"]}, {"type": "string_type", "loc": ["body", "user_input"]}]
    message = classify(422, {"detail": problems}).message
    assert "body.cwd (missing)" in message
    assert "body.user_input (string_type)" in message


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"status": "completed", "result": "a", "exit_code": 0}, TaskState("completed", "a", 0, exit_code_known=True)),
        ({"status": "completed", "result": "a", "exit_code": None}, TaskState("completed", "a", exit_code_known=True)),
        ({"status": "completed", "result": "a"}, TaskState("completed", "a")),
        ({"status": "error", "error": "gone", "result": None}, TaskState("error", "gone")),
        (
            {"status": "completed", "result": {"result": "a", "exit_code": 2}},
            TaskState("completed", "a", 2, exit_code_known=True),
        ),
        ({"status": "completed", "result": {"answer": 1}}, TaskState("completed", '{"answer": 1}')),
        ({"status": "completed", "result": ["ação"]}, TaskState("completed", '["ação"]')),
        ({"status": "completed", "stdout": "a", "returncode": 0}, TaskState("completed", "a", 0, exit_code_known=True)),
        ({"status": "completed", "result": "", "stdout": "a"}, TaskState("completed", "")),
        ({"status": "success", "stdout": "a"}, TaskState("completed", "a")),
        ({"status": "completed", "result": "\ud800x"}, TaskState("completed", "?x")),
        ({"status": "completed", "exit_code": 3.0}, TaskState("completed", None, 3, exit_code_known=True)),
        ({"status": "completed", "exit_code": 2.5}, TaskState("completed", None, None, exit_code_known=True)),
        ({"status": "completed", "exit_code": 10**400}, TaskState("completed", None, 2**31 - 1, exit_code_known=True)),
        ({"status": "completed", "exit_code": -(10**30)}, TaskState("completed", None, -(2**31), exit_code_known=True)),
        ({"status": "completed", "exit_code": math.inf}, TaskState("completed", None, None, exit_code_known=True)),
        ({"status": "completed", "exit_code": math.nan}, TaskState("completed", None, None, exit_code_known=True)),
        ({"status": "completed", "exit_code": True}, TaskState("completed", None, None, exit_code_known=True)),
        ({"status": "archived"}, TaskState("archived")),
        ({"status": None}, None),
        ({}, None),
    ],
)
def test_read_task(document: dict[str, Any], expected: TaskState | None) -> None:
    assert read_task(document) == expected


@pytest.mark.parametrize(
    ("task", "reason", "exit_code"),
    [
        (TaskState("completed", "fine", 0), Reason.COMPLETED, ExitCode.COMPLETED),
        (TaskState("completed", "fine", None), Reason.COMPLETED, ExitCode.COMPLETED),
        (TaskState("completed", None, 0), Reason.COMPLETED, ExitCode.COMPLETED),
        (TaskState("completed", "fine", 3), Reason.AGENT_FAILED, ExitCode.AGENT_FAILED),
        (TaskState("error", "all is well", 0), Reason.AGENT_FAILED, ExitCode.AGENT_FAILED),
        (TaskState("error", None, None), Reason.AGENT_FAILED, ExitCode.AGENT_FAILED),
        (TaskState("error", "x", 3), Reason.AGENT_FAILED, ExitCode.AGENT_FAILED),
        (
            TaskState("error", "Diretório de trabalho não encontrado: /srv", 1),
            Reason.WORKING_DIRECTORY_MISSING,
            ExitCode.CONFIGURATION,
        ),
        (
            TaskState("error", "Diretório não encontrado: /srv", None),
            Reason.WORKING_DIRECTORY_MISSING,
            ExitCode.CONFIGURATION,
        ),
        (TaskState("error", "Provider 'x' não suportado", 1), Reason.REQUEST_REFUSED, ExitCode.CONFIGURATION),
        (TaskState("error", "Comando não encontrado: gemini", 127), Reason.AGENT_FAILED, ExitCode.AGENT_FAILED),
        (TaskState("error", "excedeu tempo limite", 124), Reason.AGENT_TIMED_OUT, ExitCode.AGENT_TIMED_OUT),
        # The agent's words, not Conductor's: another exit code, or far down in the text.
        (TaskState("error", "Diretório não encontrado no relatório", 2), Reason.AGENT_FAILED, ExitCode.AGENT_FAILED),
        (TaskState("error", "x" * 300 + "não suportado", 1), Reason.AGENT_FAILED, ExitCode.AGENT_FAILED),
        (TaskState("archived", "x", 0), Reason.CONDUCTOR_FAILED, ExitCode.AGENT_FAILED),
    ],
)
def test_outcome_of(task: TaskState, reason: Reason, exit_code: ExitCode) -> None:
    outcome = outcome_of(task)
    assert (outcome.reason, outcome.exit_code) == (reason, exit_code)
    assert (outcome.message is None) == (reason is Reason.COMPLETED)
    assert outcome.agent_exit_code == task.exit_code


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        (None, None, None),
        ("3", None, 3.0),
        (" 3 ", "Mon, 23 Nov 2026 09:00:00 GMT", 3.0),
        ("9" * 400, None, math.inf),
        ("Mon, 23 Nov 2026 10:00:30 GMT", None, 30.0),
        ("Mon, 23 Nov 2026 09:00:00 GMT", None, 0.0),
        # The server's clock is an hour ahead, or behind: its own date says what it means.
        ("Mon, 23 Nov 2026 11:00:30 GMT", "Mon, 23 Nov 2026 11:00:00 GMT", 30.0),
        ("Mon, 23 Nov 2026 09:00:30 GMT", "Mon, 23 Nov 2026 09:00:00 GMT", 30.0),
        ("Mon, 23 Nov 2026 10:00:30 GMT", "yesterday", 30.0),
        ("Mon, 23 Nov 2026 10:00:30 GMT", "Mon, 23 Nov 2026 09:00:00", 30.0),
        ("soon", None, None),
        ("", None, None),
        ("Mon, 23 Nov 2026 10:00:30", None, None),
    ],
)
def test_retry_after(header: str | None, date: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, date, datetime(2026, 11, 23, 10, 0, tzinfo=UTC)) == seconds


def test_an_answer_is_a_value() -> None:
    assert Answer(AnswerKind.ACCEPTED) == Answer(AnswerKind.ACCEPTED)
