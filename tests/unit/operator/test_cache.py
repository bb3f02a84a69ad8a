"""The store: newest versions only, deletions that stay deletions, full lists that replace."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.cache import Cache, JobStore, Store
from councilor_operator.constants import LABEL_COUNCILOR_UID
from tests import factories
from tests.unit.operator.test_builders import build


@dataclass(frozen=True)
class Item:
    uid: str
    version: int
    group: str = "g"

    @property
    def resource_version(self) -> str:
        return str(self.version)


@pytest.fixture
def store() -> Store[Item]:
    return Store(lambda item: item.group)


def test_an_empty_store_knows_nothing(store: Store[Item]) -> None:
    assert len(store) == 0
    assert store.get("a") is None
    assert store.of("g") == []


@pytest.mark.parametrize(
    ("known", "offered", "taken"),
    [(None, 5, True), (5, 6, True), (5, 5, False), (5, 4, False), (9, 10, True), (10, 9, False), (99, 100, True)],
)
def test_only_newer_versions_are_taken(store: Store[Item], known: int | None, offered: int, taken: bool) -> None:
    """Versions are numbers: 10 is newer than 9."""
    if known is not None:
        assert store.put(Item("a", known))
    assert store.put(Item("a", offered)) is taken
    assert store.get("a") == Item("a", offered if taken else known or 0)
    assert len(store) == 1


def test_groups(store: Store[Item]) -> None:
    for item in (Item("a", 1, "x"), Item("b", 2, "y"), Item("c", 3, "x")):
        store.put(item)
    assert {item.uid for item in store.of("x")} == {"a", "c"}
    assert {item.uid for item in store.of("y")} == {"b"}
    assert store.of("z") == []


def test_an_object_may_change_its_group(store: Store[Item]) -> None:
    store.put(Item("a", 1, "x"))
    store.put(Item("a", 2, "y"))
    assert store.of("x") == []
    assert store.of("y") == [Item("a", 2, "y")]


def test_a_dropped_object_is_gone(store: Store[Item]) -> None:
    store.put(Item("a", 1))
    store.drop(Item("a", 2))
    assert store.get("a") is None
    assert store.of("g") == []
    assert len(store) == 0


def test_dropping_what_nobody_knew_is_no_fault(store: Store[Item]) -> None:
    store.drop(Item("a", 2))
    assert len(store) == 0


def test_dropping_finds_the_group_the_object_was_in(store: Store[Item]) -> None:
    store.put(Item("a", 1, "x"))
    store.drop(Item("a", 2, "y"))
    assert store.of("x") == store.of("y") == []


@pytest.mark.parametrize("version", [6, 7])
def test_an_object_that_left_the_watch_may_come_back(store: Store[Item], version: int) -> None:
    """Somebody took the label away and put it back: the same object, a later version."""
    store.put(Item("a", 4))
    store.drop(Item("a", 5))
    assert store.put(Item("a", version))
    assert store.get("a") == Item("a", version)


def test_a_late_deletion_does_not_take_away_what_came_back(store: Store[Item]) -> None:
    store.put(Item("a", 6))
    store.drop(Item("a", 5))
    assert store.get("a") == Item("a", 6)


@pytest.mark.parametrize("known", [True, False])
def test_a_late_word_does_not_bring_a_deleted_object_back(store: Store[Item], known: bool) -> None:
    if known:
        store.put(Item("a", 5))
    store.drop(Item("a", 6))
    assert not store.put(Item("a", 5))
    assert not store.put(Item("a", 6))
    assert store.get("a") is None


def test_a_list_taken_before_the_deletion_does_not_bring_it_back(store: Store[Item]) -> None:
    store.put(Item("a", 5))
    store.drop(Item("a", 6))
    assert store.replace([Item("a", 5)], 5) == []
    assert store.get("a") is None


def test_replace_reports_new_changed_and_gone(store: Store[Item]) -> None:
    for item in (Item("same", 1), Item("changed", 2), Item("gone", 3)):
        store.put(item)
    changes = store.replace([Item("same", 1), Item("changed", 5), Item("new", 6)], 7)
    assert set(changes) == {Item("changed", 5), Item("new", 6), Item("gone", 3)}
    assert {item.uid for item in store.of("g")} == {"same", "changed", "new"}


def test_what_was_born_after_the_list_stays(store: Store[Item]) -> None:
    store.put(Item("young", 8))
    store.put(Item("old", 7))
    assert store.replace([], 7) == [Item("old", 7)]
    assert store.get("young") == Item("young", 8)


def test_a_list_does_not_bring_an_older_version_back(store: Store[Item]) -> None:
    store.put(Item("a", 9))
    assert store.replace([Item("a", 6)], 7) == []
    assert store.get("a") == Item("a", 9)


def test_an_event_older_than_the_list_does_not_bring_a_vanished_object_back(store: Store[Item]) -> None:
    """The list is complete up to its version; a watch that lags behind may still speak of what it no longer has."""
    store.put(Item("a", 5))
    store.replace([], 10)
    assert not store.put(Item("a", 8))
    assert store.get("a") is None


def test_after_a_list_new_objects_are_taken(store: Store[Item]) -> None:
    store.replace([Item("a", 5)], 10)
    assert store.put(Item("a", 11))
    assert store.put(Item("b", 12))


def test_replacing_by_the_same_list_changes_nothing(store: Store[Item]) -> None:
    items = [Item("a", 1), Item("b", 2, "x")]
    assert set(store.replace(items, 3)) == set(items)
    assert store.replace(items, 4) == []


@given(
    history=st.lists(st.sampled_from("abc"), max_size=12),
    deleted=st.sets(st.integers(min_value=1, max_value=12), max_size=3),
    order=st.randoms(use_true_random=False),
)
def test_any_order_of_events_leads_to_the_newest_state(history: list[str], deleted: set[int], order: Random) -> None:
    """Event number n has version n. Delivered shuffled and twice, the outcome is the same."""
    events = [Item(uid, version) for version, uid in enumerate(history, start=1)]
    # One deletion for each object at most: a watch never delivers two of them out of order.
    deletions = {item.uid: item for item in events if item.version in deleted}
    newest = {item.uid: item for item in events}
    expected = {uid: item for uid, item in newest.items() if deletions.get(uid) != item}
    shuffled = events * 2
    order.shuffle(shuffled)
    store: Store[Item] = Store(lambda item: item.group)
    for item in shuffled:
        if deletions.get(item.uid) == item:
            store.drop(item)
        else:
            store.put(item)
    assert {item.uid: item for item in store.of("g")} == expected
    assert len(store) == len(expected)


def test_the_cache_groups_jobs_by_their_councilor() -> None:
    cache = Cache()
    cache.jobs.put(factories.job(uid="job-1"))
    cache.jobs.put(factories.job(uid="job-2", councilor_uid="another"))
    assert [item.uid for item in cache.jobs.of(factories.UID)] == ["job-1"]
    assert [item.uid for item in cache.jobs.of("another")] == ["job-2"]


@pytest.mark.parametrize(
    "name", ["short", "quarterly-licence-and-dependency-audit-of-the-shop-backend-in-both-regions"]
)
def test_the_cache_finds_the_cron_job_by_the_name_that_a_councilor_gives_it(name: str) -> None:
    cache, councilor = Cache(), factories.councilor(name=name)
    cache.councilors.put(councilor)
    assert cache.cron_job_for(councilor) is None
    cache.cron_jobs.put(factories.cron_job(build(name=name)))
    found = cache.cron_job_for(councilor)
    assert found is not None
    assert cache.councilors.of(found.full_name) == [councilor]
    assert cache.cron_job_for(factories.councilor(name=name, namespace="another")) is None


def test_of_two_cron_jobs_of_one_name_the_newer_one_counts() -> None:
    """The deletion of the first was not heard of yet."""
    cache = Cache()
    cache.cron_jobs.put(factories.cron_job(build(), uid="new", resource_version="1000"))
    cache.cron_jobs.put(factories.cron_job(build(), uid="old", resource_version="999"))
    found = cache.cron_job_for(factories.councilor())
    assert found is not None
    assert found.uid == "new"


# --- Jobs that are gone -----------------------------------------------------------------------------------------------


def remembered(jobs: JobStore, group: str = factories.UID) -> list[str]:
    return [job.uid for job in jobs.deleted(group)]


def test_the_last_state_of_a_deleted_job_is_remembered_until_it_is_worked_in() -> None:
    jobs = JobStore()
    jobs.put(factories.job(uid="a", resource_version="5", active=1))
    last = factories.job(uid="a", resource_version="6", end="Complete")
    jobs.drop(last)
    assert jobs.deleted(factories.UID) == [last]
    assert jobs.of(factories.UID) == []
    jobs.forget(factories.UID, ["another"])
    assert remembered(jobs) == ["a"]
    jobs.forget(factories.UID, ["a"])
    assert remembered(jobs) == []


def test_a_job_that_a_list_lacks_is_remembered_too() -> None:
    jobs = JobStore()
    jobs.put(factories.job(uid="a", resource_version="5"))
    jobs.replace([], 9)
    assert remembered(jobs) == ["a"]


def test_a_deletion_that_is_told_twice_is_remembered_once() -> None:
    """The second time it may have been worked in and forgotten."""
    jobs = JobStore()
    jobs.put(factories.job(uid="a", resource_version="5"))
    jobs.drop(factories.job(uid="a", resource_version="6"))
    jobs.forget(factories.UID, ["a"])
    jobs.drop(factories.job(uid="a", resource_version="6"))
    assert remembered(jobs) == []


def test_a_late_deletion_of_what_came_back_is_none() -> None:
    jobs = JobStore()
    jobs.put(factories.job(uid="a", resource_version="7"))
    jobs.drop(factories.job(uid="a", resource_version="6"))
    assert remembered(jobs) == []


def test_report_jobs_are_not_remembered() -> None:
    jobs = JobStore()
    report = factories.job(uid="a", resource_version="5", labels={"conductor.community/purpose": "report"})
    jobs.put(report)
    jobs.drop(report)
    assert remembered(jobs) == []


def test_jobs_of_nobody_are_not_remembered() -> None:
    jobs = JobStore()
    nobodys = factories.job(uid="a", resource_version="5", labels={LABEL_COUNCILOR_UID: ""})
    jobs.put(nobodys)
    jobs.drop(nobodys)
    assert remembered(jobs, "") == []


def test_all_of_one_councilor_may_be_forgotten() -> None:
    jobs = JobStore()
    for uid in "ab":
        jobs.put(factories.job(uid=uid, resource_version="5"))
    jobs.replace([], 9)
    jobs.forget("another")
    assert sorted(remembered(jobs)) == ["a", "b"]
    jobs.forget(factories.UID)
    assert remembered(jobs) == []


# --- a cluster that was set back --------------------------------------------------------------------------------------


def test_a_list_that_is_older_than_when_it_was_asked_for_counts_alone(store: Store[Item]) -> None:
    store.replace([Item("kept", 90), Item("same", 3), Item("undone", 95, "x")], 100)
    store.put(Item("late", 120))
    assert store.newest == 120
    changes = store.replace([Item("kept", 40), Item("same", 3)], 110, asked_at=store.newest)
    assert sorted((item.uid, item.version) for item in changes) == [
        ("kept", 40),
        ("late", 120),
        ("same", 3),
        ("undone", 95),
    ]
    assert {item.uid: item.version for item in store.snapshot()} == {"kept": 40, "same": 3}
    assert store.of("x") == []
    assert store.newest == 110
    assert store.put(Item("kept", 111))
    assert store.put(Item("new", 112))
    assert not store.put(Item("old", 110))


@pytest.mark.parametrize("version", [100, 101])
def test_a_list_that_a_watch_overtakes_takes_nothing_back(store: Store[Item], version: int) -> None:
    store.replace([Item("a", 90)], 100)
    asked_at = store.newest
    store.put(Item("a", 101))
    store.drop(Item("b", 102))
    assert store.replace([Item("a", 90), Item("b", 80)], version, asked_at=asked_at) == []
    assert store.get("a") == Item("a", 101)
    assert store.get("b") is None
