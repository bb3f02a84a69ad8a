"""The cluster as the reconciler uses it: the only module that writes, and the few reads that no watch covers.

`Cluster` is as narrow as the reconciler needs; `KubernetesCluster` speaks to a real API server (Kubernetes 1.29 and
later).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from councilor_operator.builders import Manifest
from councilor_operator.connection import APPLY, MERGE_PATCH, Connection
from councilor_operator.constants import (
    ANNOTATION_FAST_FORWARD,
    FIELD_MANAGER,
    GROUP,
    LABEL_CONTROLLER_UID,
    LABEL_COUNCILOR_UID,
    LABEL_MANAGED_BY,
    MANAGED_BY,
    PLURAL,
    REPORTING_CONTROLLER,
    VERSION,
)
from councilor_operator.errors import ConflictError, NotFoundError, RejectedError
from councilor_operator.events import Event
from councilor_operator.observed import (
    ObservedCouncilor,
    ObservedCronJob,
    ObservedJob,
    ObservedPod,
    Page,
    RawObject,
    Reference,
    Watched,
    read,
)
from councilor_operator.posting import post_event

PAGE_SIZE: Final = 100
"""Objects of a page: two resources of thousands of objects are never in memory as they came."""


class Cluster(Protocol):
    """What a reconcile pass may do. Every method may raise the errors of `errors.py`."""

    async def find_cron_job(self, namespace: str, name: str) -> ObservedCronJob | None:
        """Read a CronJob as it is now, whatever the watch has told so far."""
        ...

    async def exists(self, councilor: ObservedCouncilor) -> bool:
        """Tell whether a Councilor is still there: neither being deleted nor another one of its name."""
        ...

    async def apply_cron_job(self, manifest: Manifest, *, uid: str | None) -> ObservedCronJob:
        """Make a CronJob equal to the manifest; `uid` is that of the CronJob to change, None to create one.

        A CronJob that somebody else has made meanwhile is left as it is (`ConflictError`).
        """
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

    async def refusal_of(self, job: ObservedJob) -> str | None:
        """Read what the API server said when it last refused a Pod of a Job; None if it is not known to have."""
        ...

    async def jobs_of(self, councilor: ObservedCouncilor) -> list[ObservedJob]:
        """Read the Jobs of a Councilor as they are now, whatever the watch has told so far."""
        ...


class KubernetesCluster:
    """The cluster behind a connection, and the sender of events; `instance` names this process in them."""

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
        metadata = body["metadata"]
        return bool(metadata["uid"] == councilor.uid) and "deletionTimestamp" not in metadata

    async def apply_cron_job(self, manifest: Manifest, *, uid: str | None) -> ObservedCronJob:
        body = await self._apply(manifest, uid, {})
        if uid is None and _is_shared(body):
            # Somebody made one of this name a moment ago, and none of our fields contradicts theirs: what we added to
            # it goes again when we name nothing of it any more.
            metadata = {key: manifest["metadata"][key] for key in ("namespace", "name")}
            await self._apply({key: manifest[key] for key in ("apiVersion", "kind")} | {"metadata": metadata}, None, {})
            raise ConflictError("a CronJob of this name was made at the same moment", status=409)
        return ObservedCronJob.from_object(body)

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
            # The note goes with what it explains: without it, nobody could tell a time that was written off from one
            # whose Job is gone.
            body={
                "metadata": {"uid": cron_job.uid, "annotations": {ANNOTATION_FAST_FORWARD: _seconds(now)}},
                "status": {"lastScheduleTime": _seconds(now)},
            },
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
            try:
                body = await self._connection.request("GET", f"{path}/{metadata['name']}")
            except NotFoundError:
                raise ConflictError(f"the Job {metadata['name']} was deleted at the same moment", status=409) from None
            found = ObservedJob.from_object(body)
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

    async def refusal_of(self, job: ObservedJob) -> str | None:
        body = await self._connection.request(
            "GET",
            _path("events.k8s.io/v1", job.namespace, "events"),
            # The Job controller's words for it (Kubernetes 1.36, controller_utils.go); fields that can be selected:
            # events.k8s.io/v1, AddFieldLabelConversionsForEvent.
            parameters={"fieldSelector": f"regarding.uid={job.uid},reason=FailedCreate", "limit": str(PAGE_SIZE)},
        )
        notes = [(item["metadata"]["resourceVersion"], item.get("note", "")) for item in body["items"]]
        return max(notes, key=lambda entry: int(entry[0]), default=("", ""))[1] or None

    async def jobs_of(self, councilor: ObservedCouncilor) -> list[ObservedJob]:
        path, selector = _path("batch/v1", councilor.namespace, "jobs"), f"{LABEL_COUNCILOR_UID}={councilor.uid}"
        body = await self._connection.request("GET", path, parameters={"labelSelector": selector})
        return [ObservedJob.from_object(item) for item in body["items"]]

    async def send_event(self, about: Reference, event: Event, now: datetime) -> None:
        await post_event(self._connection, about, event, now, controller=REPORTING_CONTROLLER, instance=self._instance)


class Listing:
    """Full lists of the watched resources, page by page; `namespaces` empty means all."""

    def __init__(self, connection: Connection, namespaces: tuple[str, ...]) -> None:
        self._connection = connection
        self._namespaces: tuple[str | None, ...] = namespaces or (None,)

    def councilors(self) -> AsyncIterator[Page[ObservedCouncilor]]:
        """List all Councilors."""
        return self._all(ObservedCouncilor, f"{GROUP}/{VERSION}", PLURAL, {})

    def cron_jobs(self) -> AsyncIterator[Page[ObservedCronJob]]:
        """List all CronJobs: also a foreign one may have the name that a Councilor needs."""
        return self._all(ObservedCronJob, "batch/v1", "cronjobs", {})

    def jobs(self) -> AsyncIterator[Page[ObservedJob]]:
        """List all Jobs that carry the operator's label."""
        return self._all(ObservedJob, "batch/v1", "jobs", _MANAGED)

    async def _all(
        self, kind: type[Watched], group_version: str, plural: str, selector: Mapping[str, str]
    ) -> AsyncIterator[Page[Watched]]:
        for namespace in self._namespaces:
            path = _path(group_version, namespace, plural)
            parameters = {"limit": str(PAGE_SIZE), **selector}
            following: asyncio.Task[dict[str, Any]] | None = self._ask(path, parameters)
            try:
                while following is not None:
                    page = await following
                    token = page["metadata"].get("continue")
                    # The API server makes the next page while this one is looked at.
                    following = self._ask(path, {**parameters, "continue": token}) if token else None
                    items = [item for body in page["items"] if (item := read(kind, body)) is not None]
                    yield Page(items, int(page["metadata"]["resourceVersion"]))
            finally:
                if following is not None:
                    following.cancel()

    def _ask(self, path: str, parameters: Mapping[str, str]) -> "asyncio.Task[dict[str, Any]]":
        return asyncio.ensure_future(self._connection.request("GET", path, parameters=parameters))


def _is_shared(cron_job: RawObject) -> bool:
    """Tell whether others own fields of a CronJob beside its status."""
    return any(
        entry["manager"] != FIELD_MANAGER and not entry.get("subresource")
        for entry in cron_job["metadata"].get("managedFields", ())
    )


_MANAGED: Final = {"labelSelector": f"{LABEL_MANAGED_BY}={MANAGED_BY}"}


def _path(group_version: str, namespace: str | None, *rest: str) -> str:
    root = "/api/v1" if group_version == "v1" else f"/apis/{group_version}"
    return "/".join([root, *(("namespaces", namespace) if namespace else ()), *rest])


def _seconds(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
