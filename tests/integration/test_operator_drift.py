"""What others do to a CronJob or to the Councilor itself, while the operator looks on and while it is down."""

from functools import partial

import pytest

from councilor_operator.constants import ANNOTATION_FAST_FORWARD
from tests.controlplane.api import COUNCILORS, CRON_JOBS, JOBS, PODS, Api, Object, eventually
from tests.controlplane.councilor import Councilor, condition, new_councilor
from tests.controlplane.cron import plain_cron_job
from tests.controlplane.launcher import ControlPlane
from tests.controlplane.process import OperatorProcess

pytestmark = pytest.mark.usefixtures("operator_process")

UID_LABEL = "conductor.community/councilor-uid"
RUNNER = [{"name": "runner", "image": "busybox"}]
IMAGE = {"jobTemplate": {"spec": {"template": {"spec": {"containers": RUNNER}}}}}
LABELS = ("app.kubernetes.io/managed-by", UID_LABEL, "conductor.community/councilor")
ANNOTATIONS = ("conductor.community/input-hash", "conductor.community/councilor", "conductor.community/agent-id")

EDITS: dict[str, Object | None] = {
    "deleted": None,
    "schedule": {"spec": {"schedule": "30 4 * * *"}},
    "zone": {"spec": {"timeZone": "Asia/Tokyo"}},
    "suspend": {"spec": {"suspend": True}},
    "deadline": {"spec": {"startingDeadlineSeconds": 30}},
    "policy": {"spec": {"concurrencyPolicy": "Allow"}},
    "job": {"spec": {"jobTemplate": {"spec": {"suspend": True, "parallelism": 2, "ttlSecondsAfterFinished": 0}}}},
    # A merge patch replaces the list, and with it the environment of the runner.
    "image-and-env": {"spec": IMAGE},
    "managed-by-label": {"metadata": {"labels": {LABELS[0]: "somebody"}}},
    "uid-label": {"metadata": {"labels": {UID_LABEL: None}}},
    "another-uid-label": {"metadata": {"labels": {UID_LABEL: "11111111-2222-3333-4444-555555555555"}}},
    "all-labels": {"metadata": {"labels": dict.fromkeys(LABELS)}},
    "annotations": {"metadata": {"annotations": dict.fromkeys(ANNOTATIONS)}},
    "owner": {"metadata": {"ownerReferences": None}},
    "owner-and-annotations": {"metadata": {"ownerReferences": None, "annotations": dict.fromkeys(ANNOTATIONS)}},
}


def essence(cron_job: Object | None) -> Object | None:
    """Return what the operator decides of a CronJob; that it wrote off some time on the way is no part of it."""
    if cron_job is None:
        return None
    metadata = cron_job["metadata"]
    annotations = {
        key: value for key, value in metadata.get("annotations", {}).items() if key != ANNOTATION_FAST_FORWARD
    }
    return {
        "spec": cron_job["spec"],
        "annotations": annotations,
        **{key: metadata.get(key) for key in ("labels", "ownerReferences")},
    }


@pytest.mark.parametrize("down", [False, True], ids=["operator-up", "operator-down"])
def test_what_others_do_to_a_cron_job_is_put_back(
    api: Api, namespace: str, operator_process: OperatorProcess, down: bool
) -> None:
    councilors = Councilor.create_all(api, namespace, {name: {} for name in EDITS})
    wanted = {name: essence(councilor.cron_job()) for name, councilor in councilors.items()}

    if down:
        operator_process.kill()
    for name, edit in EDITS.items():
        if edit is None:
            api.delete(CRON_JOBS, namespace, name)
        else:
            api.patch(CRON_JOBS, namespace, name, edit)
    if down:
        operator_process.start()

    for name, councilor in councilors.items():
        eventually(partial(is_as_wanted, councilor, wanted[name]), f"{name} is put back")
        assert condition(councilor.get(), "Ready")["status"] == "True"


def is_as_wanted(councilor: Councilor, wanted: Object | None) -> bool:
    return essence(councilor.api.get(CRON_JOBS, councilor.namespace, councilor.name)) == wanted


def delete(api: Api, namespace: str) -> None:
    api.delete(COUNCILORS, namespace, "gone")


def delete_in_the_foreground(api: Api, namespace: str) -> None:
    path = f"/{COUNCILORS[0]}/namespaces/{namespace}/{COUNCILORS[1]}/gone"
    api.request("DELETE", path, params={"propagationPolicy": "Foreground"})


def delete_the_namespace(api: Api, namespace: str) -> None:
    api.request("DELETE", f"/api/v1/namespaces/{namespace}")


DELETIONS = {"background": delete, "foreground": delete_in_the_foreground, "namespace": delete_the_namespace}


@pytest.mark.parametrize("down", [False, True], ids=["operator-up", "operator-down"])
def test_a_deleted_councilor_takes_everything_along_and_is_let_go(
    api: Api, namespace: str, control_plane: ControlPlane, operator_process: OperatorProcess, down: bool
) -> None:
    namespaces = {name: api.make_namespace(f"{namespace}-{name}") for name in DELETIONS}
    councilors = {name: Councilor.create(api, home, "gone") for name, home in namespaces.items()}
    for name, councilor in councilors.items():
        # A Pod would hold its namespace for half a minute, with no kubelet to end it.
        if name != "namespace":
            councilor.run_by_hand(control_plane, "gone-1")
            councilor.wait_for_phase("Running")
    if down:
        operator_process.kill()
    mark, retried = control_plane.audit_mark(), 0.0 if down else retries(operator_process)

    for name, how in DELETIONS.items():
        how(api, namespaces[name])
    for home in namespaces.values():
        for kind in (COUNCILORS, CRON_JOBS, JOBS, PODS):
            api.wait_for_none(kind, home)
    if down:
        operator_process.start()
    # What came in before this Councilor has been looked at when this one has.
    Councilor.create(api, namespace, "later")

    for name, home in namespaces.items():
        assert control_plane.operator_writes(home, since=mark) == [], name
    assert retries(operator_process) == retried


def retries(process: OperatorProcess) -> float:
    """Return how many passes had to be made again."""
    return process.sample("councilor_operator_reconciles_total", result="retried") or 0.0


@pytest.mark.parametrize("down", [False, True], ids=["operator-up", "operator-down"])
def test_a_councilor_made_again_under_its_name_gets_a_cron_job_of_its_own(
    api: Api, namespace: str, operator_process: OperatorProcess, down: bool
) -> None:
    before = Councilor.create(api, namespace, "again").cron_job()["metadata"]["uid"]
    if down:
        operator_process.kill()

    api.delete(COUNCILORS, namespace, "again")
    api.create(COUNCILORS, namespace, new_councilor("again", title="The second"))
    if down:
        operator_process.start()

    councilor = Councilor(api, namespace, "again")
    councilor.wait_for_condition("Ready", "True")
    cron_job = councilor.cron_job()
    assert cron_job["metadata"]["uid"] != before
    assert cron_job["metadata"]["labels"][UID_LABEL] == councilor.get()["metadata"]["uid"]


def test_a_councilor_gets_its_cron_job_when_a_foreign_one_makes_way(api: Api, namespace: str) -> None:
    foreign = api.create(CRON_JOBS, namespace, plain_cron_job("taken"))
    councilor = Councilor.create(api, namespace, "taken")
    assert condition(councilor.get(), "Ready")["reason"] == "NameConflict"
    assert councilor.cron_job()["metadata"]["resourceVersion"] == foreign["metadata"]["resourceVersion"]

    api.delete(CRON_JOBS, namespace, "taken")
    councilor.wait_for_condition("Ready", "True")

    assert councilor.cron_job()["metadata"]["uid"] != foreign["metadata"]["uid"]
    assert councilor.status["phase"] == "Scheduled"
