"""Councilors that are deleted, wrong, or paused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from hack.demo.commands import CommandError
from tests.conductor.answers import Answer
from tests.e2e.workspace import Workspace, eventually


def test_deleting_a_councilor_removes_cron_job_jobs_and_pods(workspace: Workspace) -> None:
    agent = workspace.agent("Gone", Answer(result="SEVERITY: success"), Answer(result="SEVERITY: success", delay=60))
    workspace.create("gone", agent)
    workspace.create("stays", agent)
    workspace.run_by_hand("gone", "finished")
    workspace.await_runs("gone", 1)
    workspace.run_by_hand("gone", "unfinished")
    workspace.await_pod("unfinished", "Running")
    workspace.await_condition("stays", "Ready", "True")

    workspace.kubectl("delete", "councilor", "gone", "--timeout=30s")

    def left() -> dict[str, list[str]]:
        kinds = ("cronjobs", "jobs", "pods")
        return {kind: [item["metadata"]["name"] for item in workspace.items(kind)] for kind in kinds}

    eventually(
        lambda: left() == {"cronjobs": ["stays"], "jobs": [], "pods": []}, "everything of `gone` is gone", state=left
    )


@pytest.mark.parametrize(
    ("schedule", "hint"),
    [
        ({"type": "cron", "value": "0 9 * * MON-SUNDAY"}, "MON"),
        ({"type": "cron", "value": "61 * * * *"}, "61"),
        ({"type": "cron", "value": "0 9 * *"}, "five"),
        ({"type": "cron", "value": "0 9 * * *", "timeZone": "Brazil/Sao_Paulo"}, "America/Sao_Paulo"),
    ],
    ids=["weekday", "minute", "fields", "zone"],
)
def test_an_impossible_schedule_says_what_to_write(workspace: Workspace, schedule: dict[str, str], hint: str) -> None:
    agent = workspace.agent("Wrong")
    workspace.create("wrong", agent, schedule=schedule)
    ready = workspace.await_condition("wrong", "Ready", "False")
    assert ready["reason"] == "InvalidSchedule"
    assert hint in ready["message"]
    assert workspace.status("wrong")["phase"] == "Invalid"
    assert workspace.items("cronjobs") == []

    workspace.patch(
        "wrong", {"schedule": {"type": "cron", "value": "0 9 * * MON-FRI", "timeZone": "America/Sao_Paulo"}}
    )
    workspace.await_condition("wrong", "Ready", "True")
    assert workspace.status("wrong")["phase"] == "Scheduled"


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"shedule": {"type": "interval", "value": "1h"}}, 'unknown field "spec.shedule"'),
        ({"schedule": {"type": "interval", "value": "90s"}}, "an interval is a whole number followed by m, h or d"),
        ({"schedule": {"type": "cron", "value": "45m"}}, "this is an interval, not a cron expression"),
        ({"task": {"prompt": "a", "promptFrom": {"configMapKeyRef": {"name": "b", "key": "c"}}}}, "exactly one"),
    ],
    ids=["unknown field", "seconds", "interval as cron", "two prompts"],
)
def test_what_the_type_refuses_never_gets_in(workspace: Workspace, spec: dict[str, object], complaint: str) -> None:
    document = {
        "apiVersion": "councilors.conductor.community/v1alpha1",
        "kind": "Councilor",
        "metadata": {"name": "refused"},
        "spec": {
            "agentId": "Refused_Agent",
            "schedule": {"type": "interval", "value": "1h"},
            "task": {"prompt": "Is everything in order?"},
            **spec,
        },
    }
    with pytest.raises(CommandError) as refusal:
        workspace.kubectl("create", "-f", "-", stdin=json.dumps(document))
    assert complaint in refusal.value.stderr
    assert workspace.items("councilors") == []


def test_a_paused_councilor_runs_nothing_and_resumes_without_a_surprise(workspace: Workspace) -> None:
    agent = workspace.agent("Sleeper", Answer(result="SEVERITY: success"))
    workspace.create("sleeper", agent, schedule={"type": "cron", "value": "* * * * *", "enabled": False})
    scheduled = workspace.await_condition("sleeper", "Scheduled", "False")
    assert scheduled["reason"] == "Paused"
    created = datetime.fromisoformat(workspace.items("cronjobs")[0]["metadata"]["creationTimestamp"])
    passed = created.replace(second=0) + timedelta(minutes=1)
    eventually(lambda: datetime.now(UTC) > passed + timedelta(seconds=2), "a scheduled time has passed")
    assert workspace.items("jobs") == []
    assert workspace.status("sleeper")["stats"]["missed"] == 0

    resumed = datetime.now(UTC)
    workspace.patch("sleeper", {"schedule": {"enabled": True}})
    workspace.await_condition("sleeper", "Scheduled", "True")
    jobs = eventually(lambda: workspace.items("jobs") or None, "the first run after resuming has begun")
    times = [job["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"] for job in jobs]
    assert len(times) == 1
    assert datetime.fromisoformat(times[0]) > resumed
    status = workspace.await_runs("sleeper", 1)
    assert status["lastRun"]["trigger"] == "scheduled"
