"""Phrases that conditions and events share. Pure."""

from datetime import UTC, datetime
from typing import Final

from councilor_operator.api.status import Run

WHERE_ELSE: Final = (
    "see councilor_executions in MongoDB for what it came to, if the Secret of the runner names one (MONGODB_URI)"
)
"""Where to look when the operator does not know the result of a run."""


def plural(count: int, what: str) -> str:
    """Return a number of things."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def time_text(time: datetime | None) -> str:
    """Return a time in UTC, exact to the second; nothing for none."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if time else ""


def not_recorded(run: Run) -> str:
    """Say that a run has a result which MongoDB did not take."""
    missing = "it was not counted in MongoDB" if run.recorded else "MongoDB has no record of it"
    said = f"; {run.message}" if run.message else ""
    later = f"; Job {run.report_job} will make up for it once it can" if run.report_job else ""
    return (
        f"run {run.execution_id} ended, {run.result}, but {missing}: check that MongoDB is up and that MONGODB_URI in "
        f"the Secret of the runner may write to it{said}{later}"
    )
