"""What became of a run, as one typed value that every later step (judge, record, notify, report) reads.

The reason decides the exit code: a Pod that finds a finished record rebuilds both from the reason that stands in it.
A temporary reason in a finished record means that the run was given up for it.
"""

import contextlib
from dataclasses import dataclass, replace

from councilor_runner.contract import ExitCode, Reason, RunStatus

EXIT_CODES: dict[Reason, ExitCode] = {
    Reason.COMPLETED: ExitCode.COMPLETED,
    Reason.STARTED_TOO_LATE: ExitCode.COMPLETED,
    Reason.AGENT_FAILED: ExitCode.AGENT_FAILED,
    Reason.AGENT_TIMED_OUT: ExitCode.AGENT_TIMED_OUT,
    Reason.AGENT_UNKNOWN: ExitCode.CONFIGURATION,
    Reason.TASK_VANISHED: ExitCode.AGENT_FAILED,
    Reason.OUTCOME_UNKNOWN: ExitCode.AGENT_FAILED,
    Reason.REQUEST_REFUSED: ExitCode.CONFIGURATION,
    Reason.CREDENTIALS_REFUSED: ExitCode.CONFIGURATION,
    # Certificates and addresses do not change between two Pods.
    Reason.TLS_FAILED: ExitCode.CONFIGURATION,
    Reason.CONDUCTOR_UNREACHABLE: ExitCode.TEMPORARY,
    # Conductor answered something that nobody can interpret. Sending again could cost a second model call.
    Reason.CONDUCTOR_FAILED: ExitCode.AGENT_FAILED,
    Reason.DATABASE_UNREACHABLE: ExitCode.TEMPORARY,
    Reason.DATABASE_REFUSED: ExitCode.CONFIGURATION,
    Reason.INVALID_CONTRACT: ExitCode.CONFIGURATION,
    Reason.PROMPT_MISSING: ExitCode.CONFIGURATION,
    Reason.PROMPT_INVALID: ExitCode.CONFIGURATION,
    Reason.WORKING_DIRECTORY_MISSING: ExitCode.CONFIGURATION,
    Reason.INTERRUPTED: ExitCode.TEMPORARY,
    # Nothing dispatched, or the next Pod meets the duplicate and polls. A run without any way to poll cannot go on:
    # the session turns that case into OUTCOME_UNKNOWN.
    Reason.INTERNAL_ERROR: ExitCode.TEMPORARY,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a run, or of this Pod's part in it.

    `reason` is a word of Kubernetes (`OOMKilled`) where the operator found the run dead; that is always an error.
    `text` is what the agent said (None: nothing was received); `message` one sentence of ours about what went wrong.
    `given_up`: the reason was temporary, but no further Pod will come.
    """

    reason: Reason | str
    text: str | None = None
    agent_exit_code: int | None = None
    message: str | None = None
    given_up: bool = False

    @property
    def exit_code(self) -> ExitCode:
        if self.given_up or not isinstance(self.reason, Reason):
            return ExitCode.AGENT_FAILED
        return EXIT_CODES[self.reason]

    @property
    def final(self) -> bool:
        """Whether the run is over; otherwise another Pod of the Job continues it."""
        return not self.exit_code.retryable

    @property
    def status(self) -> RunStatus:
        if self.reason is Reason.COMPLETED:
            return "completed"
        return "skipped" if self.reason is Reason.STARTED_TOO_LATE else "error"


_OF_STATUS: dict[RunStatus, Reason] = {
    "completed": Reason.COMPLETED,
    "skipped": Reason.STARTED_TOO_LATE,
    "error": Reason.AGENT_FAILED,
}


def ended(
    status: RunStatus, reason: str | None, text: str | None, agent_exit_code: int | None, message: str | None
) -> Outcome:
    """Return the outcome of a run that is over, from what a record or a report says about it.

    The status counts: a reason that belongs to another one, or that only a newer version knows, gives way to that of
    the status. A temporary reason means that the run was given up for it.
    """
    word: Reason | str = reason or _OF_STATUS[status]
    with contextlib.suppress(ValueError):
        word = Reason(word)
    outcome = Outcome(word, text, agent_exit_code, message)
    if outcome.status != status:
        outcome = replace(outcome, reason=_OF_STATUS[status])
    return replace(outcome, given_up=outcome.exit_code.retryable)


def ended_by_last_attempt(outcome: Outcome, attempts: int, retries: int) -> bool:
    """Whether a temporary outcome is the end of the run, because the Job starts no Pod after this one.

    `attempts` counts the Pods that claimed the run, this one included. The Job counts otherwise: not the evicted Pods,
    but those that never reached the database. With the former a run ends a Pod too early, which loses nothing that was
    paid for; with the latter its record stays open, and only the Job tells that it failed.

    An interrupted Pod has not found out anything, and an evicted one is replaced at no cost to the Job's limit.
    """
    return not outcome.final and outcome.reason is not Reason.INTERRUPTED and attempts > retries


def give_up(outcome: Outcome, attempts: int, *, maybe_sent: bool) -> Outcome:
    """Turn a temporary outcome into the end of the run."""
    message = f"{outcome.message}; " if outcome.message else ""
    message += "tried once, no retry left" if attempts == 1 else f"tried {attempts} times, no retry left"
    if maybe_sent:
        message += "; a request may still reach Conductor and start the agent"
    return replace(outcome, message=message, given_up=True)
