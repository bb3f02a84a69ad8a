"""Runs, from the schedule or by hand, as they stand in MongoDB, in Conductor and in the Councilor's status."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from tests.conductor.answers import Answer
from tests.e2e import operator_pod
from tests.e2e.environment import Environment
from tests.e2e.workspace import Workspace, eventually


def test_a_scheduled_run_is_recorded_and_reported(environment: Environment, workspace: Workspace) -> None:
    agent = workspace.agent("Coverage", Answer(result="- [ ] Coverage fell to 64 %\n\nSEVERITY: warning", delay=0.5))
    workspace.create("coverage", agent, schedule={"type": "interval", "value": "1m"}, title="Test coverage", emoji="🧪")
    status = workspace.await_runs("coverage", 1, seconds=130)
    workspace.patch("coverage", {"schedule": {"enabled": False}})

    run = status["lastRun"]
    expected = {"trigger": "scheduled", "status": "completed", "severity": "warning", "result": "warning"}
    assert {key: run[key] for key in expected} == expected
    assert run["recorded"] is True
    assert run["exitCode"] == 0
    assert run["summary"].startswith("- [ ] Coverage fell to 64 %")
    assert run["durationMs"] >= 500
    assert [(entry["channel"], entry["delivered"]) for entry in run["notified"]] == [("panel", True)]
    job = workspace.job(run["jobName"])
    assert run["taskId"] == workspace.task_id("coverage", job)
    assert status["stats"] == {
        "totalExecutions": 1,
        "success": 0,
        "warning": 1,
        "error": 0,
        "failed": 0,
        "skipped": 0,
        "missed": 0,
        "unknown": 0,
        "consecutiveFailures": 0,
        "successRate": 0,
    }
    conditions = {item["type"]: (item["status"], item["reason"]) for item in status["conditions"]}
    assert conditions == {
        "Ready": ("True", "Reconciled"),
        "Scheduled": ("True", "Active"),
        "Healthy": ("True", "RunSucceeded"),
    }
    following = [datetime.fromisoformat(time) for time in status["nextRunTimes"]]
    assert len(following) == 3
    assert following[1] - following[0] == timedelta(minutes=1)

    record = workspace.record(run["taskId"])
    assert record is not None
    recorded = {
        "execution_id": run["executionId"],
        "councilor_id": agent,
        "agent_id": agent,
        "status": "completed",
        "severity": "warning",
        "namespace": workspace.namespace,
        "councilor": "coverage",
        "job": run["jobName"],
        "trigger": "scheduled",
        "exit_code": 0,
        "reason": "Completed",
        "error": None,
        "output_truncated": False,
    }
    assert {key: record[key] for key in recorded} == recorded
    assert record["output"] == "- [ ] Coverage fell to 64 %\n\nSEVERITY: warning"
    assert record["scheduled_at"] <= record["started_at"] <= record["completed_at"]
    assert record["duration_ms"] == run["durationMs"]
    statistics = environment.database.agents.find_one({"agent_id": agent}, {"stats": True})
    assert statistics is not None
    assert statistics["stats"]["total_executions"] == 1
    assert statistics["stats"]["success_rate"] == 0
    assert statistics["stats"]["last_execution"] == record["completed_at"]
    tasks = list(environment.database.tasks.find({"agent_id": agent}))
    assert [(str(task["_id"]), task["severity"]) for task in tasks] == [(run["taskId"], "warning")]
    assert workspace.executions(run["taskId"]) == 1


def test_columns(workspace: Workspace) -> None:
    agent = workspace.agent("Licence", Answer(result="Nothing found.\n\nSEVERITY: success"))
    workspace.create(
        "licences", agent, schedule={"type": "cron", "value": "0 9 * * MON-FRI", "timeZone": "America/Sao_Paulo"}
    )
    workspace.run_by_hand("licences", "by-hand")
    status = workspace.await_runs("licences", 1)

    header, row = workspace.kubectl("get", "councilors", "-o", "wide").splitlines()
    titles = [
        "NAME",
        "AGENT",
        "SCHEDULE",
        "ZONE",
        "PHASE",
        "LAST RUN",
        "RESULT",
        "NEXT RUN",
        "SUCCESS",
        "RUNS",
        "HEALTHY",
        "AGE",
    ]
    assert re.split(r" {2,}", header.strip()) == titles
    cells = dict(zip(titles, re.split(r" {2,}", row.strip()), strict=True))
    assert (cells["NAME"], cells["AGENT"], cells["SCHEDULE"]) == ("licences", agent, "0 9 * * MON-FRI")
    assert (cells["ZONE"], cells["PHASE"], cells["RESULT"]) == ("America/Sao_Paulo", "Scheduled", "success")
    assert cells["NEXT RUN"] == status["nextRunTimes"][0]
    assert cells["NEXT RUN"].endswith("T09:00:00-03:00")
    assert (cells["SUCCESS"], cells["RUNS"], cells["HEALTHY"]) == ("100", "1", "RunSucceeded")
    assert cells["LAST RUN"].endswith("s")


def test_a_run_by_hand_is_carried_out_and_counted(workspace: Workspace) -> None:
    agent = workspace.agent("Backup", Answer(result="Backup complete.\n\nSEVERITY: success"))
    workspace.create("backup", agent)
    task = workspace.run_by_hand("backup", "look-now")
    status = workspace.await_runs("backup", 1)

    run = status["lastRun"]
    assert (run["trigger"], run["jobName"], run["taskId"]) == ("manual", "look-now", task)
    assert (run["result"], run["recorded"], run.get("scheduledAt")) == ("success", True, None)
    assert (status["stats"]["totalExecutions"], status["stats"]["success"]) == (1, 1)
    assert status["lastSuccessTime"] == run["completedAt"]
    record = workspace.record(task)
    assert record is not None
    assert (record["trigger"], record["scheduled_at"], record["job"]) == ("manual", None, "look-now")
    assert workspace.executions(task) == 1


def test_an_agent_that_fails_is_a_failed_run(workspace: Workspace) -> None:
    agent = workspace.agent("Doctor", Answer(result="SEVERITY: success", exit_code=3, stderr="lock file missing"))
    workspace.create("doctor", agent)
    task = workspace.run_by_hand("doctor", "by-hand")
    status = workspace.await_runs("doctor", 1)

    run = status["lastRun"]
    assert (run["result"], run["status"], run["severity"], run["reason"]) == ("failed", "error", "error", "AgentFailed")
    assert (run["exitCode"], run["recorded"]) == (10, True)
    assert (status["stats"]["failed"], status["stats"]["consecutiveFailures"]) == (1, 1)
    healthy = workspace.condition("doctor", "Healthy")
    assert healthy is not None
    assert (healthy["status"], healthy["reason"]) == ("False", "RunFailed")
    record = workspace.record(task)
    assert record is not None
    assert (record["status"], record["exit_code"]) == ("error", 3)
    assert "lock file missing" in record["output"]


def test_two_councilors_of_one_agent_do_not_mix(environment: Environment, workspace: Workspace) -> None:
    agent = workspace.agent("Shared")
    environment.conductor.script(agent, Answer(result="SEVERITY: error", delay=1), prompt="the first question")
    environment.conductor.script(agent, Answer(result="SEVERITY: success", delay=1), prompt="the second question")
    workspace.create("first", agent, task={"prompt": "the first question"})
    workspace.create("second", agent, task={"prompt": "the second question"})
    # Both Jobs wear names that the other Councilor could have given them.
    tasks = {name: workspace.run_by_hand(name, f"{name}-by-hand") for name in ("first", "second")}

    results = {name: workspace.await_runs(name, 1) for name in ("first", "second")}
    for name, severity in (("first", "error"), ("second", "success")):
        run = results[name]["lastRun"]
        assert (run["jobName"], run["severity"], run["taskId"]) == (f"{name}-by-hand", severity, tasks[name])
        assert results[name]["stats"]["totalExecutions"] == 1
        record = workspace.record(tasks[name])
        assert record is not None
        assert (record["councilor"], record["severity"]) == (name, severity)
        assert workspace.executions(tasks[name]) == 1
    document = environment.database.agents.find_one({"agent_id": agent})
    assert document is not None
    assert (document["stats"]["total_executions"], document["stats"]["success_rate"]) == (2, 50)


def test_an_operator_killed_during_a_run_counts_it_once(environment: Environment, workspace: Workspace) -> None:
    agent = workspace.agent("Patient", Answer(result="Done.\n\nSEVERITY: success", delay=6))
    workspace.create("patient", agent)
    task = workspace.run_by_hand("patient", "first-run")
    workspace.await_phase("patient", "Running")
    eventually(lambda: workspace.executions(task) == 1, "the agent has begun")

    restarts = operator_pod.kill(environment)
    status = workspace.await_runs("patient", 1)
    operator_pod.await_restart(environment, restarts)
    assert (status["lastRun"]["taskId"], status["lastRun"]["result"]) == (task, "success")
    assert status["lastRun"]["recorded"] is True
    record = workspace.record(task)
    assert record is not None
    assert (record["status"], record["severity"]) == ("completed", "success")

    # The Job still exists: an operator that starts now sees it end once more, and must know that it was counted.
    restarts = operator_pod.kill(environment)
    operator_pod.await_restart(environment, restarts)
    environment.conductor.script(agent, Answer(result="SEVERITY: warning"))
    again = workspace.run_by_hand("patient", "second-run")
    status = workspace.await_runs("patient", 2)
    assert (status["stats"]["totalExecutions"], status["stats"]["success"], status["stats"]["warning"]) == (2, 1, 1)
    assert [run["jobName"] for run in status["recentRuns"]] == ["second-run", "first-run"]
    assert (workspace.executions(task), workspace.executions(again)) == (1, 1)
    assert len(workspace.submissions(task)) == 1
    assert environment.database.councilor_executions.count_documents({"agent_id": agent}) == 2
