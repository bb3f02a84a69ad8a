"""What became of a run that was asked for, as far as the status of its Councilor tells. Pure."""

from dataclasses import dataclass
from typing import Final

from councilor_cli.errors import (
    EXIT_FAILED,
    EXIT_NO_RUN,
    EXIT_OK,
    EXIT_VERDICT_ERROR,
    EXIT_WARNING,
)
from councilor_operator.api.status import ActiveRun, CouncilorStatus, RecentRun, Result, Run, RunNow

EXIT_CODES: Final[dict[Result, int]] = {
    "success": EXIT_OK,
    "warning": EXIT_WARNING,
    "error": EXIT_VERDICT_ERROR,
    "failed": EXIT_FAILED,
    "skipped": EXIT_NO_RUN,
}
"""Exit code of `councilor run` for the result of the run."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A run with a result; `run` where it is still the last one, else all that is left is a line of the history."""

    line: RecentRun
    run: Run | None


def handled(status: CouncilorStatus, token: str) -> RunNow | None:
    """Return what the operator did with a token, None while it has not seen it."""
    found = status.last_run_now
    return found if found is not None and found.token == token else None


def ended(status: CouncilorStatus, job: str) -> Ended | None:
    """Return the end of a Job's run, None while there is none."""
    last = status.last_run
    if last is not None and last.job_name == job:
        return Ended(RecentRun(job_name=job, completed_at=last.completed_at, result=last.result), last)
    line = next((run for run in status.recent_runs or () if run.job_name == job), None)
    return Ended(line, None) if line is not None else None


def going_on(status: CouncilorStatus, job: str) -> ActiveRun | None:
    """Return a Job's run while it goes on."""
    return next((run for run in status.active or () if run.job_name == job), None)


def job_of_log(status: CouncilorStatus, *, previous: bool) -> str | None:
    """Return the Job whose log is wanted: of the newest run, or of the one before it; None where there is none."""
    jobs = [run.job_name for run in reversed(status.active or ())]
    if status.last_run is not None:
        jobs.append(status.last_run.job_name)
    jobs += [run.job_name for run in status.recent_runs or ()]
    # The last run is a line of the history too.
    distinct = list(dict.fromkeys(jobs))
    return next(iter(distinct[1:] if previous else distinct), None)
