"""`councilor-runner report` as a process: what it records, counts and tells, and that it never starts an agent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from councilor_runner.contract import ChannelResult, ExitCode, Reason
from tests.conductor import Answer
from tests.runner.process import job_name, wait_for
from tests.runner.world import APPLICATION, ENDED, World, channels, outcome

SLOW = Answer(result="One is old.\nSEVERITY: warning", delay=1)


def test_a_run_that_was_never_claimed(both: World) -> None:
    told = both.told()
    pod = both.setup.report(told)
    both.finished(pod, recorded=True)
    scheduled = datetime.fromtimestamp(int(both.setup.job.rsplit("-", 1)[1]) * 60, tz=UTC)
    assert pod.report.model_dump(exclude={"recorded", "notified", "scheduled_at"}) == told.model_dump(
        exclude={"recorded", "notified", "scheduled_at"}
    )
    assert both.record == {
        "_id": ObjectId(both.setup.task_id),
        "execution_id": told.execution_id,
        "councilor_id": "A_Agent",
        "agent_id": "A_Agent",
        "namespace": "team-a",
        "councilor": "licences",
        "task_id": told.task_id,
        "job": both.setup.job,
        "trigger": "scheduled",
        "scheduled_at": scheduled,
        "started_at": told.started_at,
        "created_at": told.started_at,
        "completed_at": told.completed_at,
        "duration_ms": 42000,
        "status": "error",
        "severity": "error",
        "output": None,
        "error": told.message,
        "exit_code": None,
        "reason": "OOMKilled",
        "output_truncated": False,
    }
    assert both.statistics == {"total_executions": 1, "success_rate": 0.0, "last_execution": ENDED}
    assert outcome(pod) == [("panel", True)]
    (event,) = both.told_events
    assert (event["status"], event["severity"]) == ("error", "error")
    assert event["result_summary"] == f"ERROR: {told.message}"

    again = both.setup.report(told)
    both.finished(again)
    assert again.report == pod.report
    assert len(both.records) == both.statistics["total_executions"] == 1
    assert both.submissions == 0
    assert both.stub.executions == {}


def test_a_manual_run(world: World) -> None:
    world.setup.job = "licences-now"
    told = world.told(trigger="manual")
    pod = world.setup.report(told)
    world.finished(pod, recorded=True, trigger="manual", scheduled_at=None)
    assert (world.record["trigger"], world.record["job"]) == ("manual", "licences-now")


@pytest.mark.parametrize("signal", ["terminate", "kill"])
def test_a_run_that_was_left_open(both: World, signal: str) -> None:
    both.stub.script("A_Agent", SLOW)
    pod = both.setup.start()
    wait_for(lambda: both.stub.executions)
    getattr(pod, signal)()
    claim = both.record
    assert (claim["status"], claim["reason"]) == ("running", "Interrupted" if signal == "terminate" else None)
    wait_for(lambda: both.database.tasks.find_one({"status": "completed"}))

    ended = both.setup.report(both.told(dispatched=True))
    both.finished(ended, recorded=True, status="error", reason="OOMKilled", dispatched=True)
    record = both.record
    changed = {"completed_at", "duration_ms", "status", "severity", "error", "reason"}
    assert {name for name in record if record[name] != claim[name]} == changed
    assert (record["status"], record["reason"], record["started_at"]) == ("error", "OOMKilled", claim["started_at"])
    assert ended.report.started_at == record["started_at"]
    assert ended.report.duration_ms == record["duration_ms"]
    assert both.statistics["total_executions"] == 1
    # The result came after the run was counted as failed; it stays where Conductor keeps it.
    task = both.database.tasks.find_one({"_id": ObjectId(both.setup.task_id)})
    assert task is not None
    assert (task["status"], task["severity"]) == ("completed", "error")
    assert both.submissions == 1
    assert both.stub.executions == {both.setup.task_id: 1}


@pytest.mark.parametrize("counted", [True, False])
def test_a_run_that_was_recorded(both: World, counted: bool) -> None:
    run = both.setup.run()
    record = both.record
    if not counted:
        # What a crash right after the record leaves.
        both.database.agents.update_one({"agent_id": "A_Agent"}, {"$unset": {"stats": 1, "councilor_runs": 1}})
        both.database.tasks.update_one({}, {"$set": {"severity": None}})
    pod = both.setup.report(both.told())
    both.finished(pod, exit_code=137, dispatched=False)
    assert pod.report.model_dump(exclude={"exit_code", "dispatched"}) == run.report.model_dump(
        exclude={"exit_code", "dispatched"}
    )
    assert both.record == record
    assert both.statistics["total_executions"] == 1
    task = both.database.tasks.find_one()
    assert task is not None
    assert task["severity"] == "warning"
    # Whether the Pod that died had told anybody is unknown.
    assert [event["severity"] for event in both.told_events] == ["warning", "warning"]
    assert both.stub.executions == {both.setup.task_id: 1}


def test_a_result_that_mongodb_refused(both: World) -> None:
    both.stub.script("A_Agent", Answer(result="One is old. " * 40 + "\nSEVERITY: warning"))
    with both.mongod.fail_command("update", errorCode=13, appName=APPLICATION):
        run = both.setup.run()
    assert (run.exit_code, outcome(run)) == (ExitCode.NOT_RECORDED, [("panel", True)]), run.log
    pod = both.setup.report(run.report)
    both.finished(
        pod,
        recorded=True,
        status="completed",
        severity="warning",
        exit_code=20,
        message=None,
        notified=run.report.notified,
    )
    record = both.record
    assert (record["status"], record["severity"], record["reason"]) == ("completed", "warning", "Completed")
    assert (record["output"], record["output_truncated"], record["error"]) == (run.report.summary, True, None)
    assert (record["exit_code"], record["attempts"]) == (0, 1)
    assert both.statistics["total_executions"] == 1
    assert len(both.told_events) == 1, "the run itself has told"
    again = both.setup.report(run.report)
    assert again.report == pod.report
    assert both.record == record
    assert both.submissions == 1


def test_a_skipped_run_is_recorded_and_nobody_hears_of_it(world: World) -> None:
    pod = world.setup.report(world.told(status="skipped", severity=None, reason="StartedTooLate", exit_code=20))
    world.finished(pod, recorded=True, status="skipped", severity=None, notified=())
    assert (world.record["status"], world.record["severity"], world.record["error"]) == ("skipped", None, None)
    assert world.statistics == {}
    assert world.told_events == []


def test_a_recovery_is_told_once_it_is_known(world: World) -> None:
    world.setup.document["notifications"] = {"onSuccess": False}
    first = world.told(message="hung up")
    world.finished(world.setup.report(first))
    world.setup.job = job_name("licences", datetime.now(UTC) + timedelta(minutes=5))
    success = world.told(
        status="completed",
        severity="success",
        reason="Completed",
        exit_code=20,
        started_at=ENDED + timedelta(minutes=59),
        completed_at=ENDED + timedelta(hours=1),
    )
    pod = world.setup.report(success)
    world.finished(pod, recorded=True)
    assert outcome(pod) == [("panel", True)]
    assert [event["result_summary"] for event in world.told_events] == ["ERROR: hung up", "RECOVERED from error"]


def test_the_run_stays_that_of_its_agent(world: World) -> None:
    run = world.setup.start()
    wait_for(lambda: world.stub.executions)
    run.kill()
    world.stub.add_agent("B_Agent")
    world.setup.document["agent"]["id"] = "B_Agent"
    # The operator knows a silent run under the agent that the Councilor has by now.
    pod = world.setup.report(world.told())
    assert world.record["agent_id"] == world.record["councilor_id"] == "A_Agent"
    world.finished(pod, recorded=True, execution_id=world.record["execution_id"])
    assert world.statistics["total_executions"] == 1
    other = world.database.agents.find_one({"agent_id": "B_Agent"})
    assert other is not None
    assert "stats" not in other


@pytest.mark.parametrize(
    ("rules", "before", "expected", "events"),
    [
        ({}, (), [("panel", True)], 1),
        ({"onError": False}, (), [], 0),
        ({}, channels(("panel", True)), [("panel", True)], 0),
        ({}, channels(("panel", False)), [("panel", True)], 1),
        (
            {"channels": ["panel", "slack"]},
            channels(("panel", False), ("slack", True)),
            [("panel", True), ("slack", True)],
            1,
        ),
        ({"channels": ["slack"]}, channels(("panel", True)), [("panel", True), ("slack", False)], 0),
    ],
)
@pytest.mark.parametrize("mongodb", [True, False])
def test_who_is_told(
    world: World,
    mongodb: bool,
    rules: dict[str, Any],
    before: tuple[ChannelResult, ...],
    expected: list[tuple[str, bool]],
    events: int,
) -> None:
    world.setup.document["notifications"] = rules
    if not mongodb:
        world.setup.mongodb_uri = None
    pod = world.setup.report(world.told(notified=before))
    world.finished(pod, recorded=mongodb)
    assert outcome(pod) == expected
    assert len(world.told_events) == events
    assert len(world.records) == int(mongodb)


@pytest.mark.parametrize("url", [True, False])
def test_a_gateway_that_is_away_holds_nothing_up(world: World, url: bool) -> None:
    world.stub.refuse("gateway")
    if not url:
        world.setup.document["endpoints"]["gatewayUrl"] = None
    pod = world.setup.report(world.told())
    world.finished(pod, recorded=True)
    assert outcome(pod) == [("panel", False)]
    assert pod.report.notified[0].reason
    assert world.statistics["total_executions"] == 1


def test_conductor_need_not_be_there(world: World) -> None:
    world.stub.refuse("conductor")
    world.finished(world.setup.report(world.told()), recorded=True)


@pytest.mark.parametrize(
    ("contract", "report", "words"),
    [
        ({}, {"COUNCILOR_REPORT": "{"}, "COUNCILOR_REPORT"),
        ({}, {"COUNCILOR_JOB_NAME": "licences-other"}, "another run"),
        ({"timeoutSeconds": "soon"}, {}, "execution.timeoutSeconds"),
    ],
)
def test_what_nobody_can_read(world: World, contract: dict[str, Any], report: dict[str, str], words: str) -> None:
    told = world.told()
    world.setup.document["execution"] |= contract
    pod = world.setup.report(told, **report)
    world.finished(pod, ExitCode.CONFIGURATION, reason=Reason.INVALID_CONTRACT, exit_code=78, recorded=False)
    assert words in (pod.report.message or "")
    assert world.records == []
    assert not list(world.stub.requests)


def test_no_secret_in_logs_and_message(world: World) -> None:
    secrets = ("s3cr3t-pr0mpt", "s3cr3t-t0ken", "s3cr3t-h3ader", "s3cr3t-summ4ry")
    world.setup.document["task"]["prompt"] = f"Use {secrets[0]}."
    world.setup.document["endpoints"]["headers"] = {"X-Key": secrets[2]}
    told = world.told(summary=f"One is old: {secrets[3]}.", reason="AgentFailed")
    world.stub.faults.next("event", status=500)
    pod = world.setup.report(told, CONDUCTOR_TOKEN=secrets[1])
    with world.mongod.fail_command("update", errorCode=121, appName=APPLICATION):
        world.setup.job = job_name("licences", datetime.now(UTC) + timedelta(minutes=1))
        refused = world.setup.report(
            world.told(summary=f"One is old: {secrets[3]}.", reason="AgentFailed"), CONDUCTOR_TOKEN=secrets[1]
        )
    world.finished(pod, recorded=True)
    world.finished(refused, ExitCode.NOT_RECORDED)
    assert world.setup.mongodb_uri is not None
    for one in (pod, refused):
        for secret in (*secrets, world.setup.mongodb_uri, world.stub.gateway_url):
            assert secret not in one.log
        for secret in (*secrets[:3], world.setup.mongodb_uri, world.stub.gateway_url):
            assert secret.encode() not in one.message
    assert secrets[3] in world.record["output"], "the answer itself has its place in the record"
    (event,) = world.stub.requests.of("event")
    assert event.headers["authorization"] == f"Bearer {secrets[1]}"


def test_it_never_loads_what_could_start_an_agent(world: World) -> None:
    world.setup.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    log = world.setup.report(world.told()).log
    loaded = {line.rsplit("|", 1)[1].strip() for line in log.splitlines() if line.startswith("import time:")}
    assert {"councilor_runner.reporting", "councilor_runner.gateway", "pymongo"} <= loaded
    assert not loaded & {"councilor_runner.conductor", "councilor_runner.execution", "councilor_runner.session"}
    assert not loaded & {"kopf", "kubernetes", "aiohttp", "croniter", "councilor_operator"}
    world.setup.mongodb_uri = None
    assert "pymongo" not in world.setup.report(world.told()).log
