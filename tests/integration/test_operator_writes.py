"""What the operator writes, by the API server's own record: what a change needs, once, and nothing else.

The record knows who wrote what; a second operator beside the first must not show in any count.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from councilor_runner.contract import Reason
from tests.controlplane import pods
from tests.controlplane.account import Account
from tests.controlplane.api import COUNCILORS, CRON_JOBS, EVENTS, JOBS, Api, Object, eventually
from tests.controlplane.councilor import Councilor, new_councilor
from tests.controlplane.cron import plain_cron_job
from tests.controlplane.launcher import ControlPlane
from tests.controlplane.process import OperatorProcess
from tests.ports import free_port

APPLY, STATUS = "patch cronjobs/one", "patch councilors/one/status"
WRITE_OFF = "patch cronjobs/one/status"


class Writes:
    """What the operator wrote in a namespace since it was asked before."""

    def __init__(self, api: Api, control_plane: ControlPlane, namespace: str) -> None:
        self._api, self._plane, self._namespace = api, control_plane, namespace
        self._elsewhere = api.make_namespace(f"{namespace}-elsewhere")
        self._mark, self._asked = control_plane.audit_mark(), 0

    def taken(self) -> list[str]:
        """Return them once everything that happened before has been looked at."""
        self._asked += 1
        # Its own events come after those of what was done before, for each of the resources that are watched.
        later = Councilor.create(self._api, self._elsewhere, f"later-{self._asked}")
        self._api.patch(CRON_JOBS, self._elsewhere, later.name, {"spec": {"suspend": True}})
        eventually(lambda: later.cron_job()["spec"]["suspend"] is False, "an edit made later is put back")
        mark = self._plane.audit_mark()
        writes = self._plane.operator_writes(self._namespace, since=self._mark)
        self._mark = mark
        return writes


@pytest.mark.usefixtures("operator_process")
def test_each_change_takes_the_writes_it_needs(api: Api, namespace: str, control_plane: ControlPlane) -> None:
    writes = Writes(api, control_plane, namespace)

    councilor = Councilor.create(api, namespace, "one", history={"successfulRuns": 1, "failedRuns": 1})
    assert writes.taken() == [APPLY, STATUS]
    councilor.edit(task={"prompt": "And now?"})
    councilor.wait_for_condition("Ready")
    assert writes.taken() == [APPLY, STATUS]
    councilor.edit(schedule={"type": "interval", "value": "1m"})
    councilor.wait_for_condition("Ready")
    assert writes.taken() == [WRITE_OFF, APPLY, STATUS]
    councilor.edit(schedule={"enabled": False})
    councilor.wait_for_condition("Scheduled", "False")
    assert writes.taken() == [APPLY, STATUS]
    councilor.edit(schedule={"enabled": True})
    councilor.wait_for_condition("Scheduled", "True")
    assert writes.taken() == [WRITE_OFF, APPLY, STATUS]
    councilor.annotate("example.org/owner", "quality")
    assert writes.taken() == []
    api.patch(CRON_JOBS, namespace, "one", {"metadata": {"labels": {"example.org/owner": "quality"}}})
    assert writes.taken() == []


@pytest.mark.usefixtures("operator_process")
def test_a_run_takes_a_write_at_its_start_and_one_at_its_end(
    api: Api, namespace: str, control_plane: ControlPlane
) -> None:
    councilor = Councilor.create(
        api,
        namespace,
        "one",
        schedule={"type": "interval", "value": "1h"},
        history={"successfulRuns": 1, "failedRuns": 1},
    )
    writes = Writes(api, control_plane, namespace)
    job = councilor.fire()
    councilor.wait_for_phase("Running")
    # The first is for the next times, which the test moved.
    assert writes.taken() == [STATUS, STATUS]
    pods.start(api, job)
    assert writes.taken() == []
    pods.finish(api, job, pods.report_of(job, councilor.get()))
    councilor.wait_for_runs(1)
    assert writes.taken() == [STATUS]

    # One Job is kept: the end of the second takes the first along.
    councilor.run_to_end(control_plane, "one-2")
    eventually(lambda: len(councilor.jobs()) == 1, "the history is cut")
    assert writes.taken() == [STATUS, STATUS]


@pytest.fixture
def pair(
    operator_account: Account, tmp_path: Path, shared_operator: OperatorProcess
) -> Iterator[tuple[OperatorProcess, OperatorProcess]]:
    """Two operators on the same cluster that list everything twice a minute, and no third one."""
    shared_operator.stop()
    first, second = (
        OperatorProcess(
            operator_account.kubeconfig,
            tmp_path / f"operator-{number}.log",
            health_port=free_port(),
            COUNCILOR_METRICS_PORT=str(free_port()),
            COUNCILOR_RESYNC_SECONDS="30",
        )
        for number in (1, 2)
    )
    with first.alive(), second.alive():
        yield first, second


def test_two_operators_at_once_double_nothing(
    api: Api, namespace: str, control_plane: ControlPlane, pair: tuple[OperatorProcess, OperatorProcess]
) -> None:
    mark = control_plane.audit_mark()
    names = ("scheduled", "by-hand", "asked", "edited", "deleted")
    hourly = {"type": "interval", "value": "1h"}
    councilors = Councilor.create_all(api, namespace, {name: {"schedule": hourly} for name in names})
    scheduled, by_hand, asked, edited, _ = councilors.values()

    scheduled.fire()
    by_hand.run_by_hand(control_plane, "by-hand-1")
    asked.annotate("conductor.community/run-now", "first")
    for number in range(5):
        edited.edit(task={"prompt": f"Question {number}"})
    api.delete(COUNCILORS, namespace, "deleted")
    for councilor in (scheduled, by_hand, asked):
        eventually(councilor.jobs, f"{councilor.name} has a Job")
        (job,) = councilor.jobs()
        pods.start(api, job)
        pods.finish(api, job, pods.report_of(job, councilor.get()))
    for councilor in (scheduled, by_hand, asked):
        assert councilor.wait_for_runs(1)["stats"]["totalExecutions"] == 1, councilor.name
    edited.wait_for_condition("Ready", "True")
    assert '"prompt":"Question 4"' in edited.container()["env"][0]["value"]

    # A run by hand that follows shows that nothing of the first ones was counted late.
    for councilor in (by_hand, asked):
        councilor.run_to_end(control_plane, f"{councilor.name}-2")
        assert councilor.status["stats"] == {**councilor.status["stats"], "totalExecutions": 2, "success": 2}
    assert {councilor.name: len(councilor.jobs()) for councilor in (scheduled, by_hand, asked, edited)} == {
        "scheduled": 1,
        "by-hand": 2,
        "asked": 2,
        "edited": 0,
    }
    told = [(event["reason"], event["regarding"]["name"]) for event in api.list(EVENTS, namespace)]
    for councilor, ended in ((scheduled, 1), (by_hand, 2), (asked, 2)):
        eventually(partial(was_told, councilor), f"the event about a run of {councilor.name}")
        assert councilor.event_reasons().count("RunCompleted") == ended, told
    assert asked.event_reasons().count("RunNowStarted") == 1
    # Both may apply what a change asks for; that of the second changes nothing. Only one can write the status.
    writes = control_plane.operator_writes(namespace, since=mark)
    assert writes.count("patch councilors/edited/status") <= 1 + 5
    assert writes.count("patch cronjobs/edited") <= 2 * (1 + 5)
    assert writes.count("patch councilors/by-hand/status") <= 1 + 2 + 2
    assert writes.count("patch cronjobs/by-hand") <= 2

    api.create(CRON_JOBS, namespace, plain_cron_job("taken"))
    wrong = {"schedule": {"type": "cron", "value": "0 9 * * 7"}}
    paused: Object = {"schedule": {**hourly, "enabled": False}}
    for name, spec in (("taken", {}), ("wrong", wrong), ("paused", paused)):
        api.create(COUNCILORS, namespace, new_councilor(name, **spec))
        Councilor(api, namespace, name).wait_for_condition("Ready")
    running = asked.run_by_hand(control_plane, "asked-3")
    pods.start(api, running)
    asked.wait_for_phase("Running")
    for process in pair:
        process.kill()
    # Their times come every minute, and the status tells the next ones.
    for name in ("scheduled", "by-hand", "asked", "edited"):
        councilors[name].edit(schedule={"type": "cron", "value": "0 0 1 1 *"})
    for process in pair:
        process.start()
    for name in ("scheduled", "by-hand", "asked", "edited"):
        councilors[name].wait_for_condition("Ready", "True")
    for process in pair:
        process.kill()
    mark = control_plane.audit_mark()
    for process in pair:
        process.start()
    for process in pair:
        process.wait_for_list()
    assert control_plane.operator_writes(namespace, since=mark) == []
    assert len(api.list(JOBS, namespace)) == 6


@pytest.fixture
def diligent(operator_account: Account, tmp_path: Path, shared_operator: OperatorProcess) -> Iterator[OperatorProcess]:
    """An operator that lists everything every five seconds, alone."""
    shared_operator.stop()
    process = OperatorProcess(
        operator_account.kubeconfig,
        tmp_path / "operator.log",
        health_port=free_port(),
        COUNCILOR_METRICS_PORT=str(free_port()),
        COUNCILOR_RESYNC_SECONDS="5",
    )
    with process.alive():
        yield process


def test_full_lists_with_nothing_to_do_write_nothing(
    api: Api, namespace: str, control_plane: ControlPlane, diligent: OperatorProcess
) -> None:
    """A council with a Councilor for each path through a pass."""
    failed: Object = {"status": "error", "severity": "error", "reason": Reason.AGENT_FAILED, "exit_code": 10}
    api.create(CRON_JOBS, namespace, plain_cron_job("taken"))
    councilors = Councilor.create_all(
        api,
        namespace,
        {
            "idle": {},
            "taken": {},
            "wrong": {"schedule": {"type": "cron", "value": "0 9 * * 7"}},
            "refused": {"runner": {"nodeSelector": {"not a label!": "x"}}},
            "paused": {"schedule": {"type": "interval", "value": "1d", "enabled": False}},
            "judged": {},
            "suspended": {"suspendAfterFailures": 1},
            "stuck": {},
        },
    )
    councilors["judged"].run_to_end(control_plane, "judged-1")
    councilors["suspended"].run_to_end(control_plane, "suspended-1", **failed)
    councilors["suspended"].wait_for_condition("Scheduled", "False", "Suspended")
    pods.wait_for_image(api, councilors["stuck"].run_by_hand(control_plane, "stuck-1"))
    councilors["stuck"].wait_for_condition("Healthy", "False", "RunnerCannotStart")
    writes = Writes(api, control_plane, namespace)

    for _ in range(3):
        diligent.wait_for_list()

    assert writes.taken() == []
    assert {name: councilor.status["phase"] for name, councilor in councilors.items()} == {
        "idle": "Scheduled",
        "taken": "Invalid",
        "wrong": "Invalid",
        "refused": "Invalid",
        "paused": "Paused",
        "judged": "Scheduled",
        "suspended": "Suspended",
        "stuck": "Running",
    }


def was_told(councilor: Councilor) -> bool:
    return "RunCompleted" in councilor.event_reasons()
