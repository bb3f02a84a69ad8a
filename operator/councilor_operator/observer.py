"""Keeps the cache equal to the cluster and asks for the passes that follow: from watch events and from periodic full
lists."""

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta
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
        self.started = clock()

    def councilor(self, deleted: bool, body: RawObject) -> None:
        """Take a watch event of a Councilor."""
        item = ObservedCouncilor.from_object(body)
        self._observe(self._cache.councilors, item, deleted)

    def cron_job(self, deleted: bool, body: RawObject) -> None:
        """Take a watch event of a CronJob with the operator's label."""
        item = ObservedCronJob.from_object(body)
        self._observe(self._cache.cron_jobs, item, deleted)

    def job(self, deleted: bool, body: RawObject) -> None:
        """Take a watch event of a Job with the operator's label."""
        item = ObservedJob.from_object(body)
        self._observe(self._cache.jobs, item, deleted)

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
                logger.warning("listing failed, again in %.0f s: %s", retry, error.message)
                await asyncio.sleep(retry)
                retry = min(2 * retry, LAST_LIST_RETRY_SECONDS)
                continue
            retry = FIRST_LIST_RETRY_SECONDS
            await asyncio.sleep(every.total_seconds() * random.uniform(0.9, 1.1))  # noqa: S311 - no secret

    async def list(self) -> None:
        """List everything once and ask for a pass over every Councilor; raises the errors of `errors.py`."""
        # Children first: a Councilor must not be judged by children that were not listed yet.
        jobs, jobs_version = await self._lists.jobs()
        cron_jobs, cron_jobs_version = await self._lists.cron_jobs()
        councilors, councilors_version = await self._lists.councilors()
        self._cache.jobs.replace(jobs, jobs_version)
        self._cache.cron_jobs.replace(cron_jobs, cron_jobs_version)
        self._cache.councilors.replace(councilors, councilors_version)
        self.last_list = self._clock()
        self._metrics.last_list.set(self.last_list.timestamp())
        self._metrics.councilors.set(len(self._cache.councilors))
        self.synced.set()
        for councilor in councilors:
            self._queue.add(councilor.uid)

    def _observe(self, store: Store[Item], item: Item, deleted: bool) -> None:
        known = store.get(item.uid)
        if deleted:
            store.drop(item)
        elif not store.put(item):
            return
        # What has lost its label, or got another one, is missed by the Councilor that it belonged to.
        for councilor_uid in {store.group_of(version) for version in (known, item) if version is not None} - {""}:
            self._queue.add(councilor_uid)
