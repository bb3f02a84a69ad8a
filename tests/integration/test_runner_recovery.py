"""Interrupted, repeated and crashed runs: one model call, one record, one count, whatever happens in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.database import Database

from councilor_runner.contract import ExitCode, Reason
from tests.conductor import Answer
from tests.mongodb import Mongod
from tests.runner import RunnerProcess
from tests.runner.process import job_name, wait_for
from tests.runner.trials import Trial, side_by_side

Documents = Database[dict[str, Any]]
EXECUTIONS = "councilor_executions"
SLOW = Answer(result="One is old.\nSEVERITY: warning", delay=3)


def completed_once(trial: Trial, pod: RunnerProcess) -> None:
    """Assert that the run ended well and left exactly one trace of each kind."""
    setup, stub, database = trial.setup, trial.stub, trial.database
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


# First, because it takes longest: the one that is left without MongoDB tries for half a minute.
@pytest.mark.parametrize("back", [False, True])
@side_by_side
def test_mongodb_goes_while_the_agent_works(trial: Trial, back: bool) -> None:
    setup = trial.setup
    trial.stub.script("A_Agent", SLOW)
    # A server of its own for the records: the stub's has to stay up.
    with Mongod("replica-set") as mongod:
        setup.mongodb_uri = mongod.uri
        pod = setup.start()
        wait_for(lambda: trial.stub.executions)
        mongod.kill()
        if back:
            wait_for(lambda: trial.database.tasks.find_one({"status": "completed"}))
            mongod.restart()
        pod.finish()
        assert (pod.report.reason, pod.report.severity) == (Reason.COMPLETED, "warning"), pod.log
        assert pod.exit_code == (ExitCode.COMPLETED if back else ExitCode.NOT_RECORDED), pod.log
        assert pod.report.recorded is back
        if back:
            with MongoClient[dict[str, Any]](mongod.uri) as client:
                (record,) = client[trial.database.name].councilor_executions.find()
                assert record["status"] == "completed"


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
@side_by_side
def test_an_answer_that_got_lost(trial: Trial, fault: dict[str, Any]) -> None:
    setup, stub = trial.setup, trial.stub
    stub.faults.next("submit", **fault)
    completed_once(trial, setup.run())


@pytest.mark.parametrize("fault", [{"kind": "not-json"}, {"status": 500}, {"status": 501}])
@side_by_side
def test_what_nobody_understands_is_not_repeated(trial: Trial, fault: dict[str, Any]) -> None:
    setup, stub, database = trial.setup, trial.stub, trial.database
    stub.faults.next("submit", **fault)
    pod = setup.run()
    assert (pod.exit_code, pod.report.reason) == (ExitCode.AGENT_FAILED, Reason.CONDUCTOR_FAILED)
    assert len(stub.requests.of("submit")) == 1
    record = database.councilor_executions.find_one()
    assert record is not None
    assert (record["status"], record["reason"]) == ("error", "ConductorFailed")


@pytest.mark.parametrize("stored", [True, False])
@side_by_side
def test_what_nobody_understands_is_followed_up(trial: Trial, stored: bool) -> None:
    """The sources may be away for the same reason that made the answer unusable."""
    setup, stub = trial.setup, trial.stub
    setup.mongodb_uri = None
    stub.faults.next("submit", kind="not-json", carried_out=stored)
    stub.faults.next("details", status=503, times=3)
    pod = setup.run()
    reason = Reason.COMPLETED if stored else Reason.CONDUCTOR_FAILED
    assert pod.report.reason == reason, pod.log
    assert len(stub.requests.of("submit")) == 1
    assert stub.executions == ({setup.task_id: 1} if stored else {})


@side_by_side
def test_poll_sources_that_come_and_go(trial: Trial) -> None:
    setup, stub = trial.setup, trial.stub
    setup.mongodb_uri = None
    stub.faults.next("details", status=503, times=2)
    stub.faults.next("details", kind="not-json")
    stub.faults.next("details", kind="drop")
    pod = setup.run()
    assert (pod.exit_code, pod.report.severity) == (ExitCode.COMPLETED, "warning")
    assert stub.executions == {setup.task_id: 1}


@side_by_side
def test_a_second_pod_of_the_job_changes_nothing(trial: Trial) -> None:
    setup, stub = trial.setup, trial.stub
    first = setup.run()
    second = setup.run()
    completed_once(trial, second)
    assert first.report.model_dump(exclude={"notified"}) == second.report.model_dump(exclude={"notified"})
    assert len(stub.requests.of("submit")) == 1


@side_by_side
def test_bookkeeping_is_finished_by_the_next_pod(trial: Trial) -> None:
    setup, database = trial.setup, trial.database
    setup.run()
    # What a crash right after the record leaves: not counted, the task without a severity.
    database.agents.update_one({"agent_id": "A_Agent"}, {"$unset": {"stats": 1, "councilor_runs": 1}})
    database.tasks.update_one({"_id": ObjectId(setup.task_id)}, {"$set": {"severity": None}})
    completed_once(trial, setup.run())


@pytest.mark.parametrize("signal", ["terminate", "kill"])
@pytest.mark.parametrize("source", ["gateway", "mongodb"])
@side_by_side
def test_a_pod_that_goes_while_the_agent_works(trial: Trial, signal: str, source: str) -> None:
    setup, stub, database = trial.setup, trial.stub, trial.database
    stub.script("A_Agent", SLOW)
    if source == "mongodb":
        setup.document["endpoints"]["gatewayUrl"] = None
    pod = setup.start()
    wait_for(lambda: stub.executions)
    getattr(pod, signal)()
    if signal == "terminate":
        assert (pod.exit_code, pod.report.reason) == (ExitCode.TEMPORARY, Reason.INTERRUPTED), pod.log
        assert pod.report.dispatched
        assert not pod.report.recorded
        record = database.councilor_executions.find_one()
        assert record is not None
        assert (record["status"], record["reason"]) == ("running", "Interrupted")
        assert record["error"]
    assert statistics(database) == {}
    completed_once(trial, setup.run())


@side_by_side
def test_an_interrupted_pod_without_a_database(trial: Trial) -> None:
    setup, stub = trial.setup, trial.stub
    setup.mongodb_uri = None
    stub.script("A_Agent", SLOW)
    pod = setup.start()
    wait_for(lambda: stub.executions)
    pod.terminate()
    assert (pod.exit_code, pod.report.reason) == (ExitCode.TEMPORARY, Reason.INTERRUPTED)
    second = setup.run()
    assert (second.exit_code, second.report.severity) == (ExitCode.COMPLETED, "warning")
    assert stub.executions == {setup.task_id: 1}


@side_by_side
def test_without_any_way_to_ask_the_outcome_stays_unknown(trial: Trial) -> None:
    setup, stub = trial.setup, trial.stub
    setup.mongodb_uri = None
    setup.document["endpoints"]["gatewayUrl"] = None
    stub.script("A_Agent", SLOW)
    pod = setup.start()
    wait_for(lambda: stub.executions)
    pod.terminate()
    assert (pod.exit_code, pod.report.dispatched) == (ExitCode.TEMPORARY, True)
    second = setup.run()
    assert (second.exit_code, second.report.reason) == (ExitCode.AGENT_FAILED, Reason.OUTCOME_UNKNOWN)
    assert stub.executions == {setup.task_id: 1}


@pytest.mark.parametrize("signal", ["terminate", "kill"])
@side_by_side
def test_the_seed_protocol_never_asks_twice(trial: Trial, signal: str) -> None:
    setup, stub, database = trial.setup, trial.stub, trial.database
    stub.settings.era = "seed"
    setup.document["endpoints"]["protocol"] = "seed"
    stub.script("A_Agent", SLOW)
    pod = setup.start()
    wait_for(lambda: stub.requests.of("legacy") or stub.executions)
    getattr(pod, signal)()
    second = setup.run()
    assert (second.exit_code, second.report.reason) == (ExitCode.AGENT_FAILED, Reason.OUTCOME_UNKNOWN), second.log
    assert sum(stub.executions.values()) == 1
    assert statistics(database)["total_executions"] == 1


@side_by_side
def test_an_early_signal(trial: Trial) -> None:
    setup, stub = trial.setup, trial.stub
    pod = setup.start()
    wait_for(lambda: pod.handles_signals)
    pod.terminate()
    assert (pod.exit_code, pod.report.reason) == (ExitCode.TEMPORARY, Reason.INTERRUPTED), pod.log
    assert setup.run().exit_code == ExitCode.COMPLETED
    assert sum(stub.executions.values()) == 1


@side_by_side
def test_a_late_pod_continues_a_run_that_started_in_time(trial: Trial) -> None:
    setup, stub = trial.setup, trial.stub
    setup.job = job_name("licences", datetime.now(UTC) - timedelta(hours=1))
    stub.script("A_Agent", SLOW)
    pod = setup.start()
    wait_for(lambda: stub.executions)
    pod.kill()
    setup.document["execution"]["startingDeadlineSeconds"] = 60
    completed_once(trial, setup.run())


@side_by_side
def test_a_late_pod_does_not_start_what_was_only_claimed(trial: Trial) -> None:
    setup, stub, database = trial.setup, trial.stub, trial.database
    setup.job = job_name("licences", datetime.now(UTC) - timedelta(hours=1))
    stub.refuse("conductor")
    assert setup.run().exit_code == ExitCode.TEMPORARY
    stub.accept("conductor")
    setup.document["execution"]["startingDeadlineSeconds"] = 60
    pod = setup.run()
    assert (pod.exit_code, pod.report.reason) == (ExitCode.COMPLETED, Reason.STARTED_TOO_LATE)
    assert stub.executions == {}
    record = database.councilor_executions.find_one()
    assert record is not None
    assert record["status"] == "skipped"


@side_by_side
def test_every_pod_of_a_manual_job_sends_the_same(trial: Trial) -> None:
    setup, stub = trial.setup, trial.stub
    setup.job = "licences-now"
    stub.script("A_Agent", SLOW)
    pod = setup.start()
    wait_for(lambda: stub.executions)
    pod.kill()
    second = setup.run()
    assert (second.exit_code, second.report.trigger) == (ExitCode.COMPLETED, "manual")
    first_request, second_request = stub.requests.of("submit")
    assert first_request.json == second_request.json


@side_by_side
def test_an_outage_of_conductor_between_two_pods(trial: Trial) -> None:
    setup, stub = trial.setup, trial.stub
    stub.script("A_Agent", SLOW)
    pod = setup.start()
    wait_for(lambda: stub.executions)
    pod.kill()
    stub.refuse("conductor")
    completed_once(trial, setup.run())


def the_record(database: Documents) -> dict[str, Any]:
    (record,) = database.councilor_executions.find()
    return record


@side_by_side
def test_the_last_pod_of_the_job_ends_the_run(trial: Trial) -> None:
    setup, stub, database = trial.setup, trial.stub, trial.database
    stub.refuse("conductor")
    for attempt in (1, 2):
        pod = setup.run()
        assert (pod.exit_code, pod.report.reason) == (ExitCode.TEMPORARY, Reason.CONDUCTOR_UNREACHABLE), pod.log
        record = the_record(database)
        assert (record["status"], record["reason"], record["attempts"]) == ("running", "ConductorUnreachable", attempt)
        assert statistics(database) == {}
        assert pod.report.notified == ()

    last = setup.run()
    assert (last.exit_code, last.report.reason) == (ExitCode.AGENT_FAILED, Reason.CONDUCTOR_UNREACHABLE), last.log
    assert (last.report.status, last.report.severity, last.report.exit_code) == ("error", "error", last.exit_code)
    assert (last.report.recorded, last.report.dispatched) == (True, False)
    assert "tried 3 times" in (last.report.message or "")
    assert [(result.channel, result.delivered) for result in last.report.notified] == [("panel", True)]
    record = the_record(database)
    assert (record["status"], record["severity"], record["reason"]) == ("error", "error", "ConductorUnreachable")
    assert (record["attempts"], record["error"]) == (3, last.report.message)
    assert statistics(database)["total_executions"] == 1

    # What a crash right after the record leaves; an evicted Pod is replaced even now.
    database.agents.update_one({"agent_id": "A_Agent"}, {"$unset": {"stats": 1, "councilor_runs": 1}})
    stub.accept("conductor")
    for _ in range(2):
        after = setup.run()
        assert after.exit_code == ExitCode.AGENT_FAILED, after.log
        assert after.report == last.report
        assert the_record(database) == record
        assert statistics(database)["total_executions"] == 1
    assert stub.executions == {}


@side_by_side
def test_the_last_pod_of_the_job_may_succeed(trial: Trial) -> None:
    setup, stub, database = trial.setup, trial.stub, trial.database
    stub.refuse("conductor")
    assert [setup.run().exit_code for _ in range(2)] == [ExitCode.TEMPORARY] * 2
    stub.accept("conductor")
    completed_once(trial, setup.run())
    assert the_record(database)["attempts"] == 3


@side_by_side
def test_giving_up_on_a_proxy_that_finds_no_conductor(trial: Trial) -> None:
    setup, stub, database = trial.setup, trial.stub, trial.database
    setup.document["execution"]["retries"] = 0
    stub.faults.next("submit", status=502, times=10)
    pod = setup.run()
    assert (pod.exit_code, pod.report.reason) == (ExitCode.AGENT_FAILED, Reason.CONDUCTOR_UNREACHABLE), pod.log
    assert (pod.report.recorded, pod.report.dispatched) == (True, True)
    assert "may still reach Conductor" in (pod.report.message or "")
    assert the_record(database)["status"] == "error"
    assert statistics(database)["total_executions"] == 1


@side_by_side
def test_a_killed_pod_was_an_attempt(trial: Trial) -> None:
    setup, stub, database = trial.setup, trial.stub, trial.database
    setup.document["execution"]["retries"] = 1
    stub.refuse("conductor")
    pod = setup.start()
    wait_for(lambda: database.councilor_executions.find_one())
    pod.kill()
    last = setup.run()
    assert (last.exit_code, last.report.dispatched) == (ExitCode.AGENT_FAILED, False), last.log
    assert the_record(database)["status"] == "error"


@side_by_side
def test_an_interrupted_pod_does_not_give_up(trial: Trial) -> None:
    setup, stub, database = trial.setup, trial.stub, trial.database
    setup.document["execution"]["retries"] = 0
    stub.refuse("conductor")
    pod = setup.start()
    wait_for(lambda: database.councilor_executions.find_one())
    pod.terminate()
    assert (pod.exit_code, pod.report.reason) == (ExitCode.TEMPORARY, Reason.INTERRUPTED), pod.log
    assert the_record(database)["status"] == "running"
    assert statistics(database) == {}
    stub.accept("conductor")
    completed_once(trial, setup.run())


@side_by_side
def test_the_seed_protocol_goes_on_where_nothing_was_sent(trial: Trial) -> None:
    setup, stub, database = trial.setup, trial.stub, trial.database
    stub.settings.era = "seed"
    setup.document["endpoints"]["protocol"] = "seed"
    stub.script("A_Agent", SLOW)
    stub.refuse("conductor")
    for _ in range(2):
        pod = setup.run()
        assert (pod.exit_code, pod.report.reason) == (ExitCode.TEMPORARY, Reason.CONDUCTOR_UNREACHABLE), pod.log
    stub.accept("conductor")
    pod = setup.start()
    wait_for(lambda: stub.executions)
    pod.kill()
    # What the Pods before noted no longer holds.
    last = setup.run()
    assert (last.exit_code, last.report.reason) == (ExitCode.AGENT_FAILED, Reason.OUTCOME_UNKNOWN), last.log
    assert sum(stub.executions.values()) == 1
    assert statistics(database)["total_executions"] == 1


@side_by_side
def test_the_seed_protocol_gives_up(trial: Trial) -> None:
    setup, stub, database = trial.setup, trial.stub, trial.database
    stub.settings.era = "seed"
    setup.document["endpoints"]["protocol"] = "seed"
    setup.document["execution"]["retries"] = 1
    stub.refuse("conductor")
    assert [setup.run().exit_code for _ in range(2)] == [ExitCode.TEMPORARY, ExitCode.AGENT_FAILED]
    record = the_record(database)
    assert (record["status"], record["reason"]) == ("error", "ConductorUnreachable")
    assert "tried 2 times" in record["error"]


@side_by_side
def test_connections_cut_in_every_write(trial: Trial) -> None:
    setup, database = trial.setup, trial.database
    with trial.fail_command("findAndModify", EXECUTIONS, times=1, closeConnection=True):
        completed_once(trial, setup.run())
    setup.job = job_name("licences", datetime.now(UTC) - timedelta(minutes=5))
    with trial.fail_command("update", EXECUTIONS, times=1, closeConnection=True):
        assert setup.run().exit_code == ExitCode.COMPLETED
    assert statistics(database)["total_executions"] == 2
    assert database.councilor_executions.count_documents({"status": "completed"}) == 2


@pytest.mark.parametrize(
    ("code", "reason"),
    [(13, Reason.CREDENTIALS_REFUSED), (18, Reason.CREDENTIALS_REFUSED), (121, Reason.DATABASE_REFUSED)],
)
@side_by_side
def test_a_claim_that_is_refused_sends_nothing(trial: Trial, code: int, reason: Reason) -> None:
    setup, stub = trial.setup, trial.stub
    with trial.fail_command("findAndModify", EXECUTIONS, errorCode=code):
        pod = setup.run()
    assert (pod.exit_code, pod.report.reason) == (ExitCode.CONFIGURATION, reason)
    assert not stub.requests.of("submit")


@side_by_side
def test_an_index_that_may_not_be_created_is_no_obstacle(trial: Trial) -> None:
    with trial.fail_command("createIndexes", EXECUTIONS, errorCode=13):
        completed_once(trial, trial.setup.run())


@side_by_side
def test_a_record_that_is_refused_stands_in_the_message(trial: Trial) -> None:
    setup = trial.setup
    with trial.fail_command("update", EXECUTIONS, errorCode=13):
        pod = setup.run()
    assert pod.exit_code == pod.report.exit_code == ExitCode.NOT_RECORDED
    assert (pod.report.reason, pod.report.severity, pod.report.recorded) == (Reason.COMPLETED, "warning", False)
    assert pod.report.summary == "One is old."
    completed_once(trial, setup.run())
