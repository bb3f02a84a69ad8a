"""Documents for MongoDB: shape, dates, and the cut of long answers."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from councilor_runner.contract import ExitCode, Reason, RunReport
from councilor_runner.outcome import EXIT_CODES, Outcome
from councilor_runner.records import (
    OUTPUT_LIMIT,
    Finished,
    as_stored,
    claim_fields,
    counted_run,
    cut_output,
    instance_id,
    open_fields,
    read_finished,
    result_fields,
)
from councilor_runner.settings import read_settings
from tests.unit.runner.test_settings import ENVIRONMENT

START = datetime(2026, 3, 2, 9, 0, 4, 120000, tzinfo=UTC)
END = START + timedelta(milliseconds=42180)

FIELDS = {
    "execution_id", "councilor_id", "started_at", "completed_at", "duration_ms", "status", "severity", "output",
    "error", "created_at", "agent_id", "namespace", "councilor", "task_id", "job", "trigger", "scheduled_at",
    "exit_code", "reason", "output_truncated",
}  # fmt: skip


def test_every_record_has_the_same_fields() -> None:
    claim = claim_fields(read_settings(ENVIRONMENT), START)
    assert set(claim) | set(open_fields()) == FIELDS
    assert not set(claim) & set(open_fields())
    assert set(result_fields(Finished(Outcome(Reason.COMPLETED, "x", 0), "success", START, END))) == set(open_fields())


def test_result_of_a_success_and_of_a_failure() -> None:
    success = result_fields(Finished(Outcome(Reason.COMPLETED, "fine", 0), "success", START, END))
    assert success == {
        "completed_at": END,
        "duration_ms": 42180,
        "status": "completed",
        "severity": "success",
        "output": "fine",
        "error": None,
        "exit_code": 0,
        "reason": "Completed",
        "output_truncated": False,
    }
    failed = result_fields(
        Finished(Outcome(Reason.AGENT_FAILED, "half way", 3, "it ended with 3"), "error", START, END)
    )
    assert (failed["status"], failed["severity"], failed["exit_code"]) == ("error", "error", 3)
    assert (failed["output"], failed["error"]) == ("half way", "it ended with 3")


def test_clocks_that_disagree_make_no_negative_duration() -> None:
    assert Finished(Outcome(Reason.COMPLETED), "success", END, START).duration_ms == 0


@pytest.mark.parametrize("text", [None, "", "x" * OUTPUT_LIMIT, "é" * (OUTPUT_LIMIT // 2)])
def test_what_fits_is_kept(text: str | None) -> None:
    assert cut_output(text) == (text, False)


@settings(deadline=None)
@given(st.sampled_from(["x", "é", "✅", "👩"]), st.integers(min_value=1, max_value=9))
def test_the_cut(character: str, surplus: int) -> None:
    text = character * (OUTPUT_LIMIT // len(character.encode()) + surplus)
    kept, truncated = cut_output(text)
    assert truncated
    assert kept is not None
    body, mark = kept.rsplit("\n", 1)
    assert len(kept.encode()) <= OUTPUT_LIMIT
    assert len(kept.encode()) > OUTPUT_LIMIT - 8
    assert body == character * len(body)
    assert mark == "[cut: only the first MiB of the answer is kept here]"


@pytest.mark.parametrize("truncated", [False, True])
@pytest.mark.parametrize("reason", [*Reason, "OOMKilled"])
def test_a_finished_record_tells_the_outcome_again(reason: Reason | str, truncated: bool) -> None:
    severity = None if reason is Reason.STARTED_TOO_LATE else "error"
    message = "because" if Outcome(reason).status == "error" else None
    # With a temporary reason only a run that was given up has a finished record.
    outcome = Outcome(reason, "text", 3, message, given_up=Outcome(reason).exit_code.retryable)
    finished = Finished(outcome, severity, START, END, truncated)  # type: ignore[arg-type]
    assert finished.outcome.final
    assert read_finished({"started_at": START, **result_fields(finished)}) == finished


@pytest.mark.parametrize(
    "document",
    [
        {"status": "running", "started_at": START, "completed_at": None},
        {"status": "completed", "started_at": START},
        {"status": "archived", "started_at": START, "completed_at": END},
        {},
    ],
)
def test_what_is_no_finished_record(document: dict[str, object]) -> None:
    assert read_finished(document) is None


def test_a_record_of_the_first_version_is_finished_too() -> None:
    finished = read_finished({"status": "error", "severity": "error", "started_at": START, "completed_at": END})
    assert finished is not None
    assert finished.outcome.reason is Reason.AGENT_FAILED


def test_every_reason_has_an_exit_code() -> None:
    assert set(EXIT_CODES) == set(Reason)
    assert {reason for reason in Reason if EXIT_CODES[reason] is ExitCode.COMPLETED} == {
        Reason.COMPLETED,
        Reason.STARTED_TOO_LATE,
    }


def told(**changes: Any) -> RunReport:
    fields: dict[str, Any] = {
        "execution_id": "exec_A_Agent_1_2",
        "task_id": "5" * 24,
        "trigger": "scheduled",
        "status": "error",
        "severity": "error",
        "exit_code": 137,
        "reason": "OOMKilled",
        "message": "the runner ran out of memory",
        "started_at": START,
        "completed_at": END,
        "duration_ms": 42180,
    }
    return RunReport(**{**fields, **changes})


EXIT_20 = {
    "status": "completed",
    "severity": "warning",
    "exit_code": 20,
    "agent_exit_code": 0,
    "reason": "Completed",
    "message": "MongoDB refused to record the execution",
    "summary": "One is old.",
}


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (
            told(),
            {
                "status": "error",
                "severity": "error",
                "reason": "OOMKilled",
                "error": "the runner ran out of memory",
                "output": None,
                "exit_code": None,
                "output_truncated": False,
            },
        ),
        (told(severity=None), {"status": "error", "severity": "error"}),
        (told(reason="DatabaseUnreachable"), {"status": "error", "reason": "DatabaseUnreachable"}),
        (
            told(**EXIT_20),
            {
                "status": "completed",
                "severity": "warning",
                "reason": "Completed",
                "error": None,
                "output": "One is old.",
                "exit_code": 0,
                "output_truncated": True,
            },
        ),
        (told(**{**EXIT_20, "summary": None}), {"output": None, "output_truncated": False}),
        (
            told(reason="AgentFailed", summary="Half way.", agent_exit_code=3),
            {"status": "error", "output": "Half way.", "exit_code": 3, "output_truncated": True},
        ),
        (
            told(status="skipped", severity=None, reason="StartedTooLate"),
            {"status": "skipped", "severity": None, "reason": "StartedTooLate", "error": None},
        ),
        (told(started_at=END), {"duration_ms": 0}),
    ],
)
def test_a_run_as_the_operator_counted_it(report: RunReport, expected: dict[str, object]) -> None:
    finished = counted_run(report)
    fields = result_fields(finished)
    assert {name: fields[name] for name in expected} == expected
    assert finished.outcome.final
    assert finished.completed_at == END


def test_the_claim_knows_better_when_a_run_started() -> None:
    finished = counted_run(told(started_at=START + timedelta(seconds=7)), START)
    assert (finished.started_at, finished.duration_ms) == (START, 42180)


def test_times_are_kept_as_the_database_keeps_them() -> None:
    moment = datetime(2026, 3, 2, 6, 0, 4, 120999, tzinfo=timezone(timedelta(hours=-3)))
    assert as_stored(moment) == START
    assert as_stored(moment).tzinfo is UTC
    assert counted_run(told(started_at=moment)).started_at == START


def test_an_instance_is_named_after_the_scheduled_time_or_the_claim() -> None:
    fields = claim_fields(read_settings(ENVIRONMENT), START)
    assert instance_id(fields) == f"councilor_A_Agent_{29540700 * 60_000}"
    assert instance_id({**fields, "scheduled_at": None}) == "councilor_A_Agent_1772442004120"
