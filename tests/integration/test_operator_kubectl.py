"""Councilors as a person meets them with kubectl: tables, `describe`, `explain`, `apply`, `diff` and `wait`.

The golden files show a fixed council, one Councilor for each state, with times, ages and generated names replaced.
"""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from councilor_operator.api.crd import COLUMNS
from councilor_operator.constants import ConditionReason
from councilor_operator.sync.candidate import SourceDocument
from councilor_operator.sync.plan import manifest as synced
from councilor_operator.sync.translation import TranslationRules, translate
from councilor_runner.contract import Reason
from tests.controlplane import pods
from tests.controlplane.api import COUNCILORS, CRON_JOBS, JOBS, Api, Object, eventually
from tests.controlplane.councilor import Councilor, condition, limit_to_none, new_councilor
from tests.controlplane.launcher import ControlPlane
from tests.controlplane.process import OperatorProcess
from tests.controlplane.sync import agent
from tests.ports import free_port

NAMESPACE = "chamber"
Golden = Callable[[str, str], None]
NUMBERS = itertools.count(1)


COUNCIL = {
    "new": ["Reconciled"],
    "paused": ["Reconciled", "Paused"],
    "mistyped": ["InvalidSchedule"],
    "noted": ["Reconciled"],
    "doubtful": ["InvalidDocument"],
    "taken": ["NameConflict"],
    "refused": ["CronJobRefused"],
    "judged": ["Reconciled", "RunCompleted"],
    "broken": ["Reconciled", "RunFailed"],
    "suspended": ["Reconciled", "RunFailed", "Suspended"],
    "late": ["Reconciled", "RunSkipped"],
    "unrecorded": ["Reconciled", "RunCompleted", "RecordFailed"],
    "vanished": ["Reconciled", "ResultUnknown"],
    "running": ["Reconciled"],
    "imageless": ["Reconciled", "RunnerCannotStart"],
    "overdue": ["Reconciled", "RunMissed"],
}
"""Name of each Councilor to the reasons of the events about it."""


@pytest.fixture(scope="module")
def chamber(
    api: Api, control_plane: ControlPlane, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Councilor]]:
    """A council in which every state occurs."""
    log = tmp_path_factory.mktemp("operator") / "operator.log"
    process = OperatorProcess(kubeconfig, log, health_port=free_port())
    process.start()
    api.make_namespace(NAMESPACE)
    try:
        yield convened(api, control_plane)
    finally:
        process.stop()
        # It is due again every day, in vain.
        api.delete(COUNCILORS, NAMESPACE, "overdue")
    assert "Traceback" not in log.read_text()


def convened(api: Api, control_plane: ControlPlane) -> dict[str, Councilor]:
    council: dict[str, Councilor] = {}

    def create(name: str, **spec: Any) -> None:
        council[name] = Councilor.create(api, NAMESPACE, name, **spec)

    def finish(job: Object, councilor: Councilor, *, exit_code: int = 0, **report: Any) -> None:
        pods.start(api, job)
        pods.finish(api, job, pods.report_of(job, councilor.get(), exit_code=exit_code, **report))
        eventually(lambda: councilor.status.get("lastRun"), f"the run of {councilor.name} is counted")

    create("new")
    create("paused", schedule={"type": "cron", "value": "@yearly", "enabled": False})
    create("mistyped", schedule={"type": "cron", "value": "0 9 * * 7"})
    create("noted", schedule={"type": "cron", "value": "0 0 1 1 MON", "timeZone": "America/Sao_Paulo"})
    council["doubtful"] = Councilor(api, NAMESPACE, "doubtful")
    api.create(COUNCILORS, NAMESPACE, of_an_invalid_document("doubtful"))
    council["doubtful"].wait_for_condition("Ready", "False")
    api.create(CRON_JOBS, NAMESPACE, foreign_cron_job("taken"))
    create("taken")
    create("refused", runner={"nodeSelector": {"disk": "fast & large"}})
    create("judged", title="Licence counsel", emoji="⚖️")
    create("broken", suspendAfterFailures=0)
    create("suspended", suspendAfterFailures=1)
    for name in ("late", "unrecorded", "vanished", "running", "imageless"):
        create(name)

    ran = ("judged", "broken", "suspended", "late", "unrecorded", "vanished", "running", "imageless")
    jobs = {name: council[name].run_by_hand(control_plane, f"{name}-by-hand") for name in ran}
    # Its report Job is made here: afterwards there is no room for any.
    finish(jobs["unrecorded"], council["unrecorded"], exit_code=20)
    limit_to_none(api, NAMESPACE, "count/jobs.batch")
    soon = datetime.now(tz=UTC) + timedelta(seconds=75)
    create("overdue", schedule={"type": "cron", "value": f"{soon.minute} {soon.hour} * * *"})

    pods.wait_for_image(api, jobs["imageless"])
    for name in ("running", "vanished"):
        pods.start(api, jobs[name])
        council[name].wait_for_phase("Running")
    api.delete(JOBS, NAMESPACE, jobs["vanished"]["metadata"]["name"])
    failed: Any = {"status": "error", "severity": "error", "reason": Reason.AGENT_FAILED, "exit_code": 10}
    failed["message"] = "the agent's command ended with exit code 1"
    late: Any = {"status": "skipped", "severity": None, "reason": Reason.STARTED_TOO_LATE}
    late["message"] = "started more than 60 s after its scheduled time"
    finish(jobs["judged"], council["judged"], severity="warning")
    finish(jobs["broken"], council["broken"], **failed)
    finish(jobs["suspended"], council["suspended"], **failed)
    finish(jobs["late"], council["late"], **late)

    council["suspended"].wait_for_condition("Scheduled", "False", "Suspended")
    council["vanished"].wait_for_condition("Healthy", "Unknown", "ResultUnknown")
    # 20 s after its start a runner that does not get going is looked at.
    council["imageless"].wait_for_condition("Healthy", "False", "RunnerCannotStart")
    eventually(
        lambda: condition(council["overdue"].get(), "Healthy").get("reason") == "RunMissed",
        "a minute after its time a run is missed",
        seconds=200,
    )
    return council


def of_an_invalid_document(name: str) -> Object:
    """A Councilor as the sync makes it for a document that cannot run, but for its name."""
    document = agent("CoverageReviewer_Agent", schedule={"type": "interval", "value": "0m", "enabled": True})
    candidate = translate(SourceDocument("agents", "698b3e954f1a7c20d8e6b359", document), TranslationRules())
    body = synced(candidate, NAMESPACE)
    return {**body, "metadata": {**body["metadata"], "name": name}}


def foreign_cron_job(name: str) -> Object:
    container = {"name": "c", "image": "busybox"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}}
    return {"metadata": {"name": name}, "spec": spec}


# --- tables -----------------------------------------------------------------------------------------------------------

# When `overdue` was due.
DAILY = re.compile(r"\b[0-9]+ [0-9]+ \* \* \*")
AGE = re.compile(r"(?:[0-9]+[smhdy]){1,2}")


def aligned(table: str) -> str:
    """Return a table of kubectl with ages and years replaced, and columns as wide as they have to be then."""
    lines = table.splitlines()
    starts = [match.start() for match in re.finditer(r"(?:(?<=  )|^)\S", lines[0])]
    bounds = list(zip(starts, [*starts[1:], None], strict=True))
    rows = [[steady(line[start:end].strip()) for start, end in bounds] for line in lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(starts))]
    return "".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )


def steady(cell: str) -> str:
    if AGE.fullmatch(cell):
        return "<age>"
    cell = re.sub(r"^[0-9]{4}-(?=01-01T00:00:00)", "YYYY-", cell)
    return DAILY.sub("M H * * *", re.sub(r"^[0-9]{4}-.*", "<time>", cell))


@pytest.mark.parametrize(("name", "arguments", "width"), [("get", (), 130), ("get-wide", ("-o", "wide"), 180)])
def test_tables(
    chamber: dict[str, Councilor],
    control_plane: ControlPlane,
    golden: Golden,
    name: str,
    arguments: tuple[str, ...],
    width: int,
) -> None:
    assert chamber.keys() == COUNCIL.keys()
    table = control_plane.kubectl("get", "councilors", "-n", NAMESPACE, *arguments).stdout
    assert max(map(len, table.splitlines())) <= width
    # What a date column prints for a time to come.
    assert "<invalid>" not in table
    assert "<unknown>" not in table
    golden(f"kubectl-{name}.txt", aligned(table))


def test_short_name_and_category(chamber: dict[str, Councilor], control_plane: ControlPlane) -> None:
    for what in ("cncl", "councilor", "conductor"):
        table = control_plane.kubectl("get", what, "-n", NAMESPACE, "--no-headers").stdout
        assert len(table.splitlines()) == len(chamber)


def test_the_server_prints_the_columns(chamber: dict[str, Councilor], api: Api) -> None:
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    table = api.request("GET", f"/{COUNCILORS[0]}/namespaces/{NAMESPACE}/councilors", headers=accept).json()
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", *(item["name"] for item in COLUMNS)]
    assert len(table["rows"]) == len(chamber)


# --- describe ---------------------------------------------------------------------------------------------------------

REPLACED = [
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uid>"),
    (re.compile(r"exec_CoverageReviewer_Agent_(?:manual_)?[0-9a-f]{8,16}"), "<execution>"),
    (re.compile(r"\b[0-9a-f]{24}\b"), "<task>"),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(?:\.[0-9]+)?(?:Z|[+-][0-9:]{5})"), "<time>"),
    (re.compile(r"(Resource Version: +)[0-9]+"), r"\1<version>"),
    (re.compile(r"-r[0-9a-f]{9}\b"), "-r<hash>"),
    (DAILY, "M H * * *"),
    (re.compile(r"^(  (?:Normal|Warning) +\S+ +)(?:[0-9]+[smhd])+( +)", re.MULTILINE), r"\1<age>\2"),
]
EVENTS = re.compile(r"^Events:.*", re.MULTILINE | re.DOTALL)


def readable(text: str) -> str:
    for pattern, replacement in REPLACED:
        text = pattern.sub(replacement, text)
    # The table of events is as wide as its ages were.
    text = EVENTS.sub(lambda match: events_of(match[0]), text)
    return text.rstrip("\n") + "\n"


def events_of(table: str) -> str:
    """Return the table of events with two blanks between columns, and what came in the same second in a fixed order."""
    head, names, rule, *rows = re.sub(r"(?<=\S) {2,}", "  ", table).splitlines()
    return "\n".join([head, names, rule, *sorted(rows)])


def described(control_plane: ControlPlane, name: str) -> str:
    return readable(control_plane.kubectl("describe", "councilor", name, "-n", NAMESPACE).stdout)


@pytest.mark.parametrize(("name", "reasons"), COUNCIL.items(), ids=COUNCIL)
def test_describe(
    chamber: dict[str, Councilor], control_plane: ControlPlane, golden: Golden, name: str, reasons: list[str]
) -> None:
    # Events follow the status they go with.
    eventually(lambda: sorted(chamber[name].event_reasons()) == sorted(reasons), f"{name} has the events {reasons}")
    golden(f"kubectl-describe-{name}.txt", described(control_plane, name))


def test_the_council_shows_every_reason_that_needs_somebody(chamber: dict[str, Councilor]) -> None:
    shown = {entry["reason"] for councilor in chamber.values() for entry in councilor.status["conditions"]}
    # These two are told in the same way as InvalidSchedule.
    assert {str(reason) for reason in ConditionReason} - shown == {"InvalidSpec", "WorkingDirectoryMissing"}


# --- the other verbs --------------------------------------------------------------------------------------------------


def test_explain(kubeconfig: Path, control_plane: ControlPlane, golden: Golden) -> None:
    assert kubeconfig.exists()
    text = control_plane.kubectl("explain", "councilor.spec.schedule").stdout
    golden("kubectl-explain-schedule.txt", text.rstrip("\n") + "\n")


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    # Of its own for each test: what a Councilor leaves behind is collected in the background.
    path = tmp_path / f"applied-{next(NUMBERS)}.yaml"
    body = new_councilor(path.stem)
    body["metadata"]["namespace"] = NAMESPACE
    path.write_text(yaml.safe_dump(body))
    return path


@pytest.mark.parametrize("side", [(), ("--server-side",)], ids=["client-side", "server-side"])
def test_applying_twice_changes_nothing(
    chamber: dict[str, Councilor], control_plane: ControlPlane, api: Api, manifest: Path, side: tuple[str, ...]
) -> None:
    assert chamber
    control_plane.kubectl("apply", *side, "-f", str(manifest))
    try:
        control_plane.kubectl("wait", "--for=condition=Ready", "-f", str(manifest), "--timeout=30s")
        before = api.get(COUNCILORS, NAMESPACE, manifest.stem)
        again = control_plane.kubectl("apply", *side, "-f", str(manifest)).stdout
        assert "serverside-applied" in again if side else "unchanged" in again
        assert api.get(COUNCILORS, NAMESPACE, manifest.stem) == before
        assert control_plane.kubectl("diff", *side, "-f", str(manifest)).stdout == ""
    finally:
        api.delete(COUNCILORS, NAMESPACE, manifest.stem)


def test_diff_shows_what_would_change(
    chamber: dict[str, Councilor], control_plane: ControlPlane, api: Api, manifest: Path
) -> None:
    assert chamber
    control_plane.kubectl("apply", "-f", str(manifest))
    try:
        manifest.write_text(manifest.read_text().replace("0 0 1 1 *", "0 0 2 2 *"))
        found = control_plane.kubectl("diff", "-f", str(manifest), check=False)
        assert found.returncode == 1
        changed = [line for line in found.stdout.splitlines() if re.match(r"[+-] ", line) and "generation" not in line]
        assert [line.split() for line in changed] == [
            ["-", "value:", "0", "0", "1", "1", "*"],
            ["+", "value:", "0", "0", "2", "2", "*"],
        ]
    finally:
        api.delete(COUNCILORS, NAMESPACE, manifest.stem)


def test_a_dry_run_makes_nothing_and_refuses_what_the_real_one_would(
    chamber: dict[str, Councilor], control_plane: ControlPlane, api: Api, manifest: Path
) -> None:
    assert chamber
    dry = ("apply", "--dry-run=server", "-f", str(manifest))
    assert "created (server dry run)" in control_plane.kubectl(*dry).stdout
    assert api.get(COUNCILORS, NAMESPACE, manifest.stem) is None
    manifest.write_text(manifest.read_text().replace("type: cron", "type: interval"))
    refused = control_plane.kubectl(*dry, check=False)
    assert refused.returncode == 1
    assert "spec.schedule.value" in refused.stderr
    assert "an interval is a whole number followed by m, h or d" in refused.stderr


def test_kubectl_refuses_unknown_fields(
    chamber: dict[str, Councilor], control_plane: ControlPlane, api: Api, manifest: Path
) -> None:
    assert chamber
    manifest.write_text(manifest.read_text().replace("  type: cron", "  type: cron\n    timezone: UTC"))
    refused = control_plane.kubectl("apply", "-f", str(manifest), check=False)
    assert refused.returncode == 1
    assert 'unknown field "spec.schedule.timezone"' in refused.stderr
    assert api.get(COUNCILORS, NAMESPACE, manifest.stem) is None


def test_waiting_for_what_will_not_be_ready_ends(chamber: dict[str, Councilor], control_plane: ControlPlane) -> None:
    assert chamber

    def wait(condition: str, name: str) -> subprocess.CompletedProcess[str]:
        words = ("wait", f"--for=condition={condition}", f"councilor/{name}", "-n", NAMESPACE, "--timeout=1s")
        return control_plane.kubectl(*words, check=False)

    assert wait("Ready", "new").returncode == 0
    assert wait("Ready=False", "mistyped").returncode == 0
    assert wait("Ready", "mistyped").returncode == 1
    assert wait("Healthy", "judged").returncode == 0
