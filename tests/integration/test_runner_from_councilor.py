"""From a Councilor to the request that Conductor receives: the operator's own manifest, its environment as the kubelet
would set it, and the runner as a process.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.builders import build_contract, build_cron_job
from councilor_operator.config import OperatorConfig
from councilor_operator.schedule import compile_schedule
from councilor_runner.contract import ENV_CONTRACT, ExitCode
from councilor_runner.prompt import OUTPUT_FORMATS, SEVERITY_INSTRUCTION
from tests import factories
from tests.runner import RunnerProcess
from tests.runner.process import job_name
from tests.runner.trials import Trial, side_by_side

CWD = "/srv/default"


def manifest(trial: Trial, spec: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """The CronJob of a Councilor with this spec, for the trial's Conductor."""
    config: OperatorConfig = factories.config(
        conductor_url=trial.stub.conductor_url,
        conductor_gateway_url=trial.stub.gateway_url,
        database=trial.database.name,
        default_cwd=CWD,
        **settings,
    )
    observed = factories.councilor(spec={"agentId": "A_Agent", **spec})
    parsed = CouncilorSpec.model_validate(observed.spec)
    schedule = compile_schedule(
        type=parsed.schedule.type,
        value=parsed.schedule.value,
        time_zone=parsed.schedule.time_zone,
        default_zone=config.default_time_zone,
        uid=observed.uid,
    )
    run = build_contract(observed, parsed, config, cwd=parsed.execution.cwd or CWD)
    return build_cron_job(observed, parsed, schedule, config, run=run, suspended=False)


def run(trial: Trial, cron_job: dict[str, Any], *, minutes_ago: int = 0, **environment: str) -> RunnerProcess:
    """Run the CronJob's container for the Job of some minutes ago."""
    (container,) = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    literal = {entry["name"]: re.sub(r"\$\$", "$", entry["value"]) for entry in container["env"] if "value" in entry}
    moment = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    trial.setup.job = job_name(cron_job["metadata"]["name"], moment)
    assert container["args"] == ["run"]
    return trial.setup.run(**literal, **environment)


def request_of(trial: Trial, spec: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """What Conductor receives for a Councilor with this spec."""
    pod = run(trial, manifest(trial, spec, **settings))
    assert pod.exit_code == ExitCode.COMPLETED, pod.log
    (request,) = trial.stub.requests.of("submit")
    body: dict[str, Any] = request.json
    return body


SPECS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "defaults": (
        {"execution": {"cwd": None}},
        {"cwd": CWD, "provider": None, "context_mode": "stateless", "timeout": 600, "is_councilor_execution": True},
    ),
    "its own execution": (
        {"execution": {"cwd": "/srv/own", "provider": "gemini", "contextMode": "stateful", "timeoutSeconds": 86400}},
        {"cwd": "/srv/own", "provider": "gemini", "context_mode": "stateful", "timeout": 86400},
    ),
    "a title": (
        {"title": "Licence counsel $(PATH)"},
        {
            "councilor_config": {
                "title": "Licence counsel $(PATH)",
                "namespace": "council",
                "councilor": "licence-counsel",
            }
        },
    ),
    "no title": (
        {},
        {"councilor_config": {"title": "licence-counsel", "namespace": "council", "councilor": "licence-counsel"}},
    ),
}


@pytest.mark.parametrize("name", SPECS)
@side_by_side
def test_the_fields_of_the_request(trial: Trial, name: str) -> None:
    spec, expected = SPECS[name]
    body = request_of(trial, spec)
    assert {field: body[field] for field in expected} == expected


PROMPTS = (
    "Which licences changed since {{last_run}} in {{ project.name }}?",
    "Costs $$5, not $(MONGODB_URI), $(COUNCILOR_CONTRACT) or ${HOME}; `id` \\n",
    "<persona>ignore</persona> & \"quoted\" 'single' ]]> </user_request>",
    "Ação às 9h ☀️\n\n\tindented\u2028separated \u202eturned",
    "x" * 10_000,
    "👩" * 10_000,
)


@pytest.mark.parametrize("number", range(len(PROMPTS)))
@pytest.mark.parametrize("source", ["prompt", "promptFrom"])
@side_by_side
def test_a_prompt_arrives_as_it_was_written(trial: Trial, number: int, source: str) -> None:
    prompt = PROMPTS[number]
    if source == "prompt":
        pod = run(trial, manifest(trial, {"task": {"prompt": prompt}}))
    else:
        task = {"prompt": None, "promptFrom": {"configMapKeyRef": {"name": "question", "key": "text"}}}
        cron_job = manifest(trial, {"task": task})
        (container,) = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        (entry,) = [entry for entry in container["env"] if "configMapKeyRef" in entry.get("valueFrom", {})]
        assert entry["valueFrom"]["configMapKeyRef"] == {"name": "question", "key": "text"}
        # The kubelet expands nothing in what comes from a ConfigMap.
        assert entry["name"] == "COUNCILOR_PROMPT"
        pod = run(trial, cron_job, COUNCILOR_PROMPT=prompt)
    assert pod.exit_code == ExitCode.COMPLETED, pod.log
    (request,) = trial.stub.requests.of("submit")
    parts = [prompt.rstrip(), OUTPUT_FORMATS["checklist"], SEVERITY_INSTRUCTION]
    assert request.json["user_input"] == "\n\n".join(parts)


@pytest.mark.parametrize("output_format", sorted(OUTPUT_FORMATS))
@pytest.mark.parametrize("ask_agent", [True, False])
@side_by_side
def test_what_is_added_to_a_prompt(trial: Trial, output_format: str, ask_agent: bool) -> None:
    files = ["docs/quality.md", "$(HOME)/a b.txt", "- not a list"]
    body = request_of(
        trial,
        {
            "task": {"prompt": "Look.\n ", "contextFiles": files, "outputFormat": output_format},
            "verdict": {"askAgent": ask_agent},
        },
    )
    context = "Context files, to be read before answering:\n- docs/quality.md\n- $(HOME)/a b.txt\n- - not a list"
    parts = ["Look.", context, OUTPUT_FORMATS[output_format], *([SEVERITY_INSTRUCTION] if ask_agent else [])]
    assert body["user_input"] == "\n\n".join(parts)


@side_by_side
def test_as_many_context_files_as_there_may_be(trial: Trial) -> None:
    files = [f"{number:02}/{'x' * 1021}" for number in range(50)]
    body = request_of(trial, {"task": {"prompt": "x" * 10_000, "contextFiles": files}})
    assert body["user_input"].count("\n- ") >= 50
    assert f"- {files[-1]}\n" in body["user_input"]


@pytest.mark.parametrize(("minutes_ago", "status"), [(60, "skipped"), (0, "completed")])
@side_by_side
def test_the_starting_deadline(trial: Trial, minutes_ago: int, status: str) -> None:
    cron_job = manifest(trial, {"schedule": {"startingDeadlineSeconds": 900}})
    # Kubernetes would never start the run of an interval that is shorter; the runner looks after it.
    assert cron_job["spec"]["startingDeadlineSeconds"] is None
    pod = run(trial, cron_job, minutes_ago=minutes_ago)
    assert (pod.exit_code, pod.report.status) == (ExitCode.COMPLETED, status)
    assert len(trial.stub.requests.of("submit")) == (status == "completed")
    (record,) = trial.database.councilor_executions.find()
    assert (record["status"], record["councilor"], record["trigger"]) == (status, "licence-counsel", "scheduled")


@side_by_side
def test_a_scheduled_time_that_this_node_has_not_reached(trial: Trial) -> None:
    cron_job = manifest(trial, {"schedule": {"startingDeadlineSeconds": 60}})
    pod = run(trial, cron_job, minutes_ago=-10)
    assert (pod.exit_code, pod.report.status) == (ExitCode.COMPLETED, "completed")


@pytest.mark.parametrize("value", ["H H(1-5) * * *", "H/15 * * * *"])
@side_by_side
def test_a_spread_schedule(trial: Trial, value: str) -> None:
    cron_job = manifest(trial, {"schedule": {"type": "cron", "value": value}})
    assert "H" not in cron_job["spec"]["schedule"]
    assert run(trial, cron_job).exit_code == ExitCode.COMPLETED


@side_by_side
def test_a_field_of_a_newer_operator_is_passed_over(trial: Trial) -> None:
    cron_job = manifest(trial, {})
    (container,) = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    (entry,) = [entry for entry in container["env"] if entry["name"] == ENV_CONTRACT]
    document = json.loads(entry["value"])
    for part in (document, document["task"], document["endpoints"]):
        part["ofTheFuture"] = {"x": 1}
    entry["value"] = json.dumps(document)
    assert run(trial, cron_job).exit_code == ExitCode.COMPLETED


@side_by_side
def test_a_contract_of_a_newer_version_is_refused(trial: Trial) -> None:
    cron_job = manifest(trial, {})
    (container,) = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    (entry,) = [entry for entry in container["env"] if entry["name"] == ENV_CONTRACT]
    entry["value"] = json.dumps({**json.loads(entry["value"]), "version": 2})
    pod = run(trial, cron_job)
    assert pod.exit_code == ExitCode.CONFIGURATION
    assert "COUNCILOR_RUNNER_IMAGE" in (pod.report.message or "")
    assert not list(trial.stub.requests)
