"""The CronJob controller as tests wait for it: whether it has looked at everything that was changed so far."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tests.controlplane import pods
from tests.controlplane.api import CRON_JOBS, JOBS, Api, Object, eventually


def plain_cron_job(name: str, schedule: str = "0 0 1 1 *") -> Object:
    """Return a CronJob that has nothing to do with the operator."""
    container = {"name": "nothing", "image": "busybox"}
    template = {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}}
    return {"metadata": {"name": name}, "spec": {"schedule": schedule, "jobTemplate": template}}


def set_last_fired(api: Api, namespace: str, name: str, ago: timedelta) -> None:
    """Set back when a CronJob last fired: the controller starts the latest of the times that have come since."""
    last = (datetime.now(tz=UTC) - ago).strftime(pods.UTC_FORMAT)
    api.patch(CRON_JOBS, namespace, name, {"status": {"lastScheduleTime": last}}, subresource="status")


def wait_for_controller(api: Api, namespace: str) -> None:
    """Wait until the controller has looked at every CronJob of a namespace as it is now.

    A change of anything but the schedule puts a CronJob into the controller's queue at once, so each gets one. They
    have been handled when a CronJob that becomes due a second or two later has fired.
    """
    touch = uuid4().hex
    for cron_job in api.list(CRON_JOBS, namespace):
        body = {"metadata": {"annotations": {"test/touched": touch}}}
        api.patch(CRON_JOBS, namespace, cron_job["metadata"]["name"], body)
    name = f"touched-{touch[:8]}"
    api.create(CRON_JOBS, namespace, plain_cron_job(name, "@every 1m"))
    set_last_fired(api, namespace, name, timedelta(seconds=58))

    def fired() -> bool:
        owners = [job["metadata"].get("ownerReferences", [{}])[0].get("name") for job in api.list(JOBS, namespace)]
        return name in owners

    eventually(fired, f"CronJob {name} fires")
    api.delete(CRON_JOBS, namespace, name)
