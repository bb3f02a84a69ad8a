"""Why a run's Pod does not start, and why a runner died without a word: one word and advice for each. Pure.

The words are those of kubelet, scheduler and controllers (Kubernetes 1.36) where they have one. What a Pod's status
says in sentences is not repeated: it may hold names of Secrets and registries. The exception is the API server's
refusal of a Pod, which nothing else can explain; it speaks of the Pod's own fields and of limits.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from councilor_operator.observed import JobEnd, ObservedJob, ObservedPod
from councilor_runner.contract import PROMPT_LIMIT, Reason

UNSCHEDULABLE: Final = "Unschedulable"
POD_REFUSED: Final = "PodRefused"
_WORDS_LIMIT: Final = 600
"""Characters of the API server's own words; with advice around them they fit into a condition."""


_ATTEMPT: Final = re.compile(r'^(\(combined from similar events\): )?(Error creating: )?([Pp]ods? "[^"]*" is \w+: )?')
"""What the Job controller's event says before the API server's reason (Kubernetes 1.36, controller_utils.go)."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One stable word, and what a person should know and do."""

    reason: str
    message: str


_IMAGE = "the image of the runner cannot be pulled: check the operator's runner image (COUNCILOR_RUNNER_IMAGE) and its "
_IMAGE += "pull Secrets (COUNCILOR_RUNNER_IMAGE_PULL_SECRETS)"

# Waiting reasons that do not pass by themselves while nothing changes (kubelet, pkg/kubelet/images and kuberuntime).
_WAITING: Final = {
    "ImagePullBackOff": _IMAGE,
    "ErrImageNeverPull": (
        "the image of the runner is not on the node, and its pull policy is Never: load it there, or set "
        "COUNCILOR_RUNNER_IMAGE_PULL_POLICY of the operator to IfNotPresent"
    ),
    "InvalidImageName": "what COUNCILOR_RUNNER_IMAGE of the operator says is no name of an image: correct it",
    "CreateContainerConfigError": (
        "the container cannot be configured: check that the ConfigMap of spec.task.promptFrom and its key exist in "
        "this namespace"
    ),
    "CreateContainerError": (
        "the node's container runtime cannot make the container: see `kubectl describe pod` and the node's own log"
    ),
    "RunContainerError": (
        "the container cannot be started: check that COUNCILOR_RUNNER_IMAGE of the operator is the runner's image, and "
        "see `kubectl describe pod`"
    ),
}
_START_ERROR: Final = Cause(
    "StartError",
    "the runner's process could not be started: the prompt in the ConfigMap of spec.task.promptFrom is larger than "
    f"what a process can be given ({PROMPT_LIMIT} characters is its limit), or COUNCILOR_RUNNER_IMAGE of the operator "
    "is not the runner's image",
)
# What containerd and cri-dockerd call it when the process itself does not come to life.
_NO_PROCESS: Final = frozenset({"StartError", "ContainerCannotRun"})
# The kubelet tries and waits in turns: one word for both, or the status would change with every look.
_SYNONYMS: Final = {"ErrImagePull": "ImagePullBackOff"}
STUCK_REASONS: Final = frozenset(_WAITING)
NOT_STARTED: Final = STUCK_REASONS | {UNSCHEDULABLE, POD_REFUSED}
"""Reasons with which no process of the runner has come to life."""

_UNSCHEDULABLE = "no node takes the Pod: check spec.runner (resources, nodeSelector, tolerations) against the nodes"
_EVICTED = "the Pod was evicted from its node, and none took its place in the time the Job has: see the node's pressure"
_NODE_LOST = "the Pod's node was lost, and no other Pod took its place in the time the Job has: see `kubectl get nodes`"
# Reasons of the condition DisruptionTarget (core/v1; the controllers that set it).
_DISRUPTIONS: Final = {
    "EvictionByEvictionAPI": Cause("Evicted", _EVICTED),
    "TerminationByKubelet": Cause("Evicted", _EVICTED),
    "DeletionByTaintManager": Cause("NodeLost", _NODE_LOST),
    "DeletionByPodGC": Cause("NodeLost", _NODE_LOST),
    "PreemptionByScheduler": Cause(
        "Preempted", "the Pod had to give way to one of higher priority, and none took its place: see the nodes' load"
    ),
}
# Reasons of a Pod's status.
_POD_REASONS: Final = {"Evicted": Cause("Evicted", _EVICTED), "NodeLost": Cause("NodeLost", _NODE_LOST)}


def obstacle(job: ObservedJob, pods: Sequence[ObservedPod], refusal: str | None) -> Cause | None:
    """Return why a Job that has had the time to start a Pod has none running; None where only time is missing.

    `refusal` is what the API server said to the Job controller's last attempt to make a Pod, None if nothing is known.
    """
    for pod in pods:
        if (cause := _stuck(pod)) is not None:
            return cause
    if pods or (job.had_pods and refusal is None):
        return None
    return refused(job, refusal)


def refused(job: ObservedJob, words: str | None) -> Cause:
    """Return the cause of a Job that never got a Pod, in the API server's own words if there are any."""
    advice = (
        "raise the quota, keep within the LimitRange (spec.runner.resources), or let the namespace's Pod Security "
        "level admit the runner"
    )
    # Each attempt has a name of its own, and an answer that changes with it would be news every time.
    words = None if words is None else _ATTEMPT.sub("", words)
    if words is None:
        return Cause(
            POD_REFUSED, f"the Job has no Pod: see `kubectl describe -n {job.namespace} job/{job.name}`; {advice}"
        )
    if len(words) > _WORDS_LIMIT:
        words = words[: _WORDS_LIMIT - 1] + "…"
    return Cause(POD_REFUSED, f"no Pod can be made: {advice}; the API server says: {words}")


def _stuck(pod: ObservedPod) -> Cause | None:
    reason = _SYNONYMS.get(pod.waiting_reason, pod.waiting_reason)
    if reason in _WAITING:
        return Cause(reason, _WAITING[reason])
    return Cause(UNSCHEDULABLE, _UNSCHEDULABLE) if pod.unschedulable else None


def cause_of_death(
    job: ObservedJob, end: JobEnd, pod: ObservedPod | None, seen: Cause | None, refusal: str | None
) -> Cause:
    """Return why a run ended whose runner left no report.

    `pod` is the last one that still exists, `seen` why none would start when last looked at: a Job that runs into its
    deadline takes the Pods along, and with them the reason.
    """
    if pod is not None:
        return _death_of(pod, end)
    if seen is not None:
        return seen
    if end.outcome == "Failed" and (refusal is not None or not job.had_pods):
        return refused(job, refusal)
    if end.reason == "DeadlineExceeded":
        return _DEADLINE
    return Cause(
        "PodGone",
        f"the Job ended as {end.outcome} and none of its Pods is left to tell why, as after the loss of a node: see "
        "the events of the Job",
    )


_DEADLINE = Cause(
    "DeadlineExceeded",
    "the Job ran into activeDeadlineSeconds before the runner could report: see the events of the Job, and raise "
    "spec.execution.timeoutSeconds if Pods start late",
)


def _death_of(pod: ObservedPod, end: JobEnd) -> Cause:
    if (cause := _stuck(pod)) is not None:
        return cause
    if pod.terminated_reason == "OOMKilled":
        return Cause("OOMKilled", "the runner ran out of memory: raise spec.runner.resources.limits.memory")
    if pod.terminated_reason in _NO_PROCESS:
        return _START_ERROR
    if (cause := _POD_REASONS.get(pod.reason) or _DISRUPTIONS.get(pod.disruption)) is not None:
        return cause
    if end.reason == "DeadlineExceeded":
        return _DEADLINE
    if pod.exit_code is not None:
        return Cause(
            Reason.INTERNAL_ERROR,
            f"the runner ended with exit code {pod.exit_code} and without a report: see its log",
        )
    return Cause(end.reason or end.outcome, "the runner left no report: see the events of the Job and its Pods")
