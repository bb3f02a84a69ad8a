"""Interrupted, repeated and crashed runs: one model call, one record, one count, whatever happens in between."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.database import Database

from councilor_runner.contract import ExitCode, Reason
from tests.conductor import Answer, StubConductor
from tests.mongodb import Mongod
from tests.runner import RunnerProcess, RunnerSetup
from tests.runner.process import job_name, wait_for

Documents = Database[dict[str, Any]]
BAD = Answer(result="One is old.\nSEVERITY: warning", delay=0.2)
SLOW = Answer(result="One is old.\nSEVERITY: warning", delay=3)


@pytest.fixture
def setup(stub_conductor: StubConductor, mongod: Mongod, tmp_path: Path) -> RunnerSetup:
    stub_conductor.add_agent("A_Agent")
    stub_conductor.script("A_Agent", BAD)
    return RunnerSetup(tmp_path, stub_conductor.conductor_url, stub_conductor.gateway_url, mongod.uri)


def completed_once(pod: RunnerProcess, setup: RunnerSetup, stub: StubConductor, database: Documents) -> None:
    """Assert that the run ended well and left exactly one trace of each kind."""
    assert pod.exit_code == ExitCode.COMPLETED, pod.log
    assert (pod.report.reason, pod.report.severity, pod.report.recorded) == (Reason.COMPLETED, "warning", True)
    assert stub.executions == {setup.task_id: 1}
    (record,) = database.councilor_executions.find()
    assert (record["status"], record["severity"], record["reason"]) == ("completed", "warning", "Completed")
    assert record["output"].startswith("One is old.")
    assert statistics(database)["total_executions"] == 1
    task = database.tasks.find_one({"_id": ObjectId(setup.task_id)})
    assert task is not None
    assert task["severity"] == "warning"


def statistics(database: Documents) -> dict[str, Any]:
    agent = database.agents.find_one({"agent_id": "A_Agent"})
    assert agent is not None
    stats: dict[str, Any] = agent.get("stats", {})
    return stats


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop", "carried_out": True},
        {"kind": "reset", "carried_out": True},
        {"kind": "drop"},
        {"kind": "reset"},
        {"status": 502, "carried_out": True},
        {"status": 502},
        {"status": 503, "times": 2},
        {"status": 504, "carried_out": True},
        {"status": 429, "retry_after": "1"},
        {"kind": "not-json", "carried_out": True},
        {"kind": "refuse", "seconds": 1.0},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
def test_an_answer_that_got_lost(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents, fault: dict[str, Any]
) -> None:
    stub_conductor.faults.next("submit", **fault)
    completed_once(setup.run(), setup, stub_conductor, conductor_database)


@pytest.mark.parametrize("fault", [{"kind": "not-json"}, {"status": 500}, {"status": 501}])
def test_what_nobody_understands_is_not_repeated(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents, fault: dict[str, Any]
) -> None:
    stub_conductor.faults.next("submit", **fault)
    pod = setup.run()
    assert (pod.exit_code, pod.report.reason) == (ExitCode.AGENT_FAILED, Reason.CONDUCTOR_FAILED)
    assert len(stub_conductor.requests.of("submit")) == 1
    record = conductor_database.councilor_executions.find_one()
    assert record is not None
    assert (record["status"], record["reason"]) == ("error", "ConductorFailed")


def test_poll_sources_that_come_and_go(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    setup.mongodb_uri = None
    stub_conductor.faults.next("details", status=503, times=2)
    stub_conductor.faults.next("details", kind="not-json")
    stub_conductor.faults.next("details", kind="drop")
    pod = setup.run()
    assert (pod.exit_code, pod.report.severity) == (ExitCode.COMPLETED, "warning")
    assert stub_conductor.executions == {setup.task_id: 1}


def test_a_second_pod_of_the_job_changes_nothing(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents
) -> None:
    first = setup.run()
    second = setup.run()
    completed_once(second, setup, stub_conductor, conductor_database)
    assert first.report.model_dump(exclude={"notified"}) == second.report.model_dump(exclude={"notified"})
    assert len(stub_conductor.requests.of("submit")) == 1


def test_bookkeeping_is_finished_by_the_next_pod(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents
) -> None:
    setup.run()
    # What a crash right after the record leaves: not counted, the task without a severity.
    conductor_database.agents.update_one({"agent_id": "A_Agent"}, {"$unset": {"stats": 1, "councilor_runs": 1}})
    conductor_database.tasks.update_one({"_id": ObjectId(setup.task_id)}, {"$set": {"severity": None}})
    completed_once(setup.run(), setup, stub_conductor, conductor_database)


@pytest.mark.parametrize("signal", ["terminate", "kill"])
@pytest.mark.parametrize("source", ["gateway", "mongodb"])
def test_a_pod_that_goes_while_the_agent_works(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents, signal: str, source: str
) -> None:
    stub_conductor.script("A_Agent", SLOW)
    if source == "mongodb":
        setup.document["endpoints"]["gatewayUrl"] = None
    pod = setup.start()
    wait_for(lambda: stub_conductor.executions)
    getattr(pod, signal)()
    if signal == "terminate":
        assert (pod.exit_code, pod.report.reason) == (ExitCode.TEMPORARY, Reason.INTERRUPTED), pod.log
        assert pod.report.dispatched
        assert not pod.report.recorded
        record = conductor_database.councilor_executions.find_one()
        assert record is not None
        assert (record["status"], record["reason"]) == ("running", "Interrupted")
        assert record["error"]
    assert statistics(conductor_database) == {}
    completed_once(setup.run(), setup, stub_conductor, conductor_database)


def test_an_interrupted_pod_without_a_database(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    setup.mongodb_uri = None
    stub_conductor.script("A_Agent", SLOW)
    pod = setup.start()
    wait_for(lambda: stub_conductor.executions)
    pod.terminate()
    assert (pod.exit_code, pod.report.reason) == (ExitCode.TEMPORARY, Reason.INTERRUPTED)
    second = setup.run()
    assert (second.exit_code, second.report.severity) == (ExitCode.COMPLETED, "warning")
    assert stub_conductor.executions == {setup.task_id: 1}


def test_without_any_way_to_ask_the_outcome_stays_unknown(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    setup.mongodb_uri = None
    setup.document["endpoints"]["gatewayUrl"] = None
    stub_conductor.script("A_Agent", SLOW)
    pod = setup.start()
    wait_for(lambda: stub_conductor.executions)
    pod.terminate()
    assert (pod.exit_code, pod.report.dispatched) == (ExitCode.TEMPORARY, True)
    second = setup.run()
    assert (second.exit_code, second.report.reason) == (ExitCode.AGENT_FAILED, Reason.OUTCOME_UNKNOWN)
    assert stub_conductor.executions == {setup.task_id: 1}


@pytest.mark.parametrize("signal", ["terminate", "kill"])
def test_the_seed_protocol_never_asks_twice(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents, signal: str
) -> None:
    stub_conductor.settings.era = "seed"
    setup.document["endpoints"]["protocol"] = "seed"
    stub_conductor.script("A_Agent", SLOW)
    pod = setup.start()
    wait_for(lambda: stub_conductor.requests.of("legacy") or stub_conductor.executions)
    getattr(pod, signal)()
    second = setup.run()
    assert (second.exit_code, second.report.reason) == (ExitCode.AGENT_FAILED, Reason.OUTCOME_UNKNOWN), second.log
    assert sum(stub_conductor.executions.values()) == 1
    assert statistics(conductor_database)["total_executions"] == 1


def test_an_early_signal(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    pod = setup.start()
    wait_for(lambda: pod.handles_signals)
    pod.terminate()
    assert (pod.exit_code, pod.report.reason) == (ExitCode.TEMPORARY, Reason.INTERRUPTED), pod.log
    assert setup.run().exit_code == ExitCode.COMPLETED
    assert sum(stub_conductor.executions.values()) == 1


def test_a_late_pod_continues_a_run_that_started_in_time(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents
) -> None:
    setup.job = job_name("licences", datetime.now(UTC) - timedelta(hours=1))
    stub_conductor.script("A_Agent", SLOW)
    pod = setup.start()
    wait_for(lambda: stub_conductor.executions)
    pod.kill()
    setup.document["execution"]["startingDeadlineSeconds"] = 60
    completed_once(setup.run(), setup, stub_conductor, conductor_database)


def test_a_late_pod_does_not_start_what_was_only_claimed(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents
) -> None:
    setup.job = job_name("licences", datetime.now(UTC) - timedelta(hours=1))
    stub_conductor.refuse("conductor")
    assert setup.run().exit_code == ExitCode.TEMPORARY
    stub_conductor.accept("conductor")
    setup.document["execution"]["startingDeadlineSeconds"] = 60
    pod = setup.run()
    assert (pod.exit_code, pod.report.reason) == (ExitCode.COMPLETED, Reason.STARTED_TOO_LATE)
    assert stub_conductor.executions == {}
    record = conductor_database.councilor_executions.find_one()
    assert record is not None
    assert record["status"] == "skipped"


def test_every_pod_of_a_manual_job_sends_the_same(setup: RunnerSetup, stub_conductor: StubConductor) -> None:
    setup.job = "licences-now"
    stub_conductor.script("A_Agent", SLOW)
    pod = setup.start()
    wait_for(lambda: stub_conductor.executions)
    pod.kill()
    second = setup.run()
    assert (second.exit_code, second.report.trigger) == (ExitCode.COMPLETED, "manual")
    first_request, second_request = stub_conductor.requests.of("submit")
    assert first_request.json == second_request.json


def test_an_outage_of_conductor_between_two_pods(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents
) -> None:
    stub_conductor.script("A_Agent", SLOW)
    pod = setup.start()
    wait_for(lambda: stub_conductor.executions)
    pod.kill()
    stub_conductor.refuse("conductor")
    completed_once(setup.run(), setup, stub_conductor, conductor_database)


def the_record(database: Documents) -> dict[str, Any]:
    (record,) = database.councilor_executions.find()
    return record


def test_the_last_pod_of_the_job_ends_the_run(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents
) -> None:
    stub_conductor.refuse("conductor")
    for attempt in (1, 2):
        pod = setup.run()
        assert (pod.exit_code, pod.report.reason) == (ExitCode.TEMPORARY, Reason.CONDUCTOR_UNREACHABLE), pod.log
        record = the_record(conductor_database)
        assert (record["status"], record["reason"], record["attempts"]) == ("running", "ConductorUnreachable", attempt)
        assert statistics(conductor_database) == {}
        assert pod.report.notified == ()

    last = setup.run()
    assert (last.exit_code, last.report.reason) == (ExitCode.AGENT_FAILED, Reason.CONDUCTOR_UNREACHABLE), last.log
    assert (last.report.status, last.report.severity, last.report.exit_code) == ("error", "error", last.exit_code)
    assert (last.report.recorded, last.report.dispatched) == (True, False)
    assert "tried 3 times" in (last.report.message or "")
    assert [(result.channel, result.delivered) for result in last.report.notified] == [("panel", True)]
    record = the_record(conductor_database)
    assert (record["status"], record["severity"], record["reason"]) == ("error", "error", "ConductorUnreachable")
    assert (record["attempts"], record["error"]) == (3, last.report.message)
    assert statistics(conductor_database)["total_executions"] == 1

    # What a crash right after the record leaves; an evicted Pod is replaced even now.
    conductor_database.agents.update_one({"agent_id": "A_Agent"}, {"$unset": {"stats": 1, "councilor_runs": 1}})
    stub_conductor.accept("conductor")
    for _ in range(2):
        after = setup.run()
        assert after.exit_code == ExitCode.AGENT_FAILED, after.log
        assert after.report == last.report
        assert the_record(conductor_database) == record
        assert statistics(conductor_database)["total_executions"] == 1
    assert stub_conductor.executions == {}


def test_the_last_pod_of_the_job_may_succeed(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents
) -> None:
    stub_conductor.refuse("conductor")
    assert [setup.run().exit_code for _ in range(2)] == [ExitCode.TEMPORARY] * 2
    stub_conductor.accept("conductor")
    completed_once(setup.run(), setup, stub_conductor, conductor_database)
    assert the_record(conductor_database)["attempts"] == 3


def test_giving_up_on_a_proxy_that_finds_no_conductor(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents
) -> None:
    setup.document["execution"]["retries"] = 0
    stub_conductor.faults.next("submit", status=502, times=10)
    pod = setup.run()
    assert (pod.exit_code, pod.report.reason) == (ExitCode.AGENT_FAILED, Reason.CONDUCTOR_UNREACHABLE), pod.log
    assert (pod.report.recorded, pod.report.dispatched) == (True, True)
    assert "may still reach Conductor" in (pod.report.message or "")
    assert the_record(conductor_database)["status"] == "error"
    assert statistics(conductor_database)["total_executions"] == 1


def test_a_killed_pod_was_an_attempt(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents
) -> None:
    setup.document["execution"]["retries"] = 1
    stub_conductor.refuse("conductor")
    pod = setup.start()
    wait_for(lambda: conductor_database.councilor_executions.find_one())
    pod.kill()
    last = setup.run()
    assert (last.exit_code, last.report.dispatched) == (ExitCode.AGENT_FAILED, False), last.log
    assert the_record(conductor_database)["status"] == "error"


def test_an_interrupted_pod_does_not_give_up(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents
) -> None:
    setup.document["execution"]["retries"] = 0
    stub_conductor.refuse("conductor")
    pod = setup.start()
    wait_for(lambda: conductor_database.councilor_executions.find_one())
    pod.terminate()
    assert (pod.exit_code, pod.report.reason) == (ExitCode.TEMPORARY, Reason.INTERRUPTED), pod.log
    assert the_record(conductor_database)["status"] == "running"
    assert statistics(conductor_database) == {}
    stub_conductor.accept("conductor")
    completed_once(setup.run(), setup, stub_conductor, conductor_database)


def test_the_seed_protocol_goes_on_where_nothing_was_sent(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents
) -> None:
    stub_conductor.settings.era = "seed"
    setup.document["endpoints"]["protocol"] = "seed"
    stub_conductor.script("A_Agent", SLOW)
    stub_conductor.refuse("conductor")
    for _ in range(2):
        pod = setup.run()
        assert (pod.exit_code, pod.report.reason) == (ExitCode.TEMPORARY, Reason.CONDUCTOR_UNREACHABLE), pod.log
    stub_conductor.accept("conductor")
    pod = setup.start()
    wait_for(lambda: stub_conductor.executions)
    pod.kill()
    # What the Pods before noted no longer holds.
    last = setup.run()
    assert (last.exit_code, last.report.reason) == (ExitCode.AGENT_FAILED, Reason.OUTCOME_UNKNOWN), last.log
    assert sum(stub_conductor.executions.values()) == 1
    assert statistics(conductor_database)["total_executions"] == 1


def test_the_seed_protocol_gives_up(
    setup: RunnerSetup, stub_conductor: StubConductor, conductor_database: Documents
) -> None:
    stub_conductor.settings.era = "seed"
    setup.document["endpoints"]["protocol"] = "seed"
    setup.document["execution"]["retries"] = 1
    stub_conductor.refuse("conductor")
    assert [setup.run().exit_code for _ in range(2)] == [ExitCode.TEMPORARY, ExitCode.AGENT_FAILED]
    record = the_record(conductor_database)
    assert (record["status"], record["reason"]) == ("error", "ConductorUnreachable")
    assert "tried 2 times" in record["error"]


def test_connections_cut_in_every_write(
    setup: RunnerSetup, stub_conductor: StubConductor, mongod: Mongod, conductor_database: Documents
) -> None:
    with mongod.fail_command("findAndModify", times=1, closeConnection=True, appName="councilor-runner"):
        completed_once(setup.run(), setup, stub_conductor, conductor_database)
    setup.job = job_name("licences", datetime.now(UTC) - timedelta(minutes=5))
    with mongod.fail_command("update", times=1, closeConnection=True, appName="councilor-runner"):
        assert setup.run().exit_code == ExitCode.COMPLETED
    assert statistics(conductor_database)["total_executions"] == 2
    assert conductor_database.councilor_executions.count_documents({"status": "completed"}) == 2


@pytest.mark.parametrize(
    ("code", "reason"),
    [(13, Reason.CREDENTIALS_REFUSED), (18, Reason.CREDENTIALS_REFUSED), (121, Reason.DATABASE_REFUSED)],
)
def test_a_claim_that_is_refused_sends_nothing(
    setup: RunnerSetup, stub_conductor: StubConductor, mongod: Mongod, code: int, reason: Reason
) -> None:
    with mongod.fail_command("findAndModify", errorCode=code, appName="councilor-runner"):
        pod = setup.run()
    assert (pod.exit_code, pod.report.reason) == (ExitCode.CONFIGURATION, reason)
    assert not stub_conductor.requests.of("submit")


def test_an_index_that_may_not_be_created_is_no_obstacle(
    setup: RunnerSetup, stub_conductor: StubConductor, mongod: Mongod, conductor_database: Documents
) -> None:
    with mongod.fail_command("createIndexes", errorCode=13, appName="councilor-runner"):
        completed_once(setup.run(), setup, stub_conductor, conductor_database)


def test_a_record_that_is_refused_stands_in_the_message(
    setup: RunnerSetup, stub_conductor: StubConductor, mongod: Mongod, conductor_database: Documents
) -> None:
    with mongod.fail_command("update", errorCode=13, appName="councilor-runner"):
        pod = setup.run()
    assert pod.exit_code == pod.report.exit_code == ExitCode.NOT_RECORDED
    assert (pod.report.reason, pod.report.severity, pod.report.recorded) == (Reason.COMPLETED, "warning", False)
    assert pod.report.summary == "One is old."
    completed_once(setup.run(), setup, stub_conductor, conductor_database)


@pytest.fixture
def other_mongod() -> Iterator[Mongod]:
    """A server of the test's own for the records: the stub's has to stay up."""
    with Mongod("replica-set") as server:
        yield server


@pytest.mark.parametrize("back", [True, False])
def test_mongodb_goes_while_the_agent_works(
    setup: RunnerSetup,
    stub_conductor: StubConductor,
    conductor_database: Documents,
    other_mongod: Mongod,
    back: bool,
) -> None:
    setup.mongodb_uri = other_mongod.uri
    stub_conductor.script("A_Agent", SLOW)
    pod = setup.start()
    wait_for(lambda: stub_conductor.executions)
    other_mongod.kill()
    if back:
        wait_for(lambda: conductor_database.tasks.find_one({"status": "completed"}))
        other_mongod.restart()
    pod.finish()
    assert (pod.report.reason, pod.report.severity) == (Reason.COMPLETED, "warning"), pod.log
    assert pod.exit_code == (ExitCode.COMPLETED if back else ExitCode.NOT_RECORDED), pod.log
    assert pod.report.recorded is back
    if back:
        with MongoClient[dict[str, Any]](other_mongod.uri) as client:
            (record,) = client.conductor_state.councilor_executions.find()
            assert record["status"] == "completed"
