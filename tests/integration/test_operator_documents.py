"""Councilors as the sync leaves them: an invalid document stops its Councilor alone, and advice names the document."""

from datetime import UTC, datetime, timedelta

import pytest

from councilor_operator.constants import (
    ANNOTATION_DOCUMENT,
    ANNOTATION_DOCUMENT_NOTE,
    ANNOTATION_DOCUMENT_PROBLEM,
    ANNOTATION_RUN_NOW,
    LABEL_SOURCE,
    SOURCE_MONGODB,
)
from tests.controlplane.api import COUNCILORS, CRON_JOBS, Api, Object, eventually
from tests.controlplane.councilor import Councilor, condition, new_councilor
from tests.controlplane.cron import wait_for_controller

pytestmark = pytest.mark.usefixtures("operator_process")

DOCUMENT = "agents/LicenseAuditor_Agent"
PROBLEM = "councilor_config.task.prompt is blank: write what the agent is to do"


def synced(api: Api, namespace: str, name: str, *, annotations: dict[str, str] | None = None, **spec: Object) -> Object:
    """Create a Councilor as the sync does."""
    body = new_councilor(name, **spec)
    body["metadata"]["labels"] = {LABEL_SOURCE: SOURCE_MONGODB}
    body["metadata"]["annotations"] = {ANNOTATION_DOCUMENT: DOCUMENT, **(annotations or {})}
    return api.create(COUNCILORS, namespace, body)


def test_a_document_that_turns_invalid_suspends_and_one_that_is_mended_resumes_without_a_surprise(
    api: Api, namespace: str
) -> None:
    passed = datetime.now(tz=UTC) - timedelta(minutes=10)
    daily = {"type": "cron", "value": f"{passed.minute} {passed.hour} * * *"}
    synced(api, namespace, "audit", schedule=daily)
    councilor = Councilor(api, namespace, "audit")
    councilor.wait_for_condition("Ready", "True")

    # The annotation alone: the generation stays, and so do the times at which it fires.
    councilor.annotate(ANNOTATION_DOCUMENT_PROBLEM, PROBLEM)
    ready = councilor.wait_for_condition("Ready", "False", "InvalidDocument")
    assert ready["message"] == f"document {DOCUMENT}: {PROBLEM}"
    assert condition(councilor.get(), "Scheduled")["reason"] == "InvalidDocument"
    assert councilor.status["phase"] == "Invalid"
    assert "nextRunTimes" not in councilor.status
    assert councilor.cron_job()["spec"]["suspend"] is True
    eventually(lambda: "InvalidDocument" in councilor.event_reasons(), "the event about the document")

    councilor.annotate(ANNOTATION_RUN_NOW, "token")
    refused = eventually(lambda: councilor.status.get("lastRunNow"), "the token is handled")
    assert refused["reason"] == "InvalidDocument"
    councilor.set_last_fired(timedelta(hours=3))

    councilor.annotate(ANNOTATION_DOCUMENT_PROBLEM, None)
    councilor.wait_for_condition("Scheduled", "True", "Active")
    assert councilor.cron_job()["spec"]["suspend"] is False
    wait_for_controller(api, namespace)
    assert councilor.jobs() == [], "no run for the time that passed"
    # It runs on: what comes due from now on starts.
    councilor.set_last_fired(timedelta(hours=3))
    eventually(councilor.jobs, "it fires again")


def test_an_invalid_document_gets_no_cron_job_and_the_others_go_on(api: Api, namespace: str) -> None:
    synced(api, namespace, "bad", annotations={ANNOTATION_DOCUMENT_PROBLEM: PROBLEM})
    synced(api, namespace, "good", annotations={ANNOTATION_DOCUMENT_NOTE: "7 was read as Sunday"})
    Councilor(api, namespace, "bad").wait_for_condition("Ready", "False", "InvalidDocument")
    ready = Councilor(api, namespace, "good").wait_for_condition("Ready", "True")
    assert ready["message"].endswith("; note on the document: 7 was read as Sunday")
    assert api.get(CRON_JOBS, namespace, "bad") is None
    assert api.get(CRON_JOBS, namespace, "good") is not None


def test_advice_on_the_spec_names_the_document(api: Api, namespace: str) -> None:
    synced(api, namespace, "seven", schedule={"type": "cron", "value": "0 9 * * 7"})
    synced(api, namespace, "refused", runner={"nodeSelector": {"disk": "fast & large"}})
    for name, reason in (("seven", "InvalidSchedule"), ("refused", "CronJobRefused")):
        ready = Councilor(api, namespace, name).wait_for_condition("Ready", "False", reason)
        assert ready["message"].endswith(
            f"; this Councilor is made from the document {DOCUMENT}: make the change there, an edit here is undone"
        )


def test_what_steers_terminals_stays_in_the_annotations(api: Api, namespace: str) -> None:
    steering = "\u001b[2J\u202espoof\u0007\nnext line"
    annotations = dict.fromkeys((ANNOTATION_DOCUMENT, ANNOTATION_DOCUMENT_PROBLEM, ANNOTATION_DOCUMENT_NOTE), steering)
    synced(api, namespace, "steering", annotations=annotations)
    message = Councilor(api, namespace, "steering").wait_for_condition("Ready", "False", "InvalidDocument")["message"]
    assert not set(steering) & set(message) & {"\u001b", "\u202e", "\u0007", "\n"}
    assert "spoof" in message


def test_texts_of_any_length_are_cut(api: Api, namespace: str) -> None:
    long = dict.fromkeys((ANNOTATION_DOCUMENT, ANNOTATION_DOCUMENT_PROBLEM, ANNOTATION_DOCUMENT_NOTE), "x" * 80_000)
    synced(api, namespace, "long", annotations=long)
    ready = Councilor(api, namespace, "long").wait_for_condition("Ready", "False", "InvalidDocument")
    assert len(ready["message"]) <= 1024
