"""Answers and prompts of every size and kind, end to end: what is recorded, shown and sent, and in how much memory."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from bson import ObjectId
from bson.raw_bson import RawBSONDocument

from councilor_runner.clock import SystemClock
from councilor_runner.conductor import Conductor
from councilor_runner.contract import PROMPT_LIMIT, ExitCode, Reason
from councilor_runner.records import OUTPUT_LIMIT
from tests.conductor import ODD_ANSWERS, Answer, Delegation
from tests.conductor.client import execution_request
from tests.conductor.faults import Operation
from tests.mongodb import Mongod
from tests.runner import RunnerProcess
from tests.runner.process import assert_end, wait_for
from tests.runner.trials import Trial, new_trial, side_by_side

MEMORY = 224 * 1024 * 1024
"""Less than the 256 MiB that the Pod has by default: the program itself and page tables count there, too."""
CUT = "\n[cut: only the first MiB of the answer is kept here]"
AGENT = "A_Agent"


def ended(pod: RunnerProcess, code: ExitCode, reason: Reason, **report: object) -> None:
    """Assert how a Pod ended, and that the kubelet takes all of its message."""
    assert_end(pod, code, reason, **report)
    assert len(pod.message) <= 4096


def record(trial: Trial) -> dict[str, Any]:
    (found,) = trial.database.councilor_executions.find()
    return found


def poll_by(trial: Trial, source: str) -> None:
    """Let the runner read results from one source only; the record is written in any case."""
    if source == "mongodb":
        trial.setup.document["endpoints"]["gatewayUrl"] = None


# --- sizes ------------------------------------------------------------------------------------------------------------

SIZES = (0, 1, OUTPUT_LIMIT - 1, OUTPUT_LIMIT, OUTPUT_LIMIT + 1, 15_900_000)


def check_size(trial: Trial, source: str, size: int) -> None:
    poll_by(trial, source)
    trial.setup.memory = MEMORY
    trial.stub.script(AGENT, Answer(result_bytes=size) if size else Answer(result=""))
    pod = trial.setup.run()
    ended(pod, ExitCode.COMPLETED, Reason.COMPLETED, recorded=True, severity="success")
    found = record(trial)
    if size <= OUTPUT_LIMIT:
        assert (found["output"], found["output_truncated"]) == ("x" * size, False)
    else:
        assert found["output"] == "x" * (OUTPUT_LIMIT - len(CUT)) + CUT
        assert found["output_truncated"] is True
    assert pod.report.summary == ("x" * 255 + "…" if size > 1 else "x" * size or None)


@pytest.mark.parametrize("source", ["gateway", "mongodb"])
@pytest.mark.parametrize("size", SIZES)
@side_by_side
def test_sizes(trial: Trial, source: str, size: int) -> None:
    check_size(trial, source, size)


@pytest.mark.parametrize("size", [0, OUTPUT_LIMIT + 1, 15_900_000])
def test_sizes_on_a_standalone_server(
    mongod_standalone: Mongod, tmp_path_factory: pytest.TempPathFactory, size: int
) -> None:
    with new_trial(mongod_standalone, tmp_path_factory.mktemp("trial")) as trial:
        check_size(trial, "mongodb", size)


@pytest.mark.parametrize("source", ["gateway", "mongodb"])
@side_by_side
def test_the_widest_characters_take_no_more_memory(trial: Trial, source: str) -> None:
    poll_by(trial, source)
    trial.setup.memory = MEMORY
    text = "👩" * 3_900_000 + "\nSEVERITY: warning"
    trial.stub.script(AGENT, Answer(result=text))
    ended(trial.setup.run(), ExitCode.COMPLETED, Reason.COMPLETED, recorded=True, severity="warning")
    assert record(trial)["output"].startswith("👩" * 1000)


FIFTY = 50_000_000


def huge(unit: str, *, escaped: bool, **task: Any) -> str:
    """A finished task of 50 MB as a JSON body, whose verdict stands at the end of its text."""
    written = json.dumps(unit, ensure_ascii=escaped)[1:-1]
    document = json.dumps({"status": "completed", "exit_code": 0, "result": "RESULT", **task})
    return document.replace("RESULT", "Begun. " + written * (FIFTY // len(written.encode())) + "\\nSEVERITY: warning")


@pytest.mark.parametrize("operation", ["submit", "details"])
@pytest.mark.parametrize(
    ("unit", "escaped"), [("x", False), ("line\n", False), ("👩", False), ("👩", True), ("\x01", True)]
)
@side_by_side
def test_an_answer_that_mongodb_could_not_hold(trial: Trial, operation: Operation, unit: str, escaped: bool) -> None:
    trial.setup.memory = MEMORY
    body = huge(unit, escaped=escaped)
    if operation == "details":
        body = json.dumps({"success": True, "task": {}}).replace("{}", body)
    else:
        trial.setup.document["endpoints"]["gatewayUrl"] = None
    trial.stub.faults.next(operation, status=200, body=body, headers={"Content-Type": "application/json"})
    pod = trial.setup.run()
    ended(pod, ExitCode.COMPLETED, Reason.COMPLETED, recorded=True, severity="warning")
    found = record(trial)
    assert found["output"].startswith("Begun. " + unit * 1000)
    assert found["output"].endswith(CUT)
    assert len(found["output"].encode()) <= OUTPUT_LIMIT


@side_by_side
def test_an_answer_of_countless_pieces_is_not_read(trial: Trial) -> None:
    trial.setup.memory = MEMORY
    body = json.dumps({"status": "completed", "result": "SEVERITY: error", "extra": ["x" * 100] * 300_000})
    trial.stub.faults.next("submit", status=200, body=body, headers={"Content-Type": "application/json"})
    # What the answer said is not known, and the task is not in MongoDB either: nothing is sent again.
    ended(trial.setup.run(), ExitCode.AGENT_FAILED, Reason.CONDUCTOR_FAILED, recorded=True)
    assert len(trial.stub.requests.of("submit")) == 1


# --- kinds of text ----------------------------------------------------------------------------------------------------

TEXTS: dict[str, tuple[Any, Any, str | None]] = {
    # the agent's result, what is recorded, what is shown
    "NUL": ("a\x00b\nSEVERITY: warning", "a\x00b\nSEVERITY: warning", "ab"),
    "colours": (
        "\x1b[31mOne is old\x1b[0m\n\x1b[1mSEVERITY: \x1b[33mwarning\x1b[0m",
        "\x1b[31mOne is old\x1b[0m\n\x1b[1mSEVERITY: \x1b[33mwarning\x1b[0m",
        "One is old",
    ),
    "directions and zero width": (
        "\u202eOne\u202c \u200bis\ufeff old\nSEVER\u200bITY: warning",
        "\u202eOne\u202c \u200bis\ufeff old\nSEVER\u200bITY: warning",
        "One is old",
    ),
    "separators": (
        "One\u2028is\u2029old\x85\nSEVERITY: warning",
        "One\u2028is\u2029old\x85\nSEVERITY: warning",
        "One is old",
    ),
    "right to left": ("אחד ישן\nSEVERITY: warning", "אחד ישן\nSEVERITY: warning", "אחד ישן"),
    "an object with odd keys": (
        {"$where": "x", "a.b": {"$c": 1}, "": "fine"},
        '{"$where": "x", "a.b": {"$c": 1}, "": "fine"}',
        '{"$where": "x", "a.b": {"$c": 1}, "": "fine"}',
    ),
    "a wrapped result": (
        {"result": "One is old\nSEVERITY: warning", "exit_code": 0},
        "One is old\nSEVERITY: warning",
        "One is old",
    ),
}


@pytest.mark.parametrize("source", ["gateway", "mongodb"])
@pytest.mark.parametrize("name", TEXTS)
@side_by_side
def test_kinds_of_text(trial: Trial, source: str, name: str) -> None:
    poll_by(trial, source)
    result, recorded, shown = TEXTS[name]
    trial.stub.script(AGENT, Answer(result=result))
    pod = trial.setup.run()
    ended(pod, ExitCode.COMPLETED, Reason.COMPLETED, recorded=True, summary=shown)
    if name != "an object with odd keys":
        assert pod.report.severity == "warning"
    assert record(trial)["output"] == recorded


@side_by_side
def test_a_result_that_is_no_utf_8(trial: Trial) -> None:
    poll_by(trial, "mongodb")
    trial.stub.script(AGENT, Answer(ends="never"))
    pod = trial.setup.start()
    wait_for(lambda: trial.database.tasks.find_one({"status": "processing"}))
    # No driver of today writes such a text, tools and drivers of old do.
    marker = "\u2713" * 4
    done = {"$set": {"status": "completed", "exit_code": 0, "result": f"One is {marker}old\nSEVERITY: warning"}}
    command = RawBSONDocument(_broken(done, marker))
    trial.database.tasks.update_one({"_id": ObjectId(trial.setup.task_id)}, command)
    ended(pod.finish(), ExitCode.COMPLETED, Reason.COMPLETED, severity="warning", recorded=True)
    assert record(trial)["output"].startswith("One is \ufffd")


def _broken(document: dict[str, Any], marker: str) -> bytes:
    from bson import encode

    data = encode(document)
    assert data.count(marker.encode()) == 1
    return data.replace(marker.encode(), b"\xff" * len(marker.encode()))


@pytest.mark.parametrize(
    ("body", "output"),
    [
        (b'{"status": "completed", "exit_code": 0, "result": "half \\ud800 a pair"}', "half ? a pair"),
        (b'{"status": "completed", "exit_code": 0, "result": "no \xc3 text"}', "no \ufffd text"),
    ],
)
@side_by_side
def test_broken_texts_in_an_answer(trial: Trial, body: bytes, output: str) -> None:
    trial.stub.faults.next(
        "submit", status=200, body=body.decode("utf-8", "surrogateescape"), headers={"Content-Type": "application/json"}
    )
    ended(trial.setup.run(), ExitCode.COMPLETED, Reason.COMPLETED, recorded=True)
    assert record(trial)["output"] == output


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"status": "completed", "exit_code": ' + "9" * 5000 + "}",
        "[]",
        '"completed"',
        "7",
    ],
    ids=["deep list", "deep object", "endless number", "a list", "a text", "a number"],
)
@side_by_side
def test_impossible_answers_fail_loudly_and_once(trial: Trial, body: str) -> None:
    trial.stub.faults.next("submit", status=200, body=body, headers={"Content-Type": "application/json"}, times=None)
    pod = trial.setup.run()
    ended(pod, ExitCode.AGENT_FAILED, Reason.CONDUCTOR_FAILED, recorded=True, dispatched=True)
    assert len(trial.stub.requests.of("submit")) == 1


@pytest.mark.parametrize("exit_code", [10**15, -(10**15), 3.0])
@side_by_side
def test_exit_codes_that_are_none(trial: Trial, exit_code: float) -> None:
    body = json.dumps({"status": "completed", "exit_code": exit_code, "result": "SEVERITY: success"})
    trial.stub.faults.next("submit", status=200, body=body, headers={"Content-Type": "application/json"})
    ended(trial.setup.run(), ExitCode.AGENT_FAILED, Reason.AGENT_FAILED, recorded=True, severity="error")


# --- behaviour of Conductor -------------------------------------------------------------------------------------------


@side_by_side
def test_a_sync_call_that_conductor_gives_up(trial: Trial) -> None:
    """With a seed-era wait the task goes on; nothing can be read, so the run ends as out of time, once."""
    trial.stub.settings.era = "seed"
    trial.setup.document["endpoints"]["protocol"] = "seed"
    trial.setup.document["execution"]["timeoutSeconds"] = 1
    trial.stub.script(AGENT, Answer(delay=4))
    ended(trial.setup.run(), ExitCode.AGENT_TIMED_OUT, Reason.AGENT_TIMED_OUT, recorded=True, dispatched=True)
    assert len(trial.stub.requests.of("legacy")) == 1


@side_by_side
def test_output_that_conductor_cannot_store_ends_at_the_deadline(trial: Trial) -> None:
    trial.setup.document["execution"]["timeoutSeconds"] = 3
    trial.stub.script(AGENT, ODD_ANSWERS["too large to store"])
    ended(trial.setup.run(), ExitCode.AGENT_TIMED_OUT, Reason.AGENT_TIMED_OUT, recorded=True)


@side_by_side
def test_raw_events_instead_of_text(trial: Trial) -> None:
    trial.stub.script(AGENT, ODD_ANSWERS["raw NDJSON"])
    ended(trial.setup.run(), ExitCode.COMPLETED, Reason.COMPLETED, recorded=True)
    assert record(trial)["output"].count("\n") == 3


@side_by_side
def test_a_delegation_starts_another_agent_and_changes_nothing_for_ours(trial: Trial) -> None:
    trial.stub.add_agent("B_Agent")
    trial.stub.script(
        AGENT, Answer(result="SEVERITY: warning", delegation=Delegation(agent_id="B_Agent", prompt="Go."))
    )
    ended(trial.setup.run(), ExitCode.COMPLETED, Reason.COMPLETED, severity="warning", recorded=True)
    wait_for(lambda: len(trial.stub.executions) == 2)
    assert trial.stub.executions[trial.setup.task_id] == 1
    assert trial.database.councilor_executions.count_documents({}) == 1


@side_by_side
def test_more_waiting_calls_than_conductor_has_threads(trial: Trial) -> None:
    """Upstream serves 40 calls at a time: the others wait, and every one ends with its own result."""
    trial.stub.script(AGENT, Answer(result="SEVERITY: success", delay=0.3))
    trial.stub.settings.workers = 45

    async def submit_all() -> list[str]:
        async with httpx.AsyncClient() as client:
            conductor = Conductor(client, trial.stub.conductor_url, SystemClock())
            bodies = [execution_request(task_id=str(ObjectId()), wait_for_result=True, timeout=30) for _ in range(45)]
            answers = await asyncio.gather(*(conductor.submit(f"/agents/{AGENT}/execute", body, 40) for body in bodies))
            return [answer.answer.kind.name for answer in answers]

    assert asyncio.run(submit_all()) == ["FINISHED"] * 45
    assert set(trial.stub.executions.values()) == {1}


# --- prompts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("character", ["x", "é", "👩", "\x01", "<", "$"])
@side_by_side
def test_a_prompt_of_the_longest_length(trial: Trial, character: str) -> None:
    trial.setup.document["task"] = {"name": "long", "prompt": None}
    ended(trial.setup.run(COUNCILOR_PROMPT=character * PROMPT_LIMIT), ExitCode.COMPLETED, Reason.COMPLETED)
    (request,) = trial.stub.requests.of("submit")
    assert request.json["user_input"].startswith(character * PROMPT_LIMIT + "\n\nOutput format:")


@pytest.mark.parametrize(
    ("prompt", "reason", "words"),
    [
        ("x" * (PROMPT_LIMIT + 1), Reason.PROMPT_INVALID, "10001 characters"),
        ("👩" * (PROMPT_LIMIT + 1), Reason.PROMPT_INVALID, "spec.task.promptFrom"),
        ("not \udcff text", Reason.PROMPT_INVALID, "UTF-8"),
        ("", Reason.PROMPT_MISSING, "spec.task.promptFrom"),
        (" \n\t", Reason.PROMPT_MISSING, "spec.task.promptFrom"),
    ],
    ids=["long", "long and wide", "binary", "empty", "blank"],
)
@side_by_side
def test_a_prompt_that_cannot_be_sent(trial: Trial, prompt: str, reason: Reason, words: str) -> None:
    trial.setup.document["task"] = {"name": "odd", "prompt": None}
    pod = trial.setup.run(COUNCILOR_PROMPT=prompt)
    ended(pod, ExitCode.CONFIGURATION, reason, recorded=True, dispatched=False)
    assert words in (pod.report.message or "")
    assert not trial.stub.requests.of("submit")
