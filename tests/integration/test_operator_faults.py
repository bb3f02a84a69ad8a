"""The operator while the cluster itself breaks: API server and etcd killed, slow or with another memory, connections
lost, and the operator killed at any moment. In the end there is one CronJob for each Councilor, as its spec says.

What heals what, and within what time of the fault's end: watches are opened again within `RECONNECT_SECONDS` of
`handlers.py`; those that have gone silent are given up after kopf's inactivity_timeout, 70 s, or made good by the next
full list (COUNCILOR_RESYNC_SECONDS, and 30 s for a request of its own that is lost); a deletion that no watch told of
is found by that list alone.
"""

import json
import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import httpx
import pytest

from councilor_runner.contract import ENV_CONTRACT, RunContract
from tests.controlplane.account import Account
from tests.controlplane.api import COUNCILORS, CRON_JOBS, Api, Object, eventually
from tests.controlplane.councilor import condition, new_councilor
from tests.controlplane.fixtures import install_crd, installed_account, running_plane
from tests.controlplane.launcher import ControlPlane
from tests.controlplane.process import OperatorProcess
from tests.controlplane.proxy import Proxy
from tests.ports import free_port

ALL_COUNCILORS = "/" + "/".join(COUNCILORS)
OWNER_LABEL = "conductor.community/councilor-uid"


@pytest.fixture(scope="module")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane that these tests may break."""
    with running_plane(tmp_path_factory.mktemp("broken-control-plane")) as plane:
        yield plane


@pytest.fixture(scope="module")
def kubeconfig(control_plane: ControlPlane) -> Path:
    """Path of its kubeconfig, with the CRD installed."""
    return install_crd(control_plane)


@pytest.fixture(scope="module")
def api(kubeconfig: Path) -> Iterator[Api]:
    """Its API server as administrator."""
    with closing(Api(kubeconfig)) as client:
        yield client


@pytest.fixture(scope="module")
def operator_account(api: Api, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Account:
    """The service account of an operator that is installed there."""
    return installed_account(api, kubeconfig, tmp_path_factory.mktemp("account"))


@pytest.fixture
def operator(operator_account: Account, tmp_path: Path) -> Iterator[OperatorProcess]:
    """An operator that lists everything twice a minute; it has to live through whatever comes."""
    with patient_operator(operator_account.kubeconfig, tmp_path).alive() as process:
        yield process


def patient_operator(kubeconfig: Path, folder: Path) -> OperatorProcess:
    return OperatorProcess(kubeconfig, folder / "operator.log", health_port=free_port(), COUNCILOR_RESYNC_SECONDS="30")


def make(api: Api, namespace: str, names: list[str]) -> None:
    for name in names:
        api.create(COUNCILORS, namespace, new_councilor(name))


def ask(api: Api, namespace: str, name: str, prompt: str) -> None:
    api.patch(COUNCILORS, namespace, name, {"spec": {"task": {"prompt": prompt}}})


def wait_until_equal(api: Api, namespace: str, *, seconds: float = 60) -> None:
    """Wait until each Councilor has one CronJob, equal to its spec, and there is no other."""
    eventually(lambda: differences(api, namespace) == [], "all CronJobs are as the specs say", seconds=seconds)


def differences(api: Api, namespace: str) -> list[str]:
    """Return the names of Councilors and CronJobs that do not match."""
    councilors = {item["metadata"]["uid"]: item for item in api.list(COUNCILORS, namespace)}
    owners = [item["metadata"]["labels"][OWNER_LABEL] for item in api.list(CRON_JOBS, namespace)]
    found = [uid for uid in owners if uid not in councilors or owners.count(uid) > 1]
    cron_jobs = {item["metadata"]["labels"][OWNER_LABEL]: item for item in api.list(CRON_JOBS, namespace)}
    return found + [
        item["metadata"]["name"] for uid, item in councilors.items() if not matches(item, cron_jobs.get(uid))
    ]


def matches(councilor: Object, cron_job: Object | None) -> bool:
    """Tell whether a CronJob and the status are what the spec says."""
    ready = condition(councilor, "Ready")
    generation = councilor["metadata"]["generation"]
    if cron_job is None or (ready.get("status"), ready.get("observedGeneration")) != ("True", generation):
        return False
    container = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    value = next(entry["value"] for entry in container["env"] if entry["name"] == ENV_CONTRACT)
    contract = RunContract.model_validate_json(value.replace("$$", "$"))
    return bool(
        cron_job["spec"]["schedule"] == councilor["spec"]["schedule"]["value"]
        and contract.councilor.generation == generation
        and contract.task.prompt == councilor["spec"]["task"]["prompt"]
    )


def kill_api_server(_: Api, plane: ControlPlane) -> None:
    plane.kill("apiserver")
    plane.restart("apiserver")


def kill_etcd(api: Api, plane: ControlPlane) -> None:
    plane.kill("etcd")
    plane.restart("etcd")
    eventually(lambda: api.request("GET", "/readyz").is_success, "the API server has its storage again")


def stop_api_server_for_a_while(api: Api, plane: ControlPlane) -> None:
    stop_for_a_while(api, plane, "kube-apiserver")


def stop_etcd_for_a_while(api: Api, plane: ControlPlane) -> None:
    stop_for_a_while(api, plane, "etcd")


def stop_for_a_while(api: Api, plane: ControlPlane, component: str) -> None:
    """Let a component hang until three requests in a row have run out of time."""
    pid, body = plane.pid(component), {"metadata": {"name": "unheard"}}
    os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(3):
            with pytest.raises(httpx.TimeoutException):
                api.request("POST", "/api/v1/namespaces", json=body, params={"dryRun": "All"}, timeout=2)
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: api.request("GET", "/readyz").is_success, f"the API server works again with its {component}")


FAULTS = [kill_api_server, kill_etcd, stop_api_server_for_a_while, stop_etcd_for_a_while]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_operator_lives_through_a_fault_in_its_work(
    api: Api,
    namespace: str,
    control_plane: ControlPlane,
    operator: OperatorProcess,
    fault: Callable[[Api, ControlPlane], None],
) -> None:
    old = [f"old-{number}" for number in range(5)]
    make(api, namespace, old)
    wait_until_equal(api, namespace)

    # The operator is in the middle of this when the fault comes.
    for name in old:
        ask(api, namespace, name, "And now?")
    make(api, namespace, [f"new-{number}" for number in range(15)])
    api.delete(COUNCILORS, namespace, "old-0")
    fault(api, control_plane)
    ask(api, namespace, "old-1", "And after it?")
    api.delete(COUNCILORS, namespace, "old-2")
    make(api, namespace, ["last"])

    wait_until_equal(api, namespace)
    assert operator.running


def test_what_was_deleted_unseen_is_noticed(
    api: Api, namespace: str, control_plane: ControlPlane, operator: OperatorProcess, operator_account: Account
) -> None:
    """The operator sleeps, and the new API server remembers nothing of that time: 410 Gone for every watch."""
    make(api, namespace, ["kept", "edited", "bereft", "deleted"])
    wait_until_equal(api, namespace)
    seen = api.request("GET", ALL_COUNCILORS).json()["metadata"]["resourceVersion"]

    operator.freeze()
    # Ends the watches before anything goes into them: what a frozen process has received it reads when it wakes.
    kill_api_server(api, control_plane)
    ask(api, namespace, "edited", "And now?")
    api.delete(CRON_JOBS, namespace, "bereft")
    api.delete(COUNCILORS, namespace, "deleted")
    api.patch(CRON_JOBS, namespace, "kept", {"spec": {"suspend": True}})
    eventually(
        lambda: api.get(CRON_JOBS, namespace, "deleted") is None, "the CronJob of the deleted Councilor is collected"
    )
    kill_api_server(api, control_plane)
    assert is_gone(api, seen)
    mark = control_plane.audit_mark()
    operator.thaw()

    wait_until_equal(api, namespace)
    eventually(
        lambda: listed_by_informer(control_plane, operator_account, mark) == {"councilors", "cronjobs", "jobs"},
        "every watch begins with a new list",
    )
    writes = control_plane.operator_writes(namespace, since=mark)
    assert [write for write in writes if write.endswith(("/deleted", "/deleted/status"))] == []


def is_gone(api: Api, version: str) -> bool:
    """Tell whether a watch that goes on from a version is answered with 410 Gone."""
    parameters = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "1"}
    events = [json.loads(line) for line in api.request("GET", ALL_COUNCILORS, params=parameters).text.splitlines()]
    return [(event["type"], event["object"].get("code")) for event in events] == [("ERROR", 410)]


def listed_by_informer(plane: ControlPlane, account: Account, mark: int) -> set[str]:
    """Return which resources kopf has listed since a mark: after its start, it does so for 410 Gone alone."""
    return {
        entry["objectRef"]["resource"]
        for entry in plane.requests_of(account.user, since=mark)
        if entry["verb"] == "list" and entry.get("userAgent", "").startswith("kopf/")
    }


def test_a_deletion_that_was_not_told_starts_no_quarrel_with_the_garbage_collector(
    api: Api, namespace: str, control_plane: ControlPlane, operator: OperatorProcess
) -> None:
    """The operator takes a deleted Councilor for one that lost its CronJob."""
    make(api, namespace, ["kept", "deleted"])
    wait_until_equal(api, namespace)

    operator.freeze()
    control_plane.kill("controller-manager")
    kill_api_server(api, control_plane)
    api.delete(COUNCILORS, namespace, "deleted")
    ask(api, namespace, "kept", "And now?")
    kill_api_server(api, control_plane)
    mark = control_plane.audit_mark()
    operator.thaw()
    eventually(lambda: control_plane.operator_writes(namespace, since=mark), "the operator is at work again")
    control_plane.restart("controller-manager")

    wait_until_equal(api, namespace)
    writes = control_plane.operator_writes(namespace, since=mark)
    assert [write for write in writes if write.endswith(("/deleted", "/deleted/status"))] == []


def test_connections_that_go_silent_are_replaced(
    api: Api, namespace: str, operator_account: Account, tmp_path: Path
) -> None:
    """As behind a load balancer that has forgotten them: nothing comes, and nobody is told."""
    proxy = Proxy(operator_account.kubeconfig, tmp_path / "kubeconfig")
    try:
        with patient_operator(proxy.start(), tmp_path).alive():
            make(api, namespace, ["kept", "edited", "bereft"])
            wait_until_equal(api, namespace)

            proxy.lose()
            ask(api, namespace, "edited", "And now?")
            api.delete(CRON_JOBS, namespace, "bereft")
            make(api, namespace, ["new"])

            wait_until_equal(api, namespace, seconds=120)
    finally:
        proxy.stop()


def test_however_often_the_operator_is_killed_there_is_one_cron_job_for_each_councilor(
    api: Api, namespace: str, control_plane: ControlPlane, operator_account: Account, tmp_path: Path
) -> None:
    dice = random.Random(20)
    operator = OperatorProcess(operator_account.kubeconfig, tmp_path / "operator.log", health_port=free_port())
    names: list[str] = []
    try:
        for round_number in range(20):
            made = [f"made-{round_number}-{number}" for number in range(3)]
            make(api, namespace, made)
            for name in dice.sample(names, min(3, len(names))):
                ask(api, namespace, name, f"Question {round_number}")
            for name in dice.sample(names, min(1, len(names))):
                names.remove(name)
                api.delete(COUNCILORS, namespace, name)
            names += made
            mark = control_plane.audit_mark()
            operator.launch()
            # Right after one of its writes: any of them.
            after = dice.randint(1, 8)
            eventually(partial(control_plane.has_written, namespace, after, since=mark), f"{after} writes")
            operator.kill()
        operator.start()
        wait_until_equal(api, namespace)
        assert len(api.list(CRON_JOBS, namespace)) == len(names)
    finally:
        operator.stop()
    assert "Traceback" not in operator.logged()
