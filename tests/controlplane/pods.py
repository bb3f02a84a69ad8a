"""Writes into a Pod's status what a kubelet would: there is no node in a control plane alone."""

from datetime import UTC, datetime, timedelta

from councilor_runner.contract import Reason, RunReport, RunStatus, Severity, scheduled_time, task_id
from tests.controlplane.api import JOBS, PODS, Api, Object, eventually

UTC_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def pod_of(api: Api, job: Object) -> Object:
    """Wait for the Pod that the Job controller makes."""
    namespace, uid = job["metadata"]["namespace"], job["metadata"]["uid"]
    found = eventually(
        lambda: api.list(PODS, namespace, f"batch.kubernetes.io/controller-uid={uid}") or None,
        f"Job {job['metadata']['name']} has a Pod",
    )
    return found[-1]


def start(api: Api, job: Object) -> None:
    """Let the Job's Pod run."""
    _write(api, pod_of(api, job), "Running", {"running": {"startedAt": _now()}}, ready=True)


def finish(api: Api, job: Object, report: RunReport | str | None, *, exit_code: int | None = None) -> None:
    """Let the Job's Pod end with a termination message, and wait until the Job has ended too."""
    message = report.model_dump_json(by_alias=True) if isinstance(report, RunReport) else report or ""
    code = exit_code if exit_code is not None else report.exit_code if isinstance(report, RunReport) else 0
    terminated: Object = {
        "exitCode": code,
        "reason": "Completed" if code == 0 else "Error",
        "message": message,
        "startedAt": _now(),
        "finishedAt": _now(),
    }
    phase = "Succeeded" if code == 0 else "Failed"
    _write(api, pod_of(api, job), phase, {"terminated": terminated}, ready=False)
    wait_for_end(api, job)


def wait_for_end(api: Api, job: Object) -> None:
    """Wait until the Job controller has ended a Job, or it is gone."""
    name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]

    def ended() -> bool:
        now = api.get(JOBS, namespace, name)
        return now is None or any(
            condition["type"] in {"Complete", "Failed"} for condition in now.get("status", {}).get("conditions", ())
        )

    eventually(ended, f"Job {name} ends")


def run_out_of_time(api: Api, job: Object) -> None:
    """Let a Job run into its deadline, which is moved to its beginning."""
    metadata = job["metadata"]
    api.patch(JOBS, metadata["namespace"], metadata["name"], {"spec": {"activeDeadlineSeconds": 1}})
    wait_for_end(api, job)


def wait_for_image(api: Api, job: Object) -> None:
    """Let the Job's Pod hang because its image cannot be had."""
    hang(api, job, "ImagePullBackOff")


def hang(api: Api, job: Object, reason: str) -> None:
    """Let the Job's Pod wait for something that does not come."""
    waiting = {"waiting": {"reason": reason, "message": "a sentence of the kubelet"}}
    _write(api, pod_of(api, job), "Pending", waiting, ready=False)


def find_no_node(api: Api, job: Object) -> None:
    """Let the scheduler find no node for the Job's Pod."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    _set_status(api, pod_of(api, job), {"phase": "Pending", "conditions": [condition]})


def kill(api: Api, job: Object, reason: str, exit_code: int) -> None:
    """Let the container of the Job's Pod be killed without a word."""
    terminated = {"exitCode": exit_code, "reason": reason, "startedAt": _now(), "finishedAt": _now()}
    _write(api, pod_of(api, job), "Failed", {"terminated": terminated}, ready=False)


def evict(api: Api, job: Object) -> None:
    """Let a kubelet evict the Job's Pod."""
    _set_status(
        api, pod_of(api, job), {"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory"}
    )


def lose_node(api: Api, job: Object) -> Object:
    """Let the control plane take the Job's Pod from a node that is gone; returns the Pod."""
    pod = pod_of(api, job)
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC", "message": "node is gone"}
    _set_status(api, pod, {"phase": "Failed", "conditions": [condition]})
    return pod


def remove(api: Api, job: Object) -> None:
    """Let the Job's Pod disappear."""
    pod = pod_of(api, job)
    api.delete(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])


def report_of(
    job: Object,
    councilor: Object,
    *,
    status: RunStatus = "completed",
    severity: Severity = "success",
    reason: Reason = Reason.COMPLETED,
    exit_code: int = 0,
    message: str | None = None,
) -> RunReport:
    """Return what the runner of a Job would say."""
    name, uid = job["metadata"]["name"], councilor["metadata"]["uid"]
    scheduled_at = scheduled_time(name, councilor["metadata"]["name"])
    now = datetime.now(tz=UTC)
    task = task_id(uid, name, None if scheduled_at else job["metadata"]["uid"])
    return RunReport(
        execution_id=f"exec_{councilor['spec']['agentId']}_{task[:8]}",
        task_id=task,
        trigger="scheduled" if scheduled_at else "manual",
        status=status,
        severity=severity,
        exit_code=exit_code,
        reason=reason,
        message=message,
        summary="2 findings",
        scheduled_at=scheduled_at,
        started_at=now - timedelta(seconds=2),
        completed_at=now,
        duration_ms=2000,
        dispatched=True,
        recorded=True,
    )


def _write(api: Api, pod: Object, phase: str, state: Object, *, ready: bool) -> None:
    container = pod["spec"]["containers"][0]
    status = {
        "phase": phase,
        "conditions": [{"type": "Ready", "status": str(ready)}, {"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": ready,
                "restartCount": 0,
                "state": state,
            }
        ],
    }
    _set_status(api, pod, status)


def _set_status(api: Api, pod: Object, status: Object) -> None:
    metadata = pod["metadata"]
    api.patch(PODS, metadata["namespace"], metadata["name"], {"status": status}, subresource="status")


def _now() -> str:
    return datetime.now(tz=UTC).strftime(UTC_FORMAT)
