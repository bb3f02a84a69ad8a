"""The judge of `make endurance` has to notice everything that it is there for: finding nothing must mean something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from councilor_runner.contract import task_id
from tests.endurance.judgement import TAIL, Evidence, Subject, judge
from tests.endurance.load import percentile, promptness
from tests.endurance.witness import Job

BEGAN = datetime(2026, 3, 2, 9, 30, 20, tzinfo=UTC)
PAUSED = BEGAN + timedelta(minutes=6, seconds=30)
UID = "c0"
RUNS = 6


def _job(number: int) -> Job:
    due = BEGAN + timedelta(minutes=number)
    name = f"one-{int(due.timestamp()) // 60}"
    return Job(f"uid-{number}", name, "one", False, due, due, "Complete", due + timedelta(seconds=3))


JOBS = tuple(_job(number) for number in range(1, RUNS + 1))


def _task(job: Job) -> str:
    return task_id(UID, job.name)


def _record(job: Job) -> dict[str, Any]:
    record = {"task_id": _task(job), "agent_id": "One_Agent", "job": job.name, "status": "completed"}
    return {**record, "severity": "success", "reason": "Completed", "completed_at": job.ended_at}


def _sound() -> Evidence:
    """Six runs, all in order."""
    stats = {"totalExecutions": RUNS, "success": RUNS}
    return Evidence(
        subjects=[Subject("one", UID, "One_Agent", True, BEGAN, PAUSED, stats)],
        runs=JOBS,
        records=[_record(job) for job in JOBS],
        agents={
            "One_Agent": {"total_executions": RUNS, "success_rate": 100.0, "last_execution": JOBS[-1].ended_at},
        },
        tasks={_task(job): {"severity": "success"} for job in JOBS},
        executions={_task(job): 1 for job in JOBS},
    )


def _stats(found: Evidence, **changed: int) -> Evidence:
    (subject,) = found.subjects
    return replace(found, subjects=[replace(subject, stats={**subject.stats, **changed})])


def _without_job(found: Evidence, index: int, **changed: int) -> Evidence:
    """No Job for one time, and nothing of it anywhere."""
    job = JOBS[index]
    left = [other for other in JOBS if other is not job]
    thinned = replace(
        found,
        runs=left,
        records=[_record(other) for other in left],
        executions={_task(other): 1 for other in left},
        agents={"One_Agent": {**found.agents["One_Agent"], "total_executions": RUNS - 1}},
    )
    return _stats(thinned, totalExecutions=RUNS - 1, success=RUNS - 1, **changed)


def _changed(found: Evidence, **fields: Any) -> Evidence:
    """The first record with other fields."""
    return replace(found, records=[{**found.records[0], **fields}, *found.records[1:]])


def test_nothing_is_found_where_all_is_well() -> None:
    verdict = judge(_sound())
    assert verdict.findings == []
    assert verdict.sums["Jobs"] == verdict.sums["records"] == verdict.sums["counted in statuses"] == RUNS
    assert verdict.sums["times without a Job"] == 0


SPOILED: dict[str, tuple[Callable[[Evidence], Evidence], str]] = {
    "a record is missing": (lambda e: replace(e, records=e.records[1:]), "lost"),
    "a record is open": (lambda e: _changed(e, status="running", severity=None), "lost"),
    "a record twice": (lambda e: replace(e, records=[*e.records, e.records[0]]), "doubled"),
    "an agent asked twice": (lambda e: replace(e, executions={**e.executions, _task(JOBS[2]): 2}), "doubled"),
    "an agent not asked": (
        lambda e: replace(e, executions={key: n for key, n in e.executions.items() if key != _task(JOBS[0])}),
        "wrong",
    ),
    "an agent asked by nobody": (lambda e: replace(e, executions={**e.executions, "f" * 24: 1}), "wrong"),
    "a task without severity": (lambda e: replace(e, tasks={**e.tasks, _task(JOBS[0]): {}}), "wrong"),
    "a Job goes on": (
        lambda e: replace(e, runs=[replace(e.runs[0], outcome=None), *e.runs[1:]]),
        "lost",
    ),
    "a Job of nobody": (lambda e: replace(e, runs=[*e.runs, replace(e.runs[0], councilor="two")]), "wrong"),
    "two Jobs for a time": (
        lambda e: replace(e, runs=[*e.runs, replace(e.runs[0], uid="again", name="one-again")]),
        "doubled",
    ),
    "a Job between the times": (
        lambda e: replace(e, runs=[replace(e.runs[0], scheduled_at=BEGAN + timedelta(seconds=70)), *e.runs[1:]]),
        "wrong",
    ),
    "a run not counted": (lambda e: _stats(e, totalExecutions=RUNS - 1, success=RUNS - 1), "lost"),
    "a run counted twice": (lambda e: _stats(e, totalExecutions=RUNS + 1, success=RUNS + 1), "doubled"),
    "a run counted as unknown": (
        lambda e: _stats(e, totalExecutions=RUNS - 1, success=RUNS - 1, unknown=1),
        "unknown",
    ),
    "another result counted": (lambda e: _stats(e, success=RUNS - 1, failed=1), "wrong"),
    "a time passed in silence": (lambda e: _without_job(e, 1), "lost"),
    "a run said to be missed": (lambda e: _stats(e, missed=1), "wrong"),
    "statistics one short": (
        lambda e: replace(e, agents={"One_Agent": {**e.agents["One_Agent"], "total_executions": RUNS - 1}}),
        "lost",
    ),
    "statistics one too many": (
        lambda e: replace(e, agents={"One_Agent": {**e.agents["One_Agent"], "total_executions": RUNS + 1}}),
        "doubled",
    ),
    "another rate": (
        lambda e: replace(e, agents={"One_Agent": {**e.agents["One_Agent"], "success_rate": 99.0}}),
        "wrong",
    ),
    "another last execution": (
        lambda e: replace(e, agents={"One_Agent": {**e.agents["One_Agent"], "last_execution": BEGAN}}),
        "wrong",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_what_is_spoiled_is_found(case: str) -> None:
    spoil, kind = SPOILED[case]
    verdict = judge(spoil(_sound()))
    assert getattr(verdict, kind), verdict.findings


ALLOWED: dict[str, Callable[[Evidence], Evidence]] = {
    "missed, and said so": lambda e: _without_job(e, 1, missed=1),
    "nobody can tell whether there was a run": lambda e: _without_job(e, 1, unknown=1),
    "shortly before the pause, not said": lambda e: _without_job(e, RUNS - 2),
    "shortly before the pause, and said": lambda e: _without_job(e, RUNS - 2, missed=1),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_a_time_without_a_run_is_allowed_when_it_is_said(case: str) -> None:
    verdict = judge(ALLOWED[case](_sound()))
    assert verdict.findings == []
    assert verdict.sums["times without a Job"] == 1


def test_the_tail_is_about_the_last_times_only() -> None:
    due = [job.scheduled_at for job in JOBS if job.scheduled_at is not None]
    assert due[1] <= PAUSED - TAIL < due[RUNS - 2]


def test_times_of_both_kinds() -> None:
    (subject,) = _sound().subjects
    until = BEGAN + timedelta(minutes=2)
    assert subject.times(until) == [BEGAN + timedelta(minutes=1), BEGAN + timedelta(minutes=2)]
    by_cron = replace(subject, is_interval=False)
    assert by_cron.times(until) == [datetime(2026, 3, 2, 9, minute, tzinfo=UTC) for minute in (31, 32)]
    assert by_cron.times(BEGAN) == []


def test_a_run_that_has_not_begun_is_as_late_as_it_is_by_now() -> None:
    now = BEGAN + timedelta(minutes=3)
    due = [job.scheduled_at for job in JOBS if job.scheduled_at is not None]
    started = {JOBS[0].name: due[0] + timedelta(seconds=4)}
    found = promptness(JOBS, started, BEGAN, BEGAN + timedelta(minutes=2, seconds=1), now)
    assert found is not None
    assert (found.due, found.median, found.p95) == (2, 4.0, 60.0)
    assert promptness(JOBS, started, PAUSED, now + timedelta(hours=1), now) is None


@pytest.mark.parametrize(("percent", "expected"), [(50, 2.0), (75, 3.0), (95, 4.0), (1, 1.0)])
def test_percentiles(percent: int, expected: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == expected
