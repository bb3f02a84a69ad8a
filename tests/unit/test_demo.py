"""What the demo tells: pure functions, no cluster."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from councilor_operator.api.spec import CouncilorSpec
from councilor_operator.schedule import compile_schedule
from hack.demo import observation, presentation
from hack.demo.services import AGENTS
from tests.conductor.answers import read_scripts

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
