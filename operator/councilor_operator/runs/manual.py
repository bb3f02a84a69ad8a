"""Run now: what an annotation with a new token asks for, and why it may be refused. Pure.

    kubectl annotate councilor NAME --overwrite conductor.community/run-now="$(date +%s)"

A token starts one run, whatever else happens: the Job's name follows from it, so a pass that is repeated after a crash
meets the Job that it made, and the handled token stands in the status.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from councilor_operator.api.status import RunNow
from councilor_operator.names import cron_job_name
from councilor_operator.observed import ObservedCouncilor, ObservedJob

TOKEN_LIMIT: Final = 256
"""Characters of a token that count; the status repeats them."""
_HASH_LENGTH: Final = 10
"""With the dash and a CronJob's 52 characters a Job's name has 63, and never looks like a scheduled Job's (8 or 9
digits)."""

ALREADY_RUNNING: Final = "AlreadyRunning"


@dataclass(frozen=True, slots=True)
class StartRun:
    """Make a Job of this name, after deleting those that it replaces."""

    token: str
    job_name: str
    replaces: tuple[ObservedJob, ...]
    was_made: bool = False
    """Whether it was made before, and is gone already: only the status does not say so yet."""

    def done(self, now: datetime) -> RunNow:
        """Return what the status says afterwards."""
        return RunNow(token=self.token, at=now.replace(microsecond=0), job_name=self.job_name)


@dataclass(frozen=True, slots=True)
class RefuseRun:
    """Start nothing; the token is used up."""

    token: str
    reason: str
    message: str

    def done(self, now: datetime) -> RunNow:
        """Return what the status says afterwards."""
        return RunNow(token=self.token, at=now.replace(microsecond=0), reason=self.reason, message=self.message)


def asked_for(
    councilor: ObservedCouncilor,
    token: str | None,
    handled: RunNow | None,
    policy: Literal["Forbid", "Replace", "Allow"],
    jobs: Sequence[ObservedJob],
    deleted: Sequence[ObservedJob] = (),
) -> StartRun | RefuseRun | None:
    """Return what a token asks for; None when there is none, or when it was handled before.

    `jobs` exist; `deleted` are remembered and not worked in yet.
    """
    token = (token or "").strip()[:TOKEN_LIMIT]
    if not token or (handled is not None and handled.token == token):
        return None
    # The entry before this one counts too, so that a token that comes back later is another run. It changes with the
    # status write only: until then every repetition makes the same name.
    before = f"{handled.token} {handled.at.isoformat()}" if handled else ""
    digest = hashlib.sha256("\n".join((councilor.uid, before, token)).encode()).hexdigest()[:_HASH_LENGTH]
    job_name = f"{cron_job_name(councilor.name)}-{digest}"
    if any(job.name == job_name for job in deleted):
        return StartRun(token, job_name, replaces=(), was_made=True)
    active = tuple(job for job in jobs if job.end is None and job.name != job_name)
    if active and policy == "Forbid":
        return RefuseRun(
            token,
            ALREADY_RUNNING,
            f"Job {active[0].name} is still going on and spec.concurrencyPolicy is Forbid: wait for its end and "
            "annotate again with another token",
        )
    return StartRun(token, job_name, replaces=active if policy == "Replace" else ())
