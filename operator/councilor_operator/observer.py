"""Keeps the cache equal to the cluster and asks for the passes that follow: from watch events and from periodic full
lists."""

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol, TypeVar

from councilor_operator.cache import Cache, Store, Versioned
from councilor_operator.constants import GROUP, PLURAL
from councilor_operator.errors import ApiError, ConfigurationError, NotFoundError
from councilor_operator.metrics import Metrics
from councilor_operator.observed import ObservedCouncilor, ObservedCronJob, ObservedJob, RawObject
from councilor_operator.workqueue import WorkQueue

logger = logging.getLogger(__name__)

FIRST_LIST_RETRY_SECONDS = 1.0
LAST_LIST_RETRY_SECONDS = 30.0


class Lists(Protocol):
    """Full lists of the watched resources, each with the version of the list."""

    async def councilors(self) -> tuple[list[ObservedCouncilor], str]: ...
    async def cron_jobs(self) -> tuple[list[ObservedCronJob], str]: ...
    async def jobs(self) -> tuple[list[ObservedJob], str]: ...


Item = TypeVar("Item", bound=Versioned)


class Observer:
    """Feeds the cache; a change of any object puts its Councilor's UID into the queue."""

    def __init__(
        self,
        *,
        cache: Cache,
        queue: WorkQueue[str],
        lists: Lists,
        metrics: Metrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._queue = queue
        self._lists = lists
        self._metrics = metrics
        self._clock = clock
        self.synced = asyncio.Event()
        """Set once everything has been listed: before that, what is missing from the cache may well exist."""
        self.last_list: datetime | None = None
        self.list_problem: str | None = None
        """Why the last attempt to list failed, for a person."""
        self.started = clock()

    def councilor(self, deleted: bool, body: RawObject) -> None:
        """Take a watch event of a Councilor."""
        item = ObservedCouncilor.from_object(body)
        self._observe("councilors", self._cache.councilors, item, item.uid, deleted)

    def cron_job(self, deleted: bool, body: RawObject) -> None:
        """Take a watch event of a CronJob with the operator's label."""
        item = ObservedCronJob.from_object(body)
        self._observe("cronjobs", self._cache.cron_jobs, item, item.councilor_uid, deleted)

    def job(self, deleted: bool, body: RawObject) -> None:
        """Take a watch event of a Job with the operator's label."""
        item = ObservedJob.from_object(body)
        self._observe("jobs", self._cache.jobs, item, item.councilor_uid, deleted)

    async def resync(self, every: timedelta) -> None:
        """List everything now and then, for ever: watches may miss deletions, and a level-based pass costs little.

        Raises `ConfigurationError` when the CRD is not installed.
        """
        retry = FIRST_LIST_RETRY_SECONDS
        while True:
            try:
                await self.list()
            except NotFoundError as error:
                # kopf looks for the resource once, at its start: only a new process would watch it.
                raise ConfigurationError(
                    f"the API server does not know {PLURAL}.{GROUP}: install the CRD first, `kubectl apply "
                    "--server-side -f crds/`"
                ) from error
            except ApiError as error:
                self._metrics.list_failures.inc()
                self.list_problem = error.message
                logger.warning("listing failed, again in %.0f s: %s", retry, error.message)
                await asyncio.sleep(retry)
                retry = min(2 * retry, LAST_LIST_RETRY_SECONDS)
                continue
            retry = FIRST_LIST_RETRY_SECONDS
            await asyncio.sleep(every.total_seconds() * random.uniform(0.9, 1.1))  # noqa: S311 - no secret

    async def list(self) -> None:
        """List everything once and ask for a pass over every Councilor; raises the errors of `errors.py`."""
        started = monotonic()
        # Children first: a Councilor must not be judged by children that were not listed yet.
        jobs, jobs_version = await self._lists.jobs()
        cron_jobs, cron_jobs_version = await self._lists.cron_jobs()
        councilors, councilors_version = await self._lists.councilors()
        corrections = {
            "jobs": len(self._cache.jobs.replace(jobs, jobs_version)),
            "cronjobs": len(self._cache.cron_jobs.replace(cron_jobs, cron_jobs_version)),
            "councilors": len(self._cache.councilors.replace(councilors, councilors_version)),
        }
        if self.synced.is_set():
            for resource, number in corrections.items():
                self._metrics.list_corrections.labels(resource).inc(number)
        self.last_list, self.list_problem = self._clock(), None
        self._metrics.last_list.set(self.last_list.timestamp())
        self._metrics.list_seconds.observe(monotonic() - started)
        self.synced.set()
        for councilor in councilors:
            self._queue.add(councilor.uid)

    def _observe(self, resource: str, store: Store[Item], item: Item, councilor_uid: str, deleted: bool) -> None:
        self._metrics.watch_events.labels(resource).inc()
        if deleted:
            store.drop(item)
            changed = True
        else:
            changed = store.put(item)
        if changed and councilor_uid:
            self._queue.add(councilor_uid)
