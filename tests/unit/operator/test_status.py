"""What a pass says: conditions, phase, next runs, events, the next look, and the patch that writes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.api.status import CouncilorStatus
from councilor_operator.complaints import describe_rejection
from councilor_operator.constants import ANNOTATION_DOCUMENT, LABEL_SOURCE, SOURCE_MONGODB, ConditionReason
from councilor_operator.errors import Cause
from councilor_operator.observation import START_TOLERANCE
from councilor_operator.patches import merge_patch
from councilor_operator.plan import Refusal, decide
from councilor_operator.status import LATE, document, report
from tests import factories
from tests.factories import NOW, Body, ended_pod_body, pod_body, report_message
from tests.unit.operator.fake_cluster import merge_patched
from tests.unit.operator.world import Step, World

# Status documents hold no null; what is observed may.
SCALARS = st.booleans() | st.integers(-3, 3) | st.text(max_size=3)
DESIRED = st.dictionaries(
    st.sampled_from("abcd"),
    st.recursive(
        SCALARS | st.lists(SCALARS, max_size=2),
        lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)
OBSERVED = st.dictionaries(
    st.sampled_from("abcd"),
    st.recursive(
        st.none() | SCALARS | st.lists(SCALARS, max_size=2),
        lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


# --- merge patch ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observed", "desired", "patch"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"a": 1}, {}),
        ({}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {}, {"a": None}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}),
        ({"a": {"b": 1}}, {"a": {"b": 1}}, {}),
        ({"a": [1, 2]}, {"a": [1, 2]}, {}),
        ({"a": [1, 2]}, {"a": [1]}, {"a": [1]}),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1}]}, {}),
        ({"a": {"b": 1}}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}),
        ({}, {"a": {}}, {"a": {}}),
        ({"a": None}, {}, {"a": None}),
        ({"a": None}, {"a": 1}, {"a": 1}),
    ],
)
def test_merge_patches(observed: Body, desired: Body, patch: Body) -> None:
    assert merge_patch(observed, desired) == patch


@given(observed=OBSERVED, desired=DESIRED)
def test_a_patch_leads_to_what_is_desired(observed: Body, desired: Body) -> None:
    patch = merge_patch(observed, desired)
    assert merge_patched(observed, patch) == desired


@given(document=DESIRED)
def test_nothing_to_say_means_no_patch(document: Body) -> None:
    assert merge_patch(document, document) == {}


@given(observed=DESIRED, desired=DESIRED)
def test_a_patch_names_only_what_differs(observed: Body, desired: Body) -> None:
    patch = merge_patch(observed, desired)
    same = [key for key in patch if key in observed and key in desired and repr(observed[key]) == repr(desired[key])]
    assert same == []


def test_the_status_survives_the_way_to_the_api_server_and_back() -> None:
    world = World.settled({"schedule": {"timeZone": "America/Sao_Paulo"}})
    world.add_job(
        "j", [ended_pod_body(report_message(notified=[{"channel": "panel", "delivered": True}]))], end="Complete"
    )
    world.add_job("k", active=1, scheduled_at=NOW)
    world.step()
    stored = world.councilor["status"]
    assert document(CouncilorStatus.model_validate(stored)) == stored
    assert "null" not in str(stored).lower()


# --- conditions -------------------------------------------------------------------------------------------------------


def a_run(**over: Any) -> World:
    """A settled Councilor with one ended run."""
    world = World.settled()
    values: Body = {"end": "Complete", "exit_code": 0, "reason": ""} | over
    message = report_message(**values.pop("report", {}))
    world.add_job("j", [ended_pod_body(message, exit_code=values.pop("exit_code"))], **values)
    return world


def refused(spec: Body) -> World:
    world = World.settled()
    world.edit(spec)
    return world


def foreign() -> World:
    world = World.settled()
    world.edit_cron_job({"metadata": {"ownerReferences": None, "labels": None}})
    return world


def synced(spec: Body | None = None, **annotations: str) -> World:
    """A Councilor that the sync made: keywords are the ends of its annotations."""
    return World.of(
        spec,
        labels={LABEL_SOURCE: SOURCE_MONGODB},
        annotations={ANNOTATION_DOCUMENT: DOCUMENT}
        | {f"{ANNOTATION_DOCUMENT}-{name}": text for name, text in annotations.items()},
    )


def broken() -> World:
    world = World.settled({"suspendAfterFailures": 2})
    world.fail_runs(2)
    return world


def stuck(pods: list[Body], **job: Any) -> World:
    world = World.settled()
    values: Body = {"active": 1, "scheduled_at": NOW - timedelta(minutes=1)} | job
    world.add_job("j", pods, **values)
    return world


DOCUMENT = f"agents/{factories.AGENT}"
FAILED: Body = {"status": "error", "severity": "error", "exitCode": 10, "reason": "AgentFailed", "message": "it broke"}
ACTIVE = ("True", "Active")
RECONCILED = ("True", "Reconciled")
NO_RUN = ("Unknown", "NoRunYet")

STATES: list[tuple[str, Callable[[], World], tuple[str, str], tuple[str, str], tuple[str, str], str]] = [
    ("new", lambda: World.of(), RECONCILED, ACTIVE, NO_RUN, "Scheduled"),
    ("paused", lambda: World.of({"schedule": {"enabled": False}}), RECONCILED, ("False", "Paused"), NO_RUN, "Paused"),
    (
        "bad cron",
        lambda: refused({"schedule": {"value": "0 9 * * 7"}}),
        ("False", "InvalidSchedule"),
        ("False", "InvalidSchedule"),
        NO_RUN,
        "Invalid",
    ),
    (
        "bad spec",
        lambda: refused({"execution": {"retries": 99}}),
        ("False", "InvalidSpec"),
        ("False", "InvalidSpec"),
        NO_RUN,
        "Invalid",
    ),
    (
        "no directory",
        lambda: refused({"execution": {"cwd": None}}),
        ("False", "WorkingDirectoryMissing"),
        ("False", "WorkingDirectoryMissing"),
        NO_RUN,
        "Invalid",
    ),
    (
        "bad document",
        lambda: synced(problem="councilor_config.task.prompt is blank: write what to ask"),
        ("False", "InvalidDocument"),
        ("False", "InvalidDocument"),
        NO_RUN,
        "Invalid",
    ),
    ("odd document", lambda: synced(note="7 was read as Sunday"), RECONCILED, ACTIVE, NO_RUN, "Scheduled"),
    ("name taken", lambda: foreign(), ("False", "NameConflict"), ("False", "NameConflict"), NO_RUN, "Invalid"),
    ("success", lambda: a_run(), RECONCILED, ACTIVE, ("True", "RunSucceeded"), "Scheduled"),
    (
        "judged a warning",
        lambda: a_run(report={"severity": "warning"}),
        RECONCILED,
        ACTIVE,
        ("True", "RunSucceeded"),
        "Scheduled",
    ),
    (
        "judged an error",
        lambda: a_run(report={"severity": "error"}),
        RECONCILED,
        ACTIVE,
        ("True", "RunSucceeded"),
        "Scheduled",
    ),
    (
        "failed",
        lambda: a_run(report=FAILED, exit_code=10, end="Failed", reason="PodFailurePolicy"),
        RECONCILED,
        ACTIVE,
        ("False", "RunFailed"),
        "Scheduled",
    ),
    (
        "skipped",
        lambda: a_run(report={"status": "skipped", "severity": None, "reason": "StartedTooLate"}),
        RECONCILED,
        ACTIVE,
        ("True", "RunSkipped"),
        "Scheduled",
    ),
    (
        "not recorded",
        lambda: a_run(report={"exitCode": 20, "recorded": False, "message": "refused"}, exit_code=20, end="Failed"),
        RECONCILED,
        ACTIVE,
        ("False", "RecordFailed"),
        "Scheduled",
    ),
    ("breaker open", lambda: broken(), RECONCILED, ("False", "Suspended"), ("False", "RunFailed"), "Suspended"),
    (
        "running",
        lambda: stuck([pod_body(phase="Running")], ready=1),
        RECONCILED,
        ACTIVE,
        NO_RUN,
        "Running",
    ),
    (
        "image missing",
        lambda: stuck([pod_body(waiting={"reason": "ImagePullBackOff", "message": "m"})]),
        RECONCILED,
        ACTIVE,
        ("False", "RunnerCannotStart"),
        "Running",
    ),
    (
        "config map missing",
        lambda: stuck([pod_body(waiting={"reason": "CreateContainerConfigError", "message": "m"})]),
        RECONCILED,
        ACTIVE,
        ("False", "RunnerCannotStart"),
        "Running",
    ),
    (
        "no node",
        lambda: stuck(
            [pod_body(conditions=[{"type": "PodScheduled", "status": "False", "message": "m"}], containers=False)]
        ),
        RECONCILED,
        ACTIVE,
        ("False", "RunnerCannotStart"),
        "Running",
    ),
    ("no Pod at all", lambda: stuck([], active=0), RECONCILED, ACTIVE, ("False", "RunnerCannotStart"), "Running"),
    (
        "container being made",
        lambda: stuck([pod_body(waiting={"reason": "ContainerCreating"})]),
        RECONCILED,
        ACTIVE,
        NO_RUN,
        "Running",
    ),
    (
        "between two attempts",
        lambda: stuck([ended_pod_body(exit_code=75)], active=0),
        RECONCILED,
        ACTIVE,
        NO_RUN,
        "Running",
    ),
    ("no Pod yet", lambda: stuck([], active=0, scheduled_at=NOW), RECONCILED, ACTIVE, NO_RUN, "Running"),
]


@pytest.mark.parametrize(
    ("make", "ready", "scheduled", "healthy", "phase"), [row[1:] for row in STATES], ids=[row[0] for row in STATES]
)
def test_states(
    make: Callable[[], World], ready: tuple[str, str], scheduled: tuple[str, str], healthy: tuple[str, str], phase: str
) -> None:
    world = make()
    step = world.step()
    assert step.reasons == {"Ready": ready, "Scheduled": scheduled, "Healthy": healthy}
    assert step.report.status.phase == phase
    assert step.report.status.observed_generation == world.councilor["metadata"]["generation"]
    for condition in step.report.status.conditions:
        assert condition.observed_generation == world.councilor["metadata"]["generation"]
        assert condition.message
    again = world.step()
    assert again.patch == {}
    assert again.events == []


def test_the_tables_reach_every_reason() -> None:
    reached = {reason for row in STATES for _, reason in row[2:5]}
    unreached = {str(reason) for reason in ConditionReason} - reached
    assert unreached <= {"CronJobRefused", "RunMissed", "ResultUnknown"}, "tests of their own have these"


MESSAGES: list[tuple[str, Callable[[], World], str, list[str]]] = [
    ("paused", lambda: World.of({"schedule": {"enabled": False}}), "Scheduled", ["spec.schedule.enabled"]),
    ("suspended", lambda: broken(), "Scheduled", ["2 runs", "spec.schedule.enabled", "status.lastRun"]),
    ("cron", lambda: refused({"schedule": {"value": "0 9 * * 7"}}), "Ready", ["schedule.value", "Write"]),
    ("directory", lambda: refused({"execution": {"cwd": None}}), "Ready", ["spec.execution.cwd"]),
    ("synced", lambda: synced({"schedule": {"value": "0 9 * * 7"}}), "Ready", ["schedule.value", DOCUMENT, "undone"]),
    ("synced spec", lambda: synced({"execution": {"retries": 99}}), "Ready", ["retries", DOCUMENT, "undone"]),
    ("synced directory", lambda: synced({"execution": {"cwd": None}}), "Ready", ["field cwd", DOCUMENT, "undone"]),
    ("name", lambda: foreign(), "Ready", [factories.NAME, "rename"]),
    (
        "failed",
        lambda: a_run(report=FAILED, exit_code=10, end="Failed"),
        "Healthy",
        ["AgentFailed", "it broke", "exec_"],
    ),
    (
        "record",
        lambda: a_run(report={"exitCode": 20, "message": "is read-only"}, exit_code=20, end="Failed"),
        "Healthy",
        ["is read-only"],
    ),
    ("image", lambda: stuck([pod_body(waiting={"reason": "ErrImagePull"})]), "Healthy", ["ImagePullBackOff", "image"]),
    ("no Pod", lambda: stuck([], active=0), "Healthy", ["quota", "no Pod"]),
    ("ready", lambda: World.of(), "Ready", [factories.NAME]),
]


@pytest.mark.parametrize(
    ("make", "condition", "words"), [row[1:] for row in MESSAGES], ids=[row[0] for row in MESSAGES]
)
def test_messages_say_what_to_do(make: Callable[[], World], condition: str, words: list[str]) -> None:
    message = make().step().messages[condition]
    for word in words:
        assert word in message


NAMED = f"this Councilor is made from the document {DOCUMENT}: make the change there, an edit here is undone"
READY: list[tuple[str, Callable[[], World], str]] = [
    (
        "problem",
        lambda: synced(problem='councilor_config.schedule.value "bogus" is no schedule: correct it in Conductor'),
        f'document {DOCUMENT}: councilor_config.schedule.value "bogus" is no schedule: correct it in Conductor',
    ),
    (
        "problem and note",
        lambda: synced(problem="cwd is a number: write text", note="the agent runs twice"),
        f"document {DOCUMENT}: cwd is a number: write text; note on the document: the agent runs twice",
    ),
    (
        "note",
        lambda: synced(note="the agent runs twice"),
        f"CronJob {factories.NAME} is as the spec demands; note on the document: the agent runs twice",
    ),
    (
        "directory",
        lambda: synced({"execution": {"cwd": None}}),
        (
            "there is no working directory: write the directory on the Conductor host in which the agent works into "
            f"the field cwd of the document, or set COUNCILOR_DEFAULT_CWD of the operator; {NAMED}"
        ),
    ),
    (
        "schedule and note",
        lambda: synced({"schedule": {"value": "0 9 * * 7"}}, note="no time zone"),
        (
            'the weekday "7" in spec.schedule.value counts Sunday as 7, in a CronJob it is 0 or SUN. Write "0 9 * * 0".'
            f"; note on the document: no time zone; {NAMED}"
        ),
    ),
]


@pytest.mark.parametrize(("make", "message"), [row[1:] for row in READY], ids=[row[0] for row in READY])
def test_what_is_said_of_a_document(make: Callable[[], World], message: str) -> None:
    assert make().step().messages["Ready"] == message


@pytest.mark.parametrize("length", [0, 800, 1023, 1024, 1025, 5000])
def test_however_long_the_complaint_where_to_change_it_is_said(length: int) -> None:
    world = synced(note="n" * 2000)
    refusal = Refusal(ConditionReason.CRON_JOB_REFUSED, "x" * length)
    observation = world.observation()
    said = report(observation, decide(observation, world.config, NOW), None, refusal, None, NOW)
    message = said.status.conditions[0].message
    assert message.endswith(NAMED)
    assert len(message) <= 1024
    assert f"…; {NAMED}" in message, "what was cut says so"


def test_a_foreign_cron_job_is_not_removed_in_a_document() -> None:
    world = synced()
    world.step()
    world.edit_cron_job({"metadata": {"ownerReferences": None, "labels": None}})
    step = world.step()
    assert step.reasons["Ready"] == ("False", "NameConflict")
    assert "document" not in step.messages["Ready"]


def test_another_problem_of_a_document_is_told_again() -> None:
    world = synced(problem="task.name is blank")
    assert world.step().events == [("Warning", "InvalidDocument")]
    world.councilor["metadata"]["annotations"][f"{ANNOTATION_DOCUMENT}-problem"] = "task.prompt is blank"
    assert world.step().events == [("Warning", "InvalidDocument")]
    del world.councilor["metadata"]["annotations"][f"{ANNOTATION_DOCUMENT}-problem"]
    assert world.step().events == [("Normal", "Reconciled")]


def test_no_message_is_longer_than_a_status_should_hold() -> None:
    world = a_run(report=FAILED | {"message": "x" * 1000}, exit_code=10, end="Failed")
    assert all(len(message) <= 1024 for message in world.step().messages.values())


def test_the_warnings_of_a_schedule_are_told() -> None:
    world = World.of({"schedule": {"value": "30 2 * * *", "timeZone": "Europe/Lisbon"}})
    step = world.step()
    assert step.decision.schedule is not None
    for warning in step.decision.schedule.warnings:
        assert warning.message[:40] in step.messages["Ready"]


def times(step: Step) -> dict[str, datetime]:
    return {condition.type: condition.last_transition_time for condition in step.report.status.conditions}


def test_a_new_condition_is_stamped_now_in_whole_seconds() -> None:
    world = World.of()
    world.now = NOW.replace(microsecond=987654)
    assert set(times(world.step()).values()) == {NOW}


def test_the_time_of_a_condition_moves_with_its_status_only() -> None:
    world = World.settled()
    stamps = [NOW]
    story: list[tuple[Body, bool]] = [
        ({"schedule": {"enabled": False}}, True),  # Active -> Paused: True -> False
        ({"title": "T"}, False),
        ({"schedule": {"value": "nonsense"}}, False),  # Paused -> InvalidSchedule: False stays False
        ({"schedule": {"value": "0 8 * * *"}}, False),  # -> Paused
        ({"schedule": {"enabled": True}}, True),  # -> Active
    ]
    for change, moves in story:
        world.now += timedelta(minutes=5)
        world.edit(change)
        stamps.append(world.now if moves else stamps[-1])
        assert times(world.step())["Scheduled"] == stamps[-1]


def test_ready_keeps_its_time_while_the_reason_to_refuse_changes() -> None:
    world = refused({"schedule": {"value": "nonsense"}})
    first = times(world.step())["Ready"]
    world.now += timedelta(minutes=5)
    world.edit({"schedule": {"value": "0 9 * * *"}, "execution": {"retries": 99}})
    step = world.step()
    assert step.reasons["Ready"] == ("False", "InvalidSpec")
    assert times(step)["Ready"] == first


def test_conditions_of_others_do_not_confuse() -> None:
    world = World.settled()
    stranger = {"type": "Synced", "status": "True", "lastTransitionTime": "2026-03-02T09:00:00Z", "reason": "R"}
    world.councilor["status"]["conditions"].insert(0, stranger)
    world.step()
    assert world.step().patch == {}


# --- next runs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ["2026-03-03T09:00:00+00:00", "2026-03-04T09:00:00+00:00", "2026-03-05T09:00:00+00:00"]),
        (
            {"schedule": {"timeZone": "America/Sao_Paulo"}},
            ["2026-03-02T09:00:00-03:00", "2026-03-03T09:00:00-03:00", "2026-03-04T09:00:00-03:00"],
        ),
        (
            # The clocks of Lisbon go forward on 29 March.
            {"schedule": {"value": "0 9 28-30 3 *", "timeZone": "Europe/Lisbon"}},
            ["2026-03-28T09:00:00+00:00", "2026-03-29T09:00:00+01:00", "2026-03-30T09:00:00+01:00"],
        ),
        (
            {"schedule": {"type": "interval", "value": "45m"}},
            ["2026-03-02T10:15:00+00:00", "2026-03-02T11:00:00+00:00", "2026-03-02T11:45:00+00:00"],
        ),
        (
            {"schedule": {"type": "interval", "value": "1d", "timeZone": "Asia/Tokyo"}},
            ["2026-03-03T18:30:00+09:00", "2026-03-04T18:30:00+09:00", "2026-03-05T18:30:00+09:00"],
        ),
        ({"schedule": {"enabled": False}}, None),
        ({"schedule": {"value": "nonsense"}}, None),
    ],
)
def test_next_runs_have_the_offset_of_their_zone(spec: Body, expected: list[str] | None) -> None:
    status = World.of(spec).step().report.status
    assert status.next_run_times == (None if expected is None else tuple(expected))


def test_an_interval_counts_from_the_last_run() -> None:
    world = World.settled({"schedule": {"type": "interval", "value": "1h"}})
    world.edit_cron_job({"status": {"lastScheduleTime": factories.rfc3339(NOW - timedelta(minutes=20))}})
    status = world.step().report.status
    assert status.next_run_times is not None
    assert status.next_run_times[0] == "2026-03-02T10:10:00+00:00"


def test_an_interval_that_was_resumed_counts_from_then() -> None:
    world = World.settled({"schedule": {"type": "interval", "value": "1h", "enabled": False}})
    world.now += timedelta(minutes=25)
    world.edit({"schedule": {"enabled": True}})
    status = world.step().report.status
    assert status.next_run_times is not None
    assert status.next_run_times[0] == "2026-03-02T10:55:00+00:00"


def test_next_runs_move_on_when_their_time_has_come() -> None:
    world = World.settled()
    world.now = datetime.fromisoformat("2026-03-03T09:00:05+00:00")
    status = world.step().report.status
    assert status.next_run_times is not None
    assert status.next_run_times[0] == "2026-03-04T09:00:00+00:00"
    assert world.step().patch == {}


def test_a_suspended_councilor_has_no_next_run() -> None:
    world = broken()
    assert world.step().report.status.next_run_times is None
    assert "nextRunTimes" not in world.councilor["status"]


def test_what_was_compiled_is_told() -> None:
    status = World.of({"schedule": {"type": "interval", "value": "90m", "timeZone": "Asia/Tokyo"}}).step().report.status
    assert status.schedule == "@every 90m"
    assert status.time_zone == "Asia/Tokyo"
    assert status.cron_job_name == factories.NAME


def test_what_can_no_longer_be_compiled_is_not_told() -> None:
    world = refused({"schedule": {"value": "nonsense"}})
    status = world.step().report.status
    assert (status.schedule, status.time_zone, status.next_run_times) == (None, None, None)
    assert status.cron_job_name == factories.NAME, "it still exists, suspended"


def test_a_foreign_cron_job_is_not_told_as_ours() -> None:
    assert foreign().step().report.status.cron_job_name is None


# --- active runs ------------------------------------------------------------------------------------------------------


def test_active_runs_are_listed_in_the_order_of_their_start() -> None:
    world = World.settled({"concurrencyPolicy": "Allow"})
    for uid, minutes in (("b", 5), ("a", 9), ("c", 1)):
        world.add_job(uid, active=1, ready=1, scheduled_at=NOW - timedelta(minutes=minutes))
    world.add_job("done", [ended_pod_body(report_message())], scheduled_at=NOW - timedelta(minutes=20), end="Complete")
    active = world.step().report.status.active
    assert active is not None
    assert [run.job_name for run in active] == [
        factories.scheduled_job_name(NOW - timedelta(minutes=minutes)) for minutes in (9, 5, 1)
    ]
    assert all(run.execution_id.startswith("exec_LicenseAuditor_Agent_") for run in active)


def test_without_active_runs_the_list_goes() -> None:
    world = stuck([pod_body(phase="Running")], ready=1)
    world.step()
    assert len(world.councilor["status"]["active"]) == 1
    world.add_job("j", [ended_pod_body(report_message())], end="Complete")
    world.step()
    assert "active" not in world.councilor["status"]


@pytest.mark.parametrize(
    ("spec", "phase"), [({"schedule": {"enabled": False}}, "Running"), ({"schedule": {"value": "nonsense"}}, "Invalid")]
)
def test_a_run_goes_on_whatever_becomes_of_the_spec(spec: Body, phase: str) -> None:
    world = stuck([pod_body(phase="Running")], ready=1)
    world.edit(spec)
    status = world.step().report.status
    assert status.phase == phase
    assert status.active is not None


# --- events -----------------------------------------------------------------------------------------------------------


def test_a_new_councilor_is_announced_once() -> None:
    world = World.of()
    assert world.step().events == [("Normal", "Reconciled")]
    world.now += timedelta(hours=1)
    world.edit({"title": "T"})
    assert world.step().events == []


def test_events_follow_transitions() -> None:
    world = World.settled()
    story: list[tuple[Body, list[tuple[str, str]]]] = [
        ({"schedule": {"enabled": False}}, [("Normal", "Paused")]),
        ({"title": "T"}, []),
        ({"schedule": {"value": "nonsense"}}, [("Warning", "InvalidSchedule")]),
        ({"schedule": {"value": "0 9 * * 7"}}, [("Warning", "InvalidSchedule")]),
        ({"execution": {"cwd": None}, "schedule": {"value": "0 9 * * *"}}, [("Warning", "WorkingDirectoryMissing")]),
        ({"execution": {"cwd": "/x"}}, [("Normal", "Reconciled"), ("Normal", "Paused")]),
        ({"schedule": {"enabled": True}}, []),
    ]
    for change, expected in story:
        world.edit(change)
        assert world.step().events == expected, change
        assert world.step().events == [], change


def undelivered(*channels: str) -> list[Body]:
    return [{"channel": name, "delivered": False, "reason": f"{name} is closed"} for name in channels]


RUN_EVENTS: list[tuple[str, Callable[[], World], list[tuple[str, str]]]] = [
    ("success", lambda: a_run(), [("Normal", "RunCompleted")]),
    ("warning", lambda: a_run(report={"severity": "warning"}), [("Normal", "RunCompleted")]),
    ("failed", lambda: a_run(report=FAILED, exit_code=10, end="Failed"), [("Warning", "RunFailed")]),
    (
        "skipped",
        lambda: a_run(report={"status": "skipped", "severity": None, "reason": "StartedTooLate"}),
        [("Warning", "RunSkipped")],
    ),
    (
        "told",
        lambda: a_run(report={"notified": [{"channel": "panel", "delivered": True}]}),
        [("Normal", "RunCompleted")],
    ),
    (
        "not told",
        lambda: a_run(report={"notified": [{"channel": "panel", "delivered": True}, *undelivered("ops")]}),
        [("Normal", "RunCompleted"), ("Warning", "NotificationFailed")],
    ),
]


@pytest.mark.parametrize(("make", "expected"), [row[1:] for row in RUN_EVENTS], ids=[row[0] for row in RUN_EVENTS])
def test_each_run_is_announced_once(make: Callable[[], World], expected: list[tuple[str, str]]) -> None:
    world = make()
    step = world.step()
    assert step.events == expected
    assert all("exec_" in event.note for event in step.report.events)
    assert world.step().events == []


@pytest.mark.parametrize(
    ("notified", "words"),
    [
        (undelivered("ops"), "1 notification of run {} not delivered: ops: ops is closed"),
        ([{"channel": "ops", "delivered": False}], "1 notification of run {} not delivered: ops: no reason given"),
        (
            undelivered("a", "b", "c"),
            "3 notifications of run {} not delivered: a: a is closed; b: b is closed; c: c is closed",
        ),
        (
            undelivered("a", "b", "c", "d", "e"),
            (
                "5 notifications of run {} not delivered: a: a is closed; b: b is closed; c: c is closed; "
                "2 more in status.lastRun"
            ),
        ),
    ],
)
def test_what_an_event_says_of_notifications(notified: list[Body], words: str) -> None:
    world = a_run(report={"notified": notified})
    step = world.step()
    last = step.report.status.last_run
    assert last is not None
    [note] = [event.note for event in step.report.events if event.reason == "NotificationFailed"]
    assert note == words.format(last.execution_id)


def test_a_run_that_was_not_recorded_is_a_warning() -> None:
    """The result is safe in the status, but somebody has to look after the database."""
    world = a_run(report={"exitCode": 20, "recorded": False, "message": "refused"}, exit_code=20, end="Failed")
    assert ("Warning", "RecordFailed") in world.step().events


def test_every_run_of_a_pass_is_announced() -> None:
    world = World.settled({"suspendAfterFailures": 0})
    world.fail_runs(3)
    assert world.step().events == [("Warning", "RunFailed")] * 3


def test_the_breaker_is_announced_once() -> None:
    world = broken()
    assert ("Warning", "Suspended") in world.step().events
    world.fail_runs(1, first=2)
    assert world.step().events == [("Warning", "RunFailed")]


def test_a_runner_that_cannot_start_is_announced_once() -> None:
    world = stuck([pod_body(waiting={"reason": "ImagePullBackOff"})])
    assert world.step().events == [("Warning", "RunnerCannotStart")]
    world.now += timedelta(minutes=1)
    assert world.step().events == []


# --- the next look ----------------------------------------------------------------------------------------------------


def test_the_next_look_is_a_little_after_the_next_run() -> None:
    assert World.of().step().report.look_again == datetime.fromisoformat("2026-03-03T09:00:00+00:00") + LATE


@pytest.mark.parametrize("spec", [{"schedule": {"enabled": False}}, {"schedule": {"value": "nonsense"}}])
def test_what_does_not_run_need_not_be_looked_at(spec: Body) -> None:
    assert World.of(spec).step().report.look_again is None


def test_a_run_that_has_just_started_is_looked_at_when_it_should_be_running() -> None:
    world = stuck([], active=0, scheduled_at=NOW - timedelta(seconds=5))
    assert world.step().report.look_again == NOW - timedelta(seconds=5) + START_TOLERANCE


def test_the_look_is_always_in_the_future() -> None:
    world = stuck([pod_body(waiting={"reason": "ImagePullBackOff"})])
    for _ in range(5):
        look = world.step().report.look_again
        assert look is not None
        assert look > world.now
        world.now = look


def test_a_run_that_does_not_get_going_is_looked_at_again_soon() -> None:
    """Job and CronJob do not change while the kubelet gives up on an image, so no watch event tells."""
    world = stuck([pod_body(waiting={"reason": "ContainerCreating"})])
    look = world.step().report.look_again
    assert look is not None
    assert look - NOW <= timedelta(minutes=5)


# --- what the apply met -----------------------------------------------------------------------------------------------


def test_a_refusal_of_the_api_server_is_told() -> None:
    world = World.of()
    observation = world.observation()
    decision = decide(observation, world.config, NOW)
    refusal = Refusal(ConditionReason.CRON_JOB_REFUSED, "spec.jobTemplate: invalid")
    result = report(observation, decision, None, refusal, None, NOW)
    reasons = {entry.type: (entry.status, entry.reason) for entry in result.status.conditions}
    assert reasons == {
        "Ready": ("False", "CronJobRefused"),
        "Scheduled": ("False", "CronJobRefused"),
        "Healthy": NO_RUN,
    }
    assert result.status.phase == "Invalid"
    assert result.status.next_run_times is None
    assert result.status.cron_job_name is None
    assert [(event.type, event.reason) for event in result.events] == [("Warning", "CronJobRefused")]


def test_a_run_that_is_recorded_but_not_counted_is_told_as_that() -> None:
    report = {"exitCode": 20, "message": "is read-only", "recorded": True}
    message = a_run(report=report, exit_code=20, end="Failed").step().messages["Healthy"]
    assert "was not counted" in message
    assert "no record" not in message


# --- a person reads it ------------------------------------------------------------------------------------------------


def refused_by_the_api_server() -> Step:
    """A pass whose apply was refused; the status is written."""
    return refused_again(World.of(), describe_rejection("CronJob", "not this", [Cause("spec.schedule", "m")]))


def refused_again(world: World, message: str) -> Step:
    observation = world.observation()
    decision = decide(observation, world.config, world.now)
    refusal = Refusal(ConditionReason.CRON_JOB_REFUSED, message)
    result = report(observation, decision, None, refusal, None, world.now)
    patch = merge_patch(observation.councilor.status, document(result.status))
    world.councilor["status"] = merge_patched(dict(observation.councilor.status), patch)
    return Step(decision, result, patch)


def missed() -> Step:
    world = World.settled({"schedule": {"type": "interval", "value": "45m"}})
    world.now += timedelta(minutes=50)
    return world.step()


def gone_before_it_was_read() -> Step:
    world = World.settled()
    world.add_job("active", scheduled_at=NOW, active=1, ready=1)
    world.step()
    del world.jobs["active"]
    return world.step()


READ: dict[str, Callable[[], Step]] = {
    **{row[0]: lambda make=row[1]: make().step() for row in STATES},  # type: ignore[misc]
    "refused by the API server": refused_by_the_api_server,
    "missed": missed,
    "recorded but not counted": lambda: a_run(
        report={"exitCode": 20, "recorded": True, "message": None}, exit_code=20, end="Failed"
    ).step(),
    "failed without a message": lambda: a_run(report=FAILED | {"message": None}, exit_code=10, end="Failed").step(),
    "died without a word": lambda: broken().step(),
    "gone before it was read": gone_before_it_was_read,
}
IMPERATIVE = re.compile(
    r"\b(?:[Ww]rite|set|see|check|wait|rename|remove|do what|let|raise|change|name|start one)\b", re.IGNORECASE
)
WHERE = re.compile(
    r"\bspec\.\w|\bcouncilor_config\.\w|status\.\w|`kubectl [^`]+`|the condition Ready"
    r"|the operator's runner image|MONGODB_URI"
)


@pytest.mark.parametrize("state", READ)
def test_what_does_not_hold_says_what_to_do_and_where(state: str) -> None:
    for condition in READ[state]().report.status.conditions:
        if condition.status != "True":
            assert IMPERATIVE.search(condition.message), condition
            assert WHERE.search(condition.message), condition
        assert "None" not in condition.message
        # One style, so that a list of them reads as one: a phrase, not a sentence.
        assert not condition.message.endswith((".", ":", "; ")) or condition.reason in {"InvalidSchedule", "Reconciled"}


def test_every_reason_that_asks_for_something_was_read() -> None:
    found = {
        condition.reason
        for make in READ.values()
        for condition in make().report.status.conditions
        if condition.status != "True"
    }
    nothing_to_do = {"Reconciled", "Active", "RunSucceeded", "RunSkipped"}
    assert found == {str(reason) for reason in ConditionReason} - nothing_to_do


def test_commands_name_the_namespace_and_an_object() -> None:
    commands = [
        command
        for make in READ.values()
        for condition in make().report.status.conditions
        for command in re.findall(r"`(kubectl [^`]+)`", condition.message)
    ]
    assert len(commands) > 10
    for command in commands:
        if command != "kubectl describe pod":
            assert f"-n {factories.NAMESPACE}" in command, command


def test_an_answer_that_differs_in_numbers_only_is_not_news() -> None:
    """An admission webhook may put the time or a request's number into what it says."""
    world = World.of()
    said = "the API server refuses the CronJob: denied at {}, request {}"
    first = refused_again(world, said.format("09:30:01", "1f0c-77ab"))
    again = refused_again(world, said.format("09:30:02", "9e11-0042"))
    assert (again.patch, again.events) == ({}, [])
    other = refused_again(world, "the API server refuses the CronJob: quota exceeded")
    assert other.messages["Ready"].endswith("quota exceeded")
    assert first.events == other.events == [("Warning", "CronJobRefused")]


def test_an_outage_is_told_once_and_counted_on() -> None:
    world = World.settled({"schedule": {"type": "interval", "value": "1m"}})
    events, counted = [], []
    for _ in range(30):
        world.now += timedelta(minutes=1)
        step = world.step()
        events += step.events
        counted.append(step.report.status.stats.missed if step.report.status.stats else 0)
    assert events == [("Warning", "RunMissed")]
    assert counted[-1] == 29
    assert counted == sorted(counted)


def test_runs_in_the_way_of_others_do_not_flood_the_events() -> None:
    world = stuck([pod_body(waiting={"reason": "ImagePullBackOff"})])
    world.edit({"schedule": {"type": "interval", "value": "1m"}})
    world.step()
    events: list[tuple[str, str]] = []
    for minute in range(30):
        world.now += timedelta(minutes=1)
        reason = "ErrImagePull" if minute % 2 else "ImagePullBackOff"
        world.pods["j"] = [pod_body(waiting={"reason": reason})]
        events += world.step().events
    assert events == []


def test_a_kubelet_that_pulls_and_waits_in_turns_is_told_once() -> None:
    world = stuck([pod_body(waiting={"reason": "ErrImagePull"})])
    world.step()
    for reason in ("ImagePullBackOff", "ErrImagePull", "ImagePullBackOff"):
        world.now += timedelta(seconds=20)
        world.pods["j"] = [pod_body(waiting={"reason": reason})]
        assert world.step().patch == {}
