"""Report Jobs: which runs get one, what it looks like, and what becomes of the status when it has ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import yaml

from councilor_operator.builders import build_report_job
from councilor_operator.names import CRON_JOB_LIMIT, LABEL_LIMIT, report_job_name
from councilor_operator.observed import ObservedJob, ObservedPod
from councilor_operator.runs.outcome import finished_run, last_report
from councilor_operator.runs.reporting import needs_report, report_of
from councilor_runner.contract import ExitCode, RunContract, RunReport
from tests import factories
from tests.factories import AGENT, NAME, NOW, UID, Body, ended_pod, ended_pod_body, job, pod, report_message
from tests.unit.operator.test_builders import FULL_CONFIG, FULL_SPEC, Dumper, container_of, environment_of, expand
from tests.unit.operator.world import Step, World

HOUR_AGO = NOW - timedelta(hours=1)
DEAD = job(uid="dead-job", scheduled_at=HOUR_AGO, end="Failed", reason="BackoffLimitExceeded")
RESTRICTED = {"nodeSelector": {"disk": "ssd"}, "tolerations": [{"operator": "Exists"}]}


# --- which runs -------------------------------------------------------------------------------------------------------

TOLD: dict[str, tuple[dict[str, Any] | None, bool]] = {
    "nothing": (None, True),
    "completed and recorded": ({}, False),
    "completed, no database configured": ({"recorded": False}, False),
    "skipped": ({"status": "skipped", "severity": None, "reason": "StartedTooLate"}, False),
    "the agent failed, recorded": ({"status": "error", "exitCode": 10, "reason": "AgentFailed"}, False),
    "the record was refused": ({"exitCode": 20, "recorded": False}, True),
    "recorded but not counted": ({"exitCode": 20, "recorded": True}, True),
    "the database stayed away": ({"exitCode": 75, "recorded": False, "reason": "DatabaseUnreachable"}, True),
    "given up for the database": ({"exitCode": 10, "recorded": False, "reason": "DatabaseUnreachable"}, True),
    "given up for the database, recorded in the end": ({"exitCode": 10, "reason": "DatabaseUnreachable"}, False),
    "the database refused the claim": ({"exitCode": 78, "recorded": False, "reason": "DatabaseRefused"}, True),
    "Conductor stayed away, the record left open": (
        {"exitCode": 75, "recorded": False, "reason": "ConductorUnreachable"},
        True,
    ),
    "interrupted": ({"exitCode": 75, "recorded": False, "reason": "Interrupted"}, True),
    "configuration": ({"exitCode": 78, "recorded": False, "reason": "InvalidContract"}, False),
}


@pytest.mark.parametrize(("told", "needed"), TOLD.values(), ids=TOLD)
def test_which_runs_need_a_report(told: dict[str, Any] | None, needed: bool) -> None:
    report = None if told is None else RunReport.model_validate_json(report_message(**told))
    assert needs_report(report) is needed


def test_the_cases_cover_every_exit_code() -> None:
    seen = {int((told or {}).get("exitCode", 0)) for told, _ in TOLD.values()}
    assert seen == {int(code) for code in ExitCode} - {ExitCode.AGENT_TIMED_OUT}


# --- what it is told --------------------------------------------------------------------------------------------------


def told_of(ended: ObservedJob, pods: list[ObservedPod]) -> RunReport:
    run = finished_run(factories.councilor(), AGENT, ended, pods)
    return report_of(run, last_report(pods), pods)


def test_a_silent_run_is_told_as_it_is_counted() -> None:
    report = told_of(DEAD, [ended_pod(exit_code=137, reason="OOMKilled", created_at=HOUR_AGO)])
    run = finished_run(factories.councilor(), AGENT, DEAD, [ended_pod(exit_code=137, reason="OOMKilled")])
    assert (report.execution_id, report.task_id) == (run.execution_id, run.task_id)
    assert (report.status, report.severity, report.exit_code) == ("error", "error", 137)
    assert (report.reason, report.message) == ("OOMKilled", run.message)
    assert (report.trigger, report.scheduled_at) == ("scheduled", HOUR_AGO)
    assert (report.recorded, report.notified, report.dispatched) == (False, (), True)


def test_the_last_word_of_a_run_is_passed_on() -> None:
    text = report_message(exitCode=20, recorded=False, severity="warning", agentExitCode=3)
    report = told_of(DEAD, [ended_pod(text, exit_code=20)])
    assert report == RunReport.model_validate_json(text)


@pytest.mark.parametrize(
    ("pods", "dispatched"),
    [
        ([pod(waiting={"reason": "ImagePullBackOff"})], False),
        ([ended_pod(exit_code=75, name="a"), pod("b", created_at=NOW, waiting={"reason": "ErrImagePull"})], True),
        ([ended_pod(exit_code=137)], True),
        ([], True),
    ],
    ids=["never started", "an earlier Pod ran", "killed", "nobody knows"],
)
def test_whether_conductor_may_have_been_asked(pods: list[ObservedPod], dispatched: bool) -> None:
    assert told_of(DEAD, pods).dispatched is dispatched


def test_without_a_process_there_is_no_exit_code_of_its_own() -> None:
    assert told_of(DEAD, []).exit_code == ExitCode.AGENT_FAILED


# --- the Job ----------------------------------------------------------------------------------------------------------


def report() -> RunReport:
    message = "it costs $(MONGODB_URI) and $$"
    return RunReport.model_validate_json(report_message(exitCode=20, recorded=False, message=message))


def build(spec: Body | None = None, *, name: str = NAME, ended: ObservedJob = DEAD, **config: Any) -> Body:
    councilor = factories.councilor(name=name, spec=spec)
    return build_report_job(
        councilor, factories.spec(**(spec or {})), factories.config(**config), job=ended, report=report()
    )


def test_golden(golden: Callable[[str, str], None]) -> None:
    manifest = build(factories.merged(FULL_SPEC, {"runner": RESTRICTED}), **FULL_CONFIG)
    golden("job-report.yaml", yaml.dump(manifest, Dumper=Dumper, sort_keys=False, width=120, allow_unicode=True))


def test_it_belongs_to_the_councilor_and_is_no_run() -> None:
    metadata = build()["metadata"]
    (owner,) = metadata["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Councilor", UID, True)
    observed = ObservedJob.from_object(factories.job_body(labels=metadata["labels"]))
    assert (observed.reports, observed.councilor_uid) == (True, UID)
    assert not DEAD.reports


def test_its_pod_is_hardened_as_a_run_s_is_and_placed_as_the_operator_says() -> None:
    spec = {"runner": {**RESTRICTED, "resources": {"limits": {"memory": "16Mi"}}}}
    settings: Body = {"runner_node_selector": '{"pool": "council"}', "runner_tolerations": '[{"key": "council"}]'}
    plain = World.settled().cron_job
    assert plain is not None
    run_pod = plain["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    report_pod = build(spec, **settings)["spec"]["template"]["spec"]
    for field in ("automountServiceAccountToken", "enableServiceLinks", "securityContext"):
        assert report_pod[field] == run_pod[field]
    for field in ("securityContext", "terminationMessagePath", "terminationMessagePolicy", "image", "name"):
        assert report_pod["containers"][0][field] == run_pod["containers"][0][field]
    assert report_pod["nodeSelector"] == {"pool": "council"}
    assert report_pod["tolerations"] == [{"key": "council"}]
    assert report_pod["containers"][0]["resources"] == factories.config().runner_resources
    assert report_pod["containers"][0]["args"] == ["report"]


def test_one_pod_is_started_again_until_the_database_answers() -> None:
    spec = build()["spec"]
    assert spec["template"]["spec"]["restartPolicy"] == "OnFailure"
    # With OnFailure the API server refuses a podFailurePolicy.
    assert "podFailurePolicy" not in spec
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"]) == (30, 21600, 3600)


def test_the_runner_finds_run_and_ids_as_they_are() -> None:
    manifest = {"spec": {"jobTemplate": build(FULL_SPEC, **FULL_CONFIG)}}
    environment = environment_of(manifest)
    defined = {"MONGODB_URI": "mongodb://user:secret@host", "COUNCILOR_POD_NAME": "pod"}
    texts = {name: expand(entry.get("value", ""), defined) for name, entry in environment.items()}
    assert RunReport.model_validate_json(texts["COUNCILOR_REPORT"]) == report()
    contract = RunContract.model_validate_json(texts["COUNCILOR_CONTRACT"])
    assert contract.notifications.channels == tuple(FULL_SPEC["notifications"]["channels"])
    assert contract.councilor.uid == UID
    assert (texts["COUNCILOR_JOB_NAME"], texts["COUNCILOR_JOB_UID"]) == (DEAD.name, DEAD.uid)
    assert container_of(manifest)["env"] == list(environment.values())


def test_nothing_in_it_could_be_asked() -> None:
    spec = {"task": {"prompt": None, "promptFrom": {"configMapKeyRef": {"name": "prompts", "key": "k"}}}}
    for given in (spec, FULL_SPEC):
        environment = environment_of({"spec": {"jobTemplate": build(given)}})
        contract = json.loads(environment["COUNCILOR_CONTRACT"]["value"])
        assert "COUNCILOR_PROMPT" not in environment
        assert "prompt" not in contract["task"]


def test_a_directory_that_nobody_names_is_not_in_its_way() -> None:
    environment = environment_of({"spec": {"jobTemplate": build({"execution": {"cwd": None}})}})
    assert json.loads(environment["COUNCILOR_CONTRACT"]["value"])["execution"]["cwd"] == "/"


@pytest.mark.parametrize("length", [1, CRON_JOB_LIMIT, CRON_JOB_LIMIT + 1, 63, 253])
def test_its_name_fits_a_label_and_follows_from_the_run(length: int) -> None:
    name = report_job_name("n" * length, "uid")
    assert len(name) <= LABEL_LIMIT
    assert name == report_job_name("n" * length, "uid")
    assert name != report_job_name("n" * length, "another")
    assert build(name="n" * length)["metadata"]["name"] == report_job_name("n" * length, DEAD.uid)


# --- in a pass --------------------------------------------------------------------------------------------------------


def dead_run(**pod_values: Any) -> tuple[World, Step]:
    """A run by hand that died of its memory and was counted."""
    world = World.settled({"schedule": {"value": "0 0 1 1 *"}})
    values: Body = {"exit_code": 137, "reason": "OOMKilled"} | pod_values
    message = values.pop("message", "")
    world.add_job("run", [ended_pod_body(message, **values)], scheduled_at=None, end="Failed")
    return world, world.step()


def end_report(world: World, *, message: str = "", exit_code: int = 0) -> Step:
    """Let the one report Job end."""
    (uid,) = (uid for uid, body in world.jobs.items() if ObservedJob.from_object(body).reports)
    kind = "Failed" if exit_code else "Complete"
    condition = {"type": kind, "status": "True", "lastTransitionTime": factories.rfc3339(world.now)}
    world.jobs[uid]["status"] = {"conditions": [{**condition, "reason": "BackoffLimitExceeded" if exit_code else ""}]}
    world.pods[uid] = [ended_pod_body(message, exit_code=exit_code)] if message else []
    return world.step()


def test_a_report_job_is_no_run() -> None:
    world, step = dead_run()
    last = step.report.status.last_run
    assert last is not None
    assert last.report_job == report_job_name(NAME, "run")
    assert last.report_job in world.jobs
    world.now += timedelta(minutes=3)
    again = world.step()
    assert (again.patch, again.events) == ({}, [])
    assert again.report.status.active is None
    assert again.report.status.phase == "Scheduled"


def test_a_report_job_that_does_not_start_is_nobody_s_obstacle() -> None:
    world, step = dead_run()
    last = step.report.status.last_run
    assert last is not None
    world.jobs[last.report_job or ""]["status"] = {}
    world.now += timedelta(minutes=3)
    assert world.observation().pods == {}
    assert world.step().patch == {}


def test_a_report_job_does_not_stand_in_the_way_of_a_run_by_hand() -> None:
    world, _ = dead_run()
    world.councilor["metadata"]["annotations"] = {"conductor.community/run-now": "1"}
    run_now = world.step().decision.run_now
    assert run_now is not None
    assert not hasattr(run_now, "reason"), "it was refused"
    assert getattr(run_now, "replaces", None) == ()


def test_its_own_report_completes_the_last_run() -> None:
    world, step = dead_run()
    last = step.report.status.last_run
    assert last is not None
    told = report_message(
        executionId=last.execution_id,
        status="error",
        recorded=True,
        notified=[{"channel": "ops", "delivered": False, "reason": "HTTP 503"}],
    )
    step = end_report(world, message=told)
    last = step.report.status.last_run
    assert last is not None
    assert (last.report_result, last.recorded, last.reason) == ("succeeded", True, "OOMKilled")
    assert [channel.channel for channel in last.notified or ()] == ["ops"]
    assert step.events == [("Warning", "NotificationFailed"), ("Normal", "RunReported")]
    assert step.report.status.stats is not None
    assert step.report.status.stats.total_executions == 1
    assert (world.step().patch, world.step().events) == ({}, [])


def test_a_record_that_is_made_good_heals_the_condition() -> None:
    message = report_message(exitCode=20, recorded=False, message="MongoDB refuses the record")
    world, step = dead_run(message=message, exit_code=20, reason="Error")
    assert step.reasons["Healthy"] == ("False", "RecordFailed")
    assert report_job_name(NAME, "run") in step.messages["Healthy"]
    step = end_report(world, message=report_message(recorded=True))
    assert step.reasons["Healthy"] == ("True", "RunSucceeded")


def test_a_report_job_that_fails_says_so_once() -> None:
    world, _ = dead_run()
    step = end_report(world, exit_code=75)
    last = step.report.status.last_run
    assert last is not None
    assert (last.report_result, last.recorded) == ("failed", False)
    assert step.reasons["Healthy"] == ("False", "RecordFailed")
    assert step.events == [("Warning", "ReportFailed")]
    assert last.report_job is not None
    assert last.report_job in step.messages["Healthy"]
    # Its TTL takes it away.
    assert (world.step().patch, world.step().events) == ({}, [])
    world.jobs.pop(last.report_job)
    step = world.step()
    assert step.events == []
    assert step.report.status.last_run == last


def test_the_report_of_an_older_run_changes_nothing_but_is_heard() -> None:
    world, _ = dead_run()
    world.add_job("next", [ended_pod_body(report_message())], scheduled_at=None, end="Complete")
    body = world.pods["next"][0]["status"]["containerStatuses"][0]["state"]["terminated"]
    later = report_message(completedAt=factories.rfc3339(world.now + timedelta(minutes=1)))
    body["message"] = later
    last = world.step().report.status.last_run
    assert last is not None
    assert last.report_job is None
    step = end_report(world, exit_code=75)
    assert step.events == [("Warning", "ReportFailed")]
    assert step.report.status.last_run == last
    assert world.step().events == []


def test_a_report_job_that_is_gone_before_it_was_read_is_unknown() -> None:
    world, step = dead_run()
    last = step.report.status.last_run
    assert last is not None
    world.jobs.pop(last.report_job or "")
    step = world.step()
    assert step.decision.rests_on_absence
    last = step.report.status.last_run
    assert last is not None
    assert last.report_result == "unknown"
    assert step.reasons["Healthy"] == ("False", "RecordFailed")
    assert "unknown" in step.messages["Healthy"]
    assert step.events == [("Warning", "ReportLost")]
    assert last.execution_id in step.report.events[0].note
    assert last.report_job is not None
    assert last.report_job in step.report.events[0].note
    assert world.step().patch == {}


PANEL = {"channel": "panel", "delivered": True}
OPS_LATER = {"channel": "ops", "delivered": False, "reason": "waits until the run is recorded"}
OPS = {"channel": "ops", "delivered": True}
NOTIFIED: dict[str, tuple[list[Body], list[Body], list[tuple[str, bool]]]] = {
    "nobody": ([], [], []),
    "all of them": ([], [PANEL, OPS], [("panel", True), ("ops", True)]),
    "those that were left": ([PANEL, OPS_LATER], [PANEL, OPS], [("ops", True)]),
    "in vain": ([PANEL, OPS_LATER], [PANEL, OPS_LATER], [("ops", False)]),
    "none was left": ([PANEL, OPS], [PANEL, OPS], []),
}


@pytest.mark.parametrize(("by_run", "at_last", "expected"), NOTIFIED.values(), ids=NOTIFIED)
def test_whom_a_report_job_told(by_run: list[Body], at_last: list[Body], expected: list[tuple[str, bool]]) -> None:
    world, step = dead_run(message=report_message(exitCode=20, recorded=False, notified=by_run), exit_code=20)
    last = step.report.status.last_run
    assert last is not None
    step = end_report(world, message=report_message(executionId=last.execution_id, notified=at_last))
    assert [(entry.channel, entry.delivered) for entry in step.decision.accounts.notified] == expected
    announced = [event.note for event in step.report.events if event.reason == "NotificationFailed"]
    assert len(announced) == (("ops", False) in expected)
    assert all(last.execution_id in note and "ops: waits" in note for note in announced)
    assert world.step().decision.accounts.notified == ()


def test_what_an_older_run_had_told_is_not_known() -> None:
    world, step = dead_run(message=report_message(exitCode=20, recorded=False, notified=[PANEL]), exit_code=20)
    last = step.report.status.last_run
    assert last is not None
    later = report_message(completedAt=factories.rfc3339(world.now))
    world.add_job("later", [ended_pod_body(later)], scheduled_at=None, end="Complete", name="later")
    world.step()
    step = end_report(world, message=report_message(executionId=last.execution_id, notified=[PANEL, OPS]))
    assert [end.succeeded for end in step.decision.accounts.reported] == [True]
    assert step.decision.accounts.notified == ()


def test_a_spec_that_does_not_parse_gets_no_report_and_is_counted() -> None:
    world = World.settled()
    world.add_job("run", [ended_pod_body(exit_code=137, reason="OOMKilled")], scheduled_at=None, end="Failed")
    world.edit({"notifications": {"channels": "panel"}})
    step = world.step()
    (request,) = step.decision.reports
    assert request.manifest is None
    assert "spec.notifications.channels" in request.message
    assert step.report.status.stats is not None
    assert step.report.status.stats.failed == 1


def test_the_spec_is_read_by_the_names_of_the_api() -> None:
    """A name of the operator's own code is no field: Ready and the report say the same."""
    world = World.settled()
    world.add_job("run", [ended_pod_body(exit_code=137, reason="OOMKilled")], scheduled_at=None, end="Failed")
    world.edit({"suspend_after_failures": 3})
    step = world.step()
    (request,) = step.decision.reports
    assert request.manifest is None
    assert step.messages["Ready"] in request.message


def test_an_invalid_schedule_does_not_keep_a_run_from_being_reported() -> None:
    world = World.settled()
    world.add_job("run", [ended_pod_body(exit_code=137, reason="OOMKilled")], scheduled_at=None, end="Failed")
    world.edit({"schedule": {"value": "0 9 * * 7"}})
    (request,) = world.step().decision.reports
    assert request.manifest is not None


@pytest.mark.parametrize("recorded", [False, True], ids=["no record", "not counted"])
def test_a_record_that_was_not_made_good_stays_a_failed_record(recorded: bool) -> None:
    message = report_message(exitCode=20, recorded=recorded, message="MongoDB refuses")
    world, step = dead_run(message=message, exit_code=20, reason="Error")
    assert "will make up for it" in step.messages["Healthy"]
    step = end_report(world, exit_code=75)
    assert step.reasons["Healthy"] == ("False", "RecordFailed")
    assert "will make up for it" not in step.messages["Healthy"]


def test_a_failed_report_that_left_a_word_says_who_was_not_told() -> None:
    world, step = dead_run()
    last = step.report.status.last_run
    assert last is not None
    channel = {"channel": "ops", "delivered": False, "reason": "no record yet"}
    told = report_message(executionId=last.execution_id, status="error", reason="OOMKilled", notified=[channel])
    step = end_report(world, message=told, exit_code=75)
    last = step.report.status.last_run
    assert last is not None
    assert (last.report_result, [entry.delivered for entry in last.notified or ()]) == ("failed", [False])
    silent, event = step.report.events
    assert (silent.reason, event.reason) == ("NotificationFailed", "ReportFailed")
    assert "ops: no record yet" in silent.note
    assert "BackoffLimitExceeded" in event.note
    assert "OOMKilled" not in event.note
