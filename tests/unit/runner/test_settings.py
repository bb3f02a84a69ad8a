"""The environment: what makes a run, what is refused and in which words."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from councilor_runner.contract import Reason, execution_id, task_id
from councilor_runner.settings import SettingsError, read_settings, read_told

CONTRACT: dict[str, Any] = {
    "councilor": {"namespace": "team-a", "name": "licences", "uid": "u-1", "generation": 2, "cronJobName": "licences"},
    "agent": {"id": "A_Agent"},
    "task": {"name": "Licences", "prompt": "List them."},
    "execution": {"cwd": "/srv"},
    "endpoints": {"conductorUrl": "http://conductor:8000"},
}
ENVIRONMENT = {"COUNCILOR_CONTRACT": json.dumps(CONTRACT), "COUNCILOR_JOB_NAME": "licences-29540700"}


def changed(**parts: dict[str, Any]) -> dict[str, str]:
    document = {key: {**value, **parts.get(key, {})} for key, value in CONTRACT.items()}
    return {**ENVIRONMENT, "COUNCILOR_CONTRACT": json.dumps(document)}


def test_a_scheduled_run() -> None:
    settings = read_settings(ENVIRONMENT)
    scheduled = datetime.fromtimestamp(29540700 * 60, tz=UTC)
    assert settings.trigger == "scheduled"
    assert settings.scheduled_at == scheduled
    assert settings.task_id == task_id("u-1", "licences-29540700")
    assert settings.execution_id == execution_id("A_Agent", settings.task_id, scheduled)
    assert (settings.prompt, settings.mongodb_uri, settings.conductor_token) == ("List them.", None, None)


def test_a_manual_run_counts_the_uid_of_its_job() -> None:
    manual = {**ENVIRONMENT, "COUNCILOR_JOB_NAME": "licences-now"}
    first, second = (read_settings({**manual, "COUNCILOR_JOB_UID": uid}) for uid in ("j-1", "j-2"))
    assert first.trigger == "manual"
    assert first.scheduled_at is None
    assert first.task_id != second.task_id
    with pytest.raises(SettingsError, match="COUNCILOR_JOB_UID"):
        read_settings(manual)


def test_the_prompt_may_come_from_a_config_map() -> None:
    environment = {**changed(task={"prompt": None}), "COUNCILOR_PROMPT": "From the map."}
    assert read_settings(environment).prompt == "From the map."


def test_secrets_are_trimmed_and_never_shown() -> None:
    settings = read_settings({**ENVIRONMENT, "MONGODB_URI": " mongodb://u:hunter2@h/\n", "CONDUCTOR_TOKEN": "tok-3n\n"})
    assert settings.mongodb_uri == "mongodb://u:hunter2@h/"
    assert settings.conductor_token == "tok-3n"
    assert "hunter2" not in repr(settings)
    assert "tok-3n" not in repr(settings)


def test_an_empty_secret_is_none() -> None:
    settings = read_settings({**ENVIRONMENT, "MONGODB_URI": "", "CONDUCTOR_TOKEN": " \n"})
    assert (settings.mongodb_uri, settings.conductor_token) == (None, None)


@pytest.mark.parametrize(
    ("environment", "words", "reason"),
    [
        ({}, "COUNCILOR_CONTRACT is not set", Reason.INVALID_CONTRACT),
        ({**ENVIRONMENT, "COUNCILOR_CONTRACT": "{"}, "the document: Invalid JSON", Reason.INVALID_CONTRACT),
        ({**ENVIRONMENT, "COUNCILOR_CONTRACT": "[]"}, "the document", Reason.INVALID_CONTRACT),
        ({"COUNCILOR_CONTRACT": ENVIRONMENT["COUNCILOR_CONTRACT"]}, "COUNCILOR_JOB_NAME", Reason.INVALID_CONTRACT),
        (changed(execution={"cwd": None}), "execution.cwd", Reason.INVALID_CONTRACT),
        (changed(execution={"timeoutSeconds": "soon"}), "execution.timeoutSeconds", Reason.INVALID_CONTRACT),
        (changed(task={"outputFormat": "poem"}), "task.outputFormat", Reason.INVALID_CONTRACT),
        (
            changed(endpoints={"headers": {"X-A": "b\r\nX-B: c"}}),
            "COUNCILOR_CONDUCTOR_HEADERS",
            Reason.INVALID_CONTRACT,
        ),
        (changed(endpoints={"headers": {"X-A": "ação"}}), "COUNCILOR_CONDUCTOR_HEADERS", Reason.INVALID_CONTRACT),
        (changed(endpoints={"headers": {"X A": "b"}}), "COUNCILOR_CONDUCTOR_HEADERS", Reason.INVALID_CONTRACT),
        (changed(endpoints={"headers": {"": "b"}}), "COUNCILOR_CONDUCTOR_HEADERS", Reason.INVALID_CONTRACT),
        (changed(endpoints={"conductorUrl": "conductor:8000"}), "endpoints.conductorUrl", Reason.INVALID_CONTRACT),
        (changed(endpoints={"conductorUrl": "http://"}), "endpoints.conductorUrl", Reason.INVALID_CONTRACT),
        (changed(endpoints={"conductorUrl": "http://h:port"}), "endpoints.conductorUrl", Reason.INVALID_CONTRACT),
        (changed(endpoints={"gatewayUrl": "ftp://h"}), "endpoints.gatewayUrl", Reason.INVALID_CONTRACT),
        ({**ENVIRONMENT, "CONDUCTOR_TOKEN": "tök"}, "CONDUCTOR_TOKEN", Reason.CREDENTIALS_REFUSED),
        ({**ENVIRONMENT, "CONDUCTOR_TOKEN": "a\nb"}, "CONDUCTOR_TOKEN", Reason.CREDENTIALS_REFUSED),
    ],
)
def test_refusals(environment: dict[str, str], words: str, reason: Reason) -> None:
    with pytest.raises(SettingsError) as refusal:
        read_settings(environment)
    assert words in refusal.value.message
    assert refusal.value.reason is reason


def test_a_refusal_does_not_quote_values() -> None:
    with pytest.raises(SettingsError) as refusal:
        read_settings(changed(task={"prompt": {"secret": "hunter2"}}, execution={"timeoutSeconds": "hunter2"}))
    assert "hunter2" not in refusal.value.message


TASK = task_id("u-1", "licences-29540700")
SCHEDULED = datetime.fromtimestamp(29540700 * 60, tz=UTC)
TOLD: dict[str, Any] = {
    "executionId": execution_id("A_Agent", TASK, SCHEDULED),
    "taskId": TASK,
    "trigger": "scheduled",
    "status": "error",
    "severity": "error",
    "exitCode": 137,
    "reason": "OOMKilled",
    "message": "hunter2",
    "startedAt": "2026-03-02T09:00:04Z",
    "completedAt": "2026-03-02T09:00:46Z",
    "durationMs": 42000,
}


def telling(**changes: Any) -> dict[str, str]:
    return {**ENVIRONMENT, "COUNCILOR_REPORT": json.dumps({**TOLD, **changes})}


def test_the_run_to_be_reported() -> None:
    before = read_settings(ENVIRONMENT)
    settings, told = read_told(telling(aFieldOfTheFuture=1), before)
    assert settings == before
    assert (told.execution_id, told.reason, told.notified) == (before.execution_id, "OOMKilled", ())


def test_a_run_stays_that_of_the_agent_it_was_started_with() -> None:
    former = execution_id("Former_Agent", TASK, SCHEDULED)
    environment = {**changed(agent={"displayName": "New", "instanceId": "i-1"}), **telling()}
    environment["COUNCILOR_REPORT"] = json.dumps({**TOLD, "executionId": former})
    settings, _ = read_told(environment, read_settings(environment))
    assert (settings.execution_id, settings.task_id) == (former, TASK)
    assert settings.contract.agent.model_dump() == {"id": "Former_Agent", "display_name": None, "instance_id": None}


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        (ENVIRONMENT, "COUNCILOR_REPORT is not set"),
        ({**ENVIRONMENT, "COUNCILOR_REPORT": "{hunter2"}, "COUNCILOR_REPORT is not valid"),
        (telling(status="hunter2"), "status"),
        (telling(severity="hunter2"), "severity"),
        (telling(startedAt="2026-03-02T09:00:04"), "startedAt"),
        (telling(completedAt=None), "completedAt"),
        (telling(summary="hunter2" * 99), "summary"),
        (telling(taskId="5" * 24), "another run than COUNCILOR_JOB_NAME"),
        (telling(executionId=""), "another run than COUNCILOR_JOB_NAME"),
        (telling(executionId=execution_id("A_Agent", "5" * 24, SCHEDULED)), "another run than COUNCILOR_JOB_NAME"),
        (telling(executionId=execution_id("A_Agent", TASK, None)), "another run than COUNCILOR_JOB_NAME"),
    ],
)
def test_a_report_that_is_refused(environment: dict[str, str], words: str) -> None:
    settings = read_settings(environment)
    with pytest.raises(SettingsError, match="COUNCILOR_REPORT") as refusal:
        read_told(environment, settings)
    assert words in refusal.value.message
    assert "hunter2" not in refusal.value.message
    assert refusal.value.reason is Reason.INVALID_CONTRACT
