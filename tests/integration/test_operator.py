"""The operator against a real API server and real controllers: what a user does, and what has to follow."""

import pytest

from councilor_operator.constants import ANNOTATION_RUN_NOW
from councilor_runner.contract import ENV_CONTRACT, RunContract
from tests.controlplane import pods
from tests.controlplane.api import CRON_JOBS, Api, Object, eventually
from tests.controlplane.councilor import Councilor, condition
from tests.controlplane.launcher import ControlPlane
from tests.controlplane.process import OperatorProcess

pytestmark = pytest.mark.usefixtures("operator_process")


def test_a_councilor_becomes_a_cron_job_and_a_status(api: Api, namespace: str) -> None:
    councilor = Councilor.create(
        api,
        namespace,
        "coverage",
        schedule={"type": "cron", "value": "0 9 * * MON-FRI", "timeZone": "America/Sao_Paulo"},
    )

    cron_job = councilor.cron_job()
    assert cron_job["spec"]["schedule"] == "0 9 * * MON-FRI"
    assert cron_job["spec"]["timeZone"] == "America/Sao_Paulo"
    assert cron_job["spec"]["suspend"] is False
    owner = cron_job["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Councilor", councilor.get()["metadata"]["uid"], True)

    status = councilor.status
    assert status["observedGeneration"] == 1
    assert status["phase"] == "Scheduled"
    assert (status["schedule"], status["timeZone"]) == ("0 9 * * MON-FRI", "America/Sao_Paulo")
    assert {item["type"]: item["status"] for item in status["conditions"]} == {
        "Ready": "True",
        "Scheduled": "True",
        "Healthy": "Unknown",
    }
    assert len(status["nextRunTimes"]) == 3
    assert all(time.endswith("T09:00:00-03:00") for time in status["nextRunTimes"])


def test_any_text_reaches_the_runner_as_it_was_written(api: Api, namespace: str) -> None:
    prompt = (
        "emoji 🧪, breaks \u0085\u2028\u2029, marks \ufeff\x7f, $(MONGODB_URI) $$(HOME) $, quotes \"'\\, tab\tand\nline"
    )
    councilor = Councilor.create(api, namespace, "text", task={"prompt": prompt}, emoji="🧪")

    assert condition(councilor.get(), "Ready")["status"] == "True"
    value = next(item["value"] for item in councilor.container()["env"] if item["name"] == ENV_CONTRACT)
    assert RunContract.model_validate_json(value.replace("$$", "$")).task.prompt == prompt


def test_a_scheduled_run_is_counted_once_and_shown(api: Api, namespace: str, control_plane: ControlPlane) -> None:
    councilor = Councilor.create(api, namespace, "hour", schedule={"type": "interval", "value": "1h"})
    job = councilor.fire()
    pods.start(api, job)
    status = eventually(
        lambda: councilor.status if councilor.status["phase"] == "Running" else None, "the run shows as active"
    )
    report = pods.report_of(job, councilor.get(), severity="warning")
    assert [run["jobName"] for run in status["active"]] == [job["metadata"]["name"]]

    pods.finish(api, job, report)

    status = councilor.wait_for_runs(1)
    last = status["lastRun"]
    assert (last["trigger"], last["result"], last["severity"]) == ("scheduled", "warning", "warning")
    assert last["jobName"] == job["metadata"]["name"]
    assert last["executionId"] == report.execution_id
    assert status["stats"]["warning"] == 1
    assert status["stats"]["successRate"] == 0.0
    assert condition(councilor.get(), "Healthy")["reason"] == "RunSucceeded"
    eventually(lambda: "RunCompleted" in councilor.event_reasons(), "the event about the run")
    table = control_plane.kubectl("get", "councilors", "-n", namespace).stdout
    assert "CoverageReviewer_Agent" in table
    assert "warning" in table


def test_a_manual_run_is_counted_too(api: Api, namespace: str, control_plane: ControlPlane) -> None:
    councilor = Councilor.create(api, namespace, "by-hand")
    job = councilor.run_by_hand(control_plane, "by-hand-now")
    pods.start(api, job)
    pods.finish(api, job, pods.report_of(job, councilor.get()))

    status = councilor.wait_for_runs(1)

    assert (status["lastRun"]["trigger"], status["lastRun"]["result"]) == ("manual", "success")
    assert status["stats"]["successRate"] == 100.0
    assert status["lastSuccessTime"] == status["lastRun"]["completedAt"]


def test_run_now_starts_one_run_for_each_token(api: Api, namespace: str) -> None:
    councilor = Councilor.create(api, namespace, "now", schedule={"type": "cron", "value": "@yearly", "enabled": False})

    councilor.annotate(ANNOTATION_RUN_NOW, "first")
    job = eventually(lambda: next(iter(councilor.jobs()), None), "the Job of the first token")
    eventually(lambda: councilor.status.get("lastRunNow", {}).get("token") == "first", "the token stands in the status")
    councilor.annotate(ANNOTATION_RUN_NOW, "second")
    refused = eventually(
        lambda: councilor.status["lastRunNow"] if councilor.status["lastRunNow"]["token"] == "second" else None,
        "the second token is handled",
    )
    assert refused["reason"] == "AlreadyRunning"
    pods.start(api, job)
    pods.finish(api, job, pods.report_of(job, councilor.get()))
    assert councilor.wait_for_runs(1)["lastRun"]["trigger"] == "manual"
    councilor.annotate(ANNOTATION_RUN_NOW, "third")
    eventually(lambda: len(councilor.jobs()) == 2, "the Job of the third token")
    assert councilor.status["phase"] in {"Paused", "Running"}


def test_a_token_that_is_annotated_again_starts_nothing(api: Api, namespace: str) -> None:
    councilor = Councilor.create(api, namespace, "again", concurrencyPolicy="Allow")
    councilor.annotate(ANNOTATION_RUN_NOW, "token")
    handled = eventually(lambda: councilor.status.get("lastRunNow"), "the token is handled")
    (job,) = councilor.jobs()

    councilor.annotate(ANNOTATION_RUN_NOW, None)
    councilor.annotate(ANNOTATION_RUN_NOW, "token")
    pods.start(api, job)
    pods.finish(api, job, pods.report_of(job, councilor.get()))
    # Counted in a pass that comes after the annotation.
    councilor.wait_for_runs(1)
    councilor.annotate(ANNOTATION_RUN_NOW, None)
    councilor.annotate(ANNOTATION_RUN_NOW, "token")
    # What came in before this Councilor has been looked at when this one has.
    Councilor.create(api, namespace, "later")

    assert councilor.status["lastRunNow"] == handled
    assert [item["metadata"]["name"] for item in councilor.jobs()] == [job["metadata"]["name"]]


def test_run_now_starts_a_run_beside_another_one_where_that_is_allowed(api: Api, namespace: str) -> None:
    councilor = Councilor.create(api, namespace, "beside", concurrencyPolicy="Allow")
    councilor.annotate(ANNOTATION_RUN_NOW, "first")
    (first,) = eventually(councilor.jobs, "the Job of the first token")
    pods.start(api, first)
    councilor.wait_for_phase("Running")

    councilor.annotate(ANNOTATION_RUN_NOW, "second")
    eventually(lambda: len(councilor.status["active"]) == 2, "two runs show as active")

    jobs = councilor.jobs()
    assert {run["jobName"] for run in councilor.status["active"]} == {job["metadata"]["name"] for job in jobs}
    assert first["metadata"]["uid"] in {job["metadata"]["uid"] for job in jobs}
    for job in jobs:
        pods.start(api, job)
        pods.finish(api, job, pods.report_of(job, councilor.get()))
    assert councilor.wait_for_runs(2)["stats"]["success"] == 2


def test_a_run_that_ends_while_the_operator_is_dead_is_counted_once(
    api: Api, namespace: str, control_plane: ControlPlane, operator_process: OperatorProcess
) -> None:
    councilor = Councilor.create(api, namespace, "crash")
    job = councilor.run_by_hand(control_plane, "crash-1")
    pods.start(api, job)
    eventually(lambda: councilor.status["phase"] == "Running", "the run shows as active")

    operator_process.kill()
    pods.finish(api, job, pods.report_of(job, councilor.get(), severity="error"))
    operator_process.start()

    councilor.wait_for_runs(1)
    operator_process.kill()
    operator_process.start()
    second = councilor.run_by_hand(control_plane, "crash-2")
    pods.start(api, second)
    pods.finish(api, second, pods.report_of(second, councilor.get()))
    stats = councilor.wait_for_runs(2)["stats"]
    assert (stats["totalExecutions"], stats["error"], stats["success"], stats["failed"]) == (2, 1, 1, 0)


@pytest.mark.parametrize(
    ("schedule", "reason", "hint"),
    [
        ({"type": "cron", "value": "0 9 * * 7"}, "InvalidSchedule", "SUN"),
        ({"type": "cron", "value": "0 0 9 * * *"}, "InvalidSchedule", "five"),
        (
            {"type": "cron", "value": "0 9 * * *", "timeZone": "America/SaoPaulo"},
            "InvalidSchedule",
            "America/Sao_Paulo",
        ),
    ],
    ids=["weekday", "fields", "zone"],
)
def test_an_invalid_schedule_says_what_to_write(
    api: Api, namespace: str, schedule: Object, reason: str, hint: str
) -> None:
    councilor = Councilor.create(api, namespace, "wrong", schedule=schedule)

    ready = condition(councilor.get(), "Ready")

    assert (ready["status"], ready["reason"]) == ("False", reason)
    assert hint in ready["message"]
    assert councilor.status["phase"] == "Invalid"
    assert api.get(CRON_JOBS, namespace, "wrong") is None


def test_a_schedule_that_turns_invalid_suspends_and_keeps_the_cron_job(api: Api, namespace: str) -> None:
    councilor = Councilor.create(api, namespace, "turns")
    uid = councilor.cron_job()["metadata"]["uid"]

    councilor.edit(schedule={"value": "0 9 31 2 *"})
    councilor.wait_for_condition("Ready", "False", "InvalidSchedule")

    cron_job = councilor.cron_job()
    assert (cron_job["metadata"]["uid"], cron_job["spec"]["suspend"]) == (uid, True)
    councilor.edit(schedule={"value": "0 9 28 2 *"})
    councilor.wait_for_condition("Ready", "True")
    assert councilor.cron_job()["spec"]["suspend"] is False


def test_an_image_is_put_back_and_a_foreign_variable_is_not_fought_over(
    api: Api, namespace: str, control_plane: ControlPlane
) -> None:
    councilor = Councilor.create(api, namespace, "template")

    control_plane.kubectl("set", "image", "cronjob/template", "runner=busybox", "-n", namespace)
    eventually(lambda: councilor.container()["image"] == "councilor-runner:test", "the image is put back")
    control_plane.kubectl("set", "env", "cronjob/template", "HTTPS_PROXY=http://proxy.test", "-n", namespace)
    generation = councilor.cron_job()["metadata"]["generation"]
    eventually(
        lambda: councilor.status["appliedCronJob"]["generation"] == generation, "the operator has looked at the change"
    )
    mark = control_plane.audit_mark()
    councilor.annotate("example.com/note", "another look")
    # What came in before this Councilor has been looked at when this one has.
    Councilor.create(api, namespace, "later")

    assert "HTTPS_PROXY" in [entry["name"] for entry in councilor.container()["env"]]
    writes = control_plane.operator_writes(namespace, since=mark)
    assert [write for write in writes if write.endswith("/template")] == []
    assert "patch cronjobs/later" in writes


def test_a_restart_with_nothing_to_do_writes_nothing(
    api: Api, namespace: str, control_plane: ControlPlane, operator_process: OperatorProcess
) -> None:
    for number in range(5):
        Councilor.create(api, namespace, f"quiet-{number}")
    operator_process.stop()
    mark = control_plane.audit_mark()

    operator_process.start()
    # A Councilor made after the restart is reconciled after those that were listed at the start.
    Councilor.create(api, namespace, "after-restart")

    writes = control_plane.operator_writes(namespace, since=mark)
    assert [write for write in writes if "quiet" in write] == []
    assert "patch cronjobs/after-restart" in writes
