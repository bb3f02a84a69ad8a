"""Runs that cannot speak for themselves: a report Job records and tells what the operator found out."""

from __future__ import annotations

from typing import Any

from pymongo import MongoClient

from councilor_operator.constants import LABEL_PURPOSE, PURPOSE_REPORT
from tests.conductor.answers import Answer
from tests.e2e.environment import Environment
from tests.e2e.workspace import Object, Workspace, eventually

REPORT_SECONDS = 120.0
"""How long a report may take: the kubelet starts its container again after 10, 20 and 40 s."""


def test_a_runner_that_is_killed_for_its_memory_is_recorded_and_told(
    environment: Environment, workspace: Workspace
) -> None:
    agent = workspace.agent("Big", Answer(result="SEVERITY: success"))
    workspace.create("big", agent, runner={"resources": {"limits": {"memory": "16Mi"}, "requests": {"memory": "8Mi"}}})
    task = workspace.run_by_hand("big", "too-big")
    status = workspace.await_runs("big", 1)
    assert (status["lastRun"]["result"], status["lastRun"]["reason"]) == ("failed", "OOMKilled")

    run = await_report(workspace, "big")

    assert (run["recorded"], run["reportResult"]) == (True, "succeeded")
    assert [(entry["channel"], entry["delivered"]) for entry in run["notified"]] == [("panel", True)]
    record = workspace.record(task)
    assert record is not None
    expected = {"status": "error", "severity": "error", "reason": "OOMKilled", "job": "too-big", "trigger": "manual"}
    assert {key: record[key] for key in expected} == expected
    assert record["execution_id"] == run["executionId"]
    statistics = environment.database.agents.find_one({"agent_id": agent}, {"stats": True})
    assert statistics is not None
    assert statistics["stats"]["total_executions"] == 1
    assert workspace.executions(task) == 0
    assert workspace.status("big")["stats"]["totalExecutions"] == 1
    (job,) = workspace.items("jobs", f"{LABEL_PURPOSE}={PURPOSE_REPORT}")
    assert job["metadata"]["name"] == run["reportJob"]


def test_a_run_that_found_no_database_is_recorded_when_it_is_back(workspace: Workspace) -> None:
    agent = workspace.agent("Patient", Answer(result="SEVERITY: success"))
    with workspace.database_away() as own:
        workspace.create("patient", agent)
        task = workspace.run_by_hand("patient", "while-away")
        run = workspace.await_runs("patient", 1)["lastRun"]
        assert (run["reason"], run["recorded"]) == ("DatabaseUnreachable", False)
        assert workspace.await_condition("patient", "Healthy", "False")["reason"] == "RunFailed"

        own.restart()
        run = await_report(workspace, "patient")

        assert (run["recorded"], run["reportResult"], run["reason"]) == (True, "succeeded", "DatabaseUnreachable")
        with MongoClient[dict[str, Any]](own.uri) as client:
            (record,) = client.conductor_state.councilor_executions.find({"task_id": task})
        assert (record["status"], record["reason"]) == ("error", "DatabaseUnreachable")
    assert workspace.executions(task) == 0


def await_report(workspace: Workspace, name: str) -> Object:
    """Wait until the report Job of the last run has ended; returns the run."""

    def reported() -> Object | None:
        run: Object = workspace.status(name)["lastRun"]
        return run if "reportResult" in run else None

    return eventually(
        reported, f"the last run of {name} is reported", seconds=REPORT_SECONDS, state=lambda: workspace.items("pods")
    )
