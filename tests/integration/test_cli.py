"""The command line against a real API server and the real operator; what a kubelet would do is played."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from councilor_runner.contract import Reason
from tests.controlplane import pods
from tests.controlplane.account import make_sync_account
from tests.controlplane.api import COUNCILORS, JOBS, Api, Object, eventually
from tests.controlplane.cli import CommandLine, Started
from tests.controlplane.councilor import Councilor, new_councilor
from tests.controlplane.fixtures import running_plane
from tests.controlplane.launcher import ControlPlane
from tests.controlplane.process import OperatorProcess

Golden = Callable[[str, str], None]


@pytest.fixture
def cli(kubeconfig: Path, namespace: str, tmp_path: Path) -> CommandLine:
    return CommandLine(kubeconfig, namespace, tmp_path)


def job_of(api: Api, command: Started, namespace: str) -> Object:
    """Wait until a command tells which Job it follows; the Job."""
    command.wait_for_err("started\n")
    found = re.search(r"Job (\S+) started", command.err)
    assert found is not None
    job = api.get(JOBS, namespace, found[1])
    assert job is not None
    return job


# --- run --------------------------------------------------------------------------------------------------------------

FAILED: Object = {"status": "error", "severity": "error", "reason": Reason.AGENT_FAILED, "exit_code": 10}
SKIPPED: Object = {"status": "skipped", "severity": None, "reason": Reason.STARTED_TOO_LATE, "message": "too late"}


@pytest.mark.parametrize(
    ("report", "code", "word"),
    [
        ({"severity": "success"}, 0, "success"),
        ({"severity": "warning"}, 10, "warning"),
        ({"severity": "error"}, 11, "error"),
        ({**FAILED, "message": "the agent's command ended with exit code 1"}, 12, "failed"),
        (SKIPPED, 13, "skipped"),
    ],
    ids=["success", "warning", "error", "failed", "skipped"],
)
@pytest.mark.usefixtures("operator_process")
def test_the_exit_code_of_a_run_tells_its_verdict(
    api: Api, cli: CommandLine, namespace: str, report: Object, code: int, word: str
) -> None:
    councilor = Councilor.create(api, namespace, "coverage", title="Test [coverage]")
    with cli.started("run", "coverage") as command:
        job = job_of(api, command, namespace)
        pods.start(api, job)
        pods.finish(api, job, pods.report_of(job, councilor.get(), **report))
        printed = command.end()
    assert printed.code == code, printed
    first, *rest = printed.out.splitlines()
    assert re.fullmatch(rf"{word}: Test \[coverage\] \({namespace}/coverage\), took 2\.0 s, exec_\w+", first)
    assert "  2 findings" in rest
    message = report.get("message")
    assert message is None or f"{report['reason']}: {message}" in rest
    assert councilor.status["lastRun"]["trigger"] == "manual"
    # Without a retry: one token, one Job.
    assert len(councilor.jobs()) == 1


@pytest.mark.usefixtures("operator_process")
def test_a_run_as_a_document(api: Api, cli: CommandLine, namespace: str) -> None:
    councilor = Councilor.create(api, namespace, "coverage")
    with cli.started("run", "coverage", "--no-logs", "-o", "json") as command:
        job = job_of(api, command, namespace)
        pods.finish(api, job, pods.report_of(job, councilor.get(), severity="warning"))
        printed = command.end()
    assert (printed.code, json.loads(printed.out)) == (10, councilor.status["lastRun"])


@pytest.mark.usefixtures("operator_process")
def test_a_run_that_nobody_waits_for(api: Api, cli: CommandLine, namespace: str) -> None:
    councilor = Councilor.create(api, namespace, "coverage", schedule={**YEARLY, "enabled": False})
    printed = cli("run", "coverage", "--no-wait", "-o", "yaml")
    assert printed.code == 0
    (job,) = councilor.jobs()
    assert yaml.safe_load(printed.out) == {"jobName": job["metadata"]["name"]}

    # Under Forbid there is one at a time.
    refused = cli("run", "coverage")
    assert refused.code == 13
    assert refused.error.startswith(f"no run, AlreadyRunning: Job {job['metadata']['name']} is still going on")
    assert len(councilor.jobs()) == 1


@pytest.mark.usefixtures("operator_process")
def test_a_run_that_takes_too_long_or_is_left_goes_on(api: Api, cli: CommandLine, namespace: str) -> None:
    councilor = Councilor.create(api, namespace, "coverage", concurrencyPolicy="Allow")
    printed = cli("run", "coverage", "--timeout", "2")
    assert printed.code == 14
    assert printed.error.startswith("no result within --timeout; the run goes on")
    with cli.started("run", "coverage") as command:
        job_of(api, command, namespace)
        command.interrupt()
        left = command.end()
    assert left.code == 130
    assert left.error.startswith("interrupted: the run goes on, see `councilor logs")
    assert len(councilor.status["active"]) == 2


@pytest.mark.usefixtures("operator_process")
def test_a_run_whose_image_is_missing_says_so_while_it_waits(api: Api, cli: CommandLine, namespace: str) -> None:
    councilor = Councilor.create(api, namespace, "coverage")
    with cli.started("run", "coverage") as command:
        job = job_of(api, command, namespace)
        pods.wait_for_image(api, job)
        command.wait_for_err(f"Job {job['metadata']['name']} does not start, ")
        waiting = cli("logs", "coverage")
        assert waiting.code == 1
        assert "has not begun, ImagePullBackOff" in waiting.error
        page = cli("get", "coverage").out
        assert re.search(r"^Running: +Job \S+, for ", page, re.MULTILINE)
        api.delete(JOBS, namespace, job["metadata"]["name"])
        printed = command.end()
    assert printed.code in {12, 14}, printed
    assert councilor.jobs() == []


def test_a_run_without_an_operator(
    api: Api, cli: CommandLine, namespace: str, shared_operator: OperatorProcess
) -> None:
    if shared_operator.running:
        shared_operator.stop()
    api.create(COUNCILORS, namespace, new_councilor("coverage"))
    printed = cli("run", "coverage", "--timeout", "1")
    assert printed.code == 14
    assert "the operator has not answered" in printed.error
    assert "kubectl get deployment -A -l app.kubernetes.io/name=councilor-operator" in printed.error
    assert "is the operator running?" in cli("get", "coverage").out
    row = cli("list").out.splitlines()[1]
    assert row.split() == ["coverage", "CoverageReviewer_Agent", *"0011*", *"-----"]


# --- pause and resume -------------------------------------------------------------------------------------------------

YEARLY: Object = {"type": "cron", "value": "0 0 1 1 *"}


@pytest.mark.usefixtures("operator_process")
def test_pausing_and_resuming(api: Api, cli: CommandLine, namespace: str) -> None:
    councilors = Councilor.create_all(api, namespace, {"one": {}, "two": {}})
    paused = cli("pause", "one", "two")
    assert paused.code == 0
    assert re.fullmatch(
        r"one paused \(was Scheduled, next run in \w+\)\ntwo paused \(was Scheduled, next run in \w+\)\n", paused.out
    )
    for councilor in councilors.values():
        councilor.wait_for_phase("Paused")
    assert cli("pause", "one").out == "one was paused already\n"
    assert cli("resume", "one").out == "one resumed (was Paused)\n"
    councilors["one"].wait_for_phase("Scheduled")
    assert cli("resume", "one").out == "one was not paused (it is Scheduled)\n"
    assert councilors["two"].status["phase"] == "Paused"


@pytest.mark.usefixtures("operator_process")
def test_resuming_after_failures(api: Api, cli: CommandLine, control_plane: ControlPlane, namespace: str) -> None:
    councilor = Councilor.create(api, namespace, "broken", suspendAfterFailures=1)
    councilor.run_to_end(control_plane, "by-hand", **FAILED)
    councilor.wait_for_phase("Suspended")
    assert cli("resume", "broken").out == "broken resumed (was Suspended, 1 failed runs in a row)\n"
    councilor.wait_for_phase("Scheduled")


@pytest.mark.usefixtures("operator_process")
def test_what_the_sync_would_undo_is_not_paused(api: Api, cli: CommandLine, namespace: str) -> None:
    synced, free = new_councilor("synced"), Councilor.create(api, namespace, "free")
    synced["metadata"]["labels"] = {"conductor.community/source": "mongodb"}
    synced["metadata"]["annotations"] = {"conductor.community/document": "agents/CoverageReviewer_Agent"}
    api.create(COUNCILORS, namespace, synced)
    refused = cli("pause", "synced", "free")
    assert refused.code == 1
    assert "synced is made from the document agents/CoverageReviewer_Agent" in refused.error
    assert "pause it in Conductor" in refused.error
    # The other one is paused all the same.
    free.wait_for_phase("Paused")
    councilor = Councilor(api, namespace, "synced")
    assert councilor.get()["spec"]["schedule"]["enabled"] is True
    assert cli("pause", "synced", "--force").code == 0
    assert councilor.get()["spec"]["schedule"]["enabled"] is False


# --- list, get, history, logs -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("operator_process")
def test_lists(api: Api, cli: CommandLine, control_plane: ControlPlane, namespace: str) -> None:
    judged = Councilor.create(api, namespace, "judged")
    judged.run_to_end(control_plane, "by-hand", severity="warning")
    body = new_councilor("labelled", schedule={**YEARLY, "enabled": False})
    api.create(COUNCILORS, namespace, {**body, "metadata": {"name": "labelled", "labels": {"team": "legal"}}})
    Councilor(api, namespace, "labelled").wait_for_condition("Scheduled", "False", "Paused")

    def cells(line: str) -> list[str]:
        return re.split(r" {2,}", line)

    head, judged_row, labelled_row = map(cells, reversed([*reversed(cli("ls").out.splitlines())]))
    if judged_row[0] != "judged":
        judged_row, labelled_row = labelled_row, judged_row
    assert head == ["NAME", "AGENT", "SCHEDULE", "PHASE", "LAST RUN", "RESULT", "NEXT RUN", "SUCCESS"]
    assert judged_row[:4] == ["judged", "CoverageReviewer_Agent", "0 0 1 1 *", "Scheduled"]
    assert re.fullmatch(r"\d+s ago", judged_row[4])
    assert judged_row[5] == "warning"
    assert re.fullmatch(r"in \d+d\w*", judged_row[6])
    assert judged_row[7] == "0%"
    assert labelled_row[3:] == ["Paused", "-", "-", "-", "-"]

    everywhere = cli.bare("list", "-A", "-l", "team=legal", "-o", "wide").out.splitlines()
    assert [line.split()[:2] for line in everywhere] == [["NAMESPACE", "NAME"], [namespace, "labelled"]]
    items = json.loads(cli("list", "-o", "json").out)["items"]
    assert sorted(item["metadata"]["name"] for item in items) == ["judged", "labelled"]
    assert all("managedFields" not in item["metadata"] for item in items)
    assert yaml.safe_load(cli("get", "judged", "-o", "yaml").out)["status"] == judged.status
    # Whoever reads may stop reading.
    line = f"{sys.executable} -m councilor_cli list -n {namespace} | head -c 1"
    cut = subprocess.run(
        ["bash", "-c", line], env=dict(cli.environment), capture_output=True, text=True, check=False, timeout=60
    )
    assert (cut.stdout, cut.stderr) == ("N", "")


@pytest.mark.usefixtures("operator_process")
def test_watching(api: Api, cli: CommandLine, namespace: str) -> None:
    Councilor.create(api, namespace, "one")
    with cli.started("list", "--watch") as command:
        command.wait_for_out("Scheduled")
        Councilor.create(api, namespace, "two")
        command.wait_for_out("two")
        cli("pause", "one")
        command.wait_for_out("Paused")
        command.interrupt()
        assert command.end().code == 130
        assert command.err == ""
    assert command.out.count("NAME") == 1


@pytest.mark.usefixtures("operator_process")
def test_history_and_logs_without_pods(api: Api, cli: CommandLine, control_plane: ControlPlane, namespace: str) -> None:
    councilor = Councilor.create(api, namespace, "coverage")
    assert "has not run yet" in cli("logs", "coverage").error
    assert "no run of coverage has ended yet" in cli("history", "coverage").err
    councilor.run_to_end(control_plane, "first")
    councilor.run_to_end(control_plane, "second", severity="error")
    rows = cli("history", "coverage").out.splitlines()
    assert [row.split()[-3:] for row in rows[1:]] == [["second", "2.0", "s"], ["success", "first", "-"]]
    assert [run["jobName"] for run in json.loads(cli("history", "coverage", "-o", "json").out)] == ["second", "first"]
    api.delete(JOBS, namespace, "second")
    eventually(lambda: api.get(JOBS, namespace, "second") is None, "the Job is gone")
    gone = cli("logs", "coverage")
    assert gone.code == 1
    execution = councilor.status["lastRun"]["executionId"]
    assert "there is no Job second, or not any more, and so no log" in gone.error
    assert f"councilor_executions, execution_id {execution}" in gone.error
    # No Pod of a control plane alone has said anything.
    assert cli("logs", "coverage", "--previous").err == "the log of the Job first is empty\n"
    Councilor.create(api, namespace, "other")
    assert "is none of other's" in cli("logs", "other", "--job", "first").error


HOSTILE = "\x1b[31mred\x1b]0;title\x07 [bold]no markup[/bold] \u202egnp \x9b5m end"


@pytest.mark.usefixtures("operator_process")
def test_nothing_of_the_cluster_steers_the_terminal(
    api: Api, cli: CommandLine, control_plane: ControlPlane, namespace: str
) -> None:
    councilor = Councilor.create(api, namespace, "hostile", title=HOSTILE)
    with cli.started("run", "hostile") as command:
        job = job_of(api, command, namespace)
        report = pods.report_of(job, councilor.get()).model_copy(update={"summary": HOSTILE, "message": HOSTILE})
        pods.start(api, job)
        pods.finish(api, job, report)
        told = command.end()
    printed = [told, *(cli(*words) for words in (("get", "hostile"), ("list",), ("history", "hostile")))]
    for text in (text for one in printed for text in (one.out, one.err)):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text), repr(text)
    assert "[bold]no markup[/bold]" in told.out
    assert not re.search("[\x7f-\x9f\u202a-\u202e]", cli("get", "hostile", "-o", "json").out)
    assert json.loads(cli("get", "hostile", "-o", "json").out)["spec"]["title"] == HOSTILE
    assert control_plane is not None


# --- errors -----------------------------------------------------------------------------------------------------------


def test_a_name_that_is_none(api: Api, cli: CommandLine, namespace: str) -> None:
    assert cli("get", "coverage").error == (
        f"no Councilor coverage in the namespace {namespace}, nor any other: `councilor list -A` shows those of all "
        "namespaces"
    )
    api.create(COUNCILORS, namespace, new_councilor("coverage-review"))
    for words in (("get",), ("run",), ("pause",), ("history",), ("logs",)):
        missing = cli(*words, "coverage-reviw")
        assert missing.code == 1
        assert missing.error == (
            f"no Councilor coverage-reviw in the namespace {namespace}: did you mean coverage-review?"
        )
    assert cli("get", "zzz").error.endswith(f"`councilor list -n {namespace}` shows those that are")


def test_a_missing_right_is_named(api: Api, kubeconfig: Path, namespace: str, tmp_path: Path) -> None:
    api.create(COUNCILORS, namespace, new_councilor("coverage"))
    # It may list Councilors of its namespace, and not get one.
    account = make_sync_account(api, kubeconfig, tmp_path, namespace)
    cli = CommandLine(account.kubeconfig, namespace, tmp_path)
    eventually(lambda: cli("list").code == 0, "the rights are there")
    resource = "councilors.councilors.conductor.community"
    for words, verb, where in (
        (("get", "coverage"), "get", f"in the namespace {namespace}"),
        (("pause", "coverage"), "get", f"in the namespace {namespace}"),
        (("list", "-A"), "list", "in all namespaces"),
    ):
        refused = cli(*words)
        assert refused.code == 1
        assert refused.error.startswith(f"you may not {verb} {resource} {where}: {resource}")
        assert f"`kubectl auth can-i {verb} {resource} " in refused.error


def test_a_cluster_without_the_type(tmp_path: Path) -> None:
    with running_plane(tmp_path / "plane") as plane:
        cli = CommandLine(plane.up(), "default", tmp_path)
        for words in (("list",), ("list", "-A"), ("get", "coverage"), ("run", "coverage")):
            failed = cli(*words)
            assert failed.code == 1
            assert "does not know Councilors, the operator is not installed there: install it with" in failed.error


@pytest.mark.parametrize(
    ("change", "words", "said"),
    [
        (lambda text: re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:1", text), (), "Connection refused"),
        (lambda text: text.replace("https://127.0.0.1", "https://no-such-host.invalid"), (), "host name is not known"),
        (lambda text: text.replace("certificate-authority-data", "unknown"), (), "its certificate is not trusted"),
        (lambda text: text, ("--context", "nowhere"), "has no context nowhere: it has "),
        (lambda _: "a: [", (), "cannot be used (ParserError)"),
        (lambda _: "no mapping", (), "cannot be used (TypeError)"),
        (lambda _: "{}", (), "cannot be used (ConfigException)"),
    ],
    ids=["port", "host", "certificate", "context", "YAML", "text", "empty"],
)
def test_a_cluster_that_cannot_be_reached(
    kubeconfig: Path, tmp_path: Path, change: Callable[[str], str], words: tuple[str, ...], said: str
) -> None:
    path = tmp_path / "config"
    path.write_text(change(kubeconfig.read_text()))
    failed = CommandLine(path, "default", tmp_path)("list", *words)
    assert failed.code == 1
    assert said in failed.error


def test_no_kubeconfig_and_a_login_that_fails(kubeconfig: Path, tmp_path: Path) -> None:
    missing = CommandLine(tmp_path / "nowhere", "default", tmp_path)("list")
    assert missing.code == 1
    assert missing.error.startswith(f"no kubeconfig at {tmp_path / 'nowhere'}: ")
    document = yaml.safe_load(kubeconfig.read_text())
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "false", "interactiveMode": "Never"}
    document["users"][0]["user"] = {"exec": plugin}
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(document))
    failed = CommandLine(path, "default", tmp_path)("list")
    assert failed.code == 1
    assert failed.error.startswith("logging in failed")
    document["users"][0]["user"] = {"token": "nobody"}
    path.write_text(yaml.safe_dump(document))
    assert "does not know who you are (401)" in CommandLine(path, "default", tmp_path)("list").error


# --- names ------------------------------------------------------------------------------------------------------------


def complete(cli: CommandLine, *words: str) -> list[str]:
    line = {"_COUNCILOR_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(("councilor", *words))}
    return cli.bare(**line, COMP_CWORD=str(len(words))).out.split()


def test_names_are_completed(api: Api, cli: CommandLine, kubeconfig: Path, namespace: str, tmp_path: Path) -> None:
    for name in ("coverage", "costs", "licences"):
        api.create(COUNCILORS, namespace, new_councilor(name))
    assert sorted(complete(cli, "get", "-n", namespace, "co")) == ["costs", "coverage"]
    assert complete(cli, "pause", "-n", namespace, "costs", "co") == ["coverage"]
    assert namespace in complete(cli, "list", "-n", namespace[:5])
    context = yaml.safe_load(kubeconfig.read_text())["current-context"]
    assert complete(cli, "list", "--context", context[:3]) == [context]
    # Whoever presses the tabulator wants no error.
    nowhere = CommandLine(tmp_path / "nowhere", namespace, tmp_path)
    assert complete(nowhere, "get", "co") == []


def test_as_a_plugin_of_kubectl(
    api: Api, control_plane: ControlPlane, kubeconfig: Path, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.create(COUNCILORS, namespace, new_councilor("coverage"))
    scripts = str(Path(sys.executable).parent)
    assert shutil.which("kubectl-councilor", path=scripts)
    monkeypatch.setenv("PATH", scripts, prepend=":")
    assert kubeconfig.exists()
    listed = control_plane.kubectl("councilor", "list", "-n", namespace).stdout
    assert [line.split()[0] for line in listed.splitlines()] == ["NAME", "coverage"]
    assert "Usage: kubectl councilor run " in control_plane.kubectl("councilor", "run", "--help").stdout
    wrong = control_plane.kubectl("councilor", "run", check=False)
    assert wrong.returncode == 2
    assert "Usage: kubectl councilor run " in wrong.stderr
    completed = control_plane.kubectl("__complete", "councilor", "get", "-n", namespace, "cov").stdout
    assert completed.splitlines()[:2] == ["coverage", ":4"]
