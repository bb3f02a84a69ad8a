"""A task that is not ours under the id of the run: its answer is another's, and so are its marks."""

from __future__ import annotations

from typing import Any

import pytest
from bson import ObjectId

from councilor_runner.contract import ExitCode, Reason
from tests.conductor import Answer
from tests.runner.trials import Trial, side_by_side


def occupy(trial: Trial) -> dict[str, Any]:
    """Store a finished task of another agent under the run's id."""
    task = {
        "_id": ObjectId(trial.setup.task_id),
        "agent_id": "Other_Agent",
        "status": "completed",
        "result": "SEVERITY: success",
        "exit_code": 0,
        "severity": None,
    }
    trial.database.tasks.insert_one(task)
    return task


@pytest.mark.parametrize("sources", ["gateway", "mongodb", "both"])
@side_by_side
def test_another_agents_answer_is_not_taken(trial: Trial, sources: str) -> None:
    setup, database = trial.setup, trial.database
    if sources == "gateway":
        setup.mongodb_uri = None
    if sources == "mongodb":
        setup.document["endpoints"]["gatewayUrl"] = None
    task = occupy(trial)
    pod = setup.run()
    assert (pod.exit_code, pod.report.reason) == (ExitCode.AGENT_FAILED, Reason.CONDUCTOR_FAILED), pod.log
    assert "another agent" in (pod.report.message or "")
    assert pod.report.severity == "error"
    assert trial.stub.executions == {}
    assert database.tasks.find_one() == task, "it is not ours to mark"


@side_by_side
def test_a_job_made_again_under_another_agent(trial: Trial) -> None:
    """`kubectl create job` under the name of a scheduled one: the run that was, not a second one."""
    setup, stub, database = trial.setup, trial.stub, trial.database
    first = setup.run()
    stub.add_agent("B_Agent")
    stub.script("B_Agent", Answer(result="SEVERITY: success"))
    setup.document["agent"]["id"] = "B_Agent"
    second = setup.run()
    assert second.exit_code == first.exit_code, second.log
    same = {"execution_id", "severity", "summary", "started_at", "completed_at", "recorded"}
    assert second.report.model_dump(include=same) == first.report.model_dump(include=same)
    assert stub.executions == {setup.task_id: 1}
    assert database.councilor_executions.count_documents({}) == 1
    counted = {agent["agent_id"]: agent.get("stats", {}).get("total_executions", 0) for agent in database.agents.find()}
    assert counted == {"A_Agent": 1, "B_Agent": 0}
