"""What the operator has seen of the cluster: Councilors with their children, fed by watch events and full lists.

Watches tell of changes quickly but may lose deletions (after 410 Gone nobody tells what vanished meanwhile); full
lists replace what is known. Both meet here: an object is only ever replaced by a newer version of itself.
"""

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from councilor_operator.names import cron_job_name
from councilor_operator.observed import ObservedCouncilor, ObservedCronJob, ObservedJob


class Versioned(Protocol):
    """What a store needs to know of an object."""

    @property
    def uid(self) -> str:
        """UID of the object; never used for another one."""
        ...

    @property
    def resource_version(self) -> str:
        """Its version; comparable within one resource (Kubernetes API conventions, comparable resource versions)."""
        ...


Observed = TypeVar("Observed", bound=Versioned)


class Store(Generic[Observed]):
    """The newest known version of each object of one resource, in groups that are asked for together."""

    def __init__(self, group: Callable[[Observed], str]) -> None:
        self._group = group
        self._objects: dict[str, Observed] = {}
        self._groups: dict[str, set[str]] = {}
        self._deleted: dict[str, int] = {}
        self._listed = 0
        self._newest = 0

    @property
    def newest(self) -> int:
        """The latest version heard of: a list that is asked for from now on is at least as new."""
        return self._newest

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, uid: str) -> Observed | None:
        """Return an object by its UID."""
        return self._objects.get(uid)

    def snapshot(self) -> tuple[Observed, ...]:
        """Return all objects as they are now; the one method that other threads may call.

        Safe beside the event loop, which changes the dictionary meanwhile: CPython copies it in one step, since neither
        keys nor values have code of their own that runs at it, and the objects never change.
        """
        return tuple(self._objects.copy().values())

    def of(self, group: str) -> list[Observed]:
        """Return the objects of one group."""
        return [self._objects[uid] for uid in self._groups.get(group, ())]

    def put(self, item: Observed) -> bool:
        """Take a version; False if this one or a newer one is known already, or the object was deleted."""
        known = self._objects.get(item.uid)
        # A list is complete up to its version: what it lacked and no event brought since is gone, and a late event of
        # that time must not bring it back. What comes back, with a label that was put back, has a later version.
        newest = _version(known) if known is not None else max(self._listed, self._deleted.get(item.uid, 0))
        if newest >= _version(item):
            return False
        self._newest = max(self._newest, _version(item))
        if known is not None:
            self._ungroup(known)
        self._objects[item.uid] = item
        self._groups.setdefault(self._group(item), set()).add(item.uid)
        return True

    def drop(self, item: Observed) -> None:
        """Forget an object that was deleted, or that left the watch because it lost its label."""
        # A list that was taken before may still arrive: it must not bring this version back.
        self._deleted[item.uid] = _version(item)
        self._newest = max(self._newest, _version(item))
        known = self._objects.get(item.uid)
        if known is not None and _version(known) <= _version(item):
            self._ungroup(known)
            del self._objects[item.uid]

    def replace(self, items: Iterable[Observed], list_version: int, *, asked_at: int = 0) -> list[Observed]:
        """Take a full list; returns what was new, changed or gone. What the list lacks is gone, unless it is newer.

        `asked_at` is `newest` of when it was asked for. A list that is older shows that the cluster was set back to an
        earlier state, as from a backup of etcd: what was known has never been, and the list counts alone.
        """
        undone: tuple[Observed, ...] = ()
        if list_version < asked_at:
            undone = self.snapshot()
            for known in (self._objects, self._groups, self._deleted):
                known.clear()
            self._listed = self._newest = 0
        listed: set[str] = set()
        changed: list[Observed] = []
        for item in items:
            listed.add(item.uid)
            if self.put(item):
                changed.append(item)
        gone = [item for uid, item in self._objects.items() if uid not in listed and _version(item) <= list_version]
        for item in gone:
            self.drop(item)
        self._listed = list_version
        self._newest = max(self._newest, list_version)
        self._deleted.clear()
        return changed + gone + [item for item in undone if item.uid not in listed]

    def _ungroup(self, item: Observed) -> None:
        group = self._group(item)
        members = self._groups[group]
        members.discard(item.uid)
        if not members:
            del self._groups[group]


class JobStore(Store[ObservedJob]):
    """Jobs, and of those that were deleted their last state, until the pass that works it in says so.

    A Job may be gone before any pass has looked at its end; without its last state nobody would know that it was.
    """

    def __init__(self) -> None:
        super().__init__(lambda item: item.councilor_uid)
        self._gone: dict[str, dict[str, ObservedJob]] = {}

    def drop(self, item: ObservedJob) -> None:
        # What was not known was dropped before, and may have been worked in and forgotten since.
        known = self.get(item.uid)
        super().drop(item)
        if known is not None and self.get(item.uid) is None and item.councilor_uid and not item.reports:
            self._gone.setdefault(item.councilor_uid, {})[item.uid] = item

    def deleted(self, group: str) -> list[ObservedJob]:
        """Return the deleted Jobs of one Councilor that are remembered."""
        return list(self._gone.get(group, {}).values())

    def forget(self, group: str, uids: Iterable[str] | None = None) -> None:
        """Forget deleted Jobs of one Councilor, all without `uids`."""
        remembered = self._gone.get(group, {})
        for uid in tuple(remembered) if uids is None else uids:
            remembered.pop(uid, None)
        if not remembered:
            self._gone.pop(group, None)


def _version(item: Versioned) -> int:
    return int(item.resource_version)


class Cache:
    """Councilors and CronJobs, grouped by the name that a Councilor's CronJob has; Jobs, by the Councilor's UID."""

    def __init__(self) -> None:
        self.councilors: Store[ObservedCouncilor] = Store(_cron_job_of)
        self.cron_jobs: Store[ObservedCronJob] = Store(lambda item: item.full_name)
        self.jobs = JobStore()

    def cron_job_for(self, councilor: ObservedCouncilor) -> ObservedCronJob | None:
        """Return the CronJob that has the name of a Councilor's, whoever it belongs to."""
        named = self.cron_jobs.of(_cron_job_of(councilor))
        # Two of one name: the deletion of the first was not heard of yet.
        return max(named, key=lambda item: int(item.resource_version), default=None)


def _cron_job_of(councilor: ObservedCouncilor) -> str:
    return f"{councilor.namespace}/{cron_job_name(councilor.name)}"
