"""What has to be left of a run, whatever befell it: one dispatch, one record, one count, one verdict in all places."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bson import ObjectId

from councilor_runner.contract import Reason, RunReport
from tests.crashes.job import JobEnd
from tests.crashes.scenario import SILENT, UNKNOWN, Scenario
from tests.crashes.site import Site
from tests.runner import RunnerSetup

Document = dict[str, Any]


@dataclass
class Judgement:
    """Violations, each in words. `wrong` is what is neither lost nor double: an exit code, a field."""

    lost: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def violations(self) -> list[str]:
        return [f"{kind}: {text}" for kind in ("lost", "double", "wrong") for text in getattr(self, kind)]


@dataclass(frozen=True)
class Traces:
    """Everything a run left behind."""

    dispatches: int
    tasks: list[Document]
    records: list[Document]
    agent: Document | None
    events: list[Document]
    end: JobEnd

    @property
    def task(self) -> Document | None:
        return self.tasks[0] if self.tasks else None

    @property
    def report(self) -> RunReport:
        return self.end.last.report


def traces(site: Site, setup: RunnerSetup, end: JobEnd) -> Traces:
    """Gather them; the watcher's own events carry no severity and are left out."""
    database, agent_id = site.database, setup.agent_id
    tasks = list(database.tasks.find({"agent_id": agent_id}))
    executions = site.stub.executions
    posted = (request.json["data"] for request in site.stub.requests.of("event"))
    return Traces(
        dispatches=sum(executions.get(str(task["_id"]), 0) for task in tasks) or executions.get(setup.task_id, 0),
        tasks=tasks,
        records=list(database.councilor_executions.find({"$or": [{"agent_id": agent_id}, {"task_id": setup.task_id}]})),
        agent=database.agents.find_one({"agent_id": agent_id}),
        events=[data for data in posted if data["agent_id"] == agent_id and data.get("severity")],
        end=end,
    )


def judge(scenario: Scenario, left: Traces, *, servers_failed: bool = False) -> Judgement:
    """Judge one run. `servers_failed`: Conductor may have been unable to take the task, or to finish it.

    Then the run may end as an error; but what the agent did must still be neither lost nor done twice.
    """
    verdict = Judgement()
    finished = left.task is not None and left.task["status"] in ("completed", "error")
    _judge_dispatch(verdict, scenario, left, servers_failed=servers_failed)
    _judge_ending(verdict, scenario, left, excused=servers_failed and not finished)
    if left.report.recorded is not scenario.recorded:
        verdict.lost.append(f"reported as recorded: {left.report.recorded}")
    if scenario.recorded:
        _judge_record(verdict, left)
        _judge_count(verdict, left, known=scenario.ending_name != "unknown agent")
        _judge_task(verdict, scenario, left)
    _judge_events(verdict, scenario, left)
    _judge_other(verdict, left)
    return verdict


def _judge_dispatch(verdict: Judgement, scenario: Scenario, left: Traces, *, servers_failed: bool) -> None:
    if left.dispatches > 1 or len(left.tasks) > 1:
        verdict.double.append(f"{left.dispatches} dispatches, {len(left.tasks)} tasks")
    if scenario.ending.answer is None:
        if left.tasks:
            verdict.wrong.append("a task although the agent was not to be asked")
        return
    # The seed protocol rather leaves the agent unasked than asks it twice; a report Job ends a run as it is.
    may_be_unasked = servers_failed or left.end.reported or (scenario.seed and left.end.disturbed)
    if left.dispatches == 0 and not may_be_unasked:
        verdict.lost.append("the agent was never asked")


def _judge_ending(verdict: Judgement, scenario: Scenario, left: Traces, *, excused: bool) -> None:
    allowed = [scenario.ending]
    # In the seed protocol every claim of another Pod may stand for an agent that was started.
    if left.end.disturbed and (scenario.seed or (scenario.sources == "none" and scenario.ending.answer is not None)):
        allowed.append(UNKNOWN)
    if left.end.reported:
        allowed.append(SILENT)
    report = left.report
    found = (report.reason, left.end.last.exit_code, report.status, report.severity)
    expected = [(ending.reason, ending.exit_code, ending.status, ending.severity) for ending in allowed]
    if found not in expected and not (excused and report.severity == "error"):
        kind = verdict.lost if left.dispatches else verdict.wrong
        kind.append(f"the run ended as {', '.join(map(str, found))}")


def _judge_record(verdict: Judgement, left: Traces) -> None:
    if len(left.records) != 1:
        (verdict.lost if not left.records else verdict.double).append(f"{len(left.records)} records")
        return
    (record,) = left.records
    report = left.report
    if record["status"] == "running":
        verdict.lost.append("the record is still open")
        return
    told: Document = {"status": report.status, "severity": report.severity, "reason": report.reason}
    told |= {"started_at": report.started_at, "completed_at": report.completed_at, "duration_ms": report.duration_ms}
    told |= {"exit_code": report.agent_exit_code, "execution_id": report.execution_id, "_id": ObjectId(report.task_id)}
    different = [name for name, value in told.items() if record[name] != value]
    if different:
        verdict.wrong.append(f"record and report differ in {', '.join(different)}")
    if record["completed_at"] < record["started_at"]:
        verdict.wrong.append("completed before it started")
    answered = report.reason in (Reason.COMPLETED, Reason.AGENT_FAILED)
    if answered and left.task is not None and record["output"] != left.task["result"]:
        verdict.lost.append("the record does not hold the answer")


def _judge_count(verdict: Judgement, left: Traces, *, known: bool) -> None:
    if not known:
        return
    assert left.agent is not None
    # The agent's document comes with statistics that are zero; a skipped run is not counted.
    stats = left.agent.get("stats", {})
    runs = 0 if left.report.severity is None else 1
    total = stats.get("total_executions", 0)
    if total != runs:
        (verdict.lost if total < runs else verdict.double).append(f"counted {total} times")
        return
    if runs:
        rate = 100.0 if left.report.severity == "success" else 0.0
        if (stats["success_rate"], stats["last_execution"]) != (rate, left.report.completed_at):
            verdict.wrong.append("statistics of another run")


def _judge_task(verdict: Judgement, scenario: Scenario, left: Traces) -> None:
    # The seed protocol makes up task ids, so nobody knows which task is meant.
    if left.task is not None and not scenario.seed and left.task["severity"] != left.report.severity:
        verdict.lost.append(f"the task's severity is {left.task['severity']}")


def _judge_events(verdict: Judgement, scenario: Scenario, left: Traces) -> None:
    severity = left.report.severity
    delivered = [result.delivered for result in left.report.notified]
    if severity is None:
        if left.events or delivered:
            verdict.wrong.append("told of a skipped run")
        return
    if scenario.gateway and not left.events and delivered != [False]:
        verdict.lost.append("nobody was told")
    if delivered != [scenario.gateway] and not (scenario.gateway and delivered == [False]):
        verdict.wrong.append(f"notified: {delivered}")
    if {event["severity"] for event in left.events} - {severity}:
        verdict.double.append("told of two verdicts")


def _judge_other(verdict: Judgement, left: Traces) -> None:
    if left.end.other is None:
        return
    same = ["status", "severity", "reason", "recorded", "started_at", "completed_at"]
    if not left.end.reported:
        same.append("exit_code")
    first, second = left.end.other.report, left.report
    if different := [name for name in same if getattr(first, name) != getattr(second, name)]:
        verdict.wrong.append(f"two Pods at once report different things: {', '.join(different)}")
