"""`councilor validate` and `new` against the API server's own answer."""

import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.controlplane.launcher import ControlPlane

GOOD: dict[str, Any] = {
    "apiVersion": "councilors.conductor.community/v1alpha1",
    "kind": "Councilor",
    "metadata": {"name": "coverage-review"},
    "spec": {
        "agentId": "A_Agent",
        "schedule": {"type": "cron", "value": "0 9 * * *"},
        "task": {"prompt": "Is test coverage falling?"},
        "execution": {"cwd": "/srv/project"},
    },
}
CASES: dict[str, tuple[tuple[str, ...], Any]] = {
    "good": (("spec", "title"), "Coverage"),
    "interval": (("spec", "schedule"), {"type": "interval", "value": "45m"}),
    "interval of seconds": (("spec", "schedule"), {"type": "interval", "value": "45s"}),
    "cron that is an interval": (("spec", "schedule"), {"type": "cron", "value": "45m"}),
    "unknown type": (("spec", "schedule", "type"), "weekly"),
    "unknown field": (("spec", "schedul"), {}),
    "unknown field deep": (("spec", "execution", "timeout"), 3),
    "no agent": (("spec", "agentId"), ""),
    "agent with a slash": (("spec", "agentId"), "a/b"),
    "number for a text": (("spec", "agentId"), 7),
    "text for a number": (("spec", "execution", "timeoutSeconds"), "300"),
    "fraction": (("spec", "execution", "timeoutSeconds"), 1.5),
    "too little": (("spec", "execution", "timeoutSeconds"), 0),
    "too much": (("spec", "suspendAfterFailures"), 1001),
    "blank prompt": (("spec", "task"), {"prompt": " \n"}),
    "both prompts": (("spec", "task", "promptFrom"), {"configMapKeyRef": {"name": "a", "key": "b"}}),
    "prompt from": (("spec", "task"), {"promptFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}),
    "no prompt": (("spec", "task"), {}),
    "channel": (("spec", "notifications"), {"channels": ["panel", "ops-slack"]}),
    "channel with a space": (("spec", "notifications"), {"channels": ["ops slack"]}),
    "colour": (("spec", "color"), "#00ff00"),
    "no colour": (("spec", "color"), "green"),
    "name in capitals": (("metadata", "name"), "Coverage"),
    "name too long": (("metadata", "name"), "a" * 254),
    "name with dots": (("metadata", "name"), "a.b"),
    "resources": (("spec", "runner"), {"resources": {"limits": {"memory": "64Mi"}}}),
    "no quantity": (("spec", "runner"), {"resources": {"limits": {"memory": "lots"}}}),
    "a list for an object": (("spec", "task"), []),
}


SCALARS = (
    *("n", "Y", "yes", "Off", "true", "nope", "True story", "null", "~", "Nil", "''"),
    *(
        "7",
        "1e3",
        "1E-3",
        "-.5e3",
        "1.",
        ".5",
        "+1",
        "014",
        "08",
        "0o14",
        "0x1F",
        "0b11",
        "1_000",
        ".inf",
        "-.Inf",
        ".nan",
    ),
    *(
        "12:30",
        "12:30:45",
        "2026-01-01",
        "2026-01-01T10:00:00Z",
        "=",
        "1.2.3",
        "1e",
        "e3",
        "0x",
        "0b2",
        "1 000",
        "-",
        ".",
    ),
)
"""Written without quotes where a text is wanted: some are read as something else."""


def validate(text: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "councilor_cli", "validate", "-"]
    return subprocess.run(line, input=text, capture_output=True, text=True, check=False, timeout=60)


def dry_run(control_plane: ControlPlane, namespace: str, text: str) -> subprocess.CompletedProcess[str]:
    words = ("apply", "--dry-run=server", "--validate=strict", "-n", namespace, "-f", "-")
    return control_plane.kubectl(*words, stdin=text, check=False)


@pytest.mark.parametrize("name", CASES)
def test_it_refuses_what_the_api_server_refuses(control_plane: ControlPlane, namespace: str, name: str) -> None:
    path, value = CASES[name]
    body = yaml.safe_load(yaml.safe_dump(GOOD))
    inner = body
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    text = yaml.safe_dump(body)
    server, ours = dry_run(control_plane, namespace, text), validate(text)
    assert (ours.returncode != 0) == (server.returncode != 0), f"{ours.stdout}{ours.stderr}{server.stderr}"


def test_a_new_councilor_is_taken(control_plane: ControlPlane, namespace: str) -> None:
    line = [sys.executable, "-m", "councilor_cli", "new", "coverage-review", "--agent", "A_Agent"]
    text = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60).stdout
    assert validate(text).stderr == "1 Councilor: 0 errors, 0 warnings\n"
    taken = dry_run(control_plane, namespace, text)
    assert taken.returncode == 0, taken.stderr


@pytest.mark.parametrize("scalar", SCALARS)
def test_what_is_no_text_for_kubectl_is_none_here(control_plane: ControlPlane, namespace: str, scalar: str) -> None:
    text = yaml.safe_dump(GOOD).replace("Is test coverage falling?", scalar)
    server, ours = dry_run(control_plane, namespace, text), validate(text)
    assert (ours.returncode != 0) == (server.returncode != 0), f"{ours.stdout}{ours.stderr}{server.stderr}"
