"""`councilor-operator verify`: every state that a cluster may show of its Councilor, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.api.status import CouncilorStatus
from councilor_operator.errors import ConfigurationError
from councilor_operator.schedule import compile_schedule
from councilor_operator.verify import findings
from councilor_operator.verify.config import VerifyConfig
from councilor_operator.verify.findings import Failed, Finding, Noted, Passed, Pending
from councilor_operator.verify.trial import UNKNOWN_AGENT, build_trial
from councilor_runner.contract import GATEWAY_CHANNELS, Reason

UNKNOWN = VerifyConfig(namespace="council")
OWN = VerifyConfig(namespace="council", agent_id="Reviewer_Agent")
TIME = "2026-03-02T09:00:00Z"
JOB = "councilor-verify-1-abc"


def status(**fields: Any) -> CouncilorStatus:
    return CouncilorStatus.model_validate(fields, by_alias=True, by_name=False)


def run(**fields: Any) -> dict[str, Any]:
    """A finished run as the status has it."""
    usual = {"executionId": "exec_1", "taskId": "t", "jobName": JOB, "trigger": "manual", "status": "error"}
    return {**usual, "result": "failed", "reason": "AgentUnknown", "exitCode": 78, "recorded": True, **fields}


COMPLETED = {"status": "completed", "result": "warning", "severity": "warning", "reason": "Completed", "exitCode": 0}


def pod(phase: str, **fields: Any) -> dict[str, Any]:
    metadata = {"name": "p", "creationTimestamp": TIME}
    return {"metadata": metadata, "status": {"phase": phase, **fields}}


def waiting(reason: str) -> dict[str, Any]:
    return pod("Pending", containerStatuses=[{"state": {"waiting": {"reason": reason}}}])


def condition(value: str, reason: str, message: str = "", generation: int = 2) -> dict[str, Any]:
    return {
        "type": "Ready",
        "status": value,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": TIME,
    }


@dataclass(frozen=True)
class Case:
    """What is seen, the kind of finding, and words that it has to say."""

    seen: Finding
    kind: type[Finding]
    words: tuple[str, ...] = field(default=())


def ready(*conditions: dict[str, Any], **fields: Any) -> Finding:
    return findings.ready({"metadata": {"generation": 2}}, status(conditions=conditions, **fields), UNKNOWN)


def asked(**fields: Any) -> Finding:
    return findings.asked(status(lastRunNow={"token": "t", "at": TIME, **fields}), "t")


def started(*pods: dict[str, Any], **fields: Any) -> Finding:
    return findings.started(status(**fields), pods, JOB)


def ended(config: VerifyConfig, **fields: Any) -> Finding:
    return findings.ended(status(lastRun=run(**fields)), JOB, config)


def recorded(**fields: Any) -> Finding:
    return findings.recorded(status(lastRun=run(**fields)), JOB)


STUCK = {"executionId": "e", "jobName": JOB, "reason": "ImagePullBackOff", "message": "name an image that exists"}

CASES = {
    "no status at all": Case(ready(), Pending, ("has not looked", "council", "COUNCILOR_NAMESPACES")),
    "a condition of another generation": Case(ready(condition("True", "Reconciled", generation=1)), Pending),
    "a condition of another type": Case(ready({**condition("True", "x"), "type": "Scheduled"}), Pending),
    "ready": Case(ready(condition("True", "Reconciled"), cronJobName="c-1"), Passed, ("c-1",)),
    "refused": Case(
        ready(condition("False", "CronJobRefused", "the quota is used up")),
        Failed,
        ("CronJobRefused", "the quota is used up"),
    ),
    "no directory": Case(
        ready(condition("False", "WorkingDirectoryMissing", "write one")),
        Failed,
        ("COUNCILOR_VERIFY_CWD", "COUNCILOR_DEFAULT_CWD"),
    ),
    "not asked yet": Case(findings.asked(status(), "t"), Pending),
    "asked another time": Case(asked(token="other", jobName=JOB), Pending),
    "a Job": Case(asked(jobName=JOB), Passed, (JOB,)),
    "no Job": Case(asked(reason="JobRefused", message="the quota"), Failed, ("JobRefused", "the quota")),
    "no Pod": Case(started(), Pending, (JOB, "quota")),
    "a Pod that waits": Case(started(pod("Pending")), Pending, ("a node",)),
    "a Pod without an image": Case(started(waiting("ErrImagePull")), Pending, ("ErrImagePull", "image")),
    "a Pod without a status": Case(started({"metadata": pod("")["metadata"]}), Pending),
    "a Pod without a node": Case(
        started(pod("Pending", conditions=[{"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}])),
        Pending,
        ("0/3 nodes",),
    ),
    "stuck, as the operator says": Case(
        started(waiting("x"), active=[STUCK]), Pending, ("ImagePullBackOff", "name an image")
    ),
    "another run is stuck": Case(started(active=[{**STUCK, "jobName": "other"}]), Pending, ("has no Pod",)),
    "running": Case(started(pod("Running")), Passed),
    "ended already": Case(started(pod("Failed")), Passed),
    "running after it was stuck": Case(started(pod("Running"), active=[STUCK]), Passed),
    "counted already, the Pod is gone": Case(started(lastRun=run()), Passed),
    "not ended": Case(findings.ended(status(), JOB, UNKNOWN), Pending),
    "another run has ended": Case(ended(UNKNOWN, jobName="other"), Pending),
    "unknown, as it should be": Case(ended(UNKNOWN), Passed, ("Conductor answered",)),
    "unknown, and it should not be": Case(ended(OWN), Failed, ("COUNCILOR_VERIFY_AGENT_ID",)),
    "completed": Case(ended(OWN, **COMPLETED), Passed, ("completed", "warning")),
    "completed, and it should not be": Case(ended(UNKNOWN, **COMPLETED), Failed, ("rename",)),
    "failed": Case(ended(OWN, reason="AgentFailed", message="it said no"), Failed, ("AgentFailed", "it said no")),
    "skipped": Case(ended(OWN, status="skipped", result="skipped", reason="StartedTooLate"), Failed),
    "no Conductor": Case(
        ended(UNKNOWN, reason="ConductorUnreachable", message="no answer"),
        Failed,
        ("ConductorUnreachable: no answer", "conductor.url", "NetworkPolicy"),
    ),
    "no MongoDB": Case(ended(UNKNOWN, reason="DatabaseUnreachable"), Failed, ("MONGODB_URI", "Secret")),
    "a reason of a newer runner": Case(ended(UNKNOWN, reason="Novel"), Failed, ("Novel", "docs/runner.md")),
    "out of memory": Case(ended(UNKNOWN, reason="OOMKilled", message="raise it"), Failed, ("OOMKilled", "raise it")),
    "not counted": Case(findings.recorded(status(), JOB), Pending),
    "recorded": Case(recorded(), Passed, ("exec_1", "stays there")),
    "no database": Case(recorded(recorded=False), Noted, ("MONGODB_URI",)),
    "the record is refused": Case(
        recorded(recorded=False, exitCode=20, message="code 13"), Failed, ("code 13", "MONGODB_URI")
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_findings(name: str) -> None:
    case = CASES[name]
    assert isinstance(case.seen, case.kind)
    seen = case.seen
    said = f"{seen.problem} {seen.advice}" if isinstance(seen, (Failed, Pending)) else seen.text
    assert [word for word in case.words if word not in said] == []
    if isinstance(seen, (Failed, Pending)):
        assert seen.problem
        assert seen.advice


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason != Reason.COMPLETED])
@pytest.mark.parametrize("config", [UNKNOWN, OWN], ids=["unknown agent", "own agent"])
def test_no_way_for_a_run_to_fail_passes(reason: Reason, config: VerifyConfig) -> None:
    expected = Passed if (config, reason) == (UNKNOWN, Reason.AGENT_UNKNOWN) else Failed
    assert isinstance(ended(config, reason=reason), expected)


@pytest.mark.parametrize(
    ("config", "agent", "cwd"),
    [
        (UNKNOWN, UNKNOWN_AGENT, "/"),
        (OWN, "Reviewer_Agent", None),
        (OWN.model_copy(update={"cwd": "/srv/project"}), "Reviewer_Agent", "/srv/project"),
        (UNKNOWN.model_copy(update={"cwd": "/srv/project"}), UNKNOWN_AGENT, "/srv/project"),
    ],
)
def test_the_trial_is_valid_never_due_and_tells_nobody(config: VerifyConfig, agent: str, cwd: str | None) -> None:
    trial = build_trial(config, "councilor-verify-1")
    spec = CouncilorSpec.model_validate(trial["spec"], by_alias=True, by_name=False)
    assert (spec.agent_id, spec.execution.cwd) == (agent, cwd)
    assert (spec.execution.retries, spec.execution.timeout_seconds, spec.suspend_after_failures) == (0, 120, 0)
    assert spec.schedule.enabled is False
    compile_schedule(type=spec.schedule.type, value=spec.schedule.value, time_zone=None, default_zone="UTC", uid="any")
    told = spec.notifications
    assert {told.on_success, told.on_warning, told.on_error, told.on_recovery} == {False}
    assert set(told.channels) <= set(GATEWAY_CHANNELS), "the Pod needs no Secret of addresses"
    assert "ownerReferences" not in trial["metadata"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NAMESPACE", ""),
        ("NAMESPACE", "Upper"),
        ("NAMESPACE", "a/b"),
        ("NAMESPACE", "x" * 64),
        ("TIMEOUT_SECONDS", "9"),
        ("TIMEOUT_SECONDS", "3601"),
        ("TIMEOUT_SECONDS", "2m"),
        ("AGENT_ID", "two words"),
    ],
)
def test_a_wrong_setting_is_named(variable: str, value: str) -> None:
    environment = {"COUNCILOR_VERIFY_NAMESPACE": "council", f"COUNCILOR_VERIFY_{variable}": value}
    with pytest.raises(ConfigurationError, match=f"COUNCILOR_VERIFY_{variable}"):
        VerifyConfig.from_environment(environment)


def test_empty_settings_count_as_unset() -> None:
    unset = {f"COUNCILOR_VERIFY_{name}": "" for name in ("AGENT_ID", "CWD", "TIMEOUT_SECONDS")}
    assert VerifyConfig.from_environment({**unset, "COUNCILOR_VERIFY_NAMESPACE": "council"}) == UNKNOWN
