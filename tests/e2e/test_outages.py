"""Conductor or MongoDB away: a run fails with a reason, and nothing is ever sent twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conductor.answers import Answer
from tests.e2e.environment import Environment
from tests.e2e.workspace import Workspace

EXECUTION = {"cwd": "/srv/project", "timeoutSeconds": 60}


@pytest.fixture
def conductor_away(environment: Environment) -> Iterator[None]:
    """Conductor's port refuses connections; open again after the test at the latest."""
    environment.conductor.refuse("conductor")
    try:
        yield
    finally:
        environment.conductor.accept("conductor")


@pytest.mark.usefixtures("conductor_away")
def test_an_unreachable_conductor_fails_the_run_with_a_reason(environment: Environment, workspace: Workspace) -> None:
    agent = workspace.agent("Nobody")
    workspace.create("nobody", agent)
    task = workspace.run_by_hand("nobody", "by-hand")
    status = workspace.await_runs("nobody", 1)

    run = status["lastRun"]
    assert (run["result"], run["reason"], run["exitCode"]) == ("failed", "ConductorUnreachable", 10)
    assert run["recorded"] is True
    assert "Conductor" in run["message"]
    assert "tried once" in run["message"]
    assert status["stats"]["failed"] == 1
    healthy = workspace.condition("nobody", "Healthy")
    assert healthy is not None
    assert (healthy["status"], healthy["reason"]) == ("False", "RunFailed")
    assert "ConductorUnreachable" in healthy["message"]
    assert workspace.submissions(task) == []
    assert workspace.executions(task) == 0

    record = workspace.record(task)
    assert record is not None
    assert (record["status"], record["severity"], record["reason"]) == ("error", "error", "ConductorUnreachable")
    assert (record["attempts"], record["error"]) == (1, run["message"])
    counted = environment.database.agents.find_one({"agent_id": agent}, {"stats": True})
    assert counted is not None
    assert counted["stats"]["total_executions"] == 1


@pytest.mark.usefixtures("conductor_away")
def test_the_next_pod_goes_on_when_conductor_is_back(environment: Environment, workspace: Workspace) -> None:
    agent = workspace.agent("Patient", Answer(result="SEVERITY: success"))
    workspace.create("patient", agent, execution={**EXECUTION, "retries": 2})
    task = workspace.run_by_hand("patient", "by-hand")
    workspace.await_pod("by-hand", "Failed")
    environment.conductor.accept("conductor")
    status = workspace.await_runs("patient", 1)

    assert (status["lastRun"]["result"], status["lastRun"]["taskId"]) == ("success", task)
    assert status["stats"]["failed"] == 0
    assert len(workspace.items("pods")) == 2
    assert (len(workspace.submissions(task)), workspace.executions(task)) == (1, 1)
    record = workspace.record(task)
    assert record is not None
    assert (record["status"], record["reason"], record["attempts"]) == ("completed", "Completed", 2)


def test_a_lost_answer_does_not_start_the_agent_again(environment: Environment, workspace: Workspace) -> None:
    agent = workspace.agent("Once", Answer(result="SEVERITY: success", delay=1))
    workspace.create("once", agent, execution={**EXECUTION, "retries": 2})
    environment.conductor.faults.next("submit", kind="reset", carried_out=True)
    task = workspace.run_by_hand("once", "by-hand")
    status = workspace.await_runs("once", 1)

    assert (status["lastRun"]["result"], status["lastRun"]["recorded"]) == ("success", True)
    assert workspace.executions(task) == 1
    assert environment.database.tasks.count_documents({"agent_id": agent}) == 1


def test_an_unreachable_database_stops_the_run_before_anything_is_sent(workspace: Workspace) -> None:
    agent = workspace.agent("Careful", Answer(result="SEVERITY: success"))
    with workspace.database_away() as own:
        workspace.create("careful", agent)
        task = workspace.run_by_hand("careful", "while-away")
        status = workspace.await_runs("careful", 1)
        run = status["lastRun"]
        assert (run["result"], run["reason"], run["exitCode"]) == ("failed", "DatabaseUnreachable", 75)
        assert run["recorded"] is False
        assert "MongoDB" in run["message"]
        assert own.address not in run["message"]
        assert (workspace.submissions(task), workspace.executions(task)) == ([], 0)

        own.restart()
        again = workspace.run_by_hand("careful", "when-back")
        status = workspace.await_runs("careful", 2)
        assert (status["lastRun"]["result"], status["lastRun"]["recorded"]) == ("success", True)
        assert (workspace.executions(task), workspace.executions(again)) == (0, 1)
