"""What the operator may do, and what it tells: a walk through everything it does, under the rights of an installation
and with things in its way that must never be seen again."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from councilor_operator.constants import ANNOTATION_RUN_NOW, GROUP
from councilor_operator.observed import ObservedCouncilor
from councilor_operator.rights import RULES
from councilor_operator.runs.manual import StartRun, asked_for
from councilor_runner.contract import Reason
from tests.controlplane import pods
from tests.controlplane.account import Account, allowed, bind, make_account, may, rights, used
from tests.controlplane.api import COUNCILORS, CRON_JOBS, EVENTS, JOBS, Api, Object, eventually
from tests.controlplane.councilor import Councilor, condition, limit_to_none, new_councilor
from tests.controlplane.launcher import ControlPlane
from tests.controlplane.process import OperatorProcess
from tests.ports import free_port

PROMPT: Final = "the-prompt-is-nobodys-business"
HEADER: Final = "Bearer a-secret-that-stands-where-none-should"
ADDRESS: Final = "mongodb://root:s3cret@db.test/?authSource=admin"


@dataclass(frozen=True)
class Walk:
    """What is left of a walk through everything that the operator does."""

    requests: list[dict[str, Any]]
    """The API server's records of the operator's requests."""
    log: str
    metrics: str
    councilors: list[Object]
    events: list[Object]


@pytest.fixture(scope="module")
def walk(
    api: Api, control_plane: ControlPlane, operator_account: Account, tmp_path_factory: pytest.TempPathFactory
) -> Walk:
    """Let the operator do everything it does."""
    namespace = api.make_namespace("walk")
    mark = control_plane.audit_mark()
    operator = OperatorProcess(
        operator_account.kubeconfig,
        tmp_path_factory.mktemp("walk") / "operator.log",
        health_port=free_port(),
        COUNCILOR_METRICS_PORT=str(free_port()),
        COUNCILOR_CONDUCTOR_HEADERS=json.dumps({"X-Team": HEADER}),
        COUNCILOR_LOG_LEVEL="debug",
    )
    with operator.alive():
        for step in (
            scheduled_run,
            pause_and_resume,
            silent_death,
            failures,
            deleted_cron_job,
            run_now,
            refused_run_now,
            mistakes,
            vanished_run,
            refused_pod,
        ):
            step(api, control_plane, namespace)
        metrics = operator.metrics()
    return Walk(
        requests=list(control_plane.requests_of(operator_account.user, since=mark)),
        log=operator.logged(),
        metrics=metrics,
        councilors=api.list(COUNCILORS, namespace),
        events=api.list(EVENTS, namespace),
    )


def create(api: Api, namespace: str, name: str, **spec: Any) -> Councilor:
    """Create a Councilor with the prompt that nobody must see."""
    return Councilor.create(api, namespace, name, task={"prompt": PROMPT, "contextFiles": [f"/{PROMPT}"]}, **spec)


def scheduled_run(api: Api, _: ControlPlane, namespace: str) -> None:
    """A run by schedule, to its end."""
    councilor = create(api, namespace, "scheduled", schedule={"type": "interval", "value": "1h"})
    job = councilor.fire()
    pods.start(api, job)
    pods.finish(api, job, pods.report_of(job, councilor.get()))
    councilor.wait_for_runs(1)
    eventually(lambda: "RunCompleted" in councilor.event_reasons(), "the event about the run")


def pause_and_resume(api: Api, _: ControlPlane, namespace: str) -> None:
    """No run is caught up on: the operator moves the CronJob's clock."""
    councilor = Councilor(api, namespace, "scheduled")
    councilor.edit(schedule={"enabled": False})
    councilor.wait_for_condition("Scheduled", "False", "Paused")
    councilor.edit(schedule={"enabled": True})
    councilor.wait_for_condition("Scheduled", "True")
    api.delete(COUNCILORS, namespace, "scheduled")


def deleted_cron_job(api: Api, _: ControlPlane, namespace: str) -> None:
    """A CronJob that somebody deletes: its Councilor is looked at before it gets another one."""
    councilor = create(api, namespace, "bereft")
    before = councilor.cron_job()["metadata"]["uid"]
    api.delete(CRON_JOBS, namespace, "bereft")

    def made_again() -> bool:
        found = api.get(CRON_JOBS, namespace, "bereft")
        return found is not None and found["metadata"]["uid"] != before

    eventually(made_again, "there is another CronJob")
    councilor.wait_for_condition("Ready", "True")


def vanished_run(api: Api, control_plane: ControlPlane, namespace: str) -> None:
    """A Job that is deleted before its end."""
    councilor = create(api, namespace, "vanished")
    pods.start(api, councilor.run_by_hand(control_plane, "vanished-1"))
    eventually(lambda: councilor.status.get("active"), "the run shows as active")
    api.delete(JOBS, namespace, "vanished-1")
    councilor.wait_for_condition("Healthy", "Unknown", "ResultUnknown")


def refused_pod(api: Api, control_plane: ControlPlane, namespace: str) -> None:
    """A namespace that admits no further Pod."""
    limit_to_none(api, namespace, "pods")
    councilor = create(api, namespace, "no-room")
    councilor.run_by_hand(control_plane, "no-room-1")
    councilor.wait_for_condition("Healthy", "False", "RunnerCannotStart")


def silent_death(api: Api, control_plane: ControlPlane, namespace: str) -> None:
    """A Pod whose last words are none of the runner's."""
    councilor = create(api, namespace, "silent", execution={"retries": 0})
    job = councilor.run_by_hand(control_plane, "silent-1")
    pods.start(api, job)
    pods.finish(api, job, f"cannot connect to {ADDRESS}", exit_code=1)
    councilor.wait_for_condition("Healthy", "False", "RunFailed")


def failures(api: Api, control_plane: ControlPlane, namespace: str) -> None:
    """Runs that fail until the breaker opens."""
    councilor = create(api, namespace, "fails", suspendAfterFailures=1)
    job = councilor.run_by_hand(control_plane, "fails-1")
    pods.start(api, job)
    report = pods.report_of(
        job, councilor.get(), status="error", severity="error", reason=Reason.AGENT_FAILED, exit_code=10
    )
    pods.finish(api, job, report)
    councilor.wait_for_condition("Scheduled", "False", "Suspended")


def run_now(api: Api, _: ControlPlane, namespace: str) -> None:
    """A run by annotation, and another one in its place."""
    councilor = create(api, namespace, "now", concurrencyPolicy="Replace")
    for token in ("first", "second"):
        before = {job["metadata"]["name"] for job in councilor.jobs()}
        councilor.annotate(ANNOTATION_RUN_NOW, token)
        eventually(
            lambda known=before: {job["metadata"]["name"] for job in councilor.jobs()} - known,  # type: ignore[misc]
            f"the Job of the {token} token",
        )
    eventually(lambda: len(councilor.jobs()) == 1, "the second Job has replaced the first")


def refused_run_now(api: Api, _: ControlPlane, namespace: str) -> None:
    """A run by annotation whose Job's name is taken."""
    councilor = create(api, namespace, "taken")
    start = asked_for(ObservedCouncilor.from_object(councilor.get()), "token", None, "Allow", [])
    assert isinstance(start, StartRun)
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "other", "image": "busybox"}]}}
    job = {"metadata": {"name": start.job_name}, "spec": {"suspend": True, "template": template}}
    api.create(JOBS, namespace, job)
    councilor.annotate(ANNOTATION_RUN_NOW, "token")
    eventually(lambda: councilor.status.get("lastRunNow", {}).get("reason") == "JobRefused", "the run is refused")


def mistakes(api: Api, _: ControlPlane, namespace: str) -> None:
    """A schedule that turns invalid, and what the API server refuses."""
    councilor = create(api, namespace, "mistakes")
    councilor.edit(schedule={"value": "0 9 31 2 *"})
    councilor.wait_for_condition("Ready", "False", "InvalidSchedule")
    refused = create(api, namespace, "refused", runner={"nodeSelector": {"not a label!": "x"}})
    assert condition(refused.get(), "Ready")["status"] == "False"


def test_each_right_is_used(walk: Walk) -> None:
    assert used(walk.requests) == rights(RULES)


def test_nothing_is_refused(walk: Walk) -> None:
    refused = [entry for entry in walk.requests if entry["responseStatus"]["code"] in {401, 403}]
    assert [(entry["verb"], entry["requestURI"]) for entry in refused] == []


def test_the_account_can_do_nothing_else(api: Api, operator_account: Account) -> None:
    """As `kubectl auth can-i --as` answers, in any namespace."""
    assert allowed(api, operator_account.user) == rights(RULES)


@pytest.mark.parametrize("kind", ["secrets", "configmaps"])
def test_secrets_and_config_maps_stay_closed(kind: str, operator_account: Account, namespace: str) -> None:
    account = Api(operator_account.kubeconfig)
    try:
        for path in (f"/api/v1/{kind}", f"/api/v1/namespaces/{namespace}/{kind}/councilor-runner"):
            assert account.request("GET", path).status_code == 403
    finally:
        account.close()


def test_nothing_that_is_told_holds_what_is_nobodys_business(walk: Walk, operator_account: Account) -> None:
    told = {
        "the log": walk.log,
        "the metrics": walk.metrics,
        "the statuses": json.dumps([councilor.get("status") for councilor in walk.councilors]),
        "the events": json.dumps(walk.events),
    }
    for where, text in told.items():
        assert text, where
        for marker in (PROMPT, HEADER, "a-secret-that", ADDRESS, "s3cret", operator_account.token):
            assert marker not in text, f"{where} has {marker!r}"
    # They are where they belong, and would have been found.
    assert any(PROMPT in json.dumps(councilor["spec"]) for councilor in walk.councilors)


def test_the_log_is_one_json_document_a_line(walk: Walk) -> None:
    lines = [json.loads(line) for line in walk.log.splitlines()]
    assert lines
    for line in lines:
        assert {"message", "severity", "timestamp"} <= set(line)
    assert [line["message"] for line in lines if line["severity"] == "error"] == []


def test_with_rights_in_its_namespaces_alone(
    api: Api, kubeconfig: Path, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    watched = tuple(api.make_namespace(f"{namespace}-{name}") for name in "ab")
    account = make_account(api, kubeconfig, tmp_path, namespace, watched=watched)
    assert not may(api, account.user, "list", "councilors", GROUP)
    mark = control_plane.audit_mark()
    process = OperatorProcess(
        account.kubeconfig,
        tmp_path / "operator.log",
        health_port=free_port(),
        COUNCILOR_NAMESPACES=",".join(watched),
        COUNCILOR_RESYNC_SECONDS="5",
    )
    # Its own is none of them.
    api.create(COUNCILORS, namespace, new_councilor("elsewhere"))
    with process.alive():
        for watched_namespace in watched:
            councilor = Councilor.create(api, watched_namespace, "here")
            assert condition(councilor.get(), "Ready")["status"] == "True"
            # Watched, not only listed: a change by others is put back.
            api.patch(CRON_JOBS, watched_namespace, "here", {"spec": {"suspend": True}})
            eventually(lambda item=councilor: not item.cron_job()["spec"]["suspend"], "it is put back")  # type: ignore[misc]
    requests = list(control_plane.requests_of(account.user, since=mark))
    refused = [entry["requestURI"] for entry in requests if entry["responseStatus"]["code"] in {401, 403}]
    assert refused == []
    targets = [entry["objectRef"] for entry in requests if "resource" in entry.get("objectRef", {})]
    assert {target.get("namespace") for target in targets} == set(watched)
    assert "status" not in (api.get(COUNCILORS, namespace, "elsewhere") or {})


def test_a_forgotten_binding_is_named_and_made_up_for(
    api: Api, kubeconfig: Path, namespace: str, tmp_path: Path
) -> None:
    """`kubectl rollout status` and `helm --wait` must not take this for a success."""
    first, second = (api.make_namespace(f"{namespace}-{name}") for name in "ab")
    account = make_account(api, kubeconfig, tmp_path, namespace, watched=(first,))
    process = OperatorProcess(
        account.kubeconfig,
        tmp_path / "operator.log",
        health_port=free_port(),
        COUNCILOR_NAMESPACES=f"{first},{second}",
    )
    process.launch()
    try:
        answer = eventually(
            lambda: found if f'in the namespace "{second}"' in (found := readiness(process)) else None,
            "the answer names what is missing",
        )
        assert "[-]first-list failed" in answer
        assert "cannot list resource" in answer
        bind(api, account, second)
        eventually(lambda: readiness(process) == "ok", "the operator is ready")
        Councilor.create(api, second, "here")
    finally:
        process.stop()


def readiness(process: OperatorProcess) -> str:
    """Return the answer to the readiness probe, nothing before there is one."""
    try:
        return process.probe("/readyz").text
    except httpx.TransportError:
        return ""
