"""Parsing specs: what is good, what is bad, and which field is named."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from councilor_operator.api.spec import CouncilorSpec, Runner
from councilor_operator.api.status import CouncilorStatus
from councilor_operator.api.v1alpha1 import Councilor
from councilor_operator.complaints import describe_errors
from tests.factories import MINIMAL_SPEC, merged


def parse(over: dict[str, Any]) -> CouncilorSpec:
    return CouncilorSpec.model_validate(merged(MINIMAL_SPEC, over))


def test_the_minimal_spec_gets_the_defaults_of_the_design() -> None:
    spec = parse({"execution": None})
    assert spec.schedule.enabled is True
    assert spec.schedule.time_zone is None
    assert spec.schedule.starting_deadline_seconds is None
    assert spec.concurrency_policy == "Forbid"
    assert spec.task.output_format == "checklist"
    assert spec.task.context_files == ()
    assert spec.execution.cwd is None
    assert spec.execution.provider is None
    assert spec.execution.context_mode == "stateless"
    assert spec.execution.timeout_seconds == 600
    assert spec.execution.retries == 2
    assert spec.verdict.ask_agent is True
    assert spec.verdict.error_keywords is spec.verdict.warning_keywords is None
    notify = spec.notifications
    assert (notify.on_success, notify.on_warning, notify.on_error, notify.on_recovery) == (False, True, True, True)
    assert notify.channels == ("panel",)
    assert spec.suspend_after_failures == 5
    assert (spec.history.successful_runs, spec.history.failed_runs) == (3, 3)
    assert spec.runner == Runner()
    assert spec.runner.model_dump(exclude_none=True) == {}


GOOD: list[tuple[str, dict[str, Any]]] = [
    ("agent of one letter", {"agentId": "a"}),
    ("agent of 253", {"agentId": "A" * 253}),
    ("agent with any sign but space and slash", {"agentId": "Über_Agent.v2:x@y"}),
    ("display", {"title": "T" * 200, "displayName": "D", "emoji": "⚖️", "color": "#5b21b6"}),
    ("short colour", {"color": "#fff"}),
    ("interval", {"schedule": {"type": "interval", "value": "45m"}}),
    ("paused", {"schedule": {"enabled": False}}),
    ("zone", {"schedule": {"timeZone": "America/Sao_Paulo"}}),
    ("deadline at least", {"schedule": {"startingDeadlineSeconds": 1}}),
    ("deadline at most", {"schedule": {"startingDeadlineSeconds": 86400}}),
    ("replace", {"concurrencyPolicy": "Replace"}),
    ("prompt of one sign", {"task": {"prompt": "?"}}),
    ("prompt of 10,000", {"task": {"prompt": "é" * 10000}}),
    ("prompt elsewhere", {"task": {"prompt": None, "promptFrom": {"configMapKeyRef": {"name": "n", "key": "k"}}}}),
    ("context files", {"task": {"contextFiles": ["a"] * 50}}),
    ("detailed", {"task": {"outputFormat": "detailed"}}),
    ("provider", {"execution": {"provider": "cursor-agent"}}),
    ("stateful", {"execution": {"contextMode": "stateful"}}),
    ("time-out at least", {"execution": {"timeoutSeconds": 1}}),
    ("time-out at most", {"execution": {"timeoutSeconds": 86400}}),
    ("no retries", {"execution": {"retries": 0}}),
    ("ten retries", {"execution": {"retries": 10}}),
    ("keywords", {"verdict": {"errorKeywords": ["falha"], "warningKeywords": []}}),
    ("channels", {"notifications": {"channels": ["panel", "toast", "ops.slack_1"]}}),
    ("no channels", {"notifications": {"channels": []}}),
    ("channels that are odd keys", {"notifications": {"channels": ["-", "_", ".a", "a.", "a..b", "7", "A" * 253]}}),
    ("never suspended", {"suspendAfterFailures": 0}),
    ("little history", {"history": {"successfulRuns": 1, "failedRuns": 1}}),
    ("much history", {"history": {"successfulRuns": 100, "failedRuns": 100}}),
    ("resources", {"runner": {"resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}}),
    ("node selector", {"runner": {"nodeSelector": {"node-role.kubernetes.io/agents": ""}}}),
    (
        "tolerations",
        {"runner": {"tolerations": [{"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}]}},
    ),
]


@pytest.mark.parametrize("over", [over for _, over in GOOD], ids=[name for name, _ in GOOD])
def test_good_specs(over: dict[str, Any]) -> None:
    spec = parse(over)
    # Nothing is lost between the document and the type.
    dumped = spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert dumped == merged(MINIMAL_SPEC, over)


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("no agent", {"agentId": None}, "agentId"),
    ("empty agent", {"agentId": ""}, "agentId"),
    ("long agent", {"agentId": "a" * 254}, "agentId"),
    ("agent with a slash", {"agentId": "a/b"}, "agentId"),
    ("agent with a blank", {"agentId": "a b"}, "agentId"),
    ("agent that is a number", {"agentId": 7}, "agentId"),
    ("no schedule", {"schedule": None}, "schedule"),
    ("no type", {"schedule": {"type": None}}, "schedule.type"),
    ("unknown type", {"schedule": {"type": "weekly"}}, "schedule.type"),
    ("no value", {"schedule": {"value": None}}, "schedule.value"),
    ("empty value", {"schedule": {"value": ""}}, "schedule.value"),
    ("long value", {"schedule": {"value": "*" * 257}}, "schedule.value"),
    ("empty zone", {"schedule": {"timeZone": ""}}, "schedule.timeZone"),
    ("no deadline at all", {"schedule": {"startingDeadlineSeconds": 0}}, "schedule.startingDeadlineSeconds"),
    ("deadline beyond a day", {"schedule": {"startingDeadlineSeconds": 86401}}, "schedule.startingDeadlineSeconds"),
    ("unknown policy", {"concurrencyPolicy": "Queue"}, "concurrencyPolicy"),
    ("no task", {"task": None}, "task"),
    ("empty prompt", {"task": {"prompt": ""}}, "task.prompt"),
    ("long prompt", {"task": {"prompt": "p" * 10001}}, "task.prompt"),
    ("prompt from nowhere", {"task": {"promptFrom": {}}}, "task.promptFrom.configMapKeyRef"),
    (
        "key without a name",
        {"task": {"promptFrom": {"configMapKeyRef": {"key": "k"}}}},
        "task.promptFrom.configMapKeyRef.name",
    ),
    ("too many files", {"task": {"contextFiles": ["a"] * 51}}, "task.contextFiles"),
    ("empty file", {"task": {"contextFiles": ["a", ""]}}, "task.contextFiles[1]"),
    ("unknown format", {"task": {"outputFormat": "poem"}}, "task.outputFormat"),
    ("unknown provider", {"execution": {"provider": "other"}}, "execution.provider"),
    ("unknown mode", {"execution": {"contextMode": "x"}}, "execution.contextMode"),
    ("no time", {"execution": {"timeoutSeconds": 0}}, "execution.timeoutSeconds"),
    ("more than a day", {"execution": {"timeoutSeconds": 86401}}, "execution.timeoutSeconds"),
    ("too many retries", {"execution": {"retries": 11}}, "execution.retries"),
    ("negative retries", {"execution": {"retries": -1}}, "execution.retries"),
    ("empty cwd", {"execution": {"cwd": ""}}, "execution.cwd"),
    ("empty keyword", {"verdict": {"errorKeywords": [""]}}, "verdict.errorKeywords[0]"),
    ("odd channel", {"notifications": {"channels": ["a b"]}}, "notifications.channels[0]"),
    ("channel of a dot", {"notifications": {"channels": ["panel", "."]}}, "notifications.channels[1]"),
    ("channel of dots", {"notifications": {"channels": [".."]}}, "notifications.channels[0]"),
    ("channel that leads elsewhere", {"notifications": {"channels": ["../runner"]}}, "notifications.channels[0]"),
    ("channel after two dots", {"notifications": {"channels": ["..data"]}}, "notifications.channels[0]"),
    ("channel with a slash", {"notifications": {"channels": ["a/b"]}}, "notifications.channels[0]"),
    ("channel with a line break", {"notifications": {"channels": ["ops\n"]}}, "notifications.channels[0]"),
    ("channel with an accent", {"notifications": {"channels": ["plantão"]}}, "notifications.channels[0]"),
    ("long channel", {"notifications": {"channels": ["a" * 254]}}, "notifications.channels[0]"),
    ("no channel", {"notifications": {"channels": [""]}}, "notifications.channels[0]"),
    ("negative breaker", {"suspendAfterFailures": -1}, "suspendAfterFailures"),
    ("no history", {"history": {"successfulRuns": 0}}, "history.successfulRuns"),
    ("no history of failures", {"history": {"failedRuns": 0}}, "history.failedRuns"),
    ("endless history", {"history": {"failedRuns": 101}}, "history.failedRuns"),
    ("unknown colour", {"color": "red"}, "color"),
    ("unknown effect", {"runner": {"tolerations": [{"effect": "No"}]}}, "runner.tolerations[0].effect"),
    ("unknown field", {"schedul": {}}, "schedul"),
    ("unknown field below", {"execution": {"timeout": 5}}, "execution.timeout"),
    ("snake case", {"agent_idd": "x"}, "agent_idd"),
    # What the design keeps out of a Councilor's hands.
    ("image", {"runner": {"image": "x"}}, "runner.image"),
    ("account", {"runner": {"serviceAccountName": "x"}}, "runner.serviceAccountName"),
    ("host", {"execution": {"conductorUrl": "http://x"}}, "execution.conductorUrl"),
    ("command", {"runner": {"args": ["x"]}}, "runner.args"),
]


@pytest.mark.parametrize(("over", "field"), [entry[1:] for entry in BAD], ids=[entry[0] for entry in BAD])
def test_bad_specs_name_the_field(over: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parse(over)
    assert f"spec.{field}: " in describe_errors(caught.value)


def test_the_description_of_errors_repeats_no_value_and_has_an_end() -> None:
    with pytest.raises(ValidationError) as caught:
        parse({"agentId": "s3cret value", "task": {"contextFiles": [""] * 40}})
    text = describe_errors(caught.value)
    assert "s3cret" not in text
    assert text.count("spec.") == 5
    assert len(text) < 1024


def test_specs_are_immutable() -> None:
    spec = parse({})
    with pytest.raises(ValidationError):
        spec.agent_id = "other"  # type: ignore[misc]


def test_a_whole_object_may_hold_more_than_we_read() -> None:
    councilor = Councilor.model_validate(
        {"apiVersion": "v", "kind": "k", "metadata": {"name": "n"}, "spec": MINIMAL_SPEC}
    )
    assert councilor.status == CouncilorStatus()


@pytest.mark.parametrize("status", [{}, {"somethingOfANewerOperator": 1}, {"phase": "Running", "newer": {}}])
def test_a_status_may_hold_more_than_we_read(status: dict[str, Any]) -> None:
    assert CouncilorStatus.model_validate(status).stats is None
