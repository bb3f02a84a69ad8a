"""The conditions of a Councilor: whether its CronJob is as specified, whether runs will come, how the last one went.

Every message says what is so and, where something is to be done, what to write or run. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from councilor_operator.api.status import Condition, CouncilorStatus, Run
from councilor_operator.constants import ANNOTATION_RUN_NOW, ConditionReason, ConditionType
from councilor_operator.observed import ObservedCouncilor, ObservedCronJob, ObservedJob
from councilor_operator.origin import document_note, synced_from, where_to_change
from councilor_operator.phrases import WHERE_ELSE, not_recorded, plural, time_text
from councilor_operator.plan import Decision, Refusal
from councilor_operator.runs.causes import Cause
from councilor_runner.contract import ExitCode

MESSAGE_LIMIT = 1024
"""Characters of a condition's message."""

_SPEC_REFUSED = {
    ConditionReason.INVALID_SCHEDULE,
    ConditionReason.INVALID_SPEC,
    ConditionReason.WORKING_DIRECTORY_MISSING,
    ConditionReason.CRON_JOB_REFUSED,
}
"""Refusals whose advice is about the spec, which for some Councilors nobody can change where they are."""

_NUMBER = re.compile(r"[0-9a-f-]*[0-9][0-9a-f-]*", re.IGNORECASE)


def conditions(
    councilor: ObservedCouncilor,
    decision: Decision,
    cron_job: ObservedCronJob | None,
    refusal: Refusal | None,
    *,
    active: list[ObservedJob],
    last_run: Run | None,
    now: datetime,
) -> tuple[Condition, ...]:
    """Return Ready, Scheduled and Healthy after the apply; `active` are the Jobs that are going on, oldest first."""
    claims = (
        _ready(councilor, decision, cron_job, refusal),
        _scheduled(councilor, decision, refusal),
        _healthy(
            councilor,
            decision.accounts.ledger,
            last_run,
            _stuck(active, decision.accounts.obstacles),
            _missed(councilor, decision.accounts.ledger, active, cron_job),
        )
        or _no_run_yet(councilor, decision, active, refusal),
    )
    return tuple(_stamped(claim, decision.accounts.ledger.conditions, councilor.generation, now) for claim in claims)


@dataclass(frozen=True, slots=True)
class _Claim:
    """A condition before it has a time."""

    type: ConditionType
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


def _ready(
    councilor: ObservedCouncilor, decision: Decision, cron_job: ObservedCronJob | None, refusal: Refusal | None
) -> _Claim:
    note = document_note(councilor)
    if refusal is not None:
        ending = where_to_change(councilor) if refusal.reason in _SPEC_REFUSED else ""
        return _Claim(ConditionType.READY, "False", refusal.reason, _with_ending(f"{refusal.message}{note}", ending))
    name = cron_job.name if cron_job else ""
    warnings = decision.schedule.warnings if decision.schedule else ()
    notes = "".join(f"; note on spec.{warning.field}: {warning.message}" for warning in warnings)
    message = f"CronJob {name} is as the spec demands{notes}{note}"
    ending = where_to_change(councilor) if warnings else ""
    return _Claim(ConditionType.READY, "True", ConditionReason.RECONCILED, _with_ending(message, ending))


def _with_ending(message: str, ending: str) -> str:
    """Put an ending behind a message, which is cut where both are too long for a condition."""
    room = MESSAGE_LIMIT - len(ending)
    return (message if len(message) <= room else f"{message[: room - 1]}…") + ending


def _scheduled(councilor: ObservedCouncilor, decision: Decision, refusal: Refusal | None) -> _Claim:
    document = synced_from(councilor)
    if refusal is not None:
        message = "no run will come until the condition Ready is True: do what its message says"
        return _Claim(ConditionType.SCHEDULED, "False", refusal.reason, message)
    if not decision.enabled:
        how = (
            "set spec.schedule.enabled to true to resume"
            if document is None
            else f"resume it in Conductor, councilor_config.schedule.enabled of the document {document}"
        )
        message = f"no run will come while it is paused: {how}"
        return _Claim(ConditionType.SCHEDULED, "False", ConditionReason.PAUSED, message)
    if decision.breaker_open:
        stats = decision.accounts.ledger.stats
        failures = stats.consecutive_failures if stats else 0
        change = (
            "change the spec, set spec.schedule.enabled to false and true again,"
            if document is None
            else f"change the document {document}, pause and resume it in Conductor,"
        )
        message = (
            f"{plural(failures, 'run')} in a row failed, so no more are started: see status.lastRun, mend the cause, "
            f"then {change} or run it once by hand with success"
        )
        return _Claim(ConditionType.SCHEDULED, "False", ConditionReason.SUSPENDED, message)
    return _Claim(
        ConditionType.SCHEDULED, "True", ConditionReason.ACTIVE, "runs are started at the times in status.nextRunTimes"
    )


def _healthy(
    councilor: ObservedCouncilor, ledger: CouncilorStatus, last: Run | None, stuck: str | None, missed: str | None
) -> _Claim | None:
    """Say how the last run went, None before there was one."""
    if stuck is not None:
        return _Claim(ConditionType.HEALTHY, "False", ConditionReason.RUNNER_CANNOT_START, stuck)
    if missed is not None:
        return _Claim(ConditionType.HEALTHY, "False", ConditionReason.RUN_MISSED, missed)
    if not _ended_after(last, ledger.last_unknown_time):
        message = (
            f"the result of the run of {time_text(ledger.last_unknown_time)} was not seen: its Job was gone before it "
            f"was read; {WHERE_ELSE}"
        )
        return _Claim(ConditionType.HEALTHY, "Unknown", ConditionReason.RESULT_UNKNOWN, message)
    if last is None:
        return None
    if last.report_result in {"failed", "unknown"}:
        return _Claim(ConditionType.HEALTHY, "False", ConditionReason.RECORD_FAILED, _not_reported(last))
    if last.exit_code == ExitCode.NOT_RECORDED and last.report_result is None:
        message = not_recorded(last)
        return _Claim(ConditionType.HEALTHY, "False", ConditionReason.RECORD_FAILED, message)
    match last.result:
        case "failed":
            # The message comes last: it may be long, and what does not fit is cut.
            message = f"run {last.execution_id} failed, {last.reason}, see `{_look_at(councilor, last)}`" + (
                f": {last.message}" if last.message else ""
            )
            return _Claim(ConditionType.HEALTHY, "False", ConditionReason.RUN_FAILED, message)
        case "skipped":
            message = f"run {last.execution_id} was skipped: {last.message or last.reason}"
            return _Claim(ConditionType.HEALTHY, "True", ConditionReason.RUN_SKIPPED, message)
        case verdict:
            message = f"run {last.execution_id} completed, judged {verdict}"
            return _Claim(ConditionType.HEALTHY, "True", ConditionReason.RUN_SUCCEEDED, message)


def _look_at(councilor: ObservedCouncilor, run: Run) -> str:
    """Return the command that shows more of a run that failed."""
    # Without an exit code no container has ended that could have left a log.
    verb = "describe" if run.exit_code is None else "logs"
    return f"kubectl {verb} -n {councilor.namespace} job/{run.job_name}"


def _no_run_yet(
    councilor: ObservedCouncilor, decision: Decision, active: list[ObservedJob], refusal: Refusal | None
) -> _Claim:
    if active:
        advice = f"wait for Job {active[0].name}, or see `kubectl logs -n {councilor.namespace} job/{active[0].name}`"
    elif refusal is not None:
        advice = "do what the message of the condition Ready says"
    else:
        wait = "" if decision.suspended else "wait for its time, or "
        advice = (
            f"{wait}start one with `kubectl annotate councilor -n {councilor.namespace} "
            f'{councilor.name} --overwrite {ANNOTATION_RUN_NOW}="$(date +%s)"`'
        )
    return _Claim(ConditionType.HEALTHY, "Unknown", ConditionReason.NO_RUN_YET, f"no run has ended yet: {advice}")


def _missed(
    councilor: ObservedCouncilor, ledger: CouncilorStatus, active: list[ObservedJob], cron_job: ObservedCronJob | None
) -> str | None:
    """Say what is known about missed times, None when a run has ended since."""
    missed, unknown = ledger.last_missed_time, ledger.last_unknown_time
    if missed is None or _ended_after(ledger.last_run, missed) or (unknown is not None and unknown > missed):
        return None
    total = ledger.stats.missed if ledger.stats else 0
    found = f"no run was started at {time_text(missed)}, {plural(total, 'time')} missed in all"
    if active:
        return (
            f"{found}: Job {active[0].name} was still going on; let spec.schedule come less often, lower "
            f"spec.execution.timeoutSeconds, or set spec.concurrencyPolicy to Allow{where_to_change(councilor)}"
        )
    name = cron_job.name if cron_job else ""
    return (
        f"{found}: see the events in `kubectl describe cronjob -n {councilor.namespace} {name}`, and check that "
        "kube-controller-manager runs"
    )


def _not_reported(run: Run) -> str:
    found = "is gone, and what it came to is unknown" if run.report_result == "unknown" else "failed too"
    return (
        f"run {run.execution_id} ended, {run.result} ({run.reason}), and could not record itself; its report Job "
        f"{run.report_job} {found}: check the MongoDB of the runner's Secret and the log of the Job"
    )


def _ended_after(run: Run | None, time: datetime | None) -> bool:
    if time is None:
        return True
    return run is not None and run.completed_at is not None and run.completed_at > time


def _stuck(active: list[ObservedJob], obstacles: Mapping[str, Cause]) -> str | None:
    for job in active:
        if (cause := obstacles.get(job.uid)) is not None:
            return f"Job {job.name}: {cause.reason}, {cause.message}"
    return None


def _stamped(claim: _Claim, before: tuple[Condition, ...], generation: int, now: datetime) -> Condition:
    """Give a condition its time: it moves only when the status does."""
    old = next((condition for condition in before if condition.type == claim.type), None)
    unchanged = old is not None and old.status == claim.status
    message = claim.message[:MESSAGE_LIMIT]
    if old is not None and claim.reason == ConditionReason.CRON_JOB_REFUSED and _alike(old.message, message):
        message = old.message
    return Condition(
        type=claim.type,
        status=claim.status,
        observed_generation=generation,
        last_transition_time=old.last_transition_time if old and unchanged else now.replace(microsecond=0),
        reason=claim.reason,
        message=message,
    )


def _alike(one: str, other: str) -> bool:
    """Tell whether two answers of the API server differ in numbers only.

    An admission webhook may name the time or a request. Told anew, each refusal would be a write, and each write asks
    for a pass, which is refused again.
    """
    return _NUMBER.sub("#", one) == _NUMBER.sub("#", other)
