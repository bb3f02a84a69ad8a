"""From API objects, as a real API server returns them, to what decisions take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from councilor_operator.observed import (
    ObservedCouncilor,
    ObservedCronJob,
    ObservedJob,
    ObservedPod,
    parse_time,
)
from tests import factories
from tests.factories import CREATED, NOW, Body, rfc3339


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("2026-03-02T09:30:00Z", NOW),
        ("2026-03-02T06:30:00-03:00", NOW),
        ("2026-03-02T09:30:00.250000Z", NOW.replace(microsecond=250000)),
        ("2026-03-02T09:30:00+00:00", NOW),
    ],
)
def test_times(text: str | None, expected: datetime | None) -> None:
    assert parse_time(text) == expected


def test_councilor() -> None:
    body = factories.councilor_body(
        generation=4,
        annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}", "conductor.community/instance-id": "i"},
        status={"phase": "Scheduled"},
    )
    observed = ObservedCouncilor.from_object(body)
    assert (observed.namespace, observed.name, observed.uid) == ("council", "licence-counsel", factories.UID)
    assert (observed.generation, observed.resource_version) == (4, "100")
    assert observed.created_at == CREATED
    assert observed.deleting is False
    assert observed.annotations == {"conductor.community/instance-id": "i"}
    assert observed.spec == factories.MINIMAL_SPEC
    assert observed.status == {"phase": "Scheduled"}


def test_councilor_without_status_and_annotations() -> None:
    observed = factories.councilor()
    assert observed.status == {}
    assert observed.annotations == {}


def test_councilor_that_is_being_deleted() -> None:
    assert factories.councilor(deleting=True).deleting is True


def cron_job_body(**metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "c",
            "namespace": "n",
            "uid": "u",
            "resourceVersion": "7",
            "generation": 3,
            "creationTimestamp": "2026-02-20T09:30:00Z",
            **metadata,
        },
        "spec": {"schedule": "0 9 * * *", "suspend": True, "timeZone": "UTC"},
        "status": {"lastScheduleTime": "2026-03-02T09:00:00Z", "lastSuccessfulTime": "2026-03-02T09:01:00Z"},
    }


def test_cron_job() -> None:
    labels = {"conductor.community/councilor-uid": "owner", "app.kubernetes.io/managed-by": "councilor-operator"}
    owners = [{"uid": "other", "kind": "X"}, {"uid": "owner", "kind": "Councilor", "controller": True}]
    observed = ObservedCronJob.from_object(
        cron_job_body(labels=labels, ownerReferences=owners, annotations={"a": "b"}, managedFields=[{"manager": "x"}])
    )
    assert (observed.namespace, observed.name, observed.uid, observed.resource_version) == ("n", "c", "u", "7")
    assert observed.councilor_uid == "owner"
    assert observed.owner_uid == "owner"
    assert observed.created_at == CREATED
    assert (observed.labels, observed.annotations, observed.owners) == (labels, {"a": "b"}, owners)
    assert (observed.schedule, observed.time_zone, observed.suspended) == ("0 9 * * *", "UTC", True)
    assert observed.generation == 3
    assert observed.last_schedule_time == datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert observed.deleting is False


@pytest.mark.parametrize(
    ("owners", "expected"),
    [
        (None, None),
        ([], None),
        ([{"uid": "a"}], None),
        ([{"uid": "a", "controller": False}], None),
        ([{"uid": "a", "controller": True}], "a"),
        ([{"uid": "a"}, {"uid": "b", "controller": True}], "b"),
    ],
)
def test_controlling_owner(owners: list[dict[str, Any]] | None, expected: str | None) -> None:
    metadata = {} if owners is None else {"ownerReferences": owners}
    assert ObservedCronJob.from_object(cron_job_body(**metadata)).owner_uid == expected


def test_foreign_cron_job_that_never_ran() -> None:
    body = cron_job_body(deletionTimestamp="2026-03-02T09:30:00Z")
    del body["status"], body["spec"]["suspend"], body["spec"]["timeZone"]
    observed = ObservedCronJob.from_object(body)
    assert observed.councilor_uid == ""
    assert observed.last_schedule_time is None
    assert observed.deleting is True
    assert (observed.suspended, observed.time_zone) == (False, None)
    assert (observed.labels, observed.annotations, observed.owners) == ({}, {}, ())


def test_kubectl_s_copy_of_a_manifest_is_not_kept() -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "a": "b"}
    assert ObservedCronJob.from_object(cron_job_body(annotations=annotations)).annotations == {"a": "b"}


def test_running_job() -> None:
    scheduled = datetime(2026, 3, 2, 6, tzinfo=timezone(timedelta(hours=-3)))
    body = factories.job_body(
        "licence-counsel-29540700",
        scheduled_at=NOW - timedelta(minutes=30),
        created_at=NOW - timedelta(minutes=30),
        started_at=NOW - timedelta(minutes=29),
        active=1,
        ready=1,
    )
    # The controller writes this annotation in the CronJob's zone.
    body["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"] = scheduled.isoformat()
    observed = ObservedJob.from_object(body)
    assert (observed.name, observed.uid, observed.councilor_uid) == ("licence-counsel-29540700", "job-1", factories.UID)
    assert observed.scheduled_at == NOW - timedelta(minutes=30)
    assert observed.created_at == NOW - timedelta(minutes=30)
    assert observed.started_at == NOW - timedelta(minutes=29)
    assert observed.ready == 1
    assert observed.end is None


def test_job_that_the_controller_has_not_seen_yet() -> None:
    body = factories.job_body(scheduled_at=None)
    body["status"] = {}
    observed = ObservedJob.from_object(body)
    assert observed.scheduled_at is None
    assert observed.started_at is None
    assert (observed.ready, observed.end) == (0, None)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        pytest.param([], None, id="none"),
        pytest.param([("SuccessCriteriaMet", "True", "")], None, id="about to complete"),
        pytest.param([("FailureTarget", "True", "BackoffLimitExceeded")], None, id="about to fail"),
        pytest.param([("Complete", "False", "")], None, id="not complete"),
        pytest.param([("Suspended", "True", "JobSuspended")], None, id="suspended"),
        pytest.param([("SuccessCriteriaMet", "True", ""), ("Complete", "True", "")], ("Complete", ""), id="complete"),
        pytest.param(
            [("FailureTarget", "True", "DeadlineExceeded"), ("Failed", "True", "DeadlineExceeded")],
            ("Failed", "DeadlineExceeded"),
            id="failed",
        ),
        pytest.param([("Failed", "Unknown", "")], None, id="unknown"),
    ],
)
def test_how_a_job_ended(conditions: list[tuple[str, str, str]], expected: tuple[str, str] | None) -> None:
    body = factories.job_body()
    body["status"]["conditions"] = [
        {"type": kind, "status": status, "lastTransitionTime": "2026-03-02T09:30:00Z"} | ({"reason": r} if r else {})
        for kind, status, r in conditions
    ]
    end = ObservedJob.from_object(body).end
    if expected is None:
        assert end is None
    else:
        assert end is not None
        assert (end.outcome, end.reason, end.at) == (*expected, NOW)


def test_pod_that_ended() -> None:
    observed = factories.ended_pod("{}", exit_code=137, reason="OOMKilled", created_at=NOW, seconds=5)
    assert (observed.exit_code, observed.terminated_reason) == (137, "OOMKilled")
    assert observed.termination_message == "{}"
    assert observed.started_at == NOW + timedelta(seconds=2)
    assert observed.finished_at == NOW + timedelta(seconds=7)
    assert (observed.waiting_reason, observed.unschedulable) == ("", "")


def test_pod_that_waits() -> None:
    observed = factories.pod(waiting={"reason": "ImagePullBackOff", "message": "Back-off pulling image"})
    assert observed.waiting_reason == "ImagePullBackOff"
    assert observed.exit_code is None
    assert observed.started_at is observed.finished_at is None


@pytest.mark.parametrize(
    ("condition", "unschedulable"),
    [
        ({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}, "0/3 nodes"),
        ({"type": "PodScheduled", "status": "True"}, ""),
        ({"type": "DisruptionTarget", "status": "True", "reason": "E", "message": "evicted"}, ""),
        ({"type": "Ready", "status": "False", "message": "not yet"}, ""),
    ],
)
def test_conditions_of_a_pod(condition: dict[str, str], unschedulable: str) -> None:
    assert factories.pod(conditions=[condition], containers=False).unschedulable == unschedulable


@pytest.mark.parametrize("status", [{}, {"phase": "Pending"}, {"containerStatuses": []}, {"containerStatuses": None}])
def test_pod_of_which_nothing_is_known_yet(status: dict[str, Any]) -> None:
    body = factories.pod_body()
    body["status"] = status
    observed = ObservedPod.from_object(body)
    assert observed.exit_code is None
    assert observed.waiting_reason == observed.termination_message == observed.reason == ""


# --- what tells why a run has no result -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "had"),
    [
        ({}, False),
        ({"startTime": rfc3339(NOW)}, False),
        ({"active": 0, "ready": 0, "terminating": 0, "failed": 0}, False),
        ({"active": 1}, True),
        ({"terminating": 1}, True),
        ({"failed": 1}, True),
        ({"succeeded": 1}, True),
    ],
    ids=str,
)
def test_whether_a_job_ever_had_a_pod(status: Body, had: bool) -> None:
    body = factories.job_body()
    body["status"] = status
    assert ObservedJob.from_object(body).had_pods is had


@pytest.mark.parametrize(
    ("labels", "reports"),
    [({}, False), ({"conductor.community/purpose": "report"}, True), ({"conductor.community/purpose": "other"}, False)],
    ids=str,
)
def test_what_a_job_is_there_for(labels: dict[str, str], reports: bool) -> None:
    assert factories.job(labels=labels).reports is reports


@pytest.mark.parametrize(("status", "reason"), [("True", "DeletionByPodGC"), ("False", "")])
def test_why_the_cluster_took_a_pod_away(status: str, reason: str) -> None:
    condition = {"type": "DisruptionTarget", "status": status, "reason": "DeletionByPodGC"}
    assert factories.pod(conditions=[condition]).disruption == reason


def test_a_container_that_is_started_again_left_its_last_word() -> None:
    body = factories.pod_body(waiting={"reason": "CrashLoopBackOff"})
    ended = {"exitCode": 20, "reason": "Error", "message": "{}"}
    body["status"]["containerStatuses"][0]["lastState"] = {"terminated": ended}
    pod = ObservedPod.from_object(body)
    assert (pod.waiting_reason, pod.exit_code, pod.termination_message) == ("CrashLoopBackOff", 20, "{}")


@pytest.mark.parametrize("hours", [None, -1, 0, 1])
def test_a_cron_job_counts_from_its_creation_or_from_what_was_written_off(hours: int | None) -> None:
    time = None if hours is None else CREATED + timedelta(hours=hours)
    annotations = {} if time is None else {"conductor.community/fast-forwarded-to": rfc3339(time)}
    observed = ObservedCronJob.from_object(cron_job_body(annotations=annotations))
    assert observed.counts_from == max(CREATED, time or CREATED)
