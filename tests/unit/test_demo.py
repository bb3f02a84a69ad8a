"""What the demo tells: pure functions, no cluster."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.config import PREFIX
from councilor_operator.rights import SYNC_RULES
from councilor_operator.schedule import compile_schedule
from councilor_operator.sync.candidate import SourceDocument
from councilor_operator.sync.config import SyncConfig
from councilor_operator.sync.translation import TranslationRules, translate
from hack.demo import manifests, observation, presentation, promotion
from hack.demo.manifests import OPERATOR, SYNC, Installation, Manifest, Scope
from hack.demo.records import Statistics
from hack.demo.services import AGENTS
from tests.conductor.answers import read_scripts

SCOPE = Scope(instance="demo", operator_namespace="operators", councilor_namespace="chamber")
INSTALLATION = Installation(
    scope=SCOPE,
    operator_image="operator:1",
    runner_image="runner:1",
    conductor_url="http://conductor:8000",
    gateway_url="http://conductor:8080",
    mongodb_uri="mongodb://mongo:27017/",
    settings={"DEFAULT_CWD": "/srv"},
)
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
RUN = {"jobName": "a-1", "result": "warning", "trigger": "scheduled", "durationMs": 2345, "summary": "Two\n findings"}
FAILED = {"jobName": "a-2", "result": "failed", "trigger": "manual", "summary": "half", "message": "no answer"}
SUSPENDED = [
    {"type": "Ready", "status": "True", "message": "fine"},
    {"type": "Scheduled", "status": "False", "message": "2 runs failed"},
]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, {}, []),
        (None, {"phase": "Scheduled", "nextRunTimes": ["t1", "t2"]}, ["scheduled, next run t1"]),
        ({"phase": "Scheduled"}, {"phase": "Running"}, ["running"]),
        ({"phase": "Running"}, {"phase": "Running"}, []),
        (
            {"phase": "Running"},
            {"phase": "Scheduled", "lastRun": RUN},
            ["run warning (scheduled, 2.3 s): Two findings"],
        ),
        ({"phase": "Scheduled", "lastRun": RUN}, {"phase": "Scheduled", "lastRun": RUN}, []),
        (
            {"phase": "Running", "lastRun": RUN},
            {"phase": "Suspended", "lastRun": FAILED, "conditions": SUSPENDED},
            ["run failed (manual): no answer", "suspended: 2 runs failed"],
        ),
        ({"phase": "Paused"}, {"phase": "Scheduled"}, ["scheduled"]),
        ({"phase": "Running"}, {"phase": "Paused"}, ["paused"]),
    ],
)
def test_changes(before: dict[str, Any] | None, after: dict[str, Any], expected: list[str]) -> None:
    councilor = {"metadata": {"name": "a"}, "status": after}
    assert observation.changes(None if before is None else {"status": before}, councilor) == expected


def test_documents_follow_one_another_as_kubectl_prints_them() -> None:
    text = (
        '{\n    "a": {\n        "b": "}\\n}"\n    }\n}\n{\n    "kind": "List",\n    "items": [\n{\n"c": 1\n }\n]\n}\n'
    )
    assert list(observation.documents(io.StringIO(text))) == [{"a": {"b": "}\n}"}}, {"c": 1}]


def test_a_table_is_as_wide_as_its_cells() -> None:
    assert presentation.table(["A", "LONG"], [["wide cell", "x"], ["y", "z"]]) == "\n".join(
        ["A           LONG", "wide cell   x", "y           z"]
    )


def test_a_record_that_has_no_end_yet_has_a_row() -> None:
    started = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    row = presentation.records_table([{"councilor": "a", "started_at": started, "status": "running"}]).splitlines()[1]
    assert row.split() == ["a", "-", "-", f"{started.astimezone():%H:%M:%S}", "-", "running", "-", "-", "-"]


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_examples_are_valid_and_their_agents_have_answers(path: Path) -> None:
    councilors = [item for item in yaml.safe_load_all(path.read_text()) if item["kind"] == "Councilor"]
    assert [item["metadata"]["name"] for item in councilors] == [path.stem]
    spec = CouncilorSpec.model_validate(councilors[0]["spec"])
    schedule = spec.schedule
    compile_schedule(
        type=schedule.type, value=schedule.value, time_zone=schedule.time_zone, default_zone="UTC", uid=path.stem
    )
    assert spec.agent_id in read_scripts(AGENTS)


@pytest.mark.parametrize(
    ("collection", "body"),
    [
        ("agents", {"agent_id": promotion.AGENT, "councilor_config": promotion.AGENT_CONFIG}),
        (
            "agent_instances",
            {
                "instance_id": "councilor_1",
                "agent_id": promotion.INSTANCE_AGENT,
                "councilor_config": promotion.INSTANCE_CONFIG,
                "customization": promotion.CUSTOMIZATION,
                "cwd": promotion.DEFAULT_CWD,
            },
        ),
    ],
)
def test_promoted_agents_are_valid_councilors_and_have_answers(
    collection: Literal["agents", "agent_instances"], body: dict[str, Any]
) -> None:
    candidate = translate(SourceDocument(collection, "1", body), TranslationRules())
    assert candidate.problem is None
    assert candidate.spec.schedule.enabled
    assert candidate.spec.agent_id in read_scripts(AGENTS)


def test_the_statistics_of_a_councilor_that_never_ran_have_a_row() -> None:
    last = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    rows = presentation.statistics_table(
        [
            Statistics("agents/a", {"total_executions": 4, "success_rate": 75.0, "last_execution": last}),
            Statistics("agents/b", {"total_executions": 0, "success_rate": 0.0, "last_execution": None}),
            Statistics("agents/c", {}),
        ]
    ).splitlines()
    assert [row.split() for row in rows] == [
        ["DOCUMENT", "RUNS", "SUCCESS", "LAST", "RUN"],
        ["agents/a", "4", "75", "%", f"{last.astimezone():%H:%M:%S}"],
        ["agents/b", "0", "-", "-"],
        ["agents/c", "-", "-", "-"],
    ]


def by_kind(objects: list[Manifest]) -> dict[str, Manifest]:
    found = {item["kind"]: item for item in objects}
    assert len(found) == len(objects)
    return found


def container(deployment: Manifest) -> dict[str, Any]:
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(found)


@pytest.mark.parametrize("command", ["run", "sync"])
def test_operator_and_sync_are_installed_alike(command: str) -> None:
    name, objects = {
        "run": (OPERATOR, manifests.operator(INSTALLATION)),
        "sync": (SYNC, manifests.sync(INSTALLATION)),
    }[command]
    found = by_kind(objects)
    assert {item["metadata"]["labels"]["app.kubernetes.io/instance"] for item in objects} == {"demo"}
    assert {item["metadata"]["labels"]["app.kubernetes.io/name"] for item in objects} == {name}
    deployment = found["Deployment"]
    pod = deployment["spec"]["template"]
    assert deployment["metadata"]["namespace"] == found["ServiceAccount"]["metadata"]["namespace"] == "operators"
    assert pod["spec"]["serviceAccountName"] == found["ServiceAccount"]["metadata"]["name"] == name
    assert deployment["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert container(deployment)["args"] == [command]
    assert container(deployment)["image"] == "operator:1"
    assert container(deployment)["securityContext"]["readOnlyRootFilesystem"] is True


def test_the_sync_has_rights_where_the_councilors_are_and_nowhere_else() -> None:
    found = by_kind(manifests.sync(INSTALLATION))
    assert found["Role"]["rules"] == SYNC_RULES
    assert found["Role"]["metadata"]["namespace"] == found["RoleBinding"]["metadata"]["namespace"] == "chamber"
    assert found["RoleBinding"]["roleRef"]["name"] == found["Role"]["metadata"]["name"]
    assert found["RoleBinding"]["subjects"] == [{"kind": "ServiceAccount", "name": SYNC, "namespace": "operators"}]


def test_the_sync_takes_its_settings_and_reads_the_address_from_its_secret() -> None:
    found = by_kind(manifests.sync(INSTALLATION))
    entries = {entry["name"]: entry for entry in container(found["Deployment"])["env"]}
    reference = entries.pop("MONGODB_URI")["valueFrom"]["secretKeyRef"]
    secret = found["Secret"]
    assert (secret["metadata"]["name"], secret["metadata"]["namespace"]) == (reference["name"], "operators")
    settings = {name: entry["value"] for name, entry in entries.items()}
    config = SyncConfig.from_environment({**settings, "MONGODB_URI": secret["stringData"][reference["key"]]})
    assert (config.namespace, config.health_port, config.metrics_port) == ("chamber", 8080, 9090)
    assert {name.removeprefix(PREFIX) for name in settings} == {"SYNC_NAMESPACE", "HEALTH_PORT", "METRICS_PORT"}


def test_the_operator_has_no_secret() -> None:
    found = by_kind(manifests.operator(INSTALLATION))
    assert "Secret" not in found
    assert "mongodb://" not in str(found)
    entries = {entry["name"]: entry["value"] for entry in container(found["Deployment"])["env"]}
    assert entries[f"{PREFIX}DEFAULT_CWD"] == "/srv"
