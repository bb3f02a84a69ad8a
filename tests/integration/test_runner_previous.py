"""Which run counts as the one before, on both shapes of MongoDB: whether a success is a recovery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo.asynchronous.database import AsyncDatabase

from councilor_runner.contract import Reason
from councilor_runner.outcome import Outcome
from councilor_runner.records import Finished, PreviousRun, claim_fields, open_fields, result_fields
from councilor_runner.settings import Settings, read_settings
from councilor_runner.store import Store
from tests.unit.runner.test_settings import changed

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FAILED = Outcome(Reason.AGENT_FAILED, None, 3, "it ended with 3")
DIED = Outcome("OOMKilled", message="out of memory")
SKIPPED = Outcome(Reason.STARTED_TOO_LATE, message="late")

Run = dict[str, Any]


def run(minutes: int, outcome: Outcome | None = None, severity: str | None = None, **over: Any) -> Run:
    """A record as the runner writes it; without an outcome the run is still going on."""
    return {"minutes": minutes, "outcome": outcome, "severity": severity, **over}


def failed(minutes: int, outcome: Outcome = FAILED, **over: Any) -> Run:
    return run(minutes, outcome, "error", **over)


def judged(minutes: int, severity: str, **over: Any) -> Run:
    return run(minutes, Outcome(Reason.COMPLETED, "x", 0), severity, **over)


HISTORIES: list[tuple[str, list[Run], tuple[str, bool, int] | None]] = [
    ("the first run", [], None),
    ("a success", [judged(5, "success")], ("success", False, 5)),
    ("a warning", [judged(5, "warning")], ("warning", False, 5)),
    ("an error", [judged(5, "error")], ("error", False, 5)),
    ("a failed run", [failed(5)], ("error", True, 5)),
    ("a run that a report recorded", [failed(5, DIED)], ("error", True, 5)),
    ("the last one counts", [failed(9), judged(5, "success")], ("success", False, 5)),
    ("the last one counts, whenever it was written", [judged(5, "success"), failed(9)], ("success", False, 5)),
    ("skipped in between", [failed(9), run(5, SKIPPED), run(4, SKIPPED)], ("error", True, 9)),
    ("only skipped before", [run(5, SKIPPED)], None),
    ("open in between", [failed(9), run(5)], ("error", True, 9)),
    ("by hand in between", [failed(9), judged(5, "success", job="licences-now", uid="j")], ("success", False, 5)),
    ("by hand before", [failed(5, job="licences-now", uid="j")], ("error", True, 5)),
    ("another agent before", [failed(5, agent="Mistyped_Agent")], ("error", True, 5)),
    ("another Councilor with the same agent", [failed(5, councilor="other")], None),
    ("the same name elsewhere", [failed(5, namespace="team-b")], None),
    ("a run that started later", [judged(9, "warning"), failed(-1)], ("warning", False, 9)),
]


def settings_of(minutes: int, over: Run) -> Settings:
    at = NOW - minutes * MINUTE
    job = over.get("job") or f"licences-{int(at.timestamp()) // 60}"
    environment = changed(
        councilor={
            "name": over.get("councilor", "licences"),
            "namespace": over.get("namespace", "team-a"),
            "uid": f"{over.get('namespace')}-{over.get('councilor')}",
        },
        agent={"id": over.get("agent", "A_Agent")},
    )
    return read_settings({**environment, "COUNCILOR_JOB_NAME": job, "COUNCILOR_JOB_UID": over.get("uid", "none")})


def record(over: Run) -> dict[str, Any]:
    at = NOW - over["minutes"] * MINUTE
    settings = settings_of(over["minutes"], over)
    document = {"_id": ObjectId(settings.task_id), **open_fields(), **claim_fields(settings, at)}
    if over["outcome"] is not None:
        document |= result_fields(Finished(over["outcome"], over["severity"], at, at + MINUTE / 2))
    return document


@pytest.mark.parametrize(("history", "expected"), [row[1:] for row in HISTORIES], ids=[row[0] for row in HISTORIES])
async def test_the_run_before(
    store: Store, database: AsyncDatabase[dict[str, Any]], history: list[Run], expected: tuple[str, bool, int] | None
) -> None:
    await store.prepare()
    documents = [record(over) for over in history]
    if documents:
        await database.councilor_executions.insert_many(documents)
    fields = claim_fields(settings_of(0, {}), NOW)
    await store.claim(fields)
    before = await store.previous(fields)
    if expected is None:
        assert before is None
        return
    severity, without_answer, minutes = expected
    assert before == PreviousRun(severity, failed=without_answer, started_at=NOW - minutes * MINUTE)  # type: ignore[arg-type]


async def test_records_of_another_program(store: Store, database: AsyncDatabase[dict[str, Any]]) -> None:
    """The first version wrote no namespace; a severity that nobody knows is no verdict."""
    fields = claim_fields(settings_of(0, {}), NOW)
    first = {"councilor_id": "A_Agent", "started_at": NOW - MINUTE, "severity": "error", "status": "error"}
    strange = {"namespace": "team-a", "councilor": "licences", "started_at": NOW - MINUTE, "severity": "mauve"}
    await database.councilor_executions.insert_one(first)
    assert await store.previous(fields) is None
    await database.councilor_executions.insert_one(strange)
    assert await store.previous(fields) is None


async def test_looking_back_reads_one_record(store: Store, database: AsyncDatabase[dict[str, Any]]) -> None:
    """However long the history is."""
    await store.prepare()
    await database.councilor_executions.insert_many([record(judged(minutes, "success")) for minutes in range(1, 300)])
    await database.command({"profile": 2})
    try:
        await store.previous(claim_fields(settings_of(0, {}), NOW))
    finally:
        await database.command({"profile": 0})
    profile = database["system.profile"]
    query = await profile.find_one({"op": "query", "command.find": "councilor_executions"})
    await profile.drop()
    assert query is not None
    assert query["docsExamined"] == 1
