"""Objects for tests: what a real API server (Kubernetes 1.36) would return, and the same as the operator observes it.

Each kind has `<kind>_body(...)`, the raw API object, and `<kind>(...)`, the observed value made from it. Keyword
arguments overrule the defaults; `spec` and `status` are merged deeply, None removes a field.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.config import OperatorConfig
from councilor_operator.constants import (
    ANNOTATION_SCHEDULED_AT,
    API_VERSION,
    KIND,
    LABEL_CONTROLLER_UID,
    LABEL_COUNCILOR_UID,
    LABEL_JOB_NAME,
)
from councilor_operator.observed import ObservedCouncilor, ObservedCronJob, ObservedJob, ObservedPod

Body = dict[str, Any]

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
"""A Monday morning on which no clock changes anywhere."""
CREATED = NOW - timedelta(days=10)
UID = "11111111-2222-4333-8444-555555555555"
CRON_JOB_UID = "cccccccc-2222-4333-8444-555555555555"
NAMESPACE = "council"
NAME = "licence-counsel"
AGENT = "LicenseAuditor_Agent"
CWD = "/srv/projects/shop"
FINALIZER = "foregroundDeletion"

MINIMAL_SPEC: Body = {
    "agentId": AGENT,
    "schedule": {"type": "cron", "value": "0 9 * * MON-FRI"},
    "task": {"prompt": "Which licences changed?"},
    "execution": {"cwd": CWD},
}


class FixedClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **delta: float) -> datetime:
        self.now += timedelta(**delta)
        return self.now


def rfc3339(time: datetime) -> str:
    """A time as the API server writes it: UTC, whole seconds."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def merged(base: Mapping[str, Any], over: Mapping[str, Any] | None) -> Body:
    """A deep copy of `base` with `over` merged in (RFC 7386)."""
    result = copy.deepcopy(dict(base))
    for key, value in (over or {}).items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def config(**over: Any) -> OperatorConfig:
    """The operator's configuration: what has to be set, and `over`."""
    values: Body = {"runner_image": "registry.example/runner:1", "conductor_url": "http://conductor:8000"}
    return OperatorConfig.model_validate(values | over)


def spec(**over: Any) -> CouncilorSpec:
    """A valid spec; keywords are its camelCase fields, merged deeply."""
    return CouncilorSpec.model_validate(merged(MINIMAL_SPEC, over))


def councilor_body(
    *,
    name: str = NAME,
    namespace: str = NAMESPACE,
    uid: str = UID,
    generation: int = 1,
    resource_version: str = "100",
    created_at: datetime = CREATED,
    deleting: bool = False,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
) -> Body:
    """A Councilor; `spec` is merged into `MINIMAL_SPEC`."""
    metadata: Body = {
        "name": name,
        "namespace": namespace,
        "uid": uid,
        "generation": generation,
        "resourceVersion": resource_version,
        "creationTimestamp": rfc3339(created_at),
        "managedFields": [{"manager": "kubectl-client-side-apply", "operation": "Update", "fieldsType": "FieldsV1"}],
    }
    if labels:
        metadata["labels"] = dict(labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    if deleting:
        metadata |= {"deletionTimestamp": rfc3339(NOW), "deletionGracePeriodSeconds": 0, "finalizers": [FINALIZER]}
    body: Body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": merged(MINIMAL_SPEC, spec)}
    if status is not None:
        body["status"] = copy.deepcopy(dict(status))
    return body


def councilor(**over: Any) -> ObservedCouncilor:
    """What the operator observes of `councilor_body(**over)`."""
    return ObservedCouncilor.from_object(councilor_body(**over))


def cron_job_body(
    manifest: Mapping[str, Any],
    *,
    uid: str = CRON_JOB_UID,
    resource_version: str = "200",
    created_at: datetime = CREATED,
    deleting: bool = False,
    last_schedule_time: datetime | None = None,
) -> Body:
    """A CronJob as the API server returns it after `manifest` was applied: with defaults and normalised quantities."""
    body = as_stored(manifest)
    body["metadata"] |= {
        "uid": uid,
        "resourceVersion": resource_version,
        "generation": 1,
        "creationTimestamp": rfc3339(created_at),
        "managedFields": [{"manager": "councilor-operator", "operation": "Apply", "fieldsType": "FieldsV1"}],
    }
    if deleting:
        body["metadata"] |= {"deletionTimestamp": rfc3339(NOW), "finalizers": [FINALIZER]}
    body["status"] = {} if last_schedule_time is None else {"lastScheduleTime": rfc3339(last_schedule_time)}
    return body


def next_generation(before: Mapping[str, Any], after: Body) -> Body:
    """A CronJob after a write: the generation moves with the spec, as the API server moves it."""
    moved = before["spec"] != after["spec"]
    after["metadata"]["generation"] = before["metadata"]["generation"] + moved
    return after


def cron_job(manifest: Mapping[str, Any], **over: Any) -> ObservedCronJob:
    """What the operator observes of `cron_job_body(manifest, **over)`."""
    return ObservedCronJob.from_object(cron_job_body(manifest, **over))


# The canonical form that apimachinery's resource.Quantity gives these; nothing else occurs in the tests.
_CANONICAL = {
    "0.5": "500m",
    "0.02": "20m",
    "1000m": "1",
    "1024Mi": "1Gi",
    "1000M": "1G",
    "65536Ki": "64Mi",
    "1e3": "1k",
}


def as_stored(manifest: Mapping[str, Any]) -> Body:
    """A CronJob manifest with the defaults of batch/v1 and core/v1 and without what `omitempty` leaves out."""
    body = copy.deepcopy(dict(manifest))
    cron_spec = body["spec"]
    for key, value in {
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    }.items():
        cron_spec.setdefault(key, value)
    template = cron_spec["jobTemplate"]["spec"]["template"]
    template["metadata"].setdefault("creationTimestamp", None)
    pod = template["spec"]
    for key, value in {
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "terminationGracePeriodSeconds": 30,
        "securityContext": {},
    }.items():
        pod.setdefault(key, value)
    for container in pod["containers"]:
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
        container.setdefault("resources", {})
        for amounts in container["resources"].values():
            for name, amount in amounts.items():
                amounts[name] = _CANONICAL.get(amount, amount)
    for key in ("tolerations", "imagePullSecrets", "nodeSelector"):
        if key in pod and not pod[key]:
            del pod[key]
    if "tolerations" in pod:
        # key, operator, value and effect are strings with `omitempty` (core/v1 Toleration).
        pod["tolerations"] = [
            {key: value for key, value in entry.items() if value != ""} for entry in pod["tolerations"]
        ]
    return body


def scheduled_job_name(at: datetime, cron_job_name: str = NAME) -> str:
    """The name the CronJob controller gives the Job of a scheduled time: Unix minutes at the end."""
    return f"{cron_job_name}-{int(at.timestamp()) // 60}"


def job_body(
    name: str | None = None,
    *,
    uid: str = "job-1",
    namespace: str = NAMESPACE,
    councilor_uid: str = UID,
    resource_version: str = "300",
    scheduled_at: datetime | None = NOW - timedelta(minutes=30),
    created_at: datetime | None = None,
    started_at: datetime | None = None,
    active: int = 0,
    ready: int = 0,
    end: str | None = None,
    ended_at: datetime | None = None,
    reason: str = "",
    message: str = "",
    had_pods: bool = True,
    labels: Mapping[str, str] | None = None,
) -> Body:
    """A Job of the CronJob; `scheduled_at=None` for one made by hand, `end` is Complete, Failed or None."""
    created = created_at or scheduled_at or NOW - timedelta(minutes=30)
    job_name = name or (scheduled_job_name(scheduled_at) if scheduled_at else "by-hand")
    annotations = (
        {"cronjob.kubernetes.io/instantiate": "manual"}
        if scheduled_at is None
        else {ANNOTATION_SCHEDULED_AT: rfc3339(scheduled_at)}
    )
    status: Body = {"startTime": rfc3339(started_at or created)}
    if active:
        status |= {"active": active, "ready": ready, "terminating": 0}
    if end is not None:
        # Before the final condition the controller sets an interim one.
        interim = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[end]
        if had_pods:
            status["succeeded" if end == "Complete" else "failed"] = 1
        at = rfc3339(ended_at or created + timedelta(minutes=2))
        condition = {"status": "True", "lastProbeTime": at, "lastTransitionTime": at}
        if reason:
            condition["reason"] = reason
        if message:
            condition["message"] = message
        status["conditions"] = [{"type": interim, **condition}, {"type": end, **condition}]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name,
            "namespace": namespace,
            "uid": uid,
            "resourceVersion": resource_version,
            "generation": 1,
            "creationTimestamp": rfc3339(created),
            "labels": {
                LABEL_COUNCILOR_UID: councilor_uid,
                LABEL_JOB_NAME: job_name,
                LABEL_CONTROLLER_UID: uid,
                **(labels or {}),
            },
            "annotations": annotations,
        },
        "spec": {},
        "status": status,
    }


def job(name: str | None = None, **over: Any) -> ObservedJob:
    """What the operator observes of `job_body(name, **over)`."""
    return ObservedJob.from_object(job_body(name, **over))


def pod_body(
    name: str = "pod-1",
    *,
    created_at: datetime = NOW - timedelta(minutes=30),
    phase: str = "Pending",
    reason: str | None = None,
    terminated: Mapping[str, Any] | None = None,
    waiting: Mapping[str, Any] | None = None,
    conditions: Sequence[Mapping[str, Any]] = (),
    containers: bool = True,
) -> Body:
    """A Pod of a Job; `terminated` and `waiting` are the state of its container."""
    status: Body = {"phase": phase}
    if reason is not None:
        status["reason"] = reason
    if conditions:
        status["conditions"] = [dict(condition) for condition in conditions]
    if containers:
        state: Body = {}
        if terminated is not None:
            state["terminated"] = dict(terminated)
        if waiting is not None:
            state["waiting"] = dict(waiting)
        status["containerStatuses"] = [
            {"name": "runner", "ready": False, "restartCount": 0, "image": "i", "imageID": "", "state": state}
        ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": name, "creationTimestamp": rfc3339(created_at)},
        "spec": {},
        "status": status,
    }


def pod(name: str = "pod-1", **over: Any) -> ObservedPod:
    """What the operator observes of `pod_body(name, **over)`."""
    return ObservedPod.from_object(pod_body(name, **over))


def ended_pod_body(
    message: str = "",
    *,
    name: str = "pod-1",
    exit_code: int = 0,
    reason: str | None = None,
    created_at: datetime = NOW - timedelta(minutes=30),
    seconds: int = 60,
    **over: Any,
) -> Body:
    """A Pod whose container ended after so many seconds with this termination message."""
    terminated: Body = {
        "exitCode": exit_code,
        "reason": reason or ("Error" if exit_code else "Completed"),
        "startedAt": rfc3339(created_at + timedelta(seconds=2)),
        "finishedAt": rfc3339(created_at + timedelta(seconds=2 + seconds)),
    }
    if message:
        terminated["message"] = message
    values: Body = {"phase": "Failed" if exit_code else "Succeeded"} | over
    return pod_body(name, created_at=created_at, terminated=terminated, **values)


def ended_pod(message: str = "", **over: Any) -> ObservedPod:
    """What the operator observes of `ended_pod_body(message, **over)`."""
    return ObservedPod.from_object(ended_pod_body(message, **over))


def report_message(**over: Any) -> str:
    """A runner's report as it stands in the termination message; keywords are its camelCase fields."""
    document: Body = {
        "version": 1,
        "executionId": f"exec_{AGENT}_1772442000_0123abcd",
        "taskId": "0123abcd0123abcd0123abcd",
        "trigger": "scheduled",
        "status": "completed",
        "severity": "success",
        "exitCode": 0,
        "agentExitCode": 0,
        "reason": "Completed",
        "summary": "All licences are as they were.",
        "scheduledAt": "2026-03-02T09:00:00Z",
        "startedAt": "2026-03-02T09:00:03.250000Z",
        "completedAt": "2026-03-02T09:01:04.750000Z",
        "durationMs": 61500,
        "dispatched": True,
        "recorded": True,
        "notified": [],
    }
    return json.dumps(merged(document, over), separators=(",", ":"))
