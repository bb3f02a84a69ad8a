"""Every fault that a Conductor can show, met by the runner as a process: one dispatch, one record, one count.

| fault | where |
|---|---|
| refused, reset, dropped, hanging connection; 502, 503, 504; 429 with `Retry-After`; a body that is not JSON; each at the first and at the second call of submit, tasks, details and event | `test_a_call_that_fails` |
| stored, but the answer lost: the retry meets the duplicate | `test_stored_but_the_answer_is_lost` |
| processing for ever; too large to be stored | `test_a_task_that_never_ends` |
| finishing after the caller's deadline | `test_a_task_that_ends_after_the_deadline` |
| vanishing while polled | `test_a_task_that_vanishes` |
| result empty, null, an object, just under 16 MB, raw NDJSON, "0 falhas"; exit code null | `test_an_odd_result` |
| all slots for synchronous calls taken | `test_no_slot_is_free` |
| two tasks in one working directory at once | `test_two_runs_in_one_directory` |
| a delegation block that starts another agent | `test_a_delegation_is_no_run_of_ours` |
| Conductor without its database, answering 500 | `test_conductor_has_lost_its_database` |
"""  # noqa: E501 - a table's row is one line

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest
from bson import ObjectId

from councilor_runner.contract import ExitCode, Reason
from tests.conductor import ODD_ANSWERS, Answer, Delegation
from tests.conductor.faults import Operation
from tests.runner import RunnerProcess
from tests.runner.process import job_name, wait_for
from tests.runner.trials import Trial, side_by_side

ANSWER: Final = Answer(result="One is old.\nSEVERITY: warning", delay=0.4)
FAULTS: Final[dict[str, dict[str, Any]]] = {
    "refused": {"kind": "refuse", "seconds": 0.7},
    "reset": {"kind": "reset"},
    "dropped": {"kind": "drop"},
    "hanging": {"kind": "hang"},
    "502": {"status": 502},
    "503": {"status": 503},
    "504": {"status": 504},
    "429": {"status": 429, "retry_after": "1"},
    "not JSON": {"kind": "not-json"},
}
OPERATIONS: Final[tuple[Operation, ...]] = ("submit", "details", "tasks", "event")


def job(trial: Trial) -> RunnerProcess:
    """Start Pods, like the Job controller, until one ends the run."""
    for _ in range(trial.setup.document["execution"].get("retries", 2) + 1):
        pod = trial.setup.run()
        if pod.exit_code != ExitCode.TEMPORARY:
            return pod
    raise AssertionError(f"no Pod ended the run: {pod.log}")


def once(trial: Trial, pod: RunnerProcess, **report: object) -> None:
    """Assert that the run left one trace of each kind, which all say the same."""
    assert {name: getattr(pod.report, name) for name in report} == report, pod.log
    assert pod.report.recorded
    (record,) = trial.database.councilor_executions.find({"task_id": trial.setup.task_id})
    assert (record["status"], record["severity"], record["reason"]) == (
        pod.report.status,
        pod.report.severity,
        pod.report.reason,
    )
    assert counted(trial) == 1
    assert trial.stub.executions.get(trial.setup.task_id, 0) <= 1


def counted(trial: Trial) -> int:
    agent = trial.database.agents.find_one({"agent_id": trial.setup.agent_id})
    assert agent is not None
    total: int = agent.get("stats", {}).get("total_executions", 0)
    return total


@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("fault", FAULTS)
@side_by_side
def test_a_call_that_fails(trial: Trial, fault: str, operation: Operation, call: int) -> None:
    setup, stub = trial.setup, trial.stub
    stub.script("A_Agent", ANSWER)
    if fault == "hanging":
        setup.document["execution"]["timeoutSeconds"] = 3 if operation == "submit" else 20
    if operation == "submit" and call == 2:
        # There is a second call only where the first one got no answer.
        stub.faults.next("submit", status=503)
        call = 1
    stub.faults.next(operation, call=call, **FAULTS[fault])
    pod = job(trial)
    if fault == "not JSON" and operation == "submit":
        # Nobody can say what it means: it is not sent again, and there is no task.
        once(trial, pod, reason=Reason.CONDUCTOR_FAILED, exit_code=ExitCode.AGENT_FAILED)
        assert stub.executions == {}
        return
    once(trial, pod, reason=Reason.COMPLETED, severity="warning")
    if call == 2 and operation in ("tasks", "event"):
        # One Pod calls them once: the second call is that of a Pod which replaces it.
        again = setup.run()
        once(trial, again, reason=Reason.COMPLETED, severity="warning")
        assert again.exit_code == pod.exit_code
    assert stub.executions == {setup.task_id: 1}
    events = [request for request in stub.requests.of("event") if request.json["data"].get("severity")]
    told = {event.json["data"]["severity"] for event in events}
    # A gateway that is still away is not waited for: then the report says so.
    assert told == {"warning"} or [result.delivered for result in pod.report.notified] == [False]


@pytest.mark.parametrize("fault", [name for name in FAULTS if name not in ("refused", "hanging")])
@side_by_side
def test_stored_but_the_answer_is_lost(trial: Trial, fault: str) -> None:
    trial.stub.faults.next("submit", carried_out=True, **FAULTS[fault])
    once(trial, job(trial), reason=Reason.COMPLETED, severity="warning", dispatched=True)
    assert trial.stub.executions == {trial.setup.task_id: 1}


@pytest.mark.parametrize("answer", ["stays processing", "too large to store"])
@side_by_side
def test_a_task_that_never_ends(trial: Trial, answer: str) -> None:
    trial.stub.script("A_Agent", ODD_ANSWERS[answer])
    trial.setup.document["execution"]["timeoutSeconds"] = 2
    once(trial, job(trial), reason=Reason.AGENT_TIMED_OUT, exit_code=ExitCode.AGENT_TIMED_OUT, severity="error")


@side_by_side
def test_a_task_that_ends_after_the_deadline(trial: Trial) -> None:
    setup, stub, database = trial.setup, trial.stub, trial.database
    stub.script("A_Agent", Answer(result="SEVERITY: success", delay=2.5), Answer(result="SEVERITY: success"))
    setup.document["execution"]["timeoutSeconds"] = 1
    first = job(trial)
    once(trial, first, reason=Reason.AGENT_TIMED_OUT, exit_code=ExitCode.AGENT_TIMED_OUT, severity="error")
    wait_for(lambda: database.tasks.find_one({"status": "completed"}))
    again = setup.run()
    once(trial, again, reason=Reason.AGENT_TIMED_OUT, exit_code=ExitCode.AGENT_TIMED_OUT, severity="error")
    assert again.report.completed_at == first.report.completed_at
    task = database.tasks.find_one({"_id": ObjectId(setup.task_id)})
    assert task is not None
    assert (task["result"], task["severity"]) == ("SEVERITY: success", "error")
    # The next run is not held up by it.
    setup.job = job_name("licences", datetime.now(UTC) + timedelta(minutes=1))
    assert setup.run().report.severity == "success"
    assert counted(trial) == 2


@pytest.mark.parametrize("gateway", [True, False])
@side_by_side
def test_a_task_that_vanishes(trial: Trial, gateway: bool) -> None:
    trial.stub.script("A_Agent", ODD_ANSWERS["vanishes"])
    if not gateway:
        trial.setup.document["endpoints"]["gatewayUrl"] = None
    once(trial, job(trial), reason=Reason.TASK_VANISHED, exit_code=ExitCode.AGENT_FAILED, severity="error")


@pytest.mark.parametrize("gateway", [True, False])
@pytest.mark.parametrize(
    ("answer", "severity"),
    [
        ("empty", "success"),
        ("null", "success"),
        ("object", "success"),
        ("huge", "success"),
        # How a log of events reads is nobody's promise; that it is survived is.
        ("raw NDJSON", None),
        ("zero failures", "success"),
        ("exit code null", "success"),
    ],
)
@side_by_side
def test_an_odd_result(trial: Trial, answer: str, severity: str | None, gateway: bool) -> None:
    trial.stub.script("A_Agent", ODD_ANSWERS[answer])
    if not gateway:
        trial.setup.document["endpoints"]["gatewayUrl"] = None
    judged = {} if severity is None else {"severity": severity}
    once(trial, job(trial), reason=Reason.COMPLETED, exit_code=ExitCode.COMPLETED, **judged)


@side_by_side
def test_no_slot_is_free(trial: Trial) -> None:
    setup, stub = trial.setup, trial.stub
    stub.settings.sync_slots = 1
    stub.script("A_Agent", ANSWER)
    stub.add_agent("Other_Agent")
    stub.script("Other_Agent", Answer(delay=4))
    # Long enough to see the slot become free, however soon the runner asks for it.
    setup.document["execution"]["timeoutSeconds"] = 20
    url, task = f"{stub.conductor_url}/agents/Other_Agent/execute", str(ObjectId())
    body = {"task_id": task, "user_input": "Wait.", "cwd": "/srv/project", "is_councilor_execution": True}
    with httpx.Client() as other, pytest.raises(httpx.ReadTimeout):
        # Somebody waits in the only slot; leaving does not free it.
        other.post(url, json=body, timeout=0.5)
    once(trial, job(trial), reason=Reason.COMPLETED, severity="warning")
    assert stub.executions == {setup.task_id: 1, task: 1}


@side_by_side
def test_two_runs_in_one_directory(trial: Trial) -> None:
    setup, stub = trial.setup, trial.stub
    stub.script("A_Agent", Answer(result="SEVERITY: warning", delay=1.5))
    first = setup.start()
    wait_for(lambda: stub.executions)
    setup.job = job_name("licences", datetime.now(UTC) + timedelta(minutes=1))
    assert setup.run().exit_code == first.finish().exit_code == ExitCode.COMPLETED
    assert (counted(trial), list(stub.executions.values())) == (2, [1, 1])


@side_by_side
def test_a_delegation_is_no_run_of_ours(trial: Trial) -> None:
    setup, stub, database = trial.setup, trial.stub, trial.database
    stub.add_agent("Helper_Agent")
    stub.script(
        "A_Agent", ANSWER.model_copy(update={"delegation": Delegation(agent_id="Helper_Agent", prompt="Help.")})
    )
    once(trial, job(trial), reason=Reason.COMPLETED, severity="warning")
    wait_for(lambda: database.tasks.find_one({"agent_id": "Helper_Agent", "status": "completed"}))
    assert stub.executions[setup.task_id] == 1
    helper = database.agents.find_one({"agent_id": "Helper_Agent"})
    assert helper is not None
    assert "councilor_runs" not in helper


@side_by_side
def test_conductor_has_lost_its_database(trial: Trial) -> None:
    trial.stub.settings.mongo_uri_set = False
    once(trial, job(trial), reason=Reason.CONDUCTOR_FAILED, exit_code=ExitCode.AGENT_FAILED, severity="error")
    assert len(trial.stub.requests.of("submit")) == 1
    assert trial.stub.executions == {}
