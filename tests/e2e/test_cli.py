"""`councilor run` and `councilor logs` with a real kubelet: the log as it comes, the verdict, the exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.conductor.answers import Answer
from tests.e2e.workspace import Workspace


def councilor(workspace: Workspace, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in the namespace of the test."""
    environment = {**os.environ, "KUBECONFIG": workspace.environment.cluster.kubeconfig()}
    line = [sys.executable, "-m", "councilor_cli", *words, "-n", workspace.namespace]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize(
    ("answer", "code", "word"),
    [
        (Answer(result="All is well.\n\nSEVERITY: success", delay=2), 0, "success"),
        (Answer(result="- [ ] Coverage fell to 64 %\n\nSEVERITY: warning", delay=2), 10, "warning"),
        (Answer(result="no such directory", exit_code=1, delay=2), 12, "failed"),
    ],
    ids=["success", "warning", "failed"],
)
def test_a_run_is_followed_to_its_verdict(workspace: Workspace, answer: Answer, code: int, word: str) -> None:
    agent = workspace.agent("Followed", answer)
    workspace.create("followed", agent, title="Test coverage")
    workspace.await_condition("followed", "Ready", "True")
    done = councilor(workspace, "run", "followed")
    assert done.returncode == code, done
    assert done.stdout.startswith(f"{word}: Test coverage ({workspace.namespace}/followed), took ")
    run = workspace.status("followed")["lastRun"]
    assert run["executionId"] in done.stdout
    first, *lines = done.stderr.splitlines()
    assert first == f"Job {run['jobName']} started"
    assert lines, "the log came along"

    said = councilor(workspace, "logs", "followed")
    assert said.returncode == 0, said
    assert said.stdout.splitlines() == lines
    raw = councilor(workspace, "logs", "followed", "--raw", "--job", run["jobName"])
    assert all(json.loads(line)["job"] == run["jobName"] for line in raw.stdout.splitlines())


def test_the_log_of_a_run_that_goes_on(workspace: Workspace) -> None:
    agent = workspace.agent("Slow", Answer(result="SEVERITY: success", delay=8))
    workspace.create("slow", agent)
    workspace.await_condition("slow", "Ready", "True")
    started = councilor(workspace, "run", "slow", "--no-wait", "-o", "json")
    job = json.loads(started.stdout)["jobName"]
    workspace.await_pod(job, "Running")
    followed = councilor(workspace, "logs", "slow", "--follow")
    assert followed.returncode == 0, followed
    assert workspace.await_runs("slow", 1)["lastRun"]["jobName"] == job
    assert followed.stdout == councilor(workspace, "logs", "slow").stdout

    workspace.kubectl("delete", "job", job)
    gone = councilor(workspace, "logs", "slow")
    assert gone.returncode == 1
    assert f"there is no Job {job}, or not any more" in gone.stderr
