"""No run comes by surprise and none is lost, whatever is done to a schedule, and while whoever is down."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from councilor_runner.contract import Reason
from tests.controlplane import pods
from tests.controlplane.api import COUNCILORS, CRON_JOBS, Api, Object, eventually
from tests.controlplane.councilor import Councilor, new_councilor
from tests.controlplane.cron import wait_for_controller
from tests.controlplane.launcher import ControlPlane
from tests.controlplane.process import OperatorProcess

pytestmark = pytest.mark.usefixtures("never_fired", "operator_process")

FAILED: dict[str, Any] = {"status": "error", "severity": "error", "reason": Reason.AGENT_FAILED, "exit_code": 10}

SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"


def cron(time: datetime, **more: Any) -> Object:
    """Return a schedule that comes every day at a time's minute, in the zone of that time."""
    return {"type": "cron", "value": f"{time.minute} {time.hour} * * *", **more}


def interval(value: str, **more: Any) -> Object:
    """Return a schedule that comes at intervals."""
    return {"type": "interval", "value": value, **more}


@dataclass(frozen=True)
class Change:
    """A change after which a controller that only reads the CronJob finds times that passed without a run."""

    before: Object
    after: tuple[Object, ...]
    """Changes of the schedule, one after the other."""
    last_fired: timedelta = timedelta(hours=3)
    """How long before the change the CronJob last fired; nothing of the old schedule came in between."""


@pytest.fixture(scope="module")
def never_fired(api: Api) -> Councilor:
    """A Councilor that is made before all others and has got old when its test comes: see there."""
    namespace = api.make_namespace("never-fired")
    api.create(COUNCILORS, namespace, new_councilor("old"))
    return Councilor(api, namespace, "old")


def changes() -> dict[str, Change]:
    """Return every kind of change, by name. Ten minutes ago is what has just passed; twelve hours are far away."""
    passed = datetime.now(tz=UTC) - timedelta(minutes=10)
    far = datetime.now(tz=UTC) - timedelta(hours=12)
    tokyo = passed + timedelta(hours=9)
    return {
        "resumed-cron": Change(cron(passed, enabled=False), ({"enabled": True},)),
        "resumed-interval": Change(interval("1h", enabled=False), ({"enabled": True},)),
        "edited-cron": Change(cron(far), (cron(passed),)),
        "edited-interval": Change(interval("1d"), (interval("1h"),)),
        "zone": Change(cron(tokyo, timeZone="UTC"), ({"timeZone": "Asia/Tokyo"},)),
        "interval-to-cron": Change(interval("1d"), (cron(passed),)),
        "cron-to-interval": Change(cron(far), (interval("1h"),)),
        "edited-paused": Change(cron(far, enabled=False), (cron(passed), {"enabled": True})),
        "paused-and-resumed": Change(cron(far), ({"enabled": False}, {**cron(passed), "enabled": True})),
    }


def edit_all(councilors: dict[str, Councilor], changed: dict[str, Change]) -> None:
    """Make every change, step after step, whoever looks."""
    for name, change in changed.items():
        for schedule in change.after:
            councilors[name].edit(schedule=schedule)


def edit_live(
    councilors: dict[str, Councilor], changed: dict[str, Change], _: OperatorProcess, __: ControlPlane
) -> None:
    """The operator follows each step."""
    for name, change in changed.items():
        for schedule in change.after:
            councilors[name].edit(schedule=schedule)
            councilors[name].wait_for_condition("Ready", "True")


def edit_while_operator_is_down(
    councilors: dict[str, Councilor], changed: dict[str, Change], operator: OperatorProcess, _: ControlPlane
) -> None:
    """The operator finds the changes when it starts."""
    operator.kill()
    edit_all(councilors, changed)
    operator.start()


def edit_while_controllers_restart(
    councilors: dict[str, Councilor], changed: dict[str, Change], operator: OperatorProcess, plane: ControlPlane
) -> None:
    """The controller starts before the operator does, and again when it is done: it looks at every CronJob then."""
    operator.kill()
    edit_all(councilors, changed)
    plane.restart("controller-manager")
    operator.start()
    for councilor in councilors.values():
        councilor.wait_for_condition("Scheduled", "True")
    plane.restart("controller-manager")


@pytest.mark.parametrize("edit_all", [edit_live, edit_while_operator_is_down, edit_while_controllers_restart])
def test_a_changed_schedule_starts_no_run_for_a_time_that_has_passed(
    api: Api,
    namespace: str,
    control_plane: ControlPlane,
    operator_process: OperatorProcess,
    edit_all: Callable[[dict[str, Councilor], dict[str, Change], OperatorProcess, ControlPlane], None],
) -> None:
    changed = changes()
    councilors = Councilor.create_all(
        api, namespace, {name: {"schedule": change.before} for name, change in changed.items()}
    )
    for name, change in changed.items():
        councilors[name].set_last_fired(change.last_fired)
    # Nothing is due under the old schedules: what comes later comes from the change.
    wait_for_controller(api, namespace)
    assert started(councilors) == {}

    edit_all(councilors, changed, operator_process, control_plane)
    for councilor in councilors.values():
        councilor.wait_for_condition("Scheduled", "True")
    wait_for_controller(api, namespace)

    assert started(councilors) == {}
    now = datetime.now(tz=UTC)
    for name, councilor in councilors.items():
        upcoming = [datetime.fromisoformat(time) for time in councilor.status["nextRunTimes"]]
        every = upcoming[1] - upcoming[0]
        assert now < upcoming[0] <= now + every, name
    # They run on: what comes due from now on starts.
    for councilor in councilors.values():
        councilor.set_last_fired(timedelta(hours=1, seconds=1))
    for name, councilor in councilors.items():
        eventually(councilor.jobs, f"{name} fires again")


def test_a_cron_job_that_is_made_again_starts_no_run(
    api: Api, namespace: str, control_plane: ControlPlane, operator_process: OperatorProcess
) -> None:
    councilor = Councilor.create(api, namespace, "again")
    councilor.set_last_fired(timedelta(hours=3))
    operator_process.kill()

    api.delete(CRON_JOBS, namespace, "again")
    councilor.edit(schedule=cron(datetime.now(tz=UTC) - timedelta(minutes=10)))
    operator_process.start()
    councilor.wait_for_condition("Ready", "True")
    control_plane.restart("controller-manager")
    wait_for_controller(api, namespace)

    assert councilor.jobs() == []


def test_the_zone_of_an_interval_does_not_move_its_runs(api: Api, namespace: str) -> None:
    councilor = Councilor.create(api, namespace, "phase", schedule=interval("1d"))
    councilor.set_last_fired(timedelta(hours=23))
    due = eventually(
        lambda: councilor.status["nextRunTimes"] if within_two_hours(councilor) else None,
        "the next run is an hour away",
    )

    councilor.edit(schedule={"timeZone": "Asia/Tokyo"})
    councilor.wait_for_condition("Ready", "True")

    assert councilor.cron_job()["spec"]["timeZone"] == "Asia/Tokyo"
    after = councilor.status["nextRunTimes"]
    assert [datetime.fromisoformat(time) for time in after] == [datetime.fromisoformat(time) for time in due]


def within_two_hours(councilor: Councilor) -> bool:
    upcoming = datetime.fromisoformat(councilor.status["nextRunTimes"][0])
    return upcoming < datetime.now(tz=UTC) + timedelta(hours=2)


def toggle(councilor: Councilor, _: ControlPlane) -> None:
    councilor.edit(schedule={"enabled": False})
    councilor.wait_for_condition("Scheduled", "False", "Paused")
    councilor.edit(schedule={"enabled": True})


def change_the_spec(councilor: Councilor, _: ControlPlane) -> None:
    councilor.edit(title="Coverage counsel")


def succeed_by_hand(councilor: Councilor, plane: ControlPlane) -> None:
    councilor.run_to_end(plane, f"{councilor.name}-mended")


def succeed_by_annotation(councilor: Councilor, _: ControlPlane) -> None:
    councilor.annotate("conductor.community/run-now", "mended")
    job = eventually(
        lambda: next((job for job in councilor.jobs() if not job["status"].get("conditions")), None), "the run starts"
    )
    pods.start(councilor.api, job)
    pods.finish(councilor.api, job, pods.report_of(job, councilor.get()))
    councilor.wait_for_runs(2)


WAYS_BACK = {
    "toggle": toggle,
    "edit": change_the_spec,
    "by-hand": succeed_by_hand,
    "run-now": succeed_by_annotation,
}


@pytest.mark.parametrize("down", [False, True], ids=["operator-up", "operator-down"])
def test_every_way_back_from_too_many_failures_resumes_without_a_surprise(
    api: Api, namespace: str, control_plane: ControlPlane, operator_process: OperatorProcess, down: bool
) -> None:
    passed = datetime.now(tz=UTC) - timedelta(minutes=10)
    ways = {name: way for name, way in WAYS_BACK.items() if not down or name == "edit"}
    councilors = Councilor.create_all(
        api, namespace, {name: {"schedule": cron(passed), "suspendAfterFailures": 1} for name in ways}
    )
    for name, councilor in councilors.items():
        councilor.run_to_end(control_plane, f"{name}-1", **FAILED)
        councilor.wait_for_condition("Scheduled", "False", "Suspended")
        assert councilor.cron_job()["spec"]["suspend"] is True
        # As if that had been three hours ago.
        councilor.set_last_fired(timedelta(hours=3))

    if down:
        operator_process.kill()
    for name, way in ways.items():
        way(councilors[name], control_plane)
    if down:
        control_plane.restart("controller-manager")
        operator_process.start()

    for councilor in councilors.values():
        councilor.wait_for_condition("Scheduled", "True")
    wait_for_controller(api, namespace)
    for name, councilor in councilors.items():
        assert councilor.cron_job()["spec"]["suspend"] is False, name
        assert councilor.status["phase"] == "Scheduled", name
        assert councilor.status["stats"]["consecutiveFailures"] == 0, name
        assert [job for job in councilor.jobs() if SCHEDULED_AT in job["metadata"]["annotations"]] == [], name


def test_only_failures_in_a_row_count_and_zero_means_never(
    api: Api, namespace: str, control_plane: ControlPlane
) -> None:
    councilors = Councilor.create_all(
        api, namespace, {"never": {"suspendAfterFailures": 0}, "twice": {"suspendAfterFailures": 2}}
    )
    never, twice = councilors.values()

    for number, report in enumerate([FAILED, {}, FAILED]):
        twice.run_to_end(control_plane, f"twice-{number}", **report)
    assert twice.status["phase"] == "Scheduled"
    for councilor in councilors.values():
        councilor.run_to_end(control_plane, f"{councilor.name}-3", **FAILED)

    assert twice.wait_for_condition("Scheduled", "False", "Suspended")
    assert never.status["stats"]["consecutiveFailures"] == 1
    assert (never.status["phase"], never.cron_job()["spec"]["suspend"]) == ("Scheduled", False)


def test_a_cron_job_that_never_fired_starts_no_run_for_a_time_since_it_was_made(
    api: Api, namespace: str, never_fired: Councilor, control_plane: ControlPlane, operator_process: OperatorProcess
) -> None:
    never_fired.wait_for_condition("Ready", "True")
    cron_job = never_fired.cron_job()
    assert "lastScheduleTime" not in cron_job["status"]
    made = datetime.fromisoformat(cron_job["metadata"]["creationTimestamp"])
    minute = made.replace(second=0) + timedelta(minutes=1)
    eventually(lambda: datetime.now(tz=UTC) > minute, "the minute in which the CronJob was made is over", seconds=90)

    operator_process.kill()
    never_fired.edit(schedule=cron(minute))
    control_plane.restart("controller-manager")
    operator_process.start()
    never_fired.wait_for_condition("Ready", "True")
    wait_for_controller(api, never_fired.namespace)

    assert never_fired.cron_job()["spec"]["schedule"] == cron(minute)["value"]
    assert never_fired.jobs() == []
    # Sixty seconds after a time without a run it would count as missed, and be told with the next pass.
    eventually(lambda: datetime.now(tz=UTC) > minute + timedelta(seconds=60), "the time is long past", seconds=90)
    operator_process.kill()
    operator_process.start()
    Councilor.create(api, namespace, "later")
    assert never_fired.status.get("stats", {}).get("missed", 0) == 0


def started(councilors: dict[str, Councilor]) -> dict[str, list[str]]:
    """Return the names of the Jobs that there are, by Councilor."""
    found = {name: [job["metadata"]["name"] for job in councilor.jobs()] for name, councilor in councilors.items()}
    return {name: jobs for name, jobs in found.items() if jobs}
