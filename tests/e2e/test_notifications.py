"""Notifications from a Pod: addresses from a real Secret, through the kubelet, to a real receiver."""

from __future__ import annotations

import json

from councilor_runner.contract import NOTIFICATIONS_PATH
from tests.conductor.answers import Answer
from tests.e2e.environment import Environment
from tests.e2e.workspace import Workspace, eventually
from tests.receivers import Webhook

SECRET = "councilor-notifications"
ADDRESSES = f"""
import json, pathlib
mounted = pathlib.Path("{NOTIFICATIONS_PATH}")
print(json.dumps({{file.name: file.read_text() for file in mounted.iterdir() if not file.name.startswith("..")}}))
"""


def failures(workspace: Workspace) -> list[str]:
    events = json.loads(workspace.kubectl("get", "events", "-o", "json"))["items"]
    return [event["message"] for event in events if event["reason"] == "NotificationFailed"]


def test_a_webhook_is_told_and_a_missing_key_is_reported(environment: Environment, workspace: Workspace) -> None:
    address = environment.mongod.bind_ip
    with Webhook(address=address) as webhook:
        url = f"json://{address}:{webhook.port}/ops"
        workspace.kubectl(
            "create", "secret", "generic", SECRET, f"--from-literal=ops={url}", "--from-literal=others=json://x"
        )
        agent = workspace.agent("Told", Answer(result="- [ ] Coverage fell to 64 %\n\nSEVERITY: warning", delay=10))
        workspace.create(
            "told", agent, title="Test coverage", notifications={"channels": ["ops", "panel", "not-there"]}
        )
        workspace.run_by_hand("told", "by-hand")
        pod = workspace.await_pod("by-hand", "Running")
        seen = workspace.kubectl("exec", pod["metadata"]["name"], "--", "python", "-c", ADDRESSES)
        run = workspace.await_runs("told", 1)["lastRun"]
    assert json.loads(seen) == {"ops": url}, "a Pod sees the keys that its Councilor names, and no others"
    assert [(entry["channel"], entry["delivered"]) for entry in run["notified"]] == [
        ("ops", True),
        ("panel", True),
        ("not-there", False),
    ]
    assert f"add the key not-there to the Secret {SECRET}" in run["notified"][2]["reason"]
    (message,) = webhook.received
    assert message.json["title"] == f"[WARNING] Test coverage ({workspace.namespace}/told)"
    assert "- [ ] Coverage fell to 64 %" in message.json["message"]
    eventually(lambda: failures(workspace) or None, "an event says so", state=lambda: workspace.status("told"))
    assert failures(workspace) == [
        f"1 notification of run {run['executionId']} not delivered: not-there: {run['notified'][2]['reason']}"
    ]


def test_a_secret_that_does_not_exist_keeps_no_run_from_starting(workspace: Workspace) -> None:
    agent = workspace.agent("Untold", Answer(result="SEVERITY: error"))
    workspace.create("untold", agent, notifications={"channels": ["email"]})
    workspace.run_by_hand("untold", "by-hand")
    run = workspace.await_runs("untold", 1)["lastRun"]
    assert (run["result"], run["recorded"]) == ("error", True)
    assert [(entry["channel"], entry["delivered"]) for entry in run["notified"]] == [("email", False)]
