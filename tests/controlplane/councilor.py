"""A Councilor in a real cluster, as the tests of the operator handle it: create, edit, run, and ask about it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tests.controlplane import cron, pods
from tests.controlplane.api import COUNCILORS, CRON_JOBS, EVENTS, JOBS, RESOURCE_QUOTAS, Api, Object, eventually
from tests.controlplane.launcher import ControlPlane


def new_councilor(name: str, **spec: Any) -> Object:
    """Return a small Councilor that runs once a year unless told otherwise."""
    defaults: Object = {
        "agentId": "CoverageReviewer_Agent",
        "schedule": {"type": "cron", "value": "0 0 1 1 *"},
        "task": {"prompt": "Is test coverage falling?"},
    }
    return {
        "apiVersion": "councilors.conductor.community/v1alpha1",
        "kind": "Councilor",
        "metadata": {"name": name},
        "spec": {**defaults, **spec},
    }


def condition(councilor: Object | None, kind: str) -> Object:
    """Return a condition of a Councilor, empty if it has none."""
    conditions = (councilor or {}).get("status", {}).get("conditions", ())
    return next((item for item in conditions if item["type"] == kind), {})


def limit_to_none(api: Api, namespace: str, resource: str) -> None:
    """Let nobody create objects of a resource in a namespace, named as in a ResourceQuota, and wait until it holds."""
    api.create(RESOURCE_QUOTAS, namespace, {"metadata": {"name": "none"}, "spec": {"hard": {resource: "0"}}})

    def in_effect() -> bool:
        quota = api.get(RESOURCE_QUOTAS, namespace, "none") or {}
        return resource in quota.get("status", {}).get("hard", {})

    eventually(in_effect, f"the quota of {resource} is in effect in {namespace}")


class Councilor:
    """A Councilor in the cluster, with what a test asks about it."""

    def __init__(self, api: Api, namespace: str, name: str) -> None:
        self.api, self.namespace, self.name = api, namespace, name

    @classmethod
    def create(cls, api: Api, namespace: str, name: str, **spec: Any) -> "Councilor":
        """Create it and wait until the operator has seen it."""
        api.create(COUNCILORS, namespace, new_councilor(name, **spec))
        councilor = cls(api, namespace, name)
        councilor.wait_for_condition("Ready")
        return councilor

    @classmethod
    def create_all(cls, api: Api, namespace: str, specs: Mapping[str, Object]) -> "dict[str, Councilor]":
        """Create several, name to spec, and wait until the operator has seen them all."""
        for name, spec in specs.items():
            api.create(COUNCILORS, namespace, new_councilor(name, **spec))
        councilors = {name: cls(api, namespace, name) for name in specs}
        for councilor in councilors.values():
            councilor.wait_for_condition("Ready")
        return councilors

    def get(self) -> Object:
        """Return it."""
        found = self.api.get(COUNCILORS, self.namespace, self.name)
        assert found is not None
        return found

    @property
    def status(self) -> Object:
        """Its status."""
        return dict(self.get()["status"])

    def cron_job(self) -> Object:
        """Return its CronJob."""
        found = self.api.get(CRON_JOBS, self.namespace, self.name)
        assert found is not None
        return found

    def container(self) -> Object:
        """Return the container of its CronJob."""
        pod = self.cron_job()["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        return dict(pod["containers"][0])

    def changed_since(self, version: str) -> bool:
        """Tell whether its CronJob has another version than this."""
        return bool(self.cron_job()["metadata"]["resourceVersion"] != version)

    def jobs(self) -> list[Object]:
        """Return its Jobs."""
        return self.api.list(JOBS, self.namespace, f"conductor.community/councilor={self.name}")

    def event_reasons(self) -> list[str]:
        """Return the reasons of the events about it."""
        # Its CronJob has the same name, and events of its own.
        about = {"kind": "Councilor", "name": self.name}
        events = self.api.list(EVENTS, self.namespace)
        return [event["reason"] for event in events if about.items() <= event["regarding"].items()]

    def annotate(self, key: str, value: str | None) -> None:
        """Set an annotation, or remove it."""
        self.api.patch(COUNCILORS, self.namespace, self.name, {"metadata": {"annotations": {key: value}}})

    def edit(self, **spec: Any) -> None:
        """Change its spec."""
        self.api.patch(COUNCILORS, self.namespace, self.name, {"spec": spec})

    def wait_for_condition(self, kind: str, status: str = "", reason: str = "", *, seconds: float = 60.0) -> Object:
        """Wait for a condition of the newest generation; any status or reason if not given."""

        def reached() -> Object | None:
            body = self.api.get(COUNCILORS, self.namespace, self.name)
            found = condition(body, kind)
            fresh = body is not None and found.get("observedGeneration") == body["metadata"]["generation"]
            matches = status in {"", found.get("status")} and reason in {"", found.get("reason")}
            return found if fresh and matches else None

        return eventually(reached, f"condition {kind} {status} {reason} of {self.name}", seconds=seconds)

    def wait_for_phase(self, phase: str) -> None:
        """Wait until its status says so."""
        eventually(lambda: self.status["phase"] == phase, f"{self.name} is in phase {phase}")

    def wait_for_runs(self, total: int) -> Object:
        """Wait until so many runs are counted; returns the status."""
        eventually(
            lambda: self.status.get("stats", {}).get("totalExecutions", 0) >= total, f"{total} runs of {self.name}"
        )
        return self.status

    def run_by_hand(self, control_plane: ControlPlane, job: str) -> Object:
        """Start a run as a user does."""
        control_plane.kubectl("create", "job", job, f"--from=cronjob/{self.name}", "-n", self.namespace)
        found = self.api.get(JOBS, self.namespace, job)
        assert found is not None
        return found

    def make_due(self) -> None:
        """Let an interval of one hour be due in a second or two."""
        self.set_last_fired(timedelta(minutes=59, seconds=58))

    def fire(self) -> Object:
        """Let an interval of one hour be due in a second or two; returns the Job that its CronJob makes."""
        before = {job["metadata"]["uid"] for job in self.jobs()}
        self.make_due()

        def made() -> Object | None:
            return next((job for job in self.jobs() if job["metadata"]["uid"] not in before), None)

        return eventually(made, f"the CronJob of {self.name} fires")

    def set_last_fired(self, ago: timedelta) -> None:
        """Set back when its CronJob last fired: what has passed since counts as missed."""
        cron.set_last_fired(self.api, self.namespace, self.name, ago)

    def run_to_end(self, control_plane: ControlPlane, job: str, **report: Any) -> None:
        """Run it by hand, with what its runner reports, and wait until the run is counted."""
        before = self.status.get("stats", {}).get("totalExecutions", 0)
        body = self.run_by_hand(control_plane, job)
        pods.start(self.api, body)
        pods.finish(self.api, body, pods.report_of(body, self.get(), **report))
        self.wait_for_runs(before + 1)
