"""Keeps the cache equal to the cluster and asks for the passes that follow: from watch events and from periodic full
lists."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol, TypeVar

from councilor_operator.cache import Cache, Store, Versioned
from councilor_operator.constants import GROUP, PLURAL
from councilor_operator.errors import ApiError, ConfigurationError, NotFoundError
from councilor_operator.metrics import Metrics
from councilor_operator.observed import ObservedCouncilor, ObservedCronJob, ObservedJob, Page, RawObject, read
from councilor_operator.workqueue import WorkQueue

logger = logging.getLogger(__name__)

FIRST_LIST_RETRY_SECONDS = 1.0
LAST_LIST_RETRY_SECONDS = 30.0


Item = TypeVar("Item", bound=Versioned)


class Lists(Protocol):
    """Full lists of the watched resources, page by page."""

    def councilors(self) -> AsyncIterator[Page[ObservedCouncilor]]: ...
    def cron_jobs(self) -> AsyncIterator[Page[ObservedCronJob]]: ...
    def jobs(self) -> AsyncIterator[Page[ObservedJob]]: ...


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
        self.children_listed = asyncio.Event()
        """Set once all children have been listed: before that, what a Councilor seems to lack may well exist."""
        self.synced = asyncio.Event()
        """Set once everything has been listed."""
        self.last_list: datetime | None = None
        self.list_problem: str | None = None
        """Why the last attempt to list failed, for a person."""
        self.started = clock()

    def councilor(self, deleted: bool, body: RawObject) -> None:
        """Take a watch event of a Councilor."""
        if (item := read(ObservedCouncilor, body)) is not None:
            self._observe("councilors", self._cache.councilors, item, deleted, (item.uid,))

    def cron_job(self, deleted: bool, body: RawObject) -> None:
        """Take a watch event of any CronJob: also a foreign one may have the name that a Councilor needs."""
        if (item := read(ObservedCronJob, body)) is not None:
            named = [councilor.uid for councilor in self._cache.councilors.of(item.full_name)]
            self._observe("cronjobs", self._cache.cron_jobs, item, deleted, named)

    def job(self, deleted: bool, body: RawObject) -> None:
        """Take a watch event of a Job with the operator's label."""
        if (item := read(ObservedJob, body)) is None:
            return
        known = self._cache.jobs.get(item.uid)
        # What has lost its label, or got another one, is missed by the Councilor that it belonged to.
        councilors = {version.councilor_uid for version in (known, item) if version is not None} - {""}
        self._observe("jobs", self._cache.jobs, item, deleted, councilors)

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
        await asyncio.gather(
            self._list("jobs", self._cache.jobs, self._lists.jobs()),
            self._list("cronjobs", self._cache.cron_jobs, self._lists.cron_jobs()),
        )
        self.children_listed.set()
        await self._list(
            "councilors",
            self._cache.councilors,
            self._lists.councilors(),
            found=lambda item: self._queue.add(item.uid),
        )
        self.last_list, self.list_problem = self._clock(), None
        self._metrics.last_list.set(self.last_list.timestamp())
        self._metrics.list_seconds.observe(monotonic() - started)
        self.synced.set()

    async def _list(
        self,
        resource: str,
        store: Store[Item],
        pages: AsyncIterator[Page[Item]],
        found: Callable[[Item], None] | None = None,
    ) -> None:
        """Take a full list; `found` hears of each object while the next page is on its way, and of what is gone."""
        items: list[Item] = []
        versions: list[int] = []
        corrections = 0
        asked_at = store.newest
        async for page in pages:
            items += page.items
            versions.append(page.version)
            if found is not None:
                for item in page.items:
                    corrections += store.put(item)
                    found(item)
        # The oldest version: what is newer than the first page may be missing from it.
        corrected = store.replace(items, min(versions), asked_at=asked_at)
        corrections += len(corrected)
        if found is not None:
            for item in corrected:
                found(item)
        if self.synced.is_set():
            self._metrics.list_corrections.labels(resource).inc(corrections)

    def _observe(self, resource: str, store: Store[Item], item: Item, deleted: bool, councilors: Iterable[str]) -> None:
        self._metrics.watch_events.labels(resource).inc()
        if deleted:
            store.drop(item)
            changed = True
        else:
            changed = store.put(item)
        if changed:
            for uid in councilors:
                self._queue.add(uid)
