"""The observer: watch events and full lists become cache entries and keys in the queue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from councilor_operator.cache import Cache
from councilor_operator.constants import LABEL_COUNCILOR_UID
from councilor_operator.errors import ConfigurationError, NotFoundError, RejectedError, TransientError
from councilor_operator.metrics import Metrics
from councilor_operator.observed import ObservedCouncilor, ObservedCronJob, ObservedJob, Page
from councilor_operator.observer import Observer
from councilor_operator.workqueue import WorkQueue
from tests import factories
from tests.factories import NOW, UID, Body, FixedClock, merged
from tests.unit.operator.test_builders import build


class Lists:
    """Lists that a test fills, and that fail as often as it says."""

    def __init__(self) -> None:
        self.items: tuple[list[ObservedCouncilor], list[ObservedCronJob], list[ObservedJob]] = ([], [], [])
        self.version = 1000
        self.failures: list[Exception] = []
        self.order: list[str] = []

    def _next(self, name: str) -> None:
        self.order.append(name)
        if self.failures:
            raise self.failures.pop(0)

    async def councilors(self) -> AsyncIterator[Page[ObservedCouncilor]]:
        self._next("councilors")
        yield Page(self.items[0], self.version)

    async def cron_jobs(self) -> AsyncIterator[Page[ObservedCronJob]]:
        self._next("cron_jobs")
        yield Page(self.items[1], self.version)

    async def jobs(self) -> AsyncIterator[Page[ObservedJob]]:
        self._next("jobs")
        yield Page(self.items[2], self.version)


class Parts:
    def __init__(self) -> None:
        self.cache = Cache()
        self.queue: WorkQueue[str] = WorkQueue(lambda: 0.0)
        self.lists = Lists()
        self.metrics = Metrics()
        self.clock = FixedClock()
        self.observer = Observer(
            cache=self.cache, queue=self.queue, lists=self.lists, metrics=self.metrics, clock=self.clock
        )

    async def queued(self) -> list[str]:
        keys = []
        while len(self.queue):
            keys.append(await self.queue.get())
            self.queue.done(keys[-1])
        return keys


@pytest.fixture
def parts() -> Parts:
    return Parts()


async def test_an_event_of_each_kind_asks_for_a_pass_over_the_councilor(parts: Parts) -> None:
    parts.observer.councilor(False, factories.councilor_body())
    assert await parts.queued() == [UID]
    parts.observer.cron_job(False, factories.cron_job_body(build()))
    assert await parts.queued() == [UID]
    parts.observer.job(False, factories.job_body())
    assert await parts.queued() == [UID]
    assert len(parts.cache.councilors) == len(parts.cache.cron_jobs) == len(parts.cache.jobs) == 1


async def test_the_same_event_twice_asks_once(parts: Parts) -> None:
    for _ in range(2):
        parts.observer.job(False, factories.job_body())
        await parts.queued()
    parts.observer.job(False, factories.job_body())
    assert await parts.queued() == []


async def test_a_deletion_asks_for_a_pass(parts: Parts) -> None:
    parts.observer.job(False, factories.job_body())
    await parts.queued()
    parts.observer.job(True, factories.job_body(resource_version="301"))
    assert await parts.queued() == [UID]
    assert len(parts.cache.jobs) == 0


async def test_a_foreign_cron_job_asks_for_the_councilor_that_needs_its_name(parts: Parts) -> None:
    parts.observer.councilor(False, factories.councilor_body())
    await parts.queued()
    body = factories.cron_job_body(build())
    del body["metadata"]["labels"], body["metadata"]["annotations"], body["metadata"]["ownerReferences"]
    parts.observer.cron_job(False, body)
    assert await parts.queued() == [UID]
    parts.observer.cron_job(True, merged(body, {"metadata": {"resourceVersion": "201"}}))
    assert await parts.queued() == [UID]
    parts.observer.cron_job(
        False, merged(body, {"metadata": {"name": "another", "uid": "u", "resourceVersion": "202"}})
    )
    assert await parts.queued() == []


@pytest.mark.parametrize(("label", "others"), [(None, set()), ("another-uid", {"another-uid"})])
async def test_a_child_that_loses_its_label_asks_for_a_pass_over_its_councilor(
    parts: Parts, label: str | None, others: set[str]
) -> None:
    parts.observer.job(False, factories.job_body())
    await parts.queued()
    body = factories.job_body(resource_version="301")
    labels = dict(body["metadata"]["labels"])
    labels.pop(LABEL_COUNCILOR_UID)
    body["metadata"] = {**body["metadata"], "labels": {**labels, **({LABEL_COUNCILOR_UID: label} if label else {})}}
    parts.observer.job(False, body)
    assert set(await parts.queued()) == {UID, *others}


async def test_a_child_without_a_councilor_asks_for_nothing(parts: Parts) -> None:
    body = factories.job_body()
    del body["metadata"]["labels"]
    parts.observer.job(False, body)
    assert await parts.queued() == []


async def test_a_list_fills_the_cache_and_asks_for_every_councilor(parts: Parts) -> None:
    others = [factories.councilor(uid=f"uid-{number}", name=f"c-{number}") for number in range(3)]
    parts.lists.items = (others, [factories.cron_job(build())], [factories.job()])
    await parts.observer.list()
    assert sorted(await parts.queued()) == ["uid-0", "uid-1", "uid-2"]
    assert (len(parts.cache.councilors), len(parts.cache.cron_jobs), len(parts.cache.jobs)) == (3, 1, 1)
    assert parts.observer.synced.is_set()
    assert parts.observer.last_list == NOW
    assert parts.metrics.registry.get_sample_value("councilor_operator_last_list_timestamp_seconds") == NOW.timestamp()


async def test_children_are_listed_before_their_councilors(parts: Parts) -> None:
    await parts.observer.list()
    assert parts.lists.order[-1] == "councilors"
    assert set(parts.lists.order) == {"jobs", "cron_jobs", "councilors"}


async def test_the_councilors_of_a_page_are_looked_at_before_the_next_page_is_there(parts: Parts) -> None:
    pages = [Page([factories.councilor(uid=f"uid-{number}", name=f"c-{number}")], 1000) for number in range(2)]
    queued: list[list[str]] = []

    class Paged(Lists):
        async def councilors(self) -> AsyncIterator[Page[ObservedCouncilor]]:
            for page in pages:
                queued.append(await parts.queued())
                yield page

    observer = Observer(cache=parts.cache, queue=parts.queue, lists=Paged(), metrics=parts.metrics, clock=parts.clock)
    await observer.list()
    assert [*queued, await parts.queued()] == [[], ["uid-0"], ["uid-1"]]
    assert len(parts.cache.councilors) == 2


@pytest.mark.parametrize("versions", [(900, 1000), (1000, 900)])
async def test_a_list_is_as_old_as_its_oldest_page(parts: Parts, versions: tuple[int, int]) -> None:
    """One list for each namespace: what was born between the two belongs to neither."""

    class Paged(Lists):
        async def councilors(self) -> AsyncIterator[Page[ObservedCouncilor]]:
            parts.observer.councilor(False, factories.councilor_body(resource_version="950"))
            for version in versions:
                yield Page([], version)

    observer = Observer(cache=parts.cache, queue=parts.queue, lists=Paged(), metrics=parts.metrics, clock=parts.clock)
    await observer.list()
    assert parts.cache.councilors.get(UID) is not None


async def test_a_list_that_breaks_off_is_none(parts: Parts) -> None:
    parts.observer.councilor(False, factories.councilor_body())
    await parts.queued()

    class BrokenOff(Lists):
        async def councilors(self) -> AsyncIterator[Page[ObservedCouncilor]]:
            yield Page([], 1000)
            raise TransientError("gone")

    observer = Observer(
        cache=parts.cache, queue=parts.queue, lists=BrokenOff(), metrics=parts.metrics, clock=parts.clock
    )
    with pytest.raises(TransientError):
        await observer.list()
    assert len(parts.cache.councilors) == 1
    assert not observer.synced.is_set()
    assert observer.last_list is None
    assert await parts.queued() == []


@pytest.mark.parametrize("error", [TransientError("no connection"), RejectedError("forbidden", status=403)])
async def test_lists_are_tried_again_until_one_succeeds(
    parts: Parts, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("councilor_operator.observer.FIRST_LIST_RETRY_SECONDS", 0.001)
    parts.lists.failures = [error, error]
    parts.lists.items = ([factories.councilor()], [], [])
    task = asyncio.create_task(parts.observer.resync(timedelta(hours=1)))
    async with asyncio.timeout(10):
        await parts.observer.synced.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await parts.queued() == [UID]


async def test_why_lists_fail_is_known_until_one_succeeds(parts: Parts) -> None:
    parts.lists.failures = [RejectedError("jobs.batch is forbidden", status=403)]
    task = asyncio.create_task(parts.observer.resync(timedelta(hours=1)))
    for _ in range(20):
        await asyncio.sleep(0)  # these lists answer without waiting
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert parts.observer.list_problem == "jobs.batch is forbidden"
    assert parts.metrics.registry.get_sample_value("councilor_operator_list_failures_total") == 1
    await parts.observer.list()
    assert parts.observer.list_problem is None


async def test_a_list_counts_what_the_watches_did_not_tell(parts: Parts) -> None:
    parts.lists.items = ([factories.councilor()], [], [factories.job()])
    await parts.observer.list()
    assert corrections(parts) == {"councilors": 0, "cronjobs": 0, "jobs": 0}
    parts.observer.job(False, factories.job_body(resource_version="400"))
    unheard_of = factories.cron_job(build(), resource_version="1001")
    parts.lists.items = ([factories.councilor(resource_version="101")], [unheard_of], [])
    parts.lists.version = 1001
    await parts.observer.list()
    assert corrections(parts) == {"councilors": 1, "cronjobs": 1, "jobs": 1}
    await parts.observer.list()
    assert corrections(parts) == {"councilors": 1, "cronjobs": 1, "jobs": 1}


def corrections(parts: Parts) -> dict[str, float | None]:
    sample = parts.metrics.registry.get_sample_value
    return {
        resource: sample("councilor_operator_list_corrections_total", {"resource": resource})
        for resource in ("councilors", "cronjobs", "jobs")
    }


async def test_without_the_crd_the_process_ends_and_says_how_to_get_it(parts: Parts) -> None:
    parts.lists.failures = [NotFoundError("the server could not find the requested resource", status=404)]
    with pytest.raises(ConfigurationError, match="kubectl apply --server-side -f crds/"):
        await parts.observer.resync(timedelta(hours=1))


async def test_a_councilor_that_only_a_list_shows_to_be_gone_gets_a_last_pass(parts: Parts) -> None:
    parts.lists.items = ([factories.councilor()], [], [])
    await parts.observer.list()
    await parts.queued()
    parts.lists.items = ([], [], [])
    await parts.observer.list()
    assert await parts.queued() == [UID]
    assert len(parts.cache.councilors) == 0


async def test_a_list_of_a_cluster_that_was_set_back_is_believed(parts: Parts) -> None:
    parts.observer.councilor(False, factories.councilor_body(resource_version="5000"))
    parts.observer.councilor(False, factories.councilor_body(uid="u", name="undone", resource_version="5001"))
    await parts.queued()
    parts.lists.items = ([factories.councilor(resource_version="700")], [], [])
    await parts.observer.list()
    assert sorted(await parts.queued()) == sorted([UID, "u"])
    assert [(item.uid, item.resource_version) for item in parts.cache.councilors.snapshot()] == [(UID, "700")]
    parts.observer.councilor(False, factories.councilor_body(resource_version="1001"))
    assert await parts.queued() == [UID]


UNREADABLE: dict[str, tuple[str, Body]] = {
    "a CronJob without a creation": (
        "cron_job",
        merged(factories.cron_job_body(build()), {"metadata": {"creationTimestamp": None}}),
    ),
    "a Job with a time that is none": ("job", merged(factories.job_body(), {"status": {"startTime": "soon"}})),
    "a Job with a condition that is none": (
        "job",
        merged(factories.job_body(), {"status": {"conditions": ["Failed"]}}),
    ),
    "a Councilor without a generation": (
        "councilor",
        merged(factories.councilor_body(), {"metadata": {"generation": None}}),
    ),
}


@pytest.mark.parametrize("deleted", [False, True])
@pytest.mark.parametrize(("kind", "body"), UNREADABLE.values(), ids=UNREADABLE)
async def test_what_cannot_be_read_is_left_out_and_named(
    parts: Parts, kind: str, body: Body, deleted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        getattr(parts.observer, kind)(deleted, body)
    assert await parts.queued() == []
    metadata = body["metadata"]
    assert f"{kind.title().replace('_', '')} {metadata['namespace']}/{metadata['name']} is left out" in caplog.text
    assert "soon" not in caplog.text
