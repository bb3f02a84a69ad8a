"""What the demo tells: pure functions, no cluster."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.schedule import compile_schedule
from councilor_operator.sync.candidate import SourceDocument
from councilor_operator.sync.translation import TranslationRules, translate
from hack.demo import manifests, observation, presentation, promotion
from hack.demo.installation import CHART
from hack.demo.manifests import LABEL_INSTANCE, Installation, Scope
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
    default_cwd="/srv",
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


@pytest.mark.parametrize(
    ("reference", "repository", "tag", "digest"),
    [
        ("councilor-operator:1", "councilor-operator", "1", ""),
        ("councilor-operator", "councilor-operator", "latest", ""),
        ("registry.example/team/operator:1.2-x", "registry.example/team/operator", "1.2-x", ""),
        ("registry.example:5000/operator:1", "registry.example:5000/operator", "1", ""),
        ("registry.example:5000/operator", "registry.example:5000/operator", "latest", ""),
        ("registry.example/operator@sha256:ab", "registry.example/operator", "", "sha256:ab"),
        ("registry.example:5000/operator:1@sha256:ab", "registry.example:5000/operator", "1", "sha256:ab"),
    ],
)
def test_the_values_of_an_image(reference: str, repository: str, tag: str, digest: str) -> None:
    assert manifests.image(reference) == {"repository": repository, "tag": tag, "digest": digest}


def leaves(values: dict[str, Any], *above: str) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        yield from leaves(value, *above, key) if isinstance(value, dict) else [(*above, key)]


def test_the_chart_knows_every_value() -> None:
    known = set(leaves(yaml.safe_load((CHART / "values.yaml").read_text())))
    given = set(leaves(manifests.values(INSTALLATION)))
    assert given
    assert given <= known


def test_the_values_hold_no_secret_and_name_those_that_are_made() -> None:
    values = manifests.values(INSTALLATION)
    assert "mongodb://" not in str(values)
    made = {(item["metadata"]["name"], item["metadata"]["namespace"]) for item in manifests.secrets(INSTALLATION)}
    runner, sync = values["runner"]["secretName"], values["sync"]["mongodb"]["secretName"]
    assert made == {(runner, "chamber"), (sync, "operators")}
    assert {item["stringData"][values["sync"]["mongodb"]["secretKey"]] for item in manifests.secrets(INSTALLATION)} == {
        "mongodb://mongo:27017/"
    }


def test_all_that_is_made_beside_the_chart_says_whose_it_is() -> None:
    objects = [*manifests.namespaces(SCOPE), *manifests.secrets(INSTALLATION)]
    assert {item["metadata"]["labels"][LABEL_INSTANCE] for item in objects} == {"demo"}
