"""What to do about one Councilor: from observation to decision. Pure, the clock passed in.

A pass is: gather (`cache`, Pods of ended Jobs) → `decide` → apply (`cluster`) → `status.report`. `decide` knows
everything that follows from the observation alone; the report needs the CronJob as it stands after the apply.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeGuard

from pydantic import ValidationError

from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.api.status import AppliedCronJob, CouncilorStatus, Run
from councilor_operator.builders import (
    CONTRACT_LIMIT,
    Manifest,
    build_contract,
    build_cron_job,
    build_report_job,
    contract_document,
)
from councilor_operator.complaints import describe_errors
from councilor_operator.config import OperatorConfig
from councilor_operator.constants import ANNOTATION_RUN_NOW, ConditionReason
from councilor_operator.names import cron_job_name
from councilor_operator.observation import Observation
from councilor_operator.observed import ObservedCouncilor, ObservedCronJob
from councilor_operator.origin import document_problem, synced_from
from councilor_operator.runs.accounts import Accounts, NeededReport, account
from councilor_operator.runs.ledger import add_missed
from councilor_operator.runs.manual import RefuseRun, StartRun, asked_for
from councilor_operator.runs.missed import missed_times
from councilor_operator.schedule import CompiledSchedule, ScheduleError, compile_schedule

# `schedule` names its fields from `spec` on.
_SCHEDULE_FIELD = re.compile(r"(?<![\w.])schedule\.(?:type|value|timeZone)\b")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a Councilor cannot be compiled or its CronJob not be had; goes into the Ready condition as it is."""

    reason: ConditionReason
    message: str


@dataclass(frozen=True, slots=True)
class Apply:
    """Make the CronJob equal to the manifest.

    With `fast_forward` the times that passed while it was suspended, or under its old schedule, have to be written off
    first: the CronJob controller starts the latest missed time at once when it sees the new spec.
    """

    manifest: Manifest
    fast_forward: bool


@dataclass(frozen=True, slots=True)
class Suspend:
    """Stop an existing CronJob from starting runs, leave the rest of it as it is."""


Action = Apply | Suspend | None


@dataclass(frozen=True, slots=True)
class Report:
    """A report Job to make for a run; without a manifest there is none, for the reason in `message`."""

    job_name: str
    run: Run
    manifest: Manifest | None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a pass came to."""

    action: Action
    refusal: Refusal | None
    schedule: CompiledSchedule | None
    enabled: bool
    """Whether the spec wants runs."""
    breaker_open: bool
    """Whether too many runs in a row failed."""
    accounts: Accounts
    """What is newly counted; its ledger has the missed times, too."""
    restores_cron_job: bool
    """Whether the action makes a CronJob where there was one before."""
    missed: tuple[datetime, ...]
    """Scheduled times newly counted as missed."""
    reports: tuple[Report, ...]
    """Report Jobs of newly counted runs."""
    owns_cron_job: bool
    """False when a foreign CronJob has the name."""
    manifest: Manifest | None
    """The CronJob as it is wanted, None for a refusal."""
    run_now: StartRun | RefuseRun | None
    """What a new token of the run-now annotation asks for."""

    @property
    def suspended(self) -> bool:
        """Whether the CronJob is to be suspended."""
        return not self.enabled or self.breaker_open

    @property
    def rests_on_absence(self) -> bool:
        """Whether it rests on something not being there, which a watch that lags behind would show just the same."""
        return bool(
            self.restores_cron_job
            or self.missed
            or self.accounts.unseen
            or self.accounts.lost_report
            or isinstance(self.run_now, StartRun)
            # Under another schedule nobody can tell any more which times the CronJob has started.
            or (isinstance(self.action, Apply) and self.accounts.unsettled is not None)
        )


def decide(observation: Observation, config: OperatorConfig, now: datetime) -> Decision:
    """Return what to do and what to say, as far as the observation tells."""
    councilor, cron_job = observation.councilor, observation.cron_job
    foreign = _foreign(cron_job, councilor)
    accounts = account(observation, None if foreign else cron_job, now)
    ledger = accounts.ledger
    reports = tuple(_report(needed, councilor, config) for needed in accounts.reports)
    compiled = _compile(observation, ledger, config)
    if isinstance(compiled, Refusal):
        return Decision(
            # A CronJob that ran before keeps its history and stops: it would go on with what nobody wants any more.
            action=Suspend() if runs_on(cron_job) and not foreign else None,
            refusal=compiled,
            schedule=None,
            enabled=True,
            breaker_open=False,
            accounts=accounts,
            restores_cron_job=False,
            missed=(),
            reports=reports,
            owns_cron_job=not foreign,
            manifest=None,
            run_now=_asked_for(observation, ledger, "Allow"),
        )
    action = _apply(compiled, cron_job, ledger.applied_cron_job)
    missed: tuple[datetime, ...] = ()
    # Under a spec that is about to change, or while suspended, no time counts.
    if action is None and runs_on(cron_job) and not accounts.unfinished:
        made = [*observation.jobs, *observation.deleted]
        missed = missed_times(compiled.schedule, cron_job, made, ledger.accounted_until, now)
    return Decision(
        action=action,
        refusal=None,
        schedule=compiled.schedule,
        enabled=compiled.enabled,
        breaker_open=compiled.breaker_open,
        accounts=replace(accounts, ledger=add_missed(ledger, missed)),
        restores_cron_job=cron_job is None and ledger.cron_job_name is not None,
        missed=missed,
        reports=reports,
        owns_cron_job=True,
        manifest=compiled.manifest,
        run_now=_asked_for(observation, ledger, compiled.manifest["spec"]["concurrencyPolicy"]),
    )


def _report(needed: NeededReport, councilor: ObservedCouncilor, config: OperatorConfig) -> Report:
    spec = _spec(councilor)
    if isinstance(spec, Refusal):
        message = f"the spec does not say whom to tell: {spec.message}"
        return Report(needed.job_name, needed.run, None, message)
    manifest = build_report_job(councilor, spec, config, job=needed.job, report=needed.report)
    return Report(needed.job_name, needed.run, manifest)


def _asked_for(
    observation: Observation, ledger: CouncilorStatus, policy: Literal["Forbid", "Replace", "Allow"]
) -> StartRun | RefuseRun | None:
    token = observation.councilor.annotations.get(ANNOTATION_RUN_NOW)
    return asked_for(observation.councilor, token, ledger.last_run_now, policy, observation.jobs, observation.deleted)


def _spec(councilor: ObservedCouncilor) -> CouncilorSpec | Refusal:
    try:
        return CouncilorSpec.model_validate(councilor.spec, by_alias=True, by_name=False)
    except ValidationError as error:
        return Refusal(ConditionReason.INVALID_SPEC, describe_errors(error))


@dataclass(frozen=True, slots=True)
class _Compiled:
    schedule: CompiledSchedule
    manifest: Manifest
    enabled: bool
    breaker_open: bool


def _compile(observation: Observation, ledger: CouncilorStatus, config: OperatorConfig) -> _Compiled | Refusal:
    """Return the CronJob that the spec asks for, or the first reason why there is none."""
    councilor = observation.councilor
    if _foreign(observation.cron_job, councilor):
        return Refusal(
            ConditionReason.NAME_CONFLICT,
            f"a CronJob {cron_job_name(councilor.name)} that belongs to something else has the name this Councilor "
            "needs: rename the Councilor, or remove the other one if nobody needs it, "
            f"`kubectl delete cronjob -n {councilor.namespace} {cron_job_name(councilor.name)}`",
        )
    # Before the spec: stand-ins are in it for what the document does not say.
    if (problem := document_problem(councilor)) is not None:
        return Refusal(ConditionReason.INVALID_DOCUMENT, problem)
    spec = _spec(councilor)
    if isinstance(spec, Refusal):
        return spec
    try:
        schedule = compile_schedule(
            type=spec.schedule.type,
            value=spec.schedule.value,
            time_zone=spec.schedule.time_zone,
            default_zone=config.default_time_zone,
            uid=councilor.uid,
        )
    except ScheduleError as error:
        message = _SCHEDULE_FIELD.sub(r"spec.\g<0>", error.message)
        named = message if f"spec.{error.field}" in message else f"spec.{error.field}: {message}"
        return Refusal(ConditionReason.INVALID_SCHEDULE, named)
    cwd = spec.execution.cwd or config.default_cwd
    if cwd is None:
        return Refusal(ConditionReason.WORKING_DIRECTORY_MISSING, _no_directory(councilor))
    run = build_contract(councilor, spec, config, cwd=cwd)
    if (size := len(contract_document(run).encode())) > CONTRACT_LIMIT:
        return Refusal(
            ConditionReason.INVALID_SPEC,
            f"what the runner has to be told takes {size} bytes, and {CONTRACT_LIMIT} fit: shorten spec.task.prompt, "
            "keep it in a ConfigMap (spec.task.promptFrom), or name fewer spec.task.contextFiles",
        )
    breaker_open = _breaker_open(spec, ledger)
    suspended = not spec.schedule.enabled or breaker_open
    manifest = build_cron_job(councilor, spec, schedule, config, run=run, suspended=suspended)
    return _Compiled(schedule, manifest, spec.schedule.enabled, breaker_open)


def _no_directory(councilor: ObservedCouncilor) -> str:
    if synced_from(councilor) is None:
        return (
            "spec.execution.cwd is missing and the operator has no default: write the directory on the Conductor host "
            "in which the agent works"
        )
    return (
        "there is no working directory: write the directory on the Conductor host in which the agent works into the "
        "field cwd of the document, or set COUNCILOR_DEFAULT_CWD of the operator"
    )


def _foreign(cron_job: ObservedCronJob | None, councilor: ObservedCouncilor) -> bool:
    """Tell whether a CronJob is somebody else's; one of ours may have lost its label or its owner, not both."""
    return cron_job is not None and councilor.uid not in {cron_job.owner_uid, cron_job.councilor_uid}


def runs_on(cron_job: ObservedCronJob | None) -> TypeGuard[ObservedCronJob]:
    """Tell whether a CronJob exists and starts runs."""
    return cron_job is not None and not cron_job.suspended


def _breaker_open(spec: CouncilorSpec, ledger: CouncilorStatus) -> bool:
    limit = spec.suspend_after_failures
    return ledger.stats is not None and 0 < limit <= ledger.stats.consecutive_failures


def _apply(compiled: _Compiled, cron_job: ObservedCronJob | None, applied: AppliedCronJob | None) -> Apply | None:
    manifest, schedule = compiled.manifest, compiled.schedule
    if cron_job is None:
        return Apply(manifest, fast_forward=False)
    if cron_job.deleting:
        # Its end brings the next pass, which makes a new one.
        return None
    if _as_left(cron_job, applied) and _as_marked(cron_job, manifest["metadata"]):
        return None
    after = manifest["spec"]
    # A zone moves no run of an interval, and writing off its time so far would.
    rescheduled = cron_job.schedule != after["schedule"] or (
        schedule.interval is None and cron_job.time_zone != after["timeZone"]
    )
    return Apply(manifest, fast_forward=not after["suspend"] and (cron_job.suspended or rescheduled))


def _as_left(cron_job: ObservedCronJob, applied: AppliedCronJob | None) -> bool:
    """Tell whether nobody changed the spec of a CronJob since the operator applied it."""
    return applied is not None and (applied.uid, applied.generation) == (cron_job.uid, cron_job.generation)


def _as_marked(cron_job: ObservedCronJob, wanted: Manifest) -> bool:
    """Tell whether labels, annotations (the input hash is one) and owner reference are there; more may be."""
    (owner,) = wanted["ownerReferences"]
    return (
        wanted["labels"].items() <= cron_job.labels.items()
        and wanted["annotations"].items() <= cron_job.annotations.items()
        and any(owner.items() <= reference.items() for reference in cron_job.owners)
    )
