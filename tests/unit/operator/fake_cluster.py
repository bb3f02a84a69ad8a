"""A cluster in memory: the `Cluster` and `Lists` protocols with the semantics of a real API server that matter here.

Resource versions, UID preconditions, optimistic locking, server-side apply (fields of ours that we stop naming go,
fields of others stay, keyed lists merge by key), merge patches, defaults. It notes every write, and fails where a test
says so. Watch events wait until `deliver` hands them to an observer; what waits, a stale cache does not know.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from councilor_operator.builders import Manifest
from councilor_operator.constants import ANNOTATION_FAST_FORWARD, LABEL_COUNCILOR_UID
from councilor_operator.errors import ApiError, ConflictError, NotFoundError, RejectedError
from councilor_operator.events import Event
from councilor_operator.observed import ObservedCouncilor, ObservedCronJob, ObservedJob, ObservedPod, Page, Reference
from councilor_operator.observer import Observer
from tests import factories
from tests.factories import Body, FixedClock, merged, rfc3339

Operation = Literal[
    "exists",
    "find",
    "apply",
    "suspend",
    "fast-forward",
    "status",
    "pods",
    "refusal",
    "jobs",
    "event",
    "create-job",
    "delete-job",
]
Key = tuple[str, str]

# x-kubernetes-list-map-keys of the lists that occur in a CronJob; every other list is replaced as a whole.
_LIST_KEYS = {"containers": "name", "env": "name", "imagePullSecrets": "name", "ownerReferences": "uid"}


class FakeCluster:
    """Councilors, CronJobs, Jobs and Pods, with the API server's way of writing them."""

    def __init__(self, clock: FixedClock) -> None:
        self.clock = clock
        self.councilors: dict[str, Body] = {}
        self.cron_jobs: dict[Key, Body] = {}
        self.jobs: dict[str, Body] = {}
        self.pods: dict[str, list[Body]] = {}
        self.refusals: dict[str, str] = {}
        """Job UID to what the API server says when the Job controller asks for a Pod."""
        self.events: list[tuple[str, Event]] = []
        self.writes: list[str] = []
        """Every write that was carried out, in order: apply, suspend, fast-forward, status, event."""
        self.reads: list[str] = []
        self._applied: dict[Key, Manifest] = {}
        self._versions = itertools.count(1000)
        self._uids = itertools.count(1)
        self._failures: dict[Operation, list[tuple[ApiError | Exception, bool]]] = {}
        self._undelivered: list[tuple[str, bool, Body]] = []

    # --- what tests do ------------------------------------------------------------------------------------------------

    def fail(self, operation: Operation, error: Exception, *, times: int = 1, carried_out: bool = False) -> None:
        """Let the next calls fail; with `carried_out` the write happens and only its answer is lost."""
        self._failures.setdefault(operation, []).extend([(error, carried_out)] * times)

    def create_councilor(self, **over: Any) -> str:
        """Create a Councilor; returns its UID."""
        body = factories.councilor_body(created_at=self.clock(), **over)
        uid: str = body["metadata"]["uid"]
        self.councilors[uid] = body
        self._changed("councilor", body)
        return uid

    def edit_councilor(self, uid: str = factories.UID, spec: Mapping[str, Any] | None = None) -> None:
        """Merge into a spec, as `kubectl edit` does; the generation moves."""
        body = self.councilors[uid]
        body["spec"] = merged(body["spec"], spec)
        body["metadata"]["generation"] += 1
        self._changed("councilor", body)

    def delete_councilor(self, uid: str = factories.UID) -> None:
        """Delete a Councilor; the garbage collector is another step."""
        self._gone("councilor", self.councilors.pop(uid))

    def begin_to_delete_councilor(self, uid: str = factories.UID) -> None:
        """Delete a Councilor that a finalizer holds, as a deletion in the foreground does."""
        body = self.councilors[uid]
        body["metadata"] |= {"deletionTimestamp": rfc3339(self.clock()), "finalizers": ["foregroundDeletion"]}
        self._changed("councilor", body)

    def touch_councilor(self, uid: str = factories.UID) -> None:
        """Let somebody write the Councilor without changing what the operator looks at."""
        self._changed("councilor", self.councilors[uid])

    @property
    def councilor(self) -> Body:
        """The one Councilor there is."""
        (body,) = self.councilors.values()
        return body

    @property
    def status(self) -> Body:
        """Its status."""
        status: Body = self.councilor.get("status", {})
        return status

    @property
    def cron_job(self) -> Body:
        """The one CronJob there is."""
        (body,) = self.cron_jobs.values()
        return body

    def create_cron_job(self, manifest: Mapping[str, Any]) -> Body:
        """Let somebody else create a CronJob."""
        body = factories.cron_job_body(manifest, uid=self._uid("cron-job"), created_at=self.clock())
        self.cron_jobs[_key(body)] = body
        self._changed("cron_job", body)
        return body

    def edit_cron_job(self, change: Mapping[str, Any]) -> None:
        """Let somebody else merge something into the one CronJob."""
        (key,) = self.cron_jobs
        before = self.cron_jobs[key]
        self.cron_jobs[key] = factories.next_generation(before, merged(before, change))
        self._changed("cron_job", self.cron_jobs[key])

    def delete_cron_job(self) -> None:
        """Let somebody delete the one CronJob."""
        ((key, body),) = self.cron_jobs.items()
        del self.cron_jobs[key]
        self._applied.pop(key, None)
        self._gone("cron_job", body)

    def start_job(self, *, scheduled: bool = True, at: datetime | None = None, **over: Any) -> str:
        """Let the CronJob controller start a run, or a person; returns the Job's UID."""
        cron_job, now = self.cron_job, at or self.clock()
        if scheduled:
            cron_job["status"]["lastScheduleTime"] = rfc3339(now)
            self._changed("cron_job", cron_job)
        uid = self._uid("job")
        values: Body = {
            "name": factories.scheduled_job_name(now, cron_job["metadata"]["name"]) if scheduled else f"by-hand-{uid}",
            "uid": uid,
            "scheduled_at": now if scheduled else None,
            "created_at": now,
            "active": 1,
            "ready": 1,
        }
        self.jobs[uid] = factories.job_body(**(values | over))
        self.pods.setdefault(uid, [])
        self._changed("job", self.jobs[uid])
        return uid

    def end_job(self, uid: str, message: str | None = None, *, exit_code: int = 0, **pod: Any) -> None:
        """Let a Job end a minute after its start; `message` None leaves no Pod behind."""
        body = self.jobs[uid]
        created = datetime.fromisoformat(body["metadata"]["creationTimestamp"])
        if message is not None:
            ended = factories.ended_pod_body(message, exit_code=exit_code, created_at=created, name=f"{uid}-pod", **pod)
            self.pods[uid] = [ended]
        kind, reason = ("Failed", "BackoffLimitExceeded") if exit_code or message is None else ("Complete", "")
        at = rfc3339(created + timedelta(minutes=1))
        body["status"] = {
            "startTime": body["status"]["startTime"],
            "succeeded" if kind == "Complete" else "failed": 1,
            "conditions": [{"type": kind, "status": "True", "lastTransitionTime": at, "reason": reason}],
        }
        self._changed("job", body)

    def run(self, message: str | None = None, *, exit_code: int = 0, **over: Any) -> str:
        """Start a run and end it; times and name of the report follow the Job."""
        uid = self.start_job(**over)
        begun = datetime.fromisoformat(self.jobs[uid]["metadata"]["creationTimestamp"])
        text = message or factories.report_message(
            scheduledAt=rfc3339(begun),
            startedAt=rfc3339(begun + timedelta(seconds=2)),
            completedAt=rfc3339(begun + timedelta(seconds=50)),
            exitCode=exit_code,
            **({"status": "error", "severity": "error", "reason": "AgentFailed"} if exit_code else {}),
        )
        self.end_job(uid, text, exit_code=exit_code)
        return uid

    def collect_job(self, uid: str) -> None:
        """Let the history limit delete a Job and its Pods."""
        self.pods.pop(uid, None)
        self._gone("job", self.jobs.pop(uid))

    def deliver(self, observer: Observer) -> None:
        """Hand the watch events to an observer."""
        events, self._undelivered = self._undelivered, []
        for kind, deleted, body in events:
            getattr(observer, kind)(deleted, body)

    def drop_events(self) -> None:
        """Lose the watch events that were not delivered, as a broken watch does."""
        self._undelivered.clear()

    def recover(self) -> None:
        """Let nothing fail any more."""
        self._failures.clear()

    # --- Cluster ------------------------------------------------------------------------------------------------------

    async def find_cron_job(self, namespace: str, name: str) -> ObservedCronJob | None:
        self._fail("find")
        self.reads.append("find")
        body = self.cron_jobs.get((namespace, name))
        return None if body is None else ObservedCronJob.from_object(copy.deepcopy(body))

    async def exists(self, councilor: ObservedCouncilor) -> bool:
        self._fail("exists")
        self.reads.append("exists")
        body = self.councilors.get(councilor.uid)
        return body is not None and "deletionTimestamp" not in body["metadata"]

    async def check_cron_job(self, manifest: Manifest, *, uid: str) -> None:
        self._fail("apply")
        self.reads.append("check")
        self._demand(_key(manifest), uid)

    async def apply_cron_job(self, manifest: Manifest, *, uid: str | None) -> ObservedCronJob:
        self._fail("apply")
        key = _key(manifest)
        if uid is not None:
            self._demand(key, uid)
        live = self.cron_jobs.get(key)
        if live is None:
            body = factories.cron_job_body(manifest, uid=self._uid("cron-job"), created_at=self.clock())
            changed = True
        else:
            if uid is None and key not in self._applied:
                raise ConflictError("a CronJob of this name was made at the same moment", status=409)
            body = factories.as_stored(_apply(live, self._applied.get(key, {}), manifest, ""))
            changed = body != live
            body = factories.next_generation(live, body)
        self._applied[key] = copy.deepcopy(manifest)
        self.cron_jobs[key] = body
        self.writes.append("apply")
        if changed:
            self._changed("cron_job", body)
        self._lose("apply")
        return ObservedCronJob.from_object(copy.deepcopy(body))

    async def suspend_cron_job(self, cron_job: ObservedCronJob) -> ObservedCronJob:
        self._fail("suspend")
        body = self._existing(cron_job)
        if not body["spec"]["suspend"]:
            body["spec"]["suspend"] = True
            body["metadata"]["generation"] += 1
        self.writes.append("suspend")
        self._changed("cron_job", body)
        self._lose("suspend")
        return ObservedCronJob.from_object(copy.deepcopy(body))

    async def fast_forward(self, cron_job: ObservedCronJob, now: datetime) -> ObservedCronJob:
        self._fail("fast-forward")
        body = self._existing(cron_job)
        body["status"]["lastScheduleTime"] = rfc3339(now)
        body["metadata"].setdefault("annotations", {})[ANNOTATION_FAST_FORWARD] = rfc3339(now)
        self.writes.append("fast-forward")
        self._changed("cron_job", body)
        self._lose("fast-forward")
        return ObservedCronJob.from_object(copy.deepcopy(body))

    async def create_job(self, manifest: Manifest) -> None:
        self._fail("create-job")
        name = manifest["metadata"]["name"]
        found = next((body for body in self.jobs.values() if body["metadata"]["name"] == name), None)
        label = manifest["metadata"]["labels"][LABEL_COUNCILOR_UID]
        if found is not None and found["metadata"]["labels"][LABEL_COUNCILOR_UID] != label:
            raise RejectedError(f"a Job {name} that belongs to something else has the name", status=409)
        if found is None:
            uid = self._uid("job")
            body = factories.job_body(name=name, uid=uid, scheduled_at=None, created_at=self.clock(), active=1, ready=1)
            self.jobs[uid] = merged(body, {"metadata": manifest["metadata"]})
            self.pods.setdefault(uid, [])
            self.writes.append("create-job")
            self._changed("job", self.jobs[uid])
        self._lose("create-job")

    async def delete_job(self, job: ObservedJob) -> None:
        self._fail("delete-job")
        self.writes.append("delete-job")
        self.collect_job(job.uid)
        self._lose("delete-job")

    async def patch_status(self, councilor: ObservedCouncilor, patch: Mapping[str, Any]) -> ObservedCouncilor:
        self._fail("status")
        body = self.councilors.get(councilor.uid)
        if body is None:
            raise NotFoundError("councilors not found", status=404)
        if body["metadata"]["resourceVersion"] != councilor.resource_version:
            raise ConflictError("the object has been modified", status=409)
        body["status"] = merge_patched(body.get("status", {}), patch)
        self.writes.append("status")
        self._changed("councilor", body)
        self._lose("status")
        return ObservedCouncilor.from_object(copy.deepcopy(body))

    async def pods_of(self, job: ObservedJob) -> list[ObservedPod]:
        self._fail("pods")
        self.reads.append("pods")
        return [ObservedPod.from_object(body) for body in self.pods.get(job.uid, [])]

    async def refusal_of(self, job: ObservedJob) -> str | None:
        self._fail("refusal")
        self.reads.append("refusal")
        return self.refusals.get(job.uid)

    async def jobs_of(self, councilor: ObservedCouncilor) -> list[ObservedJob]:
        self._fail("jobs")
        self.reads.append("jobs")
        jobs = [ObservedJob.from_object(copy.deepcopy(body)) for body in self.jobs.values()]
        return [job for job in jobs if job.councilor_uid == councilor.uid]

    async def send_event(self, about: Reference, event: Event, now: datetime) -> None:
        self._fail("event")
        assert now == self.clock()
        self.writes.append("event")
        self.events.append((about.uid, event))
        self._lose("event")

    # --- lists --------------------------------------------------------------------------------------------------------

    async def list_councilors(self) -> AsyncIterator[Page[ObservedCouncilor]]:
        items = [ObservedCouncilor.from_object(copy.deepcopy(body)) for body in self.councilors.values()]
        yield Page(items, next(self._versions))

    async def list_cron_jobs(self) -> AsyncIterator[Page[ObservedCronJob]]:
        items = [ObservedCronJob.from_object(copy.deepcopy(body)) for body in self.cron_jobs.values()]
        yield Page(items, next(self._versions))

    async def list_jobs(self) -> AsyncIterator[Page[ObservedJob]]:
        items = [ObservedJob.from_object(copy.deepcopy(body)) for body in self.jobs.values()]
        yield Page(items, next(self._versions))

    # --- inside -------------------------------------------------------------------------------------------------------

    def _fail(self, operation: Operation) -> None:
        queue = self._failures.get(operation)
        if queue and not queue[0][1]:
            raise queue.pop(0)[0]

    def _lose(self, operation: Operation) -> None:
        queue = self._failures.get(operation)
        if queue and queue[0][1]:
            raise queue.pop(0)[0]

    def _demand(self, key: Key, uid: str) -> None:
        live = self.cron_jobs.get(key)
        if live is None or live["metadata"]["uid"] != uid:
            raise ConflictError("Precondition failed: UID in precondition", status=409)

    def _existing(self, cron_job: ObservedCronJob) -> Body:
        body = self.cron_jobs.get((cron_job.namespace, cron_job.name))
        if body is None:
            raise NotFoundError("cronjobs not found", status=404)
        if body["metadata"]["uid"] != cron_job.uid:
            raise ConflictError("Precondition failed: UID in precondition", status=409)
        return body

    def _uid(self, kind: str) -> str:
        return f"{kind}-{next(self._uids)}"

    def _changed(self, kind: str, body: Body) -> None:
        body["metadata"]["resourceVersion"] = str(next(self._versions))
        self._undelivered.append((kind, False, copy.deepcopy(body)))

    def _gone(self, kind: str, body: Body) -> None:
        body["metadata"]["resourceVersion"] = str(next(self._versions))
        self._undelivered.append((kind, True, copy.deepcopy(body)))


class Lists:
    """The `Lists` protocol of the observer over a fake cluster."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster

    def councilors(self) -> AsyncIterator[Page[ObservedCouncilor]]:
        return self._cluster.list_councilors()

    def cron_jobs(self) -> AsyncIterator[Page[ObservedCronJob]]:
        return self._cluster.list_cron_jobs()

    def jobs(self) -> AsyncIterator[Page[ObservedJob]]:
        return self._cluster.list_jobs()


def merge_patched(target: Any, patch: Any) -> Any:
    """The result of a JSON merge patch, as RFC 7386 section 2 defines it."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patched(result.get(key), value)
    return result


def _apply(live: Any, before: Any, after: Any, field: str) -> Any:
    """Server-side apply with force: `before` is what we applied last, `after` what we apply now."""
    if isinstance(after, Mapping) and isinstance(live, Mapping) and field != "nodeSelector":
        previous = before if isinstance(before, Mapping) else {}
        result = {key: value for key, value in live.items() if key not in previous or key in after}
        for key, value in after.items():
            result[key] = _apply(live.get(key), previous.get(key), value, key)
        return result
    if isinstance(after, list) and isinstance(live, list) and (identity := _LIST_KEYS.get(field)):
        known = {entry[identity]: entry for entry in live}
        previous = {entry[identity]: entry for entry in before or ()}
        wanted = {entry[identity]: entry for entry in after}
        entries = [_apply(known.get(name), previous.get(name), entry, "") for name, entry in wanted.items()]
        return entries + [entry for name, entry in known.items() if name not in wanted and name not in previous]
    return copy.deepcopy(after)


def _key(body: Mapping[str, Any]) -> Key:
    return body["metadata"]["namespace"], body["metadata"]["name"]
