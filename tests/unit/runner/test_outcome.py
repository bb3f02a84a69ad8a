"""How a run ends: exit codes, and when a temporary outcome is the end after all."""

import pytest

from councilor_runner.contract import ExitCode, Reason, RunStatus
from councilor_runner.outcome import EXIT_CODES, Outcome, ended, ended_by_last_attempt, give_up

TEMPORARY = [reason for reason in Reason if EXIT_CODES[reason].retryable]


@pytest.mark.parametrize(
    ("attempts", "retries", "last"),
    [(1, 0, True), (1, 1, False), (1, 2, False), (2, 2, False), (3, 2, True), (4, 2, True), (10, 10, False)],
)
def test_the_last_attempt(attempts: int, retries: int, last: bool) -> None:
    assert ended_by_last_attempt(Outcome(Reason.CONDUCTOR_UNREACHABLE), attempts, retries) is last
    assert ended_by_last_attempt(Outcome(Reason.INTERNAL_ERROR), attempts, retries) is last


@pytest.mark.parametrize("attempts", [1, 3, 100])
def test_an_interruption_is_never_the_end(attempts: int) -> None:
    assert not ended_by_last_attempt(Outcome(Reason.INTERRUPTED), attempts, 0)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in TEMPORARY])
def test_what_is_final_needs_no_last_attempt(reason: Reason) -> None:
    assert not ended_by_last_attempt(Outcome(reason), 3, 0)


@pytest.mark.parametrize("reason", TEMPORARY)
def test_a_run_that_was_given_up_is_final(reason: Reason) -> None:
    outcome = Outcome(reason, message="no connection")
    assert (outcome.final, outcome.exit_code) == (False, ExitCode.TEMPORARY)
    ended = give_up(outcome, 3, maybe_sent=False)
    assert (ended.final, ended.exit_code, ended.status, ended.reason) == (True, ExitCode.AGENT_FAILED, "error", reason)
    assert not ended.exit_code.retryable


@pytest.mark.parametrize(
    ("message", "attempts", "maybe_sent", "expected"),
    [
        ("no connection", 1, False, "no connection; tried once, no retry left"),
        ("no connection", 3, False, "no connection; tried 3 times, no retry left"),
        (None, 3, False, "tried 3 times, no retry left"),
        (
            "no answer",
            2,
            True,
            "no answer; tried 2 times, no retry left; a request may still reach Conductor and start the agent",
        ),
    ],
)
def test_what_is_said(message: str | None, attempts: int, maybe_sent: bool, expected: str) -> None:
    outcome = Outcome(Reason.CONDUCTOR_UNREACHABLE, message=message)
    assert give_up(outcome, attempts, maybe_sent=maybe_sent).message == expected


@pytest.mark.parametrize(
    ("status", "word", "reason", "code"),
    [
        ("completed", "Completed", Reason.COMPLETED, ExitCode.COMPLETED),
        ("completed", None, Reason.COMPLETED, ExitCode.COMPLETED),
        ("completed", "CompletedInHaste", Reason.COMPLETED, ExitCode.COMPLETED),
        ("completed", "AgentFailed", Reason.COMPLETED, ExitCode.COMPLETED),
        ("skipped", "StartedTooLate", Reason.STARTED_TOO_LATE, ExitCode.COMPLETED),
        ("skipped", "", Reason.STARTED_TOO_LATE, ExitCode.COMPLETED),
        ("skipped", "Completed", Reason.STARTED_TOO_LATE, ExitCode.COMPLETED),
        ("error", "AgentFailed", Reason.AGENT_FAILED, ExitCode.AGENT_FAILED),
        ("error", "AgentTimedOut", Reason.AGENT_TIMED_OUT, ExitCode.AGENT_TIMED_OUT),
        ("error", "AgentUnknown", Reason.AGENT_UNKNOWN, ExitCode.CONFIGURATION),
        ("error", "Completed", Reason.AGENT_FAILED, ExitCode.AGENT_FAILED),
        ("error", "StartedTooLate", Reason.AGENT_FAILED, ExitCode.AGENT_FAILED),
        ("error", None, Reason.AGENT_FAILED, ExitCode.AGENT_FAILED),
        ("error", "OOMKilled", "OOMKilled", ExitCode.AGENT_FAILED),
        ("error", "ImagePullBackOff", "ImagePullBackOff", ExitCode.AGENT_FAILED),
        # What was temporary for a Pod was given up for the run.
        ("error", "DatabaseUnreachable", Reason.DATABASE_UNREACHABLE, ExitCode.AGENT_FAILED),
        ("error", "Interrupted", Reason.INTERRUPTED, ExitCode.AGENT_FAILED),
    ],
)
def test_a_run_that_is_over(status: RunStatus, word: str | None, reason: str, code: ExitCode) -> None:
    outcome = ended(status, word, "text", 3, "message")
    assert (outcome.status, outcome.reason, outcome.exit_code, outcome.final) == (status, reason, code, True)
    assert (outcome.text, outcome.agent_exit_code, outcome.message) == ("text", 3, "message")
    assert isinstance(outcome.reason, Reason) is (reason in set(Reason))
