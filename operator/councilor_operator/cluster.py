"""The cluster as the reconciler uses it: the only module that writes, and the few reads that no watch covers.

`Cluster` is as narrow as the reconciler needs; `KubernetesCluster` speaks to a real API server (Kubernetes 1.29 and
later).
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar
from uuid import uuid4

from councilor_operator.builders import Manifest
from councilor_operator.connection import APPLY, MERGE_PATCH, Connection
from councilor_operator.constants import (
    API_VERSION,
    FIELD_MANAGER,
    GROUP,
    KIND,
    LABEL_CONTROLLER_UID,
    LABEL_COUNCILOR_UID,
    LABEL_MANAGED_BY,
    MANAGED_BY,
    PLURAL,
    REPORTING_CONTROLLER,
    VERSION,
)
from councilor_operator.errors import ConflictError, NotFoundError, RejectedError
from councilor_operator.observed import ObservedCouncilor, ObservedCronJob, ObservedJob, ObservedPod, RawObject
from councilor_operator.status import Event

Observed = TypeVar("Observed", ObservedCouncilor, ObservedCronJob, ObservedJob)

PAGE_SIZE: Final = 100
"""Objects of a page: two resources of thousands of objects are never in memory as they came."""
EVENT_NOTE_LIMIT: Final = 1024
"""Characters of an event's note (events.k8s.io/v1)."""


class Cluster(Protocol):
    """What a reconcile pass may do. Every method may raise the errors of `errors.py`."""

    async def find_cron_job(self, namespace: str, name: str) -> ObservedCronJob | None:
        """Read a CronJob whoever it belongs to."""
        ...

    async def exists(self, councilor: ObservedCouncilor) -> bool:
        """Tell whether a Councilor is still there, and not only another one of its name."""
        ...

    async def apply_cron_job(self, manifest: Manifest, *, uid: str | None) -> ObservedCronJob:
        """Make a CronJob equal to the manifest; `uid` is that of the CronJob to change, None to create one."""
        ...

    async def check_cron_job(self, manifest: Manifest, *, uid: str) -> None:
        """Ask whether the API server would take a manifest; raises what `apply_cron_job` would."""
        ...

    async def suspend_cron_job(self, cron_job: ObservedCronJob) -> ObservedCronJob:
        """Stop a CronJob from starting runs."""
        ...

    async def fast_forward(self, cron_job: ObservedCronJob, now: datetime) -> ObservedCronJob:
        """Write off the times that a CronJob has passed without running."""
        ...

    async def create_job(self, manifest: Manifest) -> None:
        """Create a Job; one of that name and of the same Councilor that is there already is as good."""
        ...

    async def delete_job(self, job: ObservedJob) -> None:
        """Delete a Job with its Pods; one that is gone is as good."""
        ...

    async def patch_status(self, councilor: ObservedCouncilor, patch: Mapping[str, Any]) -> ObservedCouncilor:
        """Merge into a Councilor's status, if nobody wrote the Councilor since it was observed."""
        ...

    async def pods_of(self, job: ObservedJob) -> list[ObservedPod]:
        """Read the Pods of a Job."""
        ...

    async def send_event(self, councilor: ObservedCouncilor, event: Event, now: datetime) -> None:
        """Send an event about a Councilor."""
        ...


class KubernetesCluster:
    """The cluster behind a connection; `instance` names this process in events."""

    def __init__(self, connection: Connection, *, instance: str) -> None:
        self._connection = connection
        self._instance = instance

    async def find_cron_job(self, namespace: str, name: str) -> ObservedCronJob | None:
        try:
            body = await self._connection.request("GET", _path("batch/v1", namespace, "cronjobs", name))
        except NotFoundError:
            return None
        return ObservedCronJob.from_object(body)

    async def exists(self, councilor: ObservedCouncilor) -> bool:
        path = _path(f"{GROUP}/{VERSION}", councilor.namespace, PLURAL, councilor.name)
        try:
            body = await self._connection.request("GET", path)
        except NotFoundError:
            return False
        return bool(body["metadata"]["uid"] == councilor.uid)

    async def apply_cron_job(self, manifest: Manifest, *, uid: str | None) -> ObservedCronJob:
        return ObservedCronJob.from_object(await self._apply(manifest, uid, {}))

    async def check_cron_job(self, manifest: Manifest, *, uid: str) -> None:
        await self._apply(manifest, uid, {"dryRun": "All"})

    async def _apply(self, manifest: Manifest, uid: str | None, parameters: Mapping[str, str]) -> dict[str, Any]:
        metadata = manifest["metadata"]
        if uid is not None:
            # With the UID the request fails (409) if somebody replaced the CronJob meanwhile.
            manifest = {**manifest, "metadata": {**metadata, "uid": uid}}
        return await self._connection.request(
            "PATCH",
            _path("batch/v1", metadata["namespace"], "cronjobs", metadata["name"]),
            # Without force a CronJob that somebody made a moment ago is a conflict, and is met in the next pass.
            parameters={"fieldManager": FIELD_MANAGER, "force": "true" if uid else "false", **parameters},
            body=manifest,
            content_type=APPLY,
        )

    async def suspend_cron_job(self, cron_job: ObservedCronJob) -> ObservedCronJob:
        body = await self._connection.request(
            "PATCH",
            _path("batch/v1", cron_job.namespace, "cronjobs", cron_job.name),
            parameters={"fieldManager": FIELD_MANAGER},
            body={"metadata": {"uid": cron_job.uid}, "spec": {"suspend": True}},
            content_type=MERGE_PATCH,
        )
        return ObservedCronJob.from_object(body)

    async def fast_forward(self, cron_job: ObservedCronJob, now: datetime) -> ObservedCronJob:
        body = await self._connection.request(
            "PATCH",
            _path("batch/v1", cron_job.namespace, "cronjobs", cron_job.name, "status"),
            parameters={"fieldManager": FIELD_MANAGER},
            body={"metadata": {"uid": cron_job.uid}, "status": {"lastScheduleTime": _seconds(now)}},
            content_type=MERGE_PATCH,
        )
        return ObservedCronJob.from_object(body)

    async def create_job(self, manifest: Manifest) -> None:
        metadata = manifest["metadata"]
        path = _path("batch/v1", metadata["namespace"], "jobs")
        try:
            await self._connection.request("POST", path, body=manifest)
        except ConflictError:
            # Ours: the answer to an earlier attempt was lost, or a crash came before the status write.
            found = ObservedJob.from_object(await self._connection.request("GET", f"{path}/{metadata['name']}"))
            if found.councilor_uid != metadata["labels"][LABEL_COUNCILOR_UID]:
                message = f"a Job {metadata['name']} that belongs to something else has the name"
                raise RejectedError(message, status=409) from None

    async def delete_job(self, job: ObservedJob) -> None:
        # Without a policy the Job goes and its Pods stay.
        options = {"propagationPolicy": "Background", "preconditions": {"uid": job.uid}}
        with suppress(NotFoundError, ConflictError):
            await self._connection.request("DELETE", _path("batch/v1", job.namespace, "jobs", job.name), body=options)

    async def patch_status(self, councilor: ObservedCouncilor, patch: Mapping[str, Any]) -> ObservedCouncilor:
        body = await self._connection.request(
            "PATCH",
            _path(f"{GROUP}/{VERSION}", councilor.namespace, PLURAL, councilor.name, "status"),
            parameters={"fieldManager": FIELD_MANAGER},
            # Counters are sums over the status that was read: the version makes a second writer, or a stale read, fail.
            body={"metadata": {"resourceVersion": councilor.resource_version}, "status": patch},
            content_type=MERGE_PATCH,
        )
        return ObservedCouncilor.from_object(body)

    async def pods_of(self, job: ObservedJob) -> list[ObservedPod]:
        body = await self._connection.request(
            "GET",
            _path("v1", job.namespace, "pods"),
            parameters={"labelSelector": f"{LABEL_CONTROLLER_UID}={job.uid}"},
        )
        return [ObservedPod.from_object(item) for item in body["items"]]

    async def send_event(self, councilor: ObservedCouncilor, event: Event, now: datetime) -> None:
        await self._connection.request(
            "POST",
            _path("events.k8s.io/v1", councilor.namespace, "events"),
            body={
                "apiVersion": "events.k8s.io/v1",
                "kind": "Event",
                "metadata": {
                    "name": f"{councilor.name[:230].rstrip('-.')}.{uuid4().hex[:16]}",
                    "namespace": councilor.namespace,
                },
                "type": event.type,
                "reason": event.reason,
                "action": event.action,
                "note": event.note[:EVENT_NOTE_LIMIT],
                "eventTime": now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
                "reportingController": REPORTING_CONTROLLER,
                "reportingInstance": self._instance,
                "regarding": {
                    "apiVersion": API_VERSION,
                    "kind": KIND,
                    "namespace": councilor.namespace,
                    "name": councilor.name,
                    "uid": councilor.uid,
                    "resourceVersion": councilor.resource_version,
                },
            },
        )


class Listing:
    """Full lists of the watched resources, page by page; `namespaces` empty means all."""

    def __init__(self, connection: Connection, namespaces: tuple[str, ...]) -> None:
        self._connection = connection
        self._namespaces: tuple[str | None, ...] = namespaces or (None,)

    async def councilors(self) -> tuple[list[ObservedCouncilor], str]:
        """Return all Councilors and the version of the list."""
        return await self._all(ObservedCouncilor.from_object, f"{GROUP}/{VERSION}", PLURAL, {})

    async def cron_jobs(self) -> tuple[list[ObservedCronJob], str]:
        """Return all CronJobs that carry the operator's label."""
        return await self._all(ObservedCronJob.from_object, "batch/v1", "cronjobs", _MANAGED)

    async def jobs(self) -> tuple[list[ObservedJob], str]:
        """Return all Jobs that carry the operator's label."""
        return await self._all(ObservedJob.from_object, "batch/v1", "jobs", _MANAGED)

    async def _all(
        self, observe: Callable[[RawObject], Observed], group_version: str, plural: str, selector: Mapping[str, str]
    ) -> tuple[list[Observed], str]:
        items: list[Observed] = []
        versions = []
        for namespace in self._namespaces:
            async for page in self._pages(_path(group_version, namespace, plural), selector):
                items += map(observe, page["items"])
                versions.append(page["metadata"]["resourceVersion"])
        # The oldest version: what is newer than the first page may be missing from it.
        return items, min(versions, key=int)

    async def _pages(self, path: str, selector: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        parameters = {"limit": str(PAGE_SIZE), **selector}
        while True:
            page = await self._connection.request("GET", path, parameters=parameters)
            yield page
            token = page["metadata"].get("continue")
            if not token:
                return
            parameters = {**parameters, "continue": token}


_MANAGED: Final = {"labelSelector": f"{LABEL_MANAGED_BY}={MANAGED_BY}"}


def _path(group_version: str, namespace: str | None, *rest: str) -> str:
    root = "/api/v1" if group_version == "v1" else f"/apis/{group_version}"
    return "/".join([root, *(("namespaces", namespace) if namespace else ()), *rest])


def _seconds(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
