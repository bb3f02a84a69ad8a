"""`councilor-operator verify` on a real API server with the real operator; `pods` plays the kubelet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from councilor_operator.rights import VERIFY_RULES
from councilor_operator.verify.trial import APP, UNKNOWN_AGENT
from councilor_runner.contract import Reason
from tests.controlplane import pods
from tests.controlplane.account import Account, allowed, make_account, make_verify_account, rights, used
from tests.controlplane.api import COUNCILORS, CRON_JOBS, JOBS, Api, Object, eventually
from tests.controlplane.councilor import limit_to_none
from tests.controlplane.launcher import ControlPlane
from tests.controlplane.process import OperatorProcess

UNKNOWN: dict[str, Any] = {
    "status": "error",
    "severity": "error",
    "reason": Reason.AGENT_UNKNOWN,
    "exit_code": 78,
    "message": "Conductor does not know this agent",
}
AWAY: dict[str, Any] = {
    "status": "error",
    "severity": "error",
    "reason": Reason.CONDUCTOR_UNREACHABLE,
    "exit_code": 10,
    "message": "Conductor gave no answer",
}


class Verification:
    """The command as a process, with the rights of an installation."""

    def __init__(self, api: Api, account: Account, process: subprocess.Popen[str]) -> None:
        self.api, self.account, self.process = api, account, process

    def councilors(self) -> list[Object]:
        return self.api.list(COUNCILORS, self.account.namespace)

    def job(self) -> Object:
        """Wait for the run's Job."""
        found = eventually(lambda: self.api.list(JOBS, self.account.namespace), "the run has a Job")
        return found[0]

    def answer(self, **report: Any) -> tuple[int, str]:
        """Let the run end with this report; exit code and output."""
        job = self.job()
        (councilor,) = self.councilors()
        pods.start(self.api, job)
        pods.finish(self.api, job, pods.report_of(job, councilor, **report))
        return self.end()

    def end(self) -> tuple[int, str]:
        output, complaint = self.process.communicate(timeout=60)
        assert complaint == "" or self.process.returncode == 78, complaint
        assert self.account.token not in output
        return self.process.returncode, output


@pytest.fixture
def account(api: Api, kubeconfig: Path, namespace: str, tmp_path: Path) -> Account:
    return make_verify_account(api, kubeconfig, tmp_path, namespace)


@contextmanager
def verification(api: Api, account: Account, **settings: str) -> Iterator[Verification]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COUNCILOR_")}
    own = {f"COUNCILOR_VERIFY_{name.upper()}": value for name, value in settings.items()}
    with subprocess.Popen(
        [sys.executable, "-m", "councilor_operator", "verify"],
        env={
            **environment,
            "KUBECONFIG": str(account.kubeconfig),
            "COUNCILOR_VERIFY_NAMESPACE": account.namespace,
            **own,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Verification(api, account, process)
        finally:
            process.kill()


def await_nothing_left(api: Api, namespace: str) -> None:
    """The Councilor at once, what it owns when the garbage collector has seen it."""
    assert api.list(COUNCILORS, namespace) == []
    for kind in (CRON_JOBS, JOBS):
        api.wait_for_none(kind, namespace)


@pytest.mark.usefixtures("operator_process")
def test_an_installation_that_works(control_plane: ControlPlane, api: Api, account: Account) -> None:
    mark = control_plane.audit_mark()
    with verification(api, account) as check:
        job = check.job()
        (councilor,) = check.councilors()
        code, output = check.answer(**UNKNOWN)
    assert (code, output.count("FAIL")) == (0, 0), output
    assert [line.split()[0] for line in output.splitlines()] == ["ok"] * 8
    assert job["metadata"]["name"] in output
    assert councilor["spec"]["agentId"] == UNKNOWN_AGENT
    assert councilor["metadata"]["labels"] == {"app.kubernetes.io/name": APP}
    await_nothing_left(api, account.namespace)

    requests = list(control_plane.requests_of(account.user, since=mark))
    assert used(requests) == rights(VERIFY_RULES)
    assert {entry["responseStatus"]["code"] for entry in requests} <= {200, 201}
    assert allowed(api, account.user, account.namespace) == rights(VERIFY_RULES)


@pytest.mark.usefixtures("operator_process")
def test_an_agent_of_ones_own_has_to_complete(api: Api, account: Account) -> None:
    with verification(api, account, agent_id="Reviewer_Agent", cwd="/srv/other") as check:
        check.job()
        (councilor,) = check.councilors()
        code, output = check.answer(severity="warning")
    assert (code, "verdict warning" in output) == (0, True), output
    assert (councilor["spec"]["agentId"], councilor["spec"]["execution"]["cwd"]) == ("Reviewer_Agent", "/srv/other")

    with verification(api, account, agent_id="Reviewer_Agent") as check:
        code, output = check.answer(**UNKNOWN)
    assert (code, "COUNCILOR_VERIFY_AGENT_ID" in output) == (1, True), output
    await_nothing_left(api, account.namespace)


@pytest.mark.usefixtures("operator_process")
def test_a_run_that_fails_says_what_to_do(api: Api, account: Account) -> None:
    with verification(api, account) as check:
        code, output = check.answer(**AWAY)
    assert code == 1
    assert "FAIL  the run ended with ConductorUnreachable: Conductor gave no answer" in output
    assert "what to do: set COUNCILOR_CONDUCTOR_URL" in output
    await_nothing_left(api, account.namespace)


@pytest.mark.usefixtures("operator_process")
def test_a_pod_that_does_not_start_is_told_after_the_time_limit(api: Api, account: Account) -> None:
    with verification(api, account, timeout_seconds="10") as check:
        pods.wait_for_image(api, check.job())
        code, output = check.end()
    assert (code, "not within 10 s" in output, "ImagePullBackOff" in output) == (1, True, True), output
    await_nothing_left(api, account.namespace)


@pytest.mark.usefixtures("operator_process")
def test_a_namespace_without_room_says_so(api: Api, account: Account) -> None:
    limit_to_none(api, account.namespace, "count/cronjobs.batch")
    with verification(api, account) as check:
        code, output = check.end()
    assert (code, "the operator refuses the Councilor (CronJobRefused)" in output) == (1, True), output
    await_nothing_left(api, account.namespace)


@pytest.mark.usefixtures("operator_process")
def test_a_check_that_is_stopped_leaves_nothing_behind(api: Api, account: Account) -> None:
    with verification(api, account) as check:
        check.job()
        check.process.send_signal(signal.SIGTERM)
        code, output = check.end()
    assert (code, "FAIL  interrupted" in output) == (1, True), output
    await_nothing_left(api, account.namespace)


def test_no_operator_is_told_after_the_time_limit(api: Api, account: Account, shared_operator: OperatorProcess) -> None:
    shared_operator.stop()
    with verification(api, account, timeout_seconds="10") as check:
        code, output = check.end()
    assert code == 1
    assert "not within 10 s: the operator has not looked at the Councilor" in output
    assert account.namespace in output.splitlines()[2]
    assert api.list(COUNCILORS, account.namespace) == []


def test_an_account_without_rights_and_a_namespace_that_is_not_there(
    api: Api, account: Account, kubeconfig: Path, tmp_path: Path
) -> None:
    elsewhere = make_account(api, kubeconfig, tmp_path, api.make_namespace(f"{account.namespace}-other"))
    with verification(api, elsewhere) as check:
        code, output = check.end()
    assert (code, "VERIFY_RULES" in output) == (1, True), output

    administrator = Account("not-there", "administrator", kubeconfig)
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "COUNCILOR_VERIFY_NAMESPACE": administrator.namespace}
    found = subprocess.run(
        [sys.executable, "-m", "councilor_operator", "verify"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (found.returncode, "COUNCILOR_VERIFY_NAMESPACE" in found.stdout) == (1, True), found.stdout


def test_a_setting_that_is_missing(api: Api, account: Account) -> None:
    with verification(api, account, namespace="") as check:
        code, output = check.end()
    assert (code, output) == (78, "")
