"""Every reason for which a run's Pod does not start or dies without a word: what is said while it lasts, and what stays
of it when the Job has ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from councilor_operator.observed import ObservedPod
from councilor_operator.runs.causes import NOT_STARTED, STUCK_REASONS, Cause, obstacle, refused
from councilor_operator.runs.outcome import finished_run
from tests import factories
from tests.factories import AGENT, NOW, Body, ended_pod_body, job, pod, pod_body
from tests.unit.operator.world import Step, World

COUNCILOR = factories.councilor()
SECRET = "s3cret-registry.example"
QUOTA = "exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0"


def waiting(reason: str) -> Body:
    return pod_body(created_at=NOW, waiting={"reason": reason, "message": f"Back-off, {SECRET}"})


def disrupted(reason: str) -> Body:
    return pod_body(
        phase="Failed",
        containers=False,
        conditions=[{"type": "DisruptionTarget", "status": "True", "reason": reason, "message": SECRET}],
    )


@dataclass(frozen=True)
class Stuck:
    """A Pod that does not start; `advice` are words of what is said."""

    pods: list[Body]
    reason: str
    advice: tuple[str, ...]
    refusal: str | None = None


UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": f"0/3 {SECRET}"}
STUCK = {
    "ImagePullBackOff": Stuck([waiting("ImagePullBackOff")], "ImagePullBackOff", ("COUNCILOR_RUNNER_IMAGE", "Secrets")),
    "ErrImagePull": Stuck([waiting("ErrImagePull")], "ImagePullBackOff", ("COUNCILOR_RUNNER_IMAGE",)),
    "ErrImageNeverPull": Stuck([waiting("ErrImageNeverPull")], "ErrImageNeverPull", ("IMAGE_PULL_POLICY", "load it")),
    "InvalidImageName": Stuck([waiting("InvalidImageName")], "InvalidImageName", ("COUNCILOR_RUNNER_IMAGE", "correct")),
    "CreateContainerConfigError": Stuck(
        [waiting("CreateContainerConfigError")], "CreateContainerConfigError", ("spec.task.promptFrom",)
    ),
    "CreateContainerError": Stuck([waiting("CreateContainerError")], "CreateContainerError", ("describe pod",)),
    "RunContainerError": Stuck([waiting("RunContainerError")], "RunContainerError", ("COUNCILOR_RUNNER_IMAGE",)),
    "no node": Stuck([pod_body(conditions=[UNSCHEDULABLE], containers=False)], "Unschedulable", ("spec.runner",)),
    "quota": Stuck([], "PodRefused", ("quota", QUOTA), refusal=QUOTA),
    "refused, nobody says why": Stuck([], "PodRefused", ("kubectl describe -n council job/", "Pod Security")),
    "a second Pod that hangs": Stuck(
        [ended_pod_body(exit_code=75), waiting("ImagePullBackOff")], "ImagePullBackOff", ("COUNCILOR_RUNNER_IMAGE",)
    ),
}


def hanging(case: Stuck) -> World:
    """A run that was started half a minute ago and has no running Pod."""
    world = World.settled({"schedule": {"value": "0 0 1 1 *"}})
    world.add_job("run", case.pods, scheduled_at=None, created_at=NOW, active=1 if case.pods else 0, had_pods=False)
    if case.refusal:
        world.refusals["run"] = case.refusal
    world.now += timedelta(seconds=25)
    return world


@pytest.mark.parametrize("case", STUCK.values(), ids=STUCK)
def test_what_keeps_a_pod_from_starting_shows_while_it_lasts(case: Stuck) -> None:
    world = hanging(case)
    step = world.step()
    assert step.reasons["Healthy"] == ("False", "RunnerCannotStart")
    (active,) = step.report.status.active or ()
    assert active.reason == case.reason
    for text in (step.messages["Healthy"], active.message or ""):
        assert all(word in text for word in case.advice)
        assert SECRET not in text
    assert step.events == [("Warning", "RunnerCannotStart")]
    assert world.step().patch == {}


@pytest.mark.parametrize("case", STUCK.values(), ids=STUCK)
def test_it_is_gone_when_the_pod_runs(case: Stuck) -> None:
    world = hanging(case)
    world.step()
    world.jobs["run"]["status"] |= {"active": 1, "ready": 1}
    step = world.step()
    assert step.reasons["Healthy"] == ("Unknown", "NoRunYet")
    (active,) = step.report.status.active or ()
    assert (active.reason, active.message) == (None, None)


@pytest.mark.parametrize("pods_left", [True, False], ids=["Pods left", "Pods gone"])
@pytest.mark.parametrize("case", STUCK.values(), ids=STUCK)
def test_it_stays_the_reason_when_the_deadline_takes_the_pods_along(case: Stuck, pods_left: bool) -> None:
    world = hanging(case)
    world.step()
    world.now += timedelta(minutes=20)
    if not pods_left:
        # Between the end of its Pods and its own end a Job goes on for a moment.
        world.pods["run"] = []
        world.step()
    step = fail(world, "DeadlineExceeded", had_pods=bool(case.pods))
    last = step.report.status.last_run
    assert last is not None
    assert (last.result, last.reason) == ("failed", case.reason)
    assert all(word in (last.message or "") for word in case.advice)
    assert step.decision.reports[0].manifest is not None


def fail(world: World, reason: str, *, had_pods: bool = True) -> Step:
    condition = {"type": "Failed", "status": "True", "lastTransitionTime": factories.rfc3339(world.now)}
    status = world.jobs["run"]["status"]
    for count in ("active", "ready", "failed"):
        status.pop(count, None)
    status["conditions"] = [{**condition, "reason": reason}]
    if had_pods:
        status["failed"] = 1
    return world.step()


def test_the_words_of_the_api_server_are_cut_to_what_a_condition_holds() -> None:
    world = hanging(Stuck([], "PodRefused", (), refusal="é" * 5000))
    step = world.step()
    assert len(step.messages["Healthy"]) < 1024
    assert step.messages["Healthy"].endswith("…")


@pytest.mark.parametrize(
    "note",
    [
        f'Error creating: pods "by-hand-x7k2p" is forbidden: {QUOTA}',
        f'(combined from similar events): Error creating: pods "by-hand-b4c9d" is forbidden: {QUOTA}',
        f'Error creating: Pod "by-hand-b4c9d" is invalid: {QUOTA}',
        QUOTA,
    ],
)
def test_the_next_attempt_is_no_news(note: str) -> None:
    cause = refused(factories.job(), note)
    assert cause == refused(factories.job(), QUOTA)
    assert cause.message.endswith(f"says: {QUOTA}")


@pytest.mark.parametrize(
    ("pods", "had_pods"),
    [([], True), ([pod(waiting={"reason": "ContainerCreating"})], False), ([factories.ended_pod(exit_code=75)], True)],
    ids=["between two Pods", "being made", "before a retry"],
)
def test_what_only_takes_its_time_is_no_obstacle(pods: list[ObservedPod], had_pods: bool) -> None:
    assert obstacle(job(active=int(had_pods)), pods, None) is None


# --- deaths -----------------------------------------------------------------------------------------------------------

DEATHS: dict[str, tuple[list[Body], str, str, str]] = {
    "OOMKilled": (
        [ended_pod_body(exit_code=137, reason="OOMKilled")],
        "BackoffLimitExceeded",
        "OOMKilled",
        "resources.limits.memory",
    ),
    "the prompt is too large for a process": (
        [ended_pod_body(exit_code=128, reason="StartError")],
        "BackoffLimitExceeded",
        "StartError",
        "spec.task.promptFrom",
    ),
    "evicted by the kubelet": (
        [pod_body(phase="Failed", reason="Evicted", containers=False)],
        "BackoffLimitExceeded",
        "Evicted",
        "pressure",
    ),
    "evicted through the API": ([disrupted("EvictionByEvictionAPI")], "DeadlineExceeded", "Evicted", "evicted"),
    "killed by the kubelet": ([disrupted("TerminationByKubelet")], "DeadlineExceeded", "Evicted", "pressure"),
    "its node tainted": ([disrupted("DeletionByTaintManager")], "DeadlineExceeded", "NodeLost", "kubectl get nodes"),
    "its node gone": ([disrupted("DeletionByPodGC")], "DeadlineExceeded", "NodeLost", "kubectl get nodes"),
    "its node silent": (
        [pod_body(phase="Failed", reason="NodeLost")],
        "BackoffLimitExceeded",
        "NodeLost",
        "kubectl get nodes",
    ),
    "preempted": ([disrupted("PreemptionByScheduler")], "DeadlineExceeded", "Preempted", "priority"),
    "a Pod that disappeared": ([], "BackoffLimitExceeded", "PodGone", "node"),
    "deadline while it ran": ([], "DeadlineExceeded", "DeadlineExceeded", "timeoutSeconds"),
    "deadline while it was made": (
        [pod_body(waiting={"reason": "ContainerCreating"})],
        "DeadlineExceeded",
        "DeadlineExceeded",
        "timeoutSeconds",
    ),
    "killed": ([ended_pod_body(exit_code=137)], "BackoffLimitExceeded", "InternalError", "exit code 137"),
}


@pytest.mark.parametrize(("pods", "end", "reason", "advice"), DEATHS.values(), ids=DEATHS)
def test_why_a_run_died_without_a_word(pods: list[Body], end: str, reason: str, advice: str) -> None:
    world = World.settled({"schedule": {"value": "0 0 1 1 *"}})
    world.add_job("run", pods, scheduled_at=None, created_at=NOW, active=1, ready=1)
    world.step()
    world.now += timedelta(minutes=5)
    step = fail(world, end)
    last = step.report.status.last_run
    assert last is not None
    assert (last.result, last.reason, last.report_job is not None) == ("failed", reason, True)
    assert advice in (last.message or "")
    assert SECRET not in (last.message or "")
    assert [report.job_name for report in step.decision.reports] == [last.report_job]


def test_every_cause_of_a_pod_that_does_not_start_has_a_case() -> None:
    assert {case.reason for case in STUCK.values()} == NOT_STARTED
    assert STUCK_REASONS < NOT_STARTED


def test_what_was_seen_before_does_not_outrank_a_pod_that_is_there() -> None:
    ended = job(end="Failed", reason="BackoffLimitExceeded")
    seen = Cause("ImagePullBackOff", "of an earlier look")
    run = finished_run(COUNCILOR, AGENT, ended, [factories.ended_pod(exit_code=137, reason="OOMKilled")], seen=seen)
    assert run.reason == "OOMKilled"
