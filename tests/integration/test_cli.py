"""The command line against a real API server and the real operator; Pods end as a kubelet would let them.

What a run's log looks like needs a kubelet: tests/e2e/test_cli.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from councilor_operator.constants import ANNOTATION_RUN_NOW, LABEL_SOURCE, SOURCE_MONGODB
from councilor_runner.contract import Reason
from tests.controlplane import pods
from tests.controlplane.account import Account
from tests.controlplane.api import COUNCILORS, JOBS, Api, Object, eventually
from tests.controlplane.councilor import Councilor, limit_to_none, new_councilor
from tests.controlplane.process import OperatorProcess

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(kubeconfig: Path) -> dict[str, str]:
    return {**os.environ, "KUBECONFIG": str(kubeconfig), "NO_COLOR": "1", "COLUMNS": "120", "TERM": "dumb"}


@pytest.fixture
def councilor_command(kubeconfig: Path, namespace: str) -> Command:
    """Runs `councilor` in the test's namespace."""

    def call(*arguments: str, code: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
        command, *rest = arguments
        done = subprocess.run(
            [sys.executable, "-m", "councilor_cli", command, "-n", namespace, *rest],
            env={**environment(kubeconfig), **more},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, done
        return done

    return call


@contextmanager
def started(kubeconfig: Path, namespace: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Runs it beside the test."""
    command, *rest = arguments
    with subprocess.Popen(
        [sys.executable, "-m", "councilor_cli", command, "-n", namespace, *rest],
        env=environment(kubeconfig),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts the tests in the background has them ignore SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def the_job(api: Api, namespace: str) -> Object:
    return eventually(lambda: next(iter(api.list(JOBS, namespace)), None), "a Job was made")


RESULTS: dict[str, tuple[dict[str, Any], int]] = {
    "success": ({"severity": "success"}, 0),
    "warning": ({"severity": "warning"}, 10),
    "error": ({"severity": "error"}, 11),
    "failed": ({"status": "error", "severity": "error", "reason": Reason.AGENT_FAILED, "exit_code": 10}, 12),
    "skipped": ({"status": "skipped", "severity": None, "reason": Reason.STARTED_TOO_LATE}, 13),
}


@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.usefixtures("operator_process")
def test_the_exit_code_of_a_run_is_its_verdict(api: Api, kubeconfig: Path, namespace: str, result: str) -> None:
    report, code = RESULTS[result]
    councilor = Councilor.create(api, namespace, "licences")
    with started(kubeconfig, namespace, "run", "licences", "--no-logs") as process:
        job = the_job(api, namespace)
        pods.start(api, job)
        pods.finish(api, job, pods.report_of(job, councilor.get(), **report))
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (code, "")
    assert output.startswith(f"{result}, ")
    assert job["metadata"]["name"] in output


@pytest.mark.usefixtures("operator_process")
def test_a_run_as_a_document(api: Api, kubeconfig: Path, namespace: str) -> None:
    councilor = Councilor.create(api, namespace, "licences")
    with started(kubeconfig, namespace, "run", "licences", "-o", "json") as process:
        job = the_job(api, namespace)
        pods.start(api, job)
        pods.finish(api, job, pods.report_of(job, councilor.get(), severity="warning"))
        output, _ = process.communicate(timeout=60)
    assert json.loads(output)["jobName"] == job["metadata"]["name"]
    assert process.returncode == 10


@pytest.mark.usefixtures("operator_process")
def test_a_run_that_is_refused(api: Api, namespace: str, councilor_command: Command) -> None:
    Councilor.create(api, namespace, "licences")
    started_one = councilor_command("run", "licences", "--no-wait")
    assert "was started" in started_one.stderr
    refused = councilor_command("run", "licences", code=13)
    assert "refused: AlreadyRunning" in refused.stderr
    assert "still going on" in councilor_command("get", "licences").stdout or refused.stderr


@pytest.mark.usefixtures("operator_process")
def test_a_run_that_takes_longer_than_anybody_waits(api: Api, namespace: str, councilor_command: Command) -> None:
    Councilor.create(api, namespace, "licences")
    waited = councilor_command("run", "licences", "--no-logs", "--timeout", "1", code=14)
    assert "still going on after 1 s: Job licences-" in waited.stderr


@pytest.mark.usefixtures("operator_process")
def test_ctrl_c_leaves_the_run_alone(api: Api, kubeconfig: Path, namespace: str) -> None:
    Councilor.create(api, namespace, "licences")
    with started(kubeconfig, namespace, "run", "licences", "--no-logs") as process:
        the_job(api, namespace)
        eventually(
            lambda: (api.get(COUNCILORS, namespace, "licences") or {})["status"].get("lastRunNow"), "it was answered"
        )
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert api.list(JOBS, namespace)


@pytest.mark.usefixtures("operator_process")
def test_what_is_listed(api: Api, namespace: str, councilor_command: Command) -> None:
    assert f"no Councilors in namespace {namespace}" in councilor_command("list").stderr
    Councilor.create(api, namespace, "licences")
    paused = Councilor.create(api, namespace, "paused", schedule={"type": "cron", "value": "@yearly", "enabled": False})
    paused.wait_for_phase("Paused")
    lines = councilor_command("list").stdout.splitlines()
    assert lines[0].split() == ["NAME", "AGENT", "SCHEDULE", "PHASE", "LAST", "RUN", "RESULT", "NEXT", "RUN", "SUCCESS"]
    assert [line.split()[0] for line in lines[1:]] == ["licences", "paused"]
    assert "Paused" in lines[2]
    assert lines == [line.rstrip() for line in lines]
    wide = councilor_command("list", "-o", "wide").stdout
    assert "ZONE" in wide
    assert "UTC" in wide
    everywhere = councilor_command("list", "-A").stdout
    assert everywhere.startswith("NAMESPACE")
    assert namespace in everywhere
    assert {item["metadata"]["name"] for item in json.loads(councilor_command("ls", "-o", "json").stdout)["items"]} == {
        "licences",
        "paused",
    }
    assert yaml.safe_load(councilor_command("get", "paused", "-o", "yaml").stdout)["kind"] == "Councilor"
    page = councilor_command("get", "licences").stdout
    assert "Next runs:" in page
    assert "Ready=True" in page


@pytest.mark.usefixtures("operator_process")
def test_pause_and_resume(api: Api, namespace: str, councilor_command: Command) -> None:
    councilor = Councilor.create(api, namespace, "licences")
    Councilor.create(api, namespace, "links")
    assert councilor_command("pause", "licences", "links").stderr == "licences paused\nlinks paused\n"
    councilor.wait_for_phase("Paused")
    assert councilor_command("pause", "licences").stderr == "licences was paused already\n"
    assert councilor_command("resume", "licences").stderr == "licences resumed\n"
    councilor.wait_for_phase("Scheduled")
    half = councilor_command("resume", "nobody", "links", code=1)
    assert "error: there is no Councilor 'nobody'" in half.stderr
    assert "links resumed" in half.stderr


@pytest.mark.usefixtures("operator_process")
def test_what_the_sync_made_is_left_to_it(api: Api, namespace: str, councilor_command: Command) -> None:
    body = new_councilor("licences")
    body["metadata"]["labels"] = {LABEL_SOURCE: SOURCE_MONGODB}
    api.create(COUNCILORS, namespace, body)
    refused = councilor_command("pause", "licences", code=1)
    assert "do it in Conductor" in refused.stderr
    assert councilor_command("pause", "licences", "--force").stderr == "licences paused\n"


@pytest.mark.usefixtures("operator_process")
def test_suspended_by_failures_and_resumed(
    api: Api, control_plane: Any, namespace: str, councilor_command: Command
) -> None:
    councilor = Councilor.create(api, namespace, "licences", suspendAfterFailures=1)
    failed: Any = {"status": "error", "severity": "error", "reason": Reason.AGENT_FAILED, "exit_code": 10}
    councilor.run_to_end(control_plane, "by-hand", **failed)
    councilor.wait_for_phase("Suspended")
    assert "failed" in councilor_command("history", "licences").stdout
    assert json.loads(councilor_command("history", "licences", "-o", "json").stdout)[0]["jobName"] == "by-hand"
    assert councilor_command("resume", "licences").stderr == "licences resumed, after its failures\n"
    councilor.wait_for_phase("Scheduled")


@pytest.mark.usefixtures("operator_process")
def test_names_that_were_nearly_right(api: Api, namespace: str, councilor_command: Command) -> None:
    Councilor.create(api, namespace, "coverage-review")
    for command in ("get", "run", "history", "logs"):
        told = councilor_command(command, "coverage-revew", code=1).stderr
        assert told.startswith(
            f"error: there is no Councilor 'coverage-revew' in namespace {namespace}; did you mean "
        ), told
        assert "coverage-review" in told
    assert "has not run yet" in councilor_command("logs", "coverage-review", code=1).stderr


def test_without_a_cluster(tmp_path: Path, councilor_command: Command) -> None:
    nowhere = councilor_command("list", code=1, KUBECONFIG=str(tmp_path / "none"))
    assert nowhere.stderr.startswith("error: no way to a cluster: ")
    closed = tmp_path / "closed"
    cluster = {"server": "http://127.0.0.1:1"}
    closed.write_text(
        yaml.safe_dump(
            {
                "clusters": [{"name": "c", "cluster": cluster}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "users": [{"name": "u", "user": {}}],
                "current-context": "c",
            }
        )
    )
    assert "the API server cannot be reached" in councilor_command("list", code=1, KUBECONFIG=str(closed)).stderr
    unknown = councilor_command("list", "--context", "nobody", code=1, KUBECONFIG=str(closed))
    assert "with a context 'nobody'" in unknown.stderr


def test_without_the_right(operator_account: Account, councilor_command: Command) -> None:
    refused = councilor_command("logs", "any", "--job", "any", code=1, KUBECONFIG=str(operator_account.kubeconfig))
    assert "has no Pod any more" in refused.stderr  # it may list Pods
    denied = councilor_command("pause", "any", code=1, KUBECONFIG=str(operator_account.kubeconfig))
    assert "there is no Councilor" in denied.stderr


def test_without_the_operator(
    api: Api, namespace: str, shared_operator: OperatorProcess, councilor_command: Command
) -> None:
    shared_operator.stop()
    api.create(COUNCILORS, namespace, new_councilor("licences"))
    page = councilor_command("get", "licences").stdout
    assert "the operator has not seen it yet" in page
    assert "Unknown" in councilor_command("list").stdout


def test_completion_of_names(api: Api, kubeconfig: Path, namespace: str) -> None:
    api.create(COUNCILORS, namespace, new_councilor("licences"))
    api.create(COUNCILORS, namespace, new_councilor("links"))
    words = f"councilor get -n {namespace} lin"
    done = subprocess.run(
        [sys.executable, "-c", "from councilor_cli.__main__ import main; main()"],
        env={
            **environment(kubeconfig),
            "_COUNCILOR_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": "4",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["links"], done


@pytest.mark.usefixtures("operator_process")
def test_a_run_that_may_not_be_made(api: Api, namespace: str, councilor_command: Command) -> None:
    Councilor.create(api, namespace, "licences")
    limit_to_none(api, namespace, "count/jobs.batch")
    refused = councilor_command("run", "licences", code=13)
    assert "refused: " in refused.stderr
    assert ANNOTATION_RUN_NOW not in refused.stderr
