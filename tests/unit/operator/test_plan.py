"""Decisions: what happens to the CronJob for every state of a Councilor, and that nothing happens twice."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from councilor_operator.constants import (
    ANNOTATION_DOCUMENT,
    ANNOTATION_DOCUMENT_PROBLEM,
    LABEL_SOURCE,
    SOURCE_MONGODB,
    ConditionReason,
)
from councilor_operator.observation import START_TOLERANCE, Observation, jobs_to_examine, overdue
from councilor_operator.plan import Apply, Suspend, decide
from tests import factories
from tests.factories import NOW, Body, ended_pod_body, report_message
from tests.unit.operator.world import World

# --- level based ------------------------------------------------------------------------------------------------------


def test_a_new_councilor_gets_a_cron_job() -> None:
    world = World.of()
    step = world.step()
    assert step.applied.manifest["kind"] == "CronJob"
    assert step.applied.fast_forward is False
    assert step.decision.refusal is None
    assert step.decision.owns_cron_job


SPECS: dict[str, Body] = {
    "minimal": {},
    "paused": {"schedule": {"enabled": False}},
    "interval": {"schedule": {"type": "interval", "value": "45m"}},
    "zone": {"schedule": {"timeZone": "America/Sao_Paulo"}},
    "resources": {"runner": {"resources": {"requests": {"cpu": "0.5", "memory": "1024Mi"}, "limits": {"cpu": 1}}}},
    "empty placement": {"runner": {"nodeSelector": {}, "tolerations": [], "resources": {}}},
    "tolerations": {"runner": {"tolerations": [{"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}]}},
    "tolerations with empty text": {"runner": {"tolerations": [{"key": "", "operator": "Exists", "value": ""}]}},
    "little history": {"history": {"successfulRuns": 1, "failedRuns": 1}},
    "no retries": {"execution": {"retries": 0}},
    "prompt elsewhere": {"task": {"prompt": None, "promptFrom": {"configMapKeyRef": {"name": "n", "key": "k"}}}},
    "dollars": {"task": {"prompt": "$(A) $$ ${B}"}},
    "all policies": {"concurrencyPolicy": "Allow"},
    "invalid schedule": {"schedule": {"value": "0 9 * * 9"}},
    "unknown zone": {"schedule": {"timeZone": "Mars/Base"}},
    "invalid spec": {"execution": {"timeoutSeconds": 0}},
    "no directory": {"execution": {"cwd": None}},
}


@pytest.mark.parametrize("name", SPECS)
def test_a_second_pass_does_and_says_nothing(name: str) -> None:
    world = World.of(SPECS[name])
    world.step()
    second = world.step()
    assert second.action is None
    assert second.patch == {}
    assert second.events == []


@pytest.mark.parametrize("name", SPECS)
def test_a_pass_a_minute_later_does_and_says_nothing(name: str) -> None:
    world = World.settled(SPECS[name])
    if name == "interval":
        world.edit_cron_job({"metadata": {"creationTimestamp": factories.rfc3339(NOW)}})
        world.step()
    world.now += timedelta(minutes=1)
    later = world.step()
    assert later.action is None
    assert later.patch == {}


def test_a_deleted_cron_job_comes_back() -> None:
    world = World.settled()
    world.cron_job = None
    assert isinstance(world.step().action, Apply)
    assert world.step().action is None


def test_a_change_of_the_operators_configuration_rolls_the_cron_job() -> None:
    world = World.settled()
    world.config = factories.config(runner_image="registry.example/runner:2")
    step = world.step()
    assert step.applied.fast_forward is False
    assert world.step().action is None


# --- foreign edits ----------------------------------------------------------------------------------------------------

EDITS: dict[str, Body] = {
    "suspended": {"spec": {"suspend": True}},
    "rescheduled": {"spec": {"schedule": "* * * * *"}},
    "zone": {"spec": {"timeZone": "Asia/Tokyo"}},
    "zone removed": {"spec": {"timeZone": None}},
    "policy": {"spec": {"concurrencyPolicy": "Allow"}},
    "history": {"spec": {"failedJobsHistoryLimit": 0}},
    "retries": {"spec": {"jobTemplate": {"spec": {"backoffLimit": 6}}}},
    "deadline": {"spec": {"jobTemplate": {"spec": {"activeDeadlineSeconds": 1}}}},
    "image": {
        "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "runner", "image": "x"}]}}}}}
    },
    "token": {"spec": {"jobTemplate": {"spec": {"template": {"spec": {"automountServiceAccountToken": True}}}}}},
    "user": {"spec": {"jobTemplate": {"spec": {"template": {"spec": {"securityContext": {"runAsUser": 1}}}}}}},
    "job label": {"spec": {"jobTemplate": {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}}},
    "label": {"metadata": {"labels": {"app.kubernetes.io/name": "mine"}}},
    "labels": {"metadata": {"labels": None}},
    "councilor label": {"metadata": {"labels": {"conductor.community/councilor-uid": None}}},
    "agent annotation": {"metadata": {"annotations": {"conductor.community/agent-id": "x"}}},
    "hash": {"metadata": {"annotations": {"conductor.community/input-hash": None}}},
    "annotations": {"metadata": {"annotations": None}},
    "owner": {"metadata": {"ownerReferences": None}},
    "owner no longer in charge": {"metadata": {"ownerReferences": [{"uid": factories.UID, "controller": False}]}},
}


@pytest.mark.parametrize("name", EDITS)
def test_foreign_edits_are_undone(name: str) -> None:
    world = World.settled()
    world.edit_cron_job(EDITS[name])
    assert isinstance(world.step().action, Apply)
    assert world.step().action is None


@pytest.mark.parametrize(
    ("edit", "fast_forward"),
    [
        ("suspended", True),
        ("rescheduled", True),
        ("zone", True),
        ("zone removed", True),
        ("image", False),
        ("labels", False),
    ],
)
def test_undoing_an_edit_starts_no_run(edit: str, fast_forward: bool) -> None:
    world = World.settled()
    world.edit_cron_job(EDITS[edit])
    assert world.step().applied.fast_forward is fast_forward


@pytest.mark.parametrize(
    "addition",
    [
        {"metadata": {"labels": {"team": "a"}}},
        {"metadata": {"annotations": {"note": "a"}}},
        {"metadata": {"finalizers": ["x"]}},
        {"status": {"lastSuccessfulTime": "2026-03-02T09:01:00Z"}},
    ],
)
def test_what_others_add_is_theirs(addition: Body) -> None:
    world = World.settled()
    world.edit_cron_job(addition)
    assert world.step().action is None


def test_a_changed_spec_is_applied_over_once_whatever_it_was() -> None:
    """What others added to it stays, and the generation that it then has is the one that is expected."""
    world = World.settled()
    world.edit_cron_job({"spec": {"jobTemplate": {"spec": {"template": {"spec": {"priorityClassName": "low"}}}}}})
    step = world.step()
    assert step.applied.fast_forward is False
    assert step.patch == {"appliedCronJob": {"generation": 3}}
    assert world.step().action is None


@pytest.mark.parametrize("lost", [{"status": {}}, {"uid": "another"}])
def test_a_cron_job_that_was_not_left_so_is_applied_over(lost: Body) -> None:
    """A status that was lost, or a CronJob made anew by somebody else with the same generation."""
    world = World.settled()
    assert world.cron_job is not None
    if "status" in lost:
        world.councilor["status"] = {}
    else:
        world.edit_cron_job({"metadata": {"uid": lost["uid"]}})
    assert world.step().applied.fast_forward is False
    world.step()
    assert world.step().action is None


# --- pause, resume, edit ----------------------------------------------------------------------------------------------


def test_a_councilor_made_paused_is_suspended_from_the_start() -> None:
    step = World.of({"schedule": {"enabled": False}}).step()
    assert step.applied.manifest["spec"]["suspend"] is True
    assert step.applied.fast_forward is False


def test_pausing_suspends_and_deletes_nothing() -> None:
    world = World.settled()
    world.edit({"schedule": {"enabled": False}})
    step = world.step()
    assert step.applied.manifest["spec"]["suspend"] is True
    assert step.applied.fast_forward is False
    assert world.step().action is None


def test_resuming_writes_off_what_passed_meanwhile() -> None:
    world = World.settled({"schedule": {"enabled": False}})
    world.edit({"schedule": {"enabled": True}})
    step = world.step()
    assert step.applied.manifest["spec"]["suspend"] is False
    assert step.applied.fast_forward is True
    assert world.step().action is None


CHANGES: list[tuple[str, Body, bool]] = [
    ("prompt", {"task": {"prompt": "And now?"}}, False),
    ("directory", {"execution": {"cwd": "/other"}}, False),
    ("time-out", {"execution": {"timeoutSeconds": 30}}, False),
    ("policy", {"concurrencyPolicy": "Replace"}, False),
    ("history", {"history": {"failedRuns": 9}}, False),
    ("cron", {"schedule": {"value": "5 9 * * MON-FRI"}}, True),
    ("zone", {"schedule": {"timeZone": "Asia/Tokyo"}}, True),
    ("to an interval", {"schedule": {"type": "interval", "value": "5m"}}, True),
    ("cron and prompt", {"schedule": {"value": "5 9 * * *"}, "task": {"prompt": "x"}}, True),
    ("another way to write the zone in effect", {"schedule": {"timeZone": "UTC"}}, False),
    ("pause and cron", {"schedule": {"enabled": False, "value": "5 9 * * *"}}, False),
]


@pytest.mark.parametrize(("change", "expected"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_an_edit_writes_off_the_past_when_it_touches_the_times(change: Body, expected: bool) -> None:
    world = World.settled()
    world.edit(change)
    step = world.step()
    assert step.applied.fast_forward is expected
    assert world.step().action is None


def test_an_interval_keeps_its_phase_in_another_zone() -> None:
    world = World.settled({"schedule": {"type": "interval", "value": "1d"}})
    world.edit({"schedule": {"timeZone": "Asia/Tokyo"}})
    assert world.step().applied.fast_forward is False
    world.edit({"schedule": {"timeZone": "Europe/Berlin", "value": "2d"}})
    assert world.step().applied.fast_forward is True


@pytest.mark.parametrize(
    "change",
    [{"task": {"prompt": "x"}}, {"schedule": {"value": "5 9 * * *"}}, {"schedule": {"timeZone": "Asia/Tokyo"}}],
)
def test_edits_of_a_paused_councilor_wait_for_the_resumption(change: Body) -> None:
    world = World.settled({"schedule": {"enabled": False}})
    world.edit(change)
    assert world.step().applied.fast_forward is False
    world.edit({"schedule": {"enabled": True}})
    assert world.step().applied.fast_forward is True


def test_a_new_default_zone_is_an_edit_of_the_schedule() -> None:
    world = World.settled()
    world.config = factories.config(default_time_zone="Asia/Tokyo")
    assert world.step().applied.fast_forward is True


# --- what cannot be compiled ------------------------------------------------------------------------------------------

REFUSALS: list[tuple[str, Body, ConditionReason, str]] = [
    ("seven", {"schedule": {"value": "0 9 * * 7"}}, ConditionReason.INVALID_SCHEDULE, "0"),
    ("six fields", {"schedule": {"value": "0 0 9 * * *"}}, ConditionReason.INVALID_SCHEDULE, "five"),
    ("nonsense", {"schedule": {"value": "every morning"}}, ConditionReason.INVALID_SCHEDULE, "schedule.value"),
    ("never", {"schedule": {"value": "0 9 31 2 *"}}, ConditionReason.INVALID_SCHEDULE, "never"),
    ("seconds", {"schedule": {"type": "interval", "value": "90s"}}, ConditionReason.INVALID_SCHEDULE, "2m"),
    ("interval as cron", {"schedule": {"value": "45m"}}, ConditionReason.INVALID_SCHEDULE, "interval"),
    ("unknown zone", {"schedule": {"timeZone": "Mars/Base"}}, ConditionReason.INVALID_SCHEDULE, "timeZone"),
    ("local zone", {"schedule": {"timeZone": "Local"}}, ConditionReason.INVALID_SCHEDULE, "timeZone"),
    ("no directory", {"execution": {"cwd": None}}, ConditionReason.WORKING_DIRECTORY_MISSING, "spec.execution.cwd"),
    ("time-out", {"execution": {"timeoutSeconds": 0}}, ConditionReason.INVALID_SPEC, "spec.execution.timeoutSeconds"),
    ("no agent", {"agentId": None}, ConditionReason.INVALID_SPEC, "spec.agentId"),
    ("no schedule", {"schedule": None}, ConditionReason.INVALID_SPEC, "spec.schedule"),
    ("no history", {"history": {"failedRuns": 0}}, ConditionReason.INVALID_SPEC, "spec.history.failedRuns"),
    (
        "too much for one variable",
        {"task": {"prompt": "$" * 10000, "contextFiles": ["\u20ac" * 1024] * 40}},
        ConditionReason.INVALID_SPEC,
        "contextFiles",
    ),
    ("unknown field", {"schedul": 1}, ConditionReason.INVALID_SPEC, "spec.schedul"),
]


@pytest.mark.parametrize(("spec", "reason", "word"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_what_cannot_be_compiled_is_refused_and_makes_nothing(spec: Body, reason: ConditionReason, word: str) -> None:
    world = World.of(spec)
    decision = world.step().decision
    assert decision.action is None
    assert world.cron_job is None
    assert decision.refusal is not None
    assert decision.refusal.reason == reason
    assert word in decision.refusal.message


@pytest.mark.parametrize(("spec", "reason", "word"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_what_ran_before_is_suspended_once_and_kept(spec: Body, reason: ConditionReason, word: str) -> None:
    world = World.settled()
    before = copy.deepcopy(world.cron_job)
    world.edit(spec)
    assert world.step().action == Suspend()
    assert before is not None
    assert world.cron_job == factories.merged(before, {"spec": {"suspend": True}, "metadata": {"generation": 2}})
    again = world.step()
    assert again.action is None
    assert again.patch == {}
    assert reason in {reason for _, reason in again.reasons.values()}
    assert word


def contract_bytes(manifest: Body) -> int:
    container = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    (value,) = [entry["value"] for entry in container["env"] if "value" in entry]
    return len(f"{container['env'][0]['name']}={value}\0".encode())


def test_every_contract_that_is_not_refused_fits_one_variable() -> None:
    """Linux takes 128 KiB for name, value and what joins and ends them (MAX_ARG_STRLEN); it is the value as the kubelet
    expands it that counts, but the unexpanded one is never shorter."""
    largest = 0
    for count in range(40, 50):
        for length in (850, 880, 900, 1000, 1024):
            decision = (
                World.of({"task": {"prompt": "p" * 10000, "contextFiles": ["\u20ac" * length] * count}}).step().decision
            )
            if isinstance(decision.action, Apply):
                largest = max(largest, contract_bytes(decision.action.manifest))
    assert 120 * 1024 < largest <= 128 * 1024


def test_a_mended_spec_resumes_without_a_surprise() -> None:
    world = World.settled()
    world.edit({"schedule": {"value": "0 9 * * 7"}})
    world.step()
    world.edit({"schedule": {"value": "0 9 * * 0"}})
    step = world.step()
    assert step.applied.fast_forward is True
    assert step.applied.manifest["spec"]["suspend"] is False
    assert world.step().action is None


def doubted(world: World, problem: str | None) -> None:
    """Let the sync say what is wrong with the document, in the annotation alone."""
    metadata = world.councilor["metadata"]
    metadata["labels"] = {LABEL_SOURCE: SOURCE_MONGODB}
    metadata["annotations"] = {ANNOTATION_DOCUMENT: f"agents/{factories.AGENT}"}
    if problem is not None:
        metadata["annotations"][ANNOTATION_DOCUMENT_PROBLEM] = problem


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_an_invalid_document_is_refused_whatever_the_spec(spec: Body) -> None:
    world = World.of(spec)
    doubted(world, "councilor_config.task.prompt is blank")
    decision = world.step().decision
    assert decision.refusal is not None
    assert decision.refusal.reason == ConditionReason.INVALID_DOCUMENT
    assert decision.refusal.message == f"document agents/{factories.AGENT}: councilor_config.task.prompt is blank"
    assert world.cron_job is None


def test_a_document_that_turns_invalid_suspends_once_and_resumes_without_a_surprise() -> None:
    world = World.settled()
    doubted(world, "councilor_config.task.prompt is blank")
    assert world.step().action == Suspend()
    assert world.cron_job is not None
    again = world.step()
    assert (again.action, again.patch) == (None, {})
    doubted(world, None)
    step = world.step()
    assert step.applied.fast_forward is True
    assert step.applied.manifest["spec"]["suspend"] is False
    assert world.step().action is None


def test_a_foreign_cron_job_comes_before_an_invalid_document() -> None:
    world = World.settled()
    world.edit_cron_job({"metadata": {"ownerReferences": None, "labels": None}})
    doubted(world, "councilor_config.task.prompt is blank")
    step = world.step()
    assert step.action is None
    assert step.decision.refusal is not None
    assert step.decision.refusal.reason == ConditionReason.NAME_CONFLICT


@pytest.mark.parametrize("blank", ["", " ", "\n\t"])
def test_a_blank_problem_is_none(blank: str) -> None:
    world = World.settled()
    doubted(world, blank)
    step = world.step()
    assert step.action is None
    assert step.decision.refusal is None


def test_what_a_synced_councilor_without_a_directory_needs_is_said_in_words_of_the_document() -> None:
    world = World.of({"execution": {"cwd": None}})
    doubted(world, None)
    refusal = world.step().decision.refusal
    assert refusal is not None
    assert refusal.reason == ConditionReason.WORKING_DIRECTORY_MISSING
    assert "the field cwd of the document" in refusal.message
    assert "COUNCILOR_DEFAULT_CWD" in refusal.message
    assert "spec." not in refusal.message


def test_a_paused_cron_job_needs_no_second_suspension() -> None:
    world = World.settled({"schedule": {"enabled": False}})
    world.edit({"schedule": {"value": "0 9 * * 7"}})
    assert world.step().action is None


def test_the_default_directory_of_the_operator_counts() -> None:
    world = World.of({"execution": {"cwd": None}})
    world.config = factories.config(default_cwd="/srv/default")
    assert world.step().decision.refusal is None


# --- whose CronJob is it ----------------------------------------------------------------------------------------------


def foreign(owner: str | None, label: str | None) -> Callable[[World], None]:
    def change(world: World) -> None:
        references: list[Body] = [] if owner is None else [{"uid": owner, "controller": True}]
        world.edit_cron_job(
            {
                "metadata": {"ownerReferences": references, "labels": {"conductor.community/councilor-uid": label}},
                "spec": {"schedule": "1 1 1 1 *"},
            }
        )

    return change


@pytest.mark.parametrize(
    ("owner", "label", "ours"),
    [
        (factories.UID, factories.UID, True),
        (factories.UID, None, True),
        (None, factories.UID, True),
        (None, None, False),
        ("other", None, False),
        (None, "other", False),
        ("other", "other", False),
        (factories.UID, "other", True),
    ],
)
def test_ownership(owner: str | None, label: str | None, ours: bool) -> None:
    world = World.settled()
    foreign(owner, label)(world)
    before = copy.deepcopy(world.cron_job)
    step = world.step()
    if ours:
        assert isinstance(step.action, Apply)
        assert step.decision.owns_cron_job
    else:
        assert step.action is None
        assert world.cron_job == before, "a CronJob of somebody else is never touched"
        assert not step.decision.owns_cron_job
        assert step.decision.refusal is not None
        assert step.decision.refusal.reason == ConditionReason.NAME_CONFLICT
        assert factories.NAME in step.decision.refusal.message


@pytest.mark.parametrize("spec", [{}, {"schedule": {"value": "nonsense"}}, {"schedule": {"enabled": False}}])
def test_whatever_the_spec_a_foreign_cron_job_stays_as_it_is(spec: Body) -> None:
    world = World.settled()
    foreign("other", None)(world)
    world.edit(spec)
    assert world.step().action is None
    assert world.step().patch == {}


def test_when_the_foreign_cron_job_is_gone_ours_is_made() -> None:
    world = World.settled()
    foreign("other", None)(world)
    world.step()
    world.cron_job = None
    assert isinstance(world.step().action, Apply)


# --- circuit breaker --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "failures", "opened"),
    [(5, 4, False), (5, 5, True), (5, 6, True), (1, 1, True), (0, 50, False), (1, 0, False)],
)
def test_the_breaker_opens_after_so_many_failures(limit: int, failures: int, opened: bool) -> None:
    world = World.settled({"suspendAfterFailures": limit})
    world.fail_runs(failures)
    step = world.step()
    assert step.decision.breaker_open is opened
    assert step.decision.suspended is opened
    if opened:
        assert step.applied.manifest["spec"]["suspend"] is True
    else:
        assert step.action is None
    again = world.step()
    assert again.action is None
    assert again.patch == {}
    assert again.decision.breaker_open is opened


def broken() -> World:
    world = World.settled({"suspendAfterFailures": 2})
    world.fail_runs(2)
    assert world.step().decision.breaker_open
    return world


@pytest.mark.parametrize(
    "change",
    [{"task": {"prompt": "x"}}, {"execution": {"timeoutSeconds": 900}}, {"title": "T"}, {"suspendAfterFailures": 3}],
)
def test_any_change_of_the_spec_closes_it(change: Body) -> None:
    world = broken()
    world.edit(change)
    step = world.step()
    assert not step.decision.breaker_open
    assert step.applied.manifest["spec"]["suspend"] is False
    assert step.applied.fast_forward is True
    assert world.step().action is None


def test_toggling_closes_it() -> None:
    world = broken()
    world.edit({"schedule": {"enabled": False}})
    assert world.step().decision.enabled is False
    world.edit({"schedule": {"enabled": True}})
    assert world.step().applied.manifest["spec"]["suspend"] is False


def test_a_successful_run_by_hand_closes_it() -> None:
    world = broken()
    message = report_message(
        trigger="manual", scheduledAt=None, completedAt=factories.rfc3339(NOW), startedAt=factories.rfc3339(NOW)
    )
    world.add_job("by-hand", [ended_pod_body(message)], scheduled_at=None, end="Complete", ended_at=NOW)
    step = world.step()
    assert not step.decision.breaker_open
    assert step.applied.manifest["spec"]["suspend"] is False
    assert step.applied.fast_forward is True


def test_what_does_not_change_the_spec_leaves_it_open() -> None:
    world = broken()
    world.councilor["metadata"]["annotations"] = {"example.com/note": "x"}
    world.config = factories.config(runner_image="i:2")
    step = world.step()
    assert step.decision.breaker_open
    assert step.applied.manifest["spec"]["suspend"] is True


def test_after_a_change_the_count_begins_anew() -> None:
    world = broken()
    world.edit({"title": "T"})
    world.step()
    world.fail_runs(1, first=2)
    assert not world.step().decision.breaker_open
    world.fail_runs(1, first=3)
    assert world.step().decision.breaker_open


def test_runs_that_ended_before_the_change_was_seen_count_for_the_new_spec() -> None:
    """They were started by the old one, but nobody can tell, and the breaker errs on the side of stopping."""
    world = World.settled({"suspendAfterFailures": 2})
    world.fail_runs(2)
    world.edit({"title": "T"})
    assert world.step().decision.breaker_open


def test_the_other_counters_survive_a_change() -> None:
    world = broken()
    world.edit({"title": "T"})
    stats = world.step().decision.accounts.ledger.stats
    assert stats is not None
    assert (stats.failed, stats.total_executions, stats.consecutive_failures) == (2, 2, 0)


# --- runs -------------------------------------------------------------------------------------------------------------


def test_an_ended_job_is_counted_once() -> None:
    world = World.settled()
    world.add_job("j", [ended_pod_body(report_message())], end="Complete")
    first = world.step()
    assert [run.result for run in first.decision.accounts.finished] == ["success"]
    assert first.decision.accounts.ledger.counted_jobs == ("j",)
    second = world.step()
    assert second.decision.accounts.finished == ()
    assert second.patch == {}


@pytest.mark.parametrize("spec", [{"schedule": {"value": "nonsense"}}, {"execution": {"timeoutSeconds": 0}}])
def test_runs_are_counted_whatever_became_of_the_spec(spec: Body) -> None:
    world = World.settled()
    world.edit(spec)
    world.add_job("j", [ended_pod_body(report_message())], end="Complete")
    assert [run.result for run in world.step().decision.accounts.finished] == ["success"]
    assert world.step().patch == {}


def test_runs_are_counted_when_a_foreign_cron_job_took_the_name() -> None:
    world = World.settled()
    foreign("other", None)(world)
    world.add_job("j", [ended_pod_body(report_message())], end="Complete")
    assert [run.result for run in world.step().decision.accounts.finished] == ["success"]


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("job", "counted", "examined"),
    [
        pytest.param({"end": "Complete"}, (), True, id="ended"),
        pytest.param({"end": "Failed"}, (), True, id="failed"),
        pytest.param({"end": "Complete"}, ("j",), False, id="ended and counted"),
        pytest.param({"end": "Complete"}, ("k",), True, id="another one counted"),
        pytest.param({"active": 1, "ready": 1, "created_at": NOW - MINUTE}, (), False, id="running"),
        pytest.param({"active": 1, "ready": 0, "created_at": NOW - MINUTE}, (), True, id="does not get going"),
        pytest.param({"active": 0, "created_at": NOW - MINUTE}, (), True, id="without a Pod"),
        pytest.param({"active": 1, "ready": 0, "created_at": NOW}, (), False, id="just started"),
        pytest.param({"active": 1, "created_at": NOW - START_TOLERANCE}, (), True, id="just too long"),
        pytest.param({"active": 1, "created_at": NOW - START_TOLERANCE + timedelta(seconds=1)}, (), False, id="nearly"),
    ],
)
def test_whose_pods_are_read(job: dict[str, Any], counted: tuple[str, ...], examined: bool) -> None:
    councilor = factories.councilor(status={"countedJobs": list(counted)})
    observed = factories.job(uid="j", **({"scheduled_at": None} | job))
    assert (jobs_to_examine(Observation.of(councilor, None, [observed]), NOW) == [observed]) is examined


def test_a_job_waits_from_its_start_not_its_creation() -> None:
    started = factories.job(created_at=NOW - timedelta(hours=1), started_at=NOW - timedelta(seconds=1), active=1)
    assert not overdue(started, NOW)


def test_a_status_of_before_the_first_pass_is_none() -> None:
    world = World.of()
    del_status = factories.councilor()
    observation = Observation(councilor=del_status, cron_job=None, jobs=[], pods={})
    assert isinstance(decide(observation, world.config, NOW).action, Apply)


def test_a_cron_job_that_is_being_deleted_is_left_to_the_garbage_collector_or_made_anew() -> None:
    """No fast-forward: the object is on its way out, and its successor starts with a clean slate."""
    world = World.settled()
    world.edit_cron_job({"metadata": {"deletionTimestamp": factories.rfc3339(NOW)}})
    world.edit({"schedule": {"value": "5 9 * * *"}})
    step = world.step()
    assert step.action is None or step.applied.fast_forward is False


def test_a_status_of_a_newer_operator_stops_nothing() -> None:
    world = World.settled()
    world.fail_runs(1)
    world.step()
    status = world.councilor["status"]
    newer = {"newField": 1}
    status |= newer
    status["stats"] |= newer
    status["lastRun"] |= newer
    status["recentRuns"][0] |= newer
    status["conditions"][0] |= newer
    assert world.step().decision.refusal is None
