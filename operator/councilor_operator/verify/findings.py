"""What the cluster shows of the Councilor that `verify` made, judged step by step. Pure.

Each step looks at the Councilor (and its Pods) as they are now: it has passed, it has failed for good, or it is still
to come, and then it says where to look if it never does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from councilor_operator.api.status import CouncilorStatus, Run
from councilor_operator.constants import ConditionReason, ConditionType
from councilor_operator.observed import ObservedPod, RawObject
from councilor_operator.verify.config import VerifyConfig
from councilor_runner.contract import ExitCode, Reason


@dataclass(frozen=True, slots=True)
class Passed:
    """The step is proven; `text` is for a person."""

    text: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Nothing is wrong, and something is not proven."""

    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It will not work until somebody does what `advice` says."""

    problem: str
    advice: str


@dataclass(frozen=True, slots=True)
class Pending:
    """Still to come. After the time limit it counts as `Failed` with the same words."""

    problem: str
    advice: str


Finding = Passed | Noted | Failed | Pending

_ADVICE: Final[Mapping[str, str]] = {
    Reason.CONDUCTOR_UNREACHABLE: "set COUNCILOR_CONDUCTOR_URL of the operator (conductor.url in the chart's values) "
    "to Conductor's address as Pods of this namespace reach it, and see that no NetworkPolicy is in the way",
    Reason.DATABASE_UNREACHABLE: "correct MONGODB_URI in the runner's Secret of this namespace to MongoDB's address "
    "as Pods of this namespace reach it, and see that no NetworkPolicy is in the way",
    Reason.DATABASE_REFUSED: "correct MONGODB_URI in the runner's Secret of this namespace, and the roles of its user",
    Reason.CREDENTIALS_REFUSED: "correct what the message names in the runner's Secret of this namespace",
    Reason.TLS_FAILED: "correct the address, or name the authority (COUNCILOR_RUNNER_CA_CONFIG_MAP of the operator)",
    Reason.INVALID_CONTRACT: "give operator and runner images of the same version",
    Reason.AGENT_UNKNOWN: "correct COUNCILOR_VERIFY_AGENT_ID (verify.agentId in the chart's values); upper and lower "
    "case matter",
    Reason.AGENT_TIMED_OUT: "raise COUNCILOR_VERIFY_TIMEOUT_SECONDS (verify.timeoutSeconds in the chart's values), or "
    "see in Conductor what keeps the task",
}
_ANY_REASON: Final = "do what the message says; docs/runner.md explains each reason"


def ready(councilor: RawObject, status: CouncilorStatus, config: VerifyConfig) -> Finding:
    """Whether the operator has made a CronJob of the Councilor."""
    generation = councilor["metadata"]["generation"]
    condition = next(
        (
            item
            for item in status.conditions
            if item.type == ConditionType.READY and item.observed_generation == generation
        ),
        None,
    )
    if condition is None:
        return Pending(
            "the operator has not looked at the Councilor",
            "see that the operator's Pod is ready, what its log says, and that it watches the namespace "
            f"{config.namespace} (COUNCILOR_NAMESPACES of the operator, namespaces in the chart's values)",
        )
    if condition.status == "True":
        return Passed(f"the operator made the CronJob {status.cron_job_name}")
    advice = "do what the message says"
    if condition.reason == ConditionReason.WORKING_DIRECTORY_MISSING:
        advice = (
            "set COUNCILOR_VERIFY_CWD (verify.cwd in the chart's values), or a default for all Councilors, "
            "COUNCILOR_DEFAULT_CWD of the operator"
        )
    return Failed(f"the operator refuses the Councilor ({condition.reason}): {condition.message}", advice)


def asked(status: CouncilorStatus, token: str) -> Finding:
    """Whether the operator has made the Job of the run that was asked for."""
    answer = status.last_run_now
    if answer is None or answer.token != token:
        return Pending("the operator has not started the run", "see what the operator's log says")
    if answer.job_name is None:
        return Failed(f"the operator starts no run ({answer.reason}): {answer.message}", "do what the message says")
    return Passed(f"the operator made the Job {answer.job_name}")


def started(status: CouncilorStatus, pods: Sequence[RawObject], job_name: str) -> Finding:
    """Whether a Pod of the Job has got as far as its container: image, Secret, admission and a node were there."""
    phases = {(pod.get("status") or {}).get("phase") for pod in pods}
    if _run(status, job_name) is not None or phases & {"Running", "Succeeded", "Failed"}:
        return Passed("the runner's Pod has started")
    stuck = next((run for run in status.active or () if run.job_name == job_name and run.reason), None)
    if stuck is not None:
        problem = f"the runner's Pod does not start ({stuck.reason})" + (f": {stuck.message}" if stuck.message else "")
        return Pending(problem, "do what the message says")
    seen = [ObservedPod.from_object(pod) for pod in pods]
    if not seen:
        return Pending(
            f"the Job {job_name} has no Pod",
            "see the events of the namespace: a quota or an admission policy may refuse it",
        )
    why = next((pod.waiting_reason or pod.unschedulable for pod in seen if pod.waiting_reason or pod.unschedulable), "")
    return Pending(
        f"the Pod of the Job {job_name} has not started{f' ({why})' if why else ''}",
        "see that a node has room for it and can pull the runner's image",
    )


def ended(status: CouncilorStatus, job_name: str, config: VerifyConfig) -> Finding:
    """Whether the run came to the end that it should."""
    run = _run(status, job_name)
    if run is None:
        return Pending("the run has not ended", "see in Conductor what keeps the task, or allow more time")
    if config.agent_id is None and run.reason == Reason.AGENT_UNKNOWN:
        return Passed("Conductor answered the runner: it does not know the agent, as it should be")
    if config.agent_id is not None and run.status == "completed":
        return Passed(f"Conductor ran the agent: completed, verdict {run.severity}")
    problem = f"the run ended with {run.reason}" + (f": {run.message}" if run.message else "")
    if run.status == "completed":
        return Failed(problem, "Conductor has an agent of a name that is kept for this check: rename it")
    return Failed(problem, _ADVICE.get(run.reason, _ANY_REASON))


def recorded(status: CouncilorStatus, job_name: str) -> Finding:
    """Whether the run stands in MongoDB."""
    run = _run(status, job_name)
    if run is None:
        return Pending("the run is not in the status", "see what the operator's log says")
    if run.recorded:
        return Passed(f"the run stands in councilor_executions as {run.execution_id}, and stays there")
    if run.exit_code == ExitCode.NOT_RECORDED:
        message = f"MongoDB did not take the record{f': {run.message}' if run.message else ''}"
        return Failed(message, _ADVICE[Reason.DATABASE_REFUSED])
    # A database that is configured and away ends a run before anything is sent.
    return Noted("no record: there is no MONGODB_URI in the runner's Secret of this namespace")


def _run(status: CouncilorStatus, job_name: str) -> Run | None:
    run = status.last_run
    return run if run is not None and run.job_name == job_name else None
