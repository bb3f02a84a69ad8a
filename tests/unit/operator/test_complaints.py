"""What is wrong with a Councilor, told to the person who wrote it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pydantic import ValidationError

from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.complaints import PROBLEMS_SHOWN, describe_errors, describe_rejection
from councilor_operator.errors import Cause
from tests.factories import MINIMAL_SPEC, merged

WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"agentId": None},
        "spec.agentId: missing, write text (Conductor's id of the agent, without blanks and slashes, for example Lic",
    ),
    ({"schedule": None}, "spec.schedule: missing, write an object with the fields type, value"),
    ({"schedule": "0 9 * * *"}, "spec.schedule: write an object with the fields type, value"),
    ({"schedule": {"type": "weekly"}}, "spec.schedule.type: write interval or cron"),
    ({"schedule": {"enabled": "yes"}}, "spec.schedule.enabled: write true or false"),
    ({"schedule": {"enabled": 1}}, "spec.schedule.enabled: write true or false"),
    ({"schedule": {"value": ["0 9 * * *"]}}, "spec.schedule.value: write text of 1 to 256 characters"),
    (
        {"task": {"prompt": None}},
        "spec.task: give exactly one of prompt (the text itself) and promptFrom (a ConfigMap key)",
    ),
    (
        {"task": {"promptFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}},
        "spec.task: give exactly one of prompt (the text itself) and promptFrom (a ConfigMap key)",
    ),
    ({"task": {"prompt": " \n"}}, "spec.task: the prompt must not be blank: write what the agent is asked"),
    ({"task": {"prompt": "x" * 10_001}}, "spec.task.prompt: write text of 1 to 10000 characters"),
    (
        {"task": {"contextFiles": "a"}},
        "spec.task.contextFiles: write a list of up to 50, each of them text (A path on one line)",
    ),
    ({"task": {"contextFiles": ["a", 7]}}, "spec.task.contextFiles[1]: write text (A path on one line)"),
    ({"task": {"contextFiles": ["a\nb"]}}, "spec.task.contextFiles[0]: write text (A path on one line)"),
    ({"task": {"contextFiles": ["a"] * 1000}}, "spec.task.contextFiles: write a list of up to 50"),
    ({"execution": {"timeoutSeconds": "600"}}, "spec.execution.timeoutSeconds: write a whole number from 1 to 86400"),
    ({"execution": {"timeoutSeconds": 600.5}}, "spec.execution.timeoutSeconds: write a whole number from 1 to 86400"),
    ({"execution": {"timeoutSeconds": True}}, "spec.execution.timeoutSeconds: write a whole number from 1 to 86400"),
    ({"execution": {"timeoutSeconds": 2**63}}, "spec.execution.timeoutSeconds: write a whole number from 1 to 86400"),
    (
        {"execution": {"timeoutSecond": 5}},
        "spec.execution.timeoutSecond: there is no such field, write timeoutSec",
    ),
    ({"agent_id": "x"}, "spec.agent_id: there is no such field, write agentId or remove it"),
    ({"unheardOf": 1}, "spec.unheardOf: there is no such field, remove it"),
    ({"a\nb\u202e" + "c" * 1_000_000: 1}, 'spec."a b\ufffd'),
    ({"concurrencyPolicy": "forbid"}, "spec.concurrencyPolicy: write Forbid, Replace or Allow"),
    ({"color": "red"}, "spec.color: write text (CSS colour such as #5b21b6; display only)"),
    ({"notifications": {"channels": ["a b"]}}, "spec.notifications.channels[0]: write text (panel, toast, email, or"),
    (
        {"runner": {"resources": {"limits": {"cpu": "lots"}}}},
        "spec.runner.resources.limits.cpu: write an amount such as 500m, 2 or 1Gi",
    ),
    (
        {"runner": {"resources": {"limits": {"cpu": "-1"}}}},
        "spec.runner.resources.limits.cpu: write an amount such as 500m, 2 or 1Gi",
    ),
    (
        {"runner": {"nodeSelector": "a=b"}},
        "spec.runner.nodeSelector: write an object of up to 20 names, each with",
    ),
    (
        {"runner": {"tolerations": [{"tolerationSeconds": "5"}]}},
        "spec.runner.tolerations[0].tolerationSeconds: write",
    ),
    ({"runner": {"tolerations": ["k"]}}, "spec.runner.tolerations[0]: write an object with the fields key, operator"),
]


def said_of(over: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        CouncilorSpec.model_validate(merged(MINIMAL_SPEC, over), by_alias=True, by_name=False)
    return describe_errors(caught.value)


@pytest.mark.parametrize(("over", "expected"), WRONG, ids=[str(row[0])[:60] for row in WRONG])
def test_the_field_and_what_to_write(over: dict[str, Any], expected: str) -> None:
    said = said_of(over)
    assert said.startswith(expected)
    # One field, one complaint, and nothing of the library's own English.
    assert said.count("spec.") == 1
    assert "Input" not in said
    assert len(said) < 250


def test_several_problems_are_told_together_and_the_rest_is_counted() -> None:
    said = said_of({"task": {"contextFiles": [""] * 40}, "color": "red"})
    assert said.count("spec.") == PROBLEMS_SHOWN
    assert said.endswith("; and 36 more")
    assert len(said) < 1024


def test_values_are_not_repeated() -> None:
    assert "s3cret" not in said_of({"agentId": "s3cret value", "color": "s3cret", "task": {"outputFormat": "s3cret"}})


CHANGE = "the API server refuses the CronJob, change these fields: "
POD = "spec.jobTemplate.spec.template.spec"
REFUSED: list[tuple[str, str]] = [
    (f"{POD}.tolerations[0].operator", "spec.runner.tolerations[0].operator: m"),
    (f"{POD}.nodeSelector", "spec.runner.nodeSelector: m"),
    (f"{POD}.containers[0].resources.limits[a b]", "spec.runner.resources.limits[a b]: m"),
    (
        f"{POD}.containers[0].env[6].valueFrom.configMapKeyRef.name",
        "spec.task.promptFrom.configMapKeyRef.name: m",
    ),
    ("spec.template.spec.nodeSelector", "spec.runner.nodeSelector: m"),
    ("spec.schedule", "spec.schedule.value: m"),
    ("spec.timeZone", "spec.schedule.timeZone: m"),
    ("metadata.name", "metadata.name of the CronJob: m"),
]


def fields_of(causes: list[Cause]) -> str:
    said = describe_rejection("CronJob", "not this", causes)
    assert said.startswith(CHANGE)
    return said.removeprefix(CHANGE)


@pytest.mark.parametrize(("field", "expected"), REFUSED)
def test_a_field_of_the_cron_job_is_told_as_the_councilors(field: str, expected: str) -> None:
    assert fields_of([Cause(field, "m")]) == expected


def test_the_order_is_always_the_same() -> None:
    causes = [Cause(f"{POD}.nodeSelector", f"Invalid value: {number}") for number in range(9)]
    said = fields_of(causes)
    for seed in range(5):
        assert fields_of(random.Random(seed).sample(causes, len(causes))) == said
    assert said.endswith("; and 4 more")


def test_regular_expressions_are_left_out() -> None:
    message = (
        'Invalid value: "b c": a valid label must be an empty string or consist of alphanumeric characters (e.g. '
        "'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9]*)')"
    )
    assert fields_of([Cause(f"{POD}.nodeSelector", message)]) == (
        'spec.runner.nodeSelector: Invalid value: "b c": a valid label must be an empty string or consist of '
        "alphanumeric characters"
    )


def test_an_answer_without_causes_is_told_as_it_is() -> None:
    said = describe_rejection("Job", "exceeded quota:\njobs", ())
    assert said == (
        "the API server refuses the Job, change the Councilor or the rule that it breaks: exceeded quota: jobs"
    )
    assert len(describe_rejection("CronJob", "x" * 5000, ())) < 1000
