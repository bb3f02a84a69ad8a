"""Runs that die, hang, are refused or vanish, on a real API server with real controllers; `pods` plays the kubelet."""

import random
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest

from councilor_runner.contract import ENV_REPORT, RunReport
from tests.controlplane import pods
from tests.controlplane.api import CRON_JOBS, EVENTS, JOBS, MERGE_PATCH, PODS, RESOURCE_QUOTAS, Api, Object, eventually
from tests.controlplane.councilor import Councilor, condition, limit_to_none
from tests.controlplane.launcher import ControlPlane
from tests.controlplane.process import OperatorProcess

pytestmark = pytest.mark.usefixtures("operator_process")

LIMITS = "api/v1", "limitranges"
NO_RETRY = {"retries": 0}
TOLD_WITHIN = timedelta(seconds=30)
"""After this time at the latest it is told that a runner does not start."""


def start_by_hand(councilor: Councilor, name: str) -> Object:
    """Start a run as `kubectl create job --from=cronjob/...` does."""
    cron_job = councilor.cron_job()
    template = cron_job["spec"]["jobTemplate"]
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": cron_job["metadata"]["name"], "controller": True}
    metadata = {
        "name": name,
        "labels": template["metadata"]["labels"],
        "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
        "ownerReferences": [{**owner, "uid": cron_job["metadata"]["uid"]}],
    }
    return councilor.api.create(JOBS, councilor.namespace, {"metadata": metadata, "spec": template["spec"]})


def started(api: Api, namespace: str, name: str, **spec: object) -> tuple[Councilor, Object]:
    """Return a Councilor and a run of it by hand."""
    councilor = Councilor.create(api, namespace, name, **spec)
    return councilor, start_by_hand(councilor, f"{name}-run")


def last_run(councilor: Councilor) -> Object:
    """Wait for the one run to be counted; returns it."""
    return dict(councilor.wait_for_runs(1)["lastRun"])


def report_job(councilor: Councilor) -> Object:
    """Return the report Job of the last run."""
    found = councilor.api.get(JOBS, councilor.namespace, councilor.status["lastRun"]["reportJob"])
    assert found is not None
    return found


def admit_restricted_pods_only(api: Api, namespace: str) -> None:
    """Set the Pod Security level of a namespace."""
    body = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    answer = api.request("PATCH", f"/api/v1/namespaces/{namespace}", json=body, headers=MERGE_PATCH)
    assert answer.status_code == 200


def unknown(councilor: Councilor) -> int:
    """Return how many runs count as unknown."""
    return int(councilor.status.get("stats", {}).get("unknown", 0))


# --- why a Pod does not start -----------------------------------------------------------------------------------------


def test_what_keeps_a_pod_from_starting_shows_while_it_lasts_and_stays_the_reason(api: Api, namespace: str) -> None:
    hang: dict[str, Callable[[Api, Object], None]] = {
        "ImagePullBackOff": pods.wait_for_image,
        "CreateContainerConfigError": partial(pods.hang, reason="CreateContainerConfigError"),
        "Unschedulable": pods.find_no_node,
    }
    runs = {reason: started(api, namespace, f"stuck-{number}") for number, reason in enumerate(hang)}
    recovering, recovers = started(api, namespace, "recovers")
    for reason, (_, job) in runs.items():
        hang[reason](api, job)
    pods.wait_for_image(api, recovers)

    for reason, (councilor, job) in runs.items():
        healthy = councilor.wait_for_condition("Healthy", "False", "RunnerCannotStart")
        message = healthy["message"]
        assert f"{job['metadata']['name']}: {reason}" in message
        # The cluster's own times: how long nobody was told.
        since = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
        assert datetime.fromisoformat(healthy["lastTransitionTime"]) - since <= TOLD_WITHIN
        assert "sentence of the kubelet" not in message
        assert councilor.status["active"][0]["reason"] == reason
    recovering.wait_for_condition("Healthy", "False", "RunnerCannotStart")
    pods.start(api, recovers)
    recovering.wait_for_condition("Healthy", "Unknown", "NoRunYet")
    assert "reason" not in recovering.status["active"][0]

    for reason, (councilor, job) in runs.items():
        pods.run_out_of_time(api, job)
        last = last_run(councilor)
        assert (last["result"], last["reason"]) == ("failed", reason)
        assert report_job(councilor)


def test_a_pod_that_the_api_server_refuses_is_explained_in_its_own_words(api: Api, namespace: str) -> None:
    quota = api.make_namespace(f"{namespace}-quota")
    limit_to_none(api, quota, "pods")
    limits = api.make_namespace(f"{namespace}-limits")
    limit = {"type": "Container", "min": {"memory": "128Mi"}}
    api.create(LIMITS, limits, {"metadata": {"name": "large"}, "spec": {"limits": [limit]}})
    secured = api.make_namespace(f"{namespace}-secured")
    admit_restricted_pods_only(api, secured)
    refused = {
        "exceeded quota: none": Councilor.create(api, quota, "refused"),
        "minimum memory usage per Container is 128Mi": Councilor.create(api, limits, "refused"),
        'violates PodSecurity "restricted': Councilor.create(api, secured, "refused"),
    }
    foreign = {"spec": {"jobTemplate": {"spec": {"template": {"spec": {"hostNetwork": True}}}}}}
    api.patch(CRON_JOBS, secured, "refused", foreign)
    jobs = [(words, councilor, start_by_hand(councilor, "refused-run")) for words, councilor in refused.items()]

    for words, councilor, _ in jobs:
        message = councilor.wait_for_condition("Healthy", "False", "RunnerCannotStart")["message"]
        assert "refused-run: PodRefused" in message
        assert words in message
    for words, councilor, job in jobs:
        pods.run_out_of_time(api, job)
        last = last_run(councilor)
        assert (last["result"], last["reason"]) == ("failed", "PodRefused")
        assert words in last["message"]


def test_a_pod_that_may_be_made_at_last_runs(api: Api, namespace: str) -> None:
    limit_to_none(api, namespace, "pods")
    councilor, job = started(api, namespace, "waits")
    councilor.wait_for_condition("Healthy", "False", "RunnerCannotStart")

    api.delete(RESOURCE_QUOTAS, namespace, "none")
    pods.start(api, job)
    councilor.wait_for_condition("Healthy", "Unknown", "NoRunYet")
    pods.finish(api, job, pods.report_of(job, councilor.get()))

    assert last_run(councilor)["result"] == "success"


# --- how a run dies ---------------------------------------------------------------------------------------------------


def test_a_run_that_dies_without_a_word_says_what_of(api: Api, namespace: str) -> None:
    runs = {
        reason: started(api, namespace, name, execution=NO_RETRY)
        for reason, name in {
            "OOMKilled": "memory",
            "Evicted": "evicted",
            "NodeLost": "node",
            "PodGone": "gone",
            "DeadlineExceeded": "deadline",
            "InternalError": "wordless",
        }.items()
    }
    for _, job in runs.values():
        pods.start(api, job)

    pods.kill(api, runs["OOMKilled"][1], "OOMKilled", 137)
    pods.evict(api, runs["Evicted"][1])
    pods.finish(api, runs["InternalError"][1], None, exit_code=137)
    pods.remove(api, runs["PodGone"][1])
    lost = pods.lose_node(api, runs["NodeLost"][1])
    # A lost node costs no retry: another Pod takes over, and finds no node either.
    eventually(
        lambda: (
            pods.pod_of(api, runs["NodeLost"][1])["metadata"]["uid"] != lost["metadata"]["uid"]
            or len(api.list(PODS, namespace, f"batch.kubernetes.io/job-name={runs['NodeLost'][1]['metadata']['name']}"))
            > 1
        ),
        "another Pod takes over",
    )
    for reason in ("NodeLost", "DeadlineExceeded"):
        pods.run_out_of_time(api, runs[reason][1])

    for reason, (councilor, _) in runs.items():
        last = last_run(councilor)
        assert (last["result"], last["reason"], last["recorded"]) == ("failed", reason, False)
        assert last["message"]
        assert condition(councilor.get(), "Healthy")["reason"] == "RunFailed"
        assert report_job(councilor)["metadata"]["name"] == last["reportJob"]


# --- report Jobs ------------------------------------------------------------------------------------------------------


def dead(api: Api, namespace: str, name: str, **spec: object) -> Councilor:
    """Return a Councilor whose one run was killed and counted."""
    councilor, job = started(api, namespace, name, execution=NO_RETRY, **spec)
    pods.start(api, job)
    pods.kill(api, job, "OOMKilled", 137)
    councilor.wait_for_runs(1)
    return councilor


def test_a_report_job_records_a_silent_run_and_is_none(
    api: Api, namespace: str, operator_process: OperatorProcess
) -> None:
    admit_restricted_pods_only(api, namespace)
    councilor = dead(api, namespace, "silent")
    job = report_job(councilor)
    pod = pods.pod_of(api, job)
    environment = {entry["name"]: entry.get("value", "") for entry in pod["spec"]["containers"][0]["env"]}
    told = RunReport.model_validate_json(environment[ENV_REPORT].replace("$$", "$"))
    assert told.execution_id == councilor.status["lastRun"]["executionId"]
    assert pod["spec"]["containers"][0]["args"] == ["report"]
    assert job["metadata"]["ownerReferences"][0]["kind"] == "Councilor"
    pods.start(api, job)

    # While it goes on, nothing counts it as a run, and a restart makes no second one.
    operator_process.kill()
    operator_process.start()
    councilor.annotate("conductor.community/run-now", "one")
    active = eventually(lambda: councilor.status.get("active"), "it is in nobody's way")
    assert [run["jobName"] for run in active] == [councilor.status["lastRunNow"]["jobName"]]
    pods.finish(api, job, told.model_copy(update={"recorded": True}), exit_code=0)

    eventually(lambda: councilor.status["lastRun"].get("reportResult") == "succeeded", "the report is worked in")
    status = councilor.status
    assert status["lastRun"]["recorded"] is True
    assert status["stats"]["totalExecutions"] == 1
    assert "RunReported" in councilor.event_reasons()
    purpose = "conductor.community/purpose=report"
    assert [item["metadata"]["name"] for item in api.list(JOBS, namespace, purpose)] == [job["metadata"]["name"]]


def test_a_report_job_that_fails_is_said(api: Api, namespace: str) -> None:
    councilor = dead(api, namespace, "unrecorded")
    job = report_job(councilor)
    pods.start(api, job)

    pods.run_out_of_time(api, job)

    message = councilor.wait_for_condition("Healthy", "False", "RecordFailed")["message"]
    assert job["metadata"]["name"] in message
    assert councilor.status["lastRun"]["reportResult"] == "failed"
    eventually(lambda: "ReportFailed" in councilor.event_reasons(), "the event about the report")


def test_a_report_job_that_is_refused_is_said_and_the_run_is_counted(api: Api, namespace: str) -> None:
    councilor, job = started(api, namespace, "refused", execution=NO_RETRY)
    pods.start(api, job)
    # What is there already stays.
    limit_to_none(api, namespace, "count/jobs.batch")

    pods.kill(api, job, "OOMKilled", 137)

    assert "reportJob" not in last_run(councilor)
    eventually(lambda: "ReportRefused" in councilor.event_reasons(), "the event about the report")


# --- runs that vanish -------------------------------------------------------------------------------------------------


def test_a_run_whose_job_is_deleted_is_unknown(api: Api, namespace: str) -> None:
    councilor, job = started(api, namespace, "deleted")
    pods.start(api, job)
    eventually(lambda: councilor.status.get("active"), "the run shows as active")

    api.delete(JOBS, namespace, job["metadata"]["name"])

    eventually(lambda: unknown(councilor) == 1, "the run counts as unknown")
    assert condition(councilor.get(), "Healthy")["reason"] == "ResultUnknown"
    eventually(lambda: "ResultUnknown" in councilor.event_reasons(), "the event about it")
    assert councilor.status["stats"].get("totalExecutions", 0) == 0


def test_runs_that_came_and_went_while_the_operator_was_down_are_unknown(
    api: Api, namespace: str, operator_process: OperatorProcess
) -> None:
    councilor = Councilor.create(api, namespace, "pruned", schedule={"type": "interval", "value": "1h"})
    noted = start_by_hand(councilor, "noted")
    pods.start(api, noted)
    eventually(lambda: councilor.status.get("active"), "the run shows as active")

    operator_process.kill()
    pods.finish(api, noted, pods.report_of(noted, councilor.get()))
    api.delete(JOBS, namespace, "noted")
    unheard = councilor.fire()
    api.delete(JOBS, namespace, unheard["metadata"]["name"])
    eventually(lambda: not councilor.jobs(), "both Jobs are gone")

    operator_process.start()
    eventually(lambda: unknown(councilor) >= 1, "the run that was noted counts as unknown")
    # The Job of the other one might still be on its way to the operator until a minute has passed.
    eventually(lambda: unknown(councilor) == 2, "so does the one that nobody heard of", seconds=90)
    operator_process.kill()
    operator_process.start()
    # A run that is counted comes after whatever the restart asked for.
    final = start_by_hand(councilor, "final")
    pods.start(api, final)
    pods.finish(api, final, pods.report_of(final, councilor.get()))
    status = councilor.wait_for_runs(1)
    assert (unknown(councilor), status["stats"].get("missed", 0)) == (2, 0)


def test_time_that_was_written_off_is_noted_with_what_it_explains(
    api: Api, namespace: str, operator_process: OperatorProcess
) -> None:
    councilor = Councilor.create(
        api, namespace, "resumed", schedule={"type": "interval", "value": "1m", "enabled": False}
    )
    councilor.set_last_fired(timedelta(hours=3))
    councilor.edit(schedule={"enabled": True})
    councilor.wait_for_condition("Scheduled", "True")

    cron_job = councilor.cron_job()
    noted = cron_job["metadata"]["annotations"]["conductor.community/fast-forwarded-to"]
    assert noted == cron_job["status"]["lastScheduleTime"]
    assert councilor.status["accountedUntil"] == noted
    operator_process.kill()
    operator_process.start()
    Councilor.create(api, namespace, "later")
    assert unknown(councilor) == 0


# --- exactly once -----------------------------------------------------------------------------------------------------

TRIALS = 30


def test_however_often_the_operator_dies_each_run_counts_once(
    api: Api, namespace: str, control_plane: ControlPlane, operator_process: OperatorProcess
) -> None:
    """Killed right after any of its writes while runs end, by hand and by schedule."""
    chance = random.Random(20261123)
    spec = {"schedule": {"type": "interval", "value": "1h"}, "history": {"successfulRuns": 100, "failedRuns": 100}}
    by_hand = [Councilor.create(api, namespace, f"by-hand-{number}", **spec) for number in range(2)]
    # The Job of a scheduled time is named after its minute: each of these fires once.
    by_schedule = [Councilor.create(api, namespace, f"timed-{number}", **spec) for number in range(0, TRIALS, 6)]
    for trial in range(TRIALS):
        runs = [(councilor, start_by_hand(councilor, f"{councilor.name}-{trial}")) for councilor in by_hand]
        if trial % 6 == 0:
            timed = by_schedule[trial // 6]
            runs.append((timed, timed.fire()))
        for _, job in runs:
            pods.start(api, job)
        ends = threading.Thread(target=finish_all, args=(api, runs))
        mark = control_plane.audit_mark()
        ends.start()
        # One for each end, at least; what the starts left to write comes before.
        after = chance.randint(1, len(runs))
        eventually(partial(control_plane.has_written, namespace, after, since=mark), f"{after} writes")
        operator_process.kill()
        if chance.random() < 0.5:
            ends.join()
        operator_process.start()
        ends.join()

    for councilor in by_hand + by_schedule:
        total = TRIALS if councilor in by_hand else 1
        status = councilor.wait_for_runs(total)
        assert len(councilor.jobs()) == len(status["countedJobs"]) == total
        assert status["stats"]["totalExecutions"] == status["stats"]["success"] == total
        assert (unknown(councilor), status["stats"].get("missed", 0)) == (0, 0)
    assert not {"ResultUnknown", "RunMissed"} & {event["reason"] for event in api.list(EVENTS, namespace)}


def finish_all(api: Api, runs: list[tuple[Councilor, Object]]) -> None:
    """Let runs end with success, and have the end of each told twice."""
    for councilor, job in runs:
        pods.finish(api, job, pods.report_of(job, councilor.get()))
        touched = {"metadata": {"labels": {"touched": "yes"}}}
        api.patch(JOBS, councilor.namespace, job["metadata"]["name"], touched)
