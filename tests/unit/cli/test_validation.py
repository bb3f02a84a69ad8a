"""Councilors in files: what is wrong with them, and where."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from councilor_cli.manifest import manifest
from councilor_cli.validation import Severity, check, schedules

ROOT = Path(__file__).parents[3]
GOOD = """\
apiVersion: councilors.conductor.community/v1alpha1
kind: Councilor
metadata:
  name: coverage-review
spec:
  agentId: CoverageReviewer_Agent
  schedule:
    type: cron
    value: 0 9 * * *
  task:
    prompt: Is test coverage falling?
  execution:
    cwd: /srv/project
"""


def told(text: str) -> list[str]:
    return [
        f"{item.place.line}:{item.place.column} {item.severity} {item.message.split(':')[0]}"
        for item in check(text).findings
    ]


def test_nothing_wrong() -> None:
    assert (told(GOOD), check(GOOD).councilors) == ([], 1)


@pytest.mark.parametrize("file", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda file: file.name)
def test_the_examples_are_right(file: Path) -> None:
    assert [item for item in check(file.read_text()).findings if item.severity is Severity.ERROR] == []


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("v1alpha1", "v1", ["1:1 error apiVersion"]),
        ("apiVersion: councilors.conductor.community/v1alpha1\n", "", ["1:1 error apiVersion"]),
        ("kind: Councilor\n", "", ["1:1 error kind"]),
        ("  name: coverage-review", "  labels: {}", ["3:1 error metadata.name"]),
        ("coverage-review", "Coverage", ["4:3 error metadata.name"]),
        ("coverage-review", "-a", ["4:3 error metadata.name"]),
        ("coverage-review", "a..b", ["4:3 error metadata.name"]),
        ("coverage-review", "a" * 254, ["4:3 error metadata.name"]),
        ("coverage-review", "007", ["4:3 error metadata.name"]),
        ("  name: coverage-review", "  generateName: coverage-", []),
        ("spec:", "Spec:", ["1:1 error spec", '5:1 error "Spec"']),
        ("  agentId: CoverageReviewer_Agent\n", "", ["5:1 error spec.agentId"]),
        ("agentId: CoverageReviewer_Agent", "agentId: a/b", ["6:3 error spec.agentId"]),
        ("agentId: CoverageReviewer_Agent", "agentId: 7", ["6:3 error spec.agentId"]),
        ("agentId:", "agentID:", ["5:1 error spec.agentId", "6:3 error spec.agentID"]),
        ("type: cron", "type: Cron", ["8:5 error spec.schedule.type"]),
        ("0 9 * * *", "45m", ["9:5 error spec.schedule.value"]),
        ("0 9 * * *", "61 9 * * *", ["9:5 error spec.schedule.value"]),
        ("0 9 * * *", "0 9 31 2 *", ["9:5 error spec.schedule.value"]),
        ("0 9 * * *", "0 9 1 * MON", ["9:5 warning spec.schedule.value"]),
        ("0 9 * * *", "2026-11-24", ["9:5 error spec.schedule.value"]),
        ("value: 0 9 * * *", "value: 0 9 * * *\n    timeZone: Sao_Paulo", ["10:5 error spec.schedule.timeZone"]),
        ("value: 0 9 * * *", "value: 0 9 * * *\n    enabled: 'yes'", ["10:5 error spec.schedule.enabled"]),
        ("prompt: Is test coverage falling?", "prompt: ' '", ["10:3 error spec.task"]),
        ("prompt: Is test coverage falling?", "name: x", ["10:3 error spec.task"]),
        ("cwd: /srv/project", "timeoutSeconds: 300", ["12:3 warning spec.execution.cwd"]),
        ("cwd: /srv/project", "cwd: /srv/project\n    timeoutSeconds: 0", ["14:5 error spec.execution.timeoutSeconds"]),
        ("cwd: /srv/project", "cwd: /srv/project\n    cwd: /srv", ["14:5 error spec.execution.cwd"]),
        ("kind: Councilor", "kind: CronJob", []),
        ("kind: Councilor", "kind: *there", ["2:7 error no YAML"]),
    ],
)
def test_what_is_wrong(old: str, new: str, found: list[str]) -> None:
    assert old in GOOD
    result = told(GOOD.replace(old, new, 1))
    assert result == found


def test_a_channel_is_named_by_its_place_in_the_list() -> None:
    (finding,) = check(GOOD + "  notifications:\n    channels: [panel, 'a b']\n").findings
    assert (finding.place.line, finding.place.column) == (15, 23)
    assert finding.message.startswith("spec.notifications.channels[1]: ")


def test_what_comes_before_the_end_of_yaml_is_checked() -> None:
    found = check(GOOD.replace("type: cron", "type: Cron") + "---\nkind: [\n").findings
    assert [item.message.split(":")[0] for item in found] == ["spec.schedule.type", "no YAML"]


@pytest.mark.parametrize("text", ["", "---\n---\n", "# nothing\n"])
def test_nothing_at_all(text: str) -> None:
    assert told(text) == ["1:1 error there is nothing in it"]


@pytest.mark.parametrize("text", ["7", "- a", "text"])
def test_no_object(text: str) -> None:
    assert told(text) == ["1:1 error no object"]


def test_a_list_and_several_documents() -> None:
    items = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [yaml.safe_load(GOOD)] * 2})
    checked = check(f"{items}---\n{GOOD}---\nkind: ConfigMap\n")
    assert (checked.findings, checked.councilors, checked.others) == ((), 3, 1)


def test_values_are_not_repeated() -> None:
    secret = "hunter2" * 3
    text = GOOD.replace("/srv/project", f"/srv\n    {secret[:7]}: {secret}\n    retries: {secret}")
    assert all(secret not in item.message for item in check(text).findings)


@given(st.text(max_size=200))
def test_any_text_is_answered(text: str) -> None:
    check(text)


@given(prompt=st.text(min_size=1, max_size=200), cwd=st.text(min_size=1, max_size=100))
def test_a_new_councilor_says_what_was_asked_for(prompt: str, cwd: str) -> None:
    text = manifest(
        name="a-b", agent="A_Agent", type="cron", value="0 9 * * *", zone="Europe/Berlin", prompt=prompt, cwd=cwd
    )
    found = yaml.safe_load(text)["spec"]
    assert (found["task"]["prompt"], found["execution"]["cwd"]) == (prompt, cwd)
    assert "no YAML" not in " ".join(item.message for item in check(text).findings)


def test_schedules_of_a_file() -> None:
    ((name, compiled),) = schedules(GOOD)
    assert (name, compiled.cron_expression) == ("coverage-review", "0 9 * * *")
