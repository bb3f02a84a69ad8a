"""What has to be left of it all: every run once in MongoDB, in Conductor and in the status, every gap said.

Four sources that know nothing of each other are compared: the Jobs that a watch of our own saw, MongoDB's documents,
the stub Conductor's count of what its agents did, and the Councilors' statuses. Pure.

A scheduled time for which the CronJob controller makes no Job is no run: with `Forbid` it leaves out what falls into a
run that is still going on, and an API server that is away makes none. Nothing is lost then, but it has to be said, as
missed. Where the controller had moved on before an operator could look, nobody can tell whether there was a run, and
the time counts as unknown (docs/conditions.md); that is said as well. A *Job* that counts as unknown is a finding.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from councilor_runner import contract
from tests.endurance.load import PERIOD
from tests.endurance.witness import Job

Document = Mapping[str, Any]

TAIL: Final = timedelta(seconds=150)
"""Before a pause: times that passed so shortly before it may, or may not, be called missed."""
HEAD: Final = timedelta(seconds=15)
"""After a pause: how long the CronJob may go on until the operator has suspended it."""
RESULTS: Final = ("success", "warning", "error", "failed")
_RATE_TOLERANCE: Final = 1e-6


@dataclass(frozen=True)
class Subject:
    """A Councilor at the end."""

    name: str
    uid: str
    agent_id: str
    is_interval: bool
    began: datetime
    """When its CronJob was created: intervals count from there."""
    paused_at: datetime
    stats: Mapping[str, int]
    """`status.stats`, camelCase."""

    def times(self, until: datetime) -> list[datetime]:
        """The scheduled times after the creation, up to a time."""
        first = self.began + PERIOD if self.is_interval else self.began.replace(second=0) + PERIOD
        count = max(0, (until - first) // PERIOD + 1)
        return [first + number * PERIOD for number in range(count)]


@dataclass(frozen=True)
class Evidence:
    """Everything that was left."""

    subjects: Sequence[Subject]
    runs: Sequence[Job]
    records: Sequence[Document]
    """councilor_executions."""
    agents: Mapping[str, Document]
    """`stats` of the agents, by id."""
    tasks: Mapping[str, Document]
    """Conductor's tasks, by id."""
    executions: Mapping[str, int]
    """How often an agent really ran, by task id."""


@dataclass
class Judgement:
    """Findings, each in words, and the sums behind them."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Jobs that ran and count as unknown."""
    sums: Counter[str] = field(default_factory=Counter)

    @property
    def findings(self) -> list[str]:
        """All of them."""
        kinds = ("lost", "doubled", "wrong", "unknown")
        return [f"{kind}: {text}" for kind in kinds for text in getattr(self, kind)]


def judge(evidence: Evidence) -> Judgement:
    """Compare everything with everything."""
    verdict = Judgement()
    by_task: defaultdict[str, list[Document]] = defaultdict(list)
    for record in evidence.records:
        by_task[record["task_id"]].append(record)
    jobs: defaultdict[str, list[Job]] = defaultdict(list)
    for job in evidence.runs:
        jobs[job.councilor].append(job)
    known: set[str] = set()
    for subject in evidence.subjects:
        own = jobs.pop(subject.name, [])
        tasks = {contract.task_id(subject.uid, job.name): job for job in own}
        known |= tasks.keys()
        _judge_runs(verdict, tasks, by_task, evidence)
        _judge_times(verdict, subject, own)
        records = [record for task in tasks for record in by_task.get(task, [])]
        _judge_status(verdict, subject, len(own), records)
    for name, strange in jobs.items():
        verdict.wrong.append(f"{len(strange)} Jobs of {name or 'no Councilor'}, which is not one of these")
    for task in sorted((evidence.executions.keys() | by_task.keys()) - known):
        verdict.wrong.append(f"task {task} was carried out or recorded, and no Job was seen for it")
    _judge_agents(verdict, evidence)
    verdict.sums["Jobs"] = len(evidence.runs)
    verdict.sums["records"] = len(evidence.records)
    verdict.sums["agent runs"] = sum(evidence.executions.values())
    verdict.sums["counted in agents.stats"] = sum(
        stats.get("total_executions", 0) for stats in evidence.agents.values()
    )
    return verdict


def _judge_runs(
    verdict: Judgement, tasks: Mapping[str, Job], by_task: Mapping[str, Sequence[Document]], evidence: Evidence
) -> None:
    """Each Job: one record, one dispatch at most, the same severity on the task."""
    for task, job in tasks.items():
        records = by_task.get(task, ())
        executions = evidence.executions.get(task, 0)
        if job.outcome is None:
            verdict.lost.append(f"{job.name} has not ended")
        if not records:
            verdict.lost.append(f"{job.name} has no record; the agent ran {executions} times")
        if len(records) > 1:
            verdict.doubled.append(f"{job.name} has {len(records)} records")
        if executions > 1:
            verdict.doubled.append(f"{job.name}: the agent ran {executions} times")
        for record in records:
            if record["status"] == "running":
                verdict.lost.append(f"{job.name}: the record is still open")
            elif record["status"] == "completed":
                if executions == 0:
                    verdict.wrong.append(f"{job.name}: completed, and the agent never ran")
                if evidence.tasks.get(task, {}).get("severity") != record["severity"]:
                    verdict.wrong.append(f"{job.name}: task and record differ in severity")


def _judge_times(verdict: Judgement, subject: Subject, jobs: Sequence[Job]) -> None:
    """Each scheduled time: one Job, or none and then it has to be said."""
    made = Counter(job.scheduled_at for job in jobs)
    times = subject.times(subject.paused_at + HEAD)
    verdict.sums["scheduled times"] += len(times)
    for time, count in made.items():
        if count > 1:
            verdict.doubled.append(f"{subject.name}: {count} Jobs for {time}")
        if time not in times:
            verdict.wrong.append(f"{subject.name}: a Job for {time}, for which it was not scheduled")
    idle = [time for time in times if time not in made]
    # Of the last ones the operator has not said anything yet when the pause comes.
    settled = [time for time in idle if time <= subject.paused_at - TAIL]
    verdict.sums["times without a Job"] += len(idle)
    verdict.sums["of these shortly before a pause"] += len(idle) - len(settled)
    missed, unknown = subject.stats.get("missed", 0), _times_unknown(subject, len(jobs))
    verdict.sums["said to be missed"] += missed
    verdict.sums["said to be unknown, no Job"] += unknown
    said = missed + unknown
    if said < len(settled):
        verdict.lost.append(f"{subject.name}: {len(settled)} times passed without a Job, {said} are said")
    if said > len(idle):
        verdict.wrong.append(f"{subject.name}: {said} times are said to have passed without a Job, {len(idle)} did")


def _times_unknown(subject: Subject, jobs: int) -> int:
    """How many of the unknown are times without a Job: what is left when every Job is counted."""
    return max(0, subject.stats.get("unknown", 0) - max(0, jobs - _counted(subject)))


def _counted(subject: Subject) -> int:
    return subject.stats.get("totalExecutions", 0) + subject.stats.get("skipped", 0)


def _judge_status(verdict: Judgement, subject: Subject, jobs: int, records: Sequence[Document]) -> None:
    """The status: each Job counted once, with the result that stands in MongoDB."""
    stats, counted = subject.stats, _counted(subject)
    verdict.sums["counted in statuses"] += counted
    unknown = stats.get("unknown", 0)
    if counted > jobs:
        verdict.doubled.append(f"{subject.name}: {jobs} Jobs, {counted} counted")
    elif counted + unknown < jobs:
        verdict.lost.append(f"{subject.name}: {jobs} Jobs, {counted} counted, {unknown} unknown")
    elif counted < jobs:
        verdict.unknown.append(f"{subject.name}: {jobs - counted} of {jobs} Jobs count as unknown")
    if counted != jobs:
        return
    recorded = Counter("failed" if record["status"] == "error" else record["severity"] for record in records)
    for result in RESULTS:
        if stats.get(result, 0) != recorded[result]:
            verdict.wrong.append(
                f"{subject.name}: {stats.get(result, 0)} runs counted as {result}, {recorded[result]} recorded"
            )


def _judge_agents(verdict: Judgement, evidence: Evidence) -> None:
    """Statistics of the agents: as many as there are records, with their rate."""
    records: defaultdict[str, list[Document]] = defaultdict(list)
    for record in evidence.records:
        if record["severity"] is not None:
            records[record["agent_id"]].append(record)
    for agent_id, stats in evidence.agents.items():
        own = records.pop(agent_id, [])
        total = stats.get("total_executions", 0)
        if total != len(own):
            kind = verdict.lost if total < len(own) else verdict.doubled
            kind.append(f"agents.stats of {agent_id}: {total} counted, {len(own)} recorded")
        elif own:
            successes = sum(record["severity"] == "success" for record in own)
            if abs(stats["success_rate"] - 100 * successes / total) > _RATE_TOLERANCE:
                verdict.wrong.append(f"agents.stats of {agent_id}: success rate {stats['success_rate']}")
            if stats["last_execution"] != max(record["completed_at"] for record in own):
                verdict.wrong.append(f"agents.stats of {agent_id}: the last execution is another one")
    for agent_id in records:
        verdict.wrong.append(f"records of {agent_id}, an agent that does not exist")


def reasons(records: Iterable[Document]) -> Counter[str]:
    """How often runs ended for which reason."""
    return Counter(str(record.get("reason")) for record in records)
