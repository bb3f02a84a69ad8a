"""Counting runs: each Job once, whatever is repeated, restarted or seen late."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from councilor_operator.api.status import CouncilorStatus, Run, Stats
from councilor_operator.runs.ledger import RECENT_RUNS, count, fold
from tests.factories import NOW

Result = Literal["success", "warning", "error", "failed", "skipped"]
RESULTS: tuple[Result, ...] = ("success", "warning", "error", "failed", "skipped")


def run(result: Result, minute: int = 0, *, name: str | None = None, ended: bool = True) -> Run:
    return Run(
        execution_id=f"exec_a_{minute}_0",
        task_id="0" * 24,
        job_name=name or f"job-{minute}",
        trigger="scheduled",
        completed_at=NOW + timedelta(minutes=minute) if ended else None,
        status={"failed": "error", "skipped": "skipped"}.get(result, "completed"),
        severity=None if result == "skipped" else "error" if result == "failed" else result,
        result=result,
        reason="R",
    )


def history(*results: Result) -> CouncilorStatus:
    """The status after these runs, one a minute, each folded by itself."""
    status = fold(CouncilorStatus(), {}, [])
    for minute, result in enumerate(results):
        uid = f"uid-{minute}"
        status = fold(status, {uid: run(result, minute)}, [f"uid-{other}" for other in range(minute + 1)])
    return status


# --- counters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([], Stats()),
        (["success"], Stats(total_executions=1, success=1, success_rate=100.0)),
        (["warning"], Stats(total_executions=1, warning=1, success_rate=0.0)),
        (["error"], Stats(total_executions=1, error=1, success_rate=0.0)),
        (["failed"], Stats(total_executions=1, failed=1, consecutive_failures=1, success_rate=0.0)),
        (["skipped"], Stats(skipped=1)),
        (
            ["success", "failed"],
            Stats(total_executions=2, success=1, failed=1, consecutive_failures=1, success_rate=50.0),
        ),
        (["failed", "success"], Stats(total_executions=2, success=1, failed=1, success_rate=50.0)),
        (["failed"] * 3, Stats(total_executions=3, failed=3, consecutive_failures=3, success_rate=0.0)),
        # An answer judged an error is an answer: only failed runs count for the breaker.
        (["failed", "failed", "error"], Stats(total_executions=3, error=1, failed=2, success_rate=0.0)),
        (
            ["failed", "warning", "failed"],
            Stats(total_executions=3, warning=1, failed=2, consecutive_failures=1, success_rate=0.0),
        ),
        # A skipped run proves nothing.
        (
            ["failed", "skipped", "failed"],
            Stats(total_executions=2, failed=2, skipped=1, consecutive_failures=2, success_rate=0.0),
        ),
        (["success", "success", "warning"], Stats(total_executions=3, success=2, warning=1, success_rate=66.7)),
        (["success", "error", "error"], Stats(total_executions=3, success=1, error=2, success_rate=33.3)),
        (["success", "skipped"], Stats(total_executions=1, success=1, skipped=1, success_rate=100.0)),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else "",
)
def test_counters(results: list[Result], expected: Stats) -> None:
    assert history(*results).stats == expected


@pytest.mark.parametrize("result", RESULTS)
def test_missed_runs_are_not_touched(result: Result) -> None:
    assert count(Stats(missed=7), run(result)).missed == 7


@given(results=st.lists(st.sampled_from(RESULTS), max_size=30))
def test_the_sums_add_up(results: list[Result]) -> None:
    stats = history(*results).stats
    assert stats is not None
    assert stats.total_executions == stats.success + stats.warning + stats.error + stats.failed
    assert stats.total_executions + stats.skipped == len(results)
    assert 0 <= stats.consecutive_failures <= stats.failed
    assert (stats.success_rate is None) == (stats.total_executions == 0)
    assert stats.success_rate is None or 0 <= stats.success_rate <= 100


# --- last and recent runs ---------------------------------------------------------------------------------------------


def test_the_last_run_is_the_one_that_ended_last() -> None:
    status = fold(CouncilorStatus(), {"b": run("failed", 2), "a": run("success", 1), "c": run("warning", 3)}, "abc")
    assert status.last_run == run("warning", 3)


def test_a_run_seen_late_does_not_become_the_last() -> None:
    status = fold(CouncilorStatus(), {"b": run("success", 5)}, "b")
    status = fold(status, {"a": run("failed", 1)}, "ab")
    assert status.last_run == run("success", 5)
    assert status.stats is not None
    assert status.stats.total_executions == 2


def test_the_last_success_stays_known() -> None:
    assert history("success", "failed", "error").last_success_time == NOW
    assert history("failed", "warning", "skipped").last_success_time is None
    assert history("success", "success").last_success_time == NOW + timedelta(minutes=1)


def test_a_success_seen_late_is_not_the_last() -> None:
    status = fold(CouncilorStatus(), {"b": run("success", 5)}, "b")
    assert fold(status, {"a": run("success", 1)}, "ab").last_success_time == NOW + timedelta(minutes=5)


def test_recent_runs_are_ten_and_newest_first() -> None:
    results: list[Result] = ["success"] * 13
    status = history(*results)
    assert status.recent_runs is not None
    assert [entry.job_name for entry in status.recent_runs] == [f"job-{minute}" for minute in range(12, 2, -1)]
    assert len(status.recent_runs) == RECENT_RUNS


def test_recent_runs_of_one_pass_are_newest_first() -> None:
    status = fold(CouncilorStatus(), {"a": run("success", 1), "c": run("failed", 3), "b": run("error", 2)}, "abc")
    assert status.recent_runs is not None
    assert [(entry.job_name, entry.result) for entry in status.recent_runs] == [
        ("job-3", "failed"),
        ("job-2", "error"),
        ("job-1", "success"),
    ]


def test_a_run_seen_late_takes_its_place_in_the_history() -> None:
    status = fold(CouncilorStatus(), {"b": run("success", 5)}, "b")
    status = fold(status, {"a": run("failed", 1)}, "ab")
    assert status.recent_runs is not None
    assert [entry.job_name for entry in status.recent_runs] == ["job-5", "job-1"]


def test_without_runs_there_is_no_history() -> None:
    status = fold(CouncilorStatus(), {}, [])
    assert status.stats == Stats()
    assert status == CouncilorStatus(stats=Stats())


def test_a_run_of_unknown_end_is_counted_all_the_same() -> None:
    status = fold(CouncilorStatus(), {"a": run("success", ended=False)}, "a")
    assert status.stats == Stats(total_executions=1, success=1, success_rate=100.0)
    assert status.last_success_time is None


def test_what_is_not_of_the_ledger_stays() -> None:
    before = CouncilorStatus(observed_generation=3, phase="Running", schedule="0 9 * * *", time_zone="UTC")
    after = fold(before, {"a": run("success")}, "a")
    assert (
        after.model_copy(
            update={
                "stats": None,
                "last_run": None,
                "last_success_time": None,
                "recent_runs": None,
                "counted_jobs": None,
            }
        )
        == before
    )


# --- exactly once -----------------------------------------------------------------------------------------------------


def test_counted_jobs_are_listed_as_long_as_they_exist() -> None:
    status = fold(CouncilorStatus(), {"b": run("success", 1), "a": run("success", 2)}, ["a", "b", "running"])
    assert status.counted_jobs == ("a", "b")
    status = fold(status, {"c": run("success", 3)}, ["b", "c", "running"])
    assert status.counted_jobs == ("b", "c")
    assert fold(status, {}, ["d"], worked_in=["d"]).counted_jobs == ("d",)


def test_that_a_counted_job_is_gone_changes_nothing_by_itself() -> None:
    status = fold(CouncilorStatus(), {"a": run("success", 1)}, ["a"])
    assert fold(status, {}, []) == status


class Operators:
    """Operators that fold what they see and may crash before or after the one write; a toy of the reconciler's loop.

    Job n ends in minute n with `results[n]`. The status stored is what counts; a stale view lacks the latest writes.
    """

    def __init__(self, results: list[Result]) -> None:
        self.results = results
        self.ended: list[int] = []
        self.deleted: set[int] = set()
        self.versions = [CouncilorStatus()]

    def visible(self) -> list[int]:
        return [number for number in self.ended if number not in self.deleted]

    def act(self, stale: int, crash: bool) -> None:
        """One pass of an operator whose view of the status is `stale` writes old."""
        base = len(self.versions) - 1 - min(stale, len(self.versions) - 1)
        seen = self.versions[base]
        known = set(seen.counted_jobs or ())
        new = {f"{n}": run(self.results[n], n) for n in self.visible() if f"{n}" not in known}
        result = fold(seen, new, [f"{n}" for n in self.visible()])
        # The write carries the version that was read, so a write over a newer one fails; a crash loses it.
        if not crash and base == len(self.versions) - 1 and result != seen:
            self.versions.append(result)

    def collect(self, number: int) -> None:
        """The history limit deletes a Job; the controller leaves at least what was just counted to be seen once."""
        if f"{number}" in (self.versions[-1].counted_jobs or ()):
            self.deleted.add(number)


@given(
    results=st.lists(st.sampled_from(RESULTS), min_size=1, max_size=8),
    steps=st.lists(
        st.one_of(
            st.just("end"),
            st.tuples(st.just("pass"), st.integers(min_value=0, max_value=3), st.booleans()),
            st.tuples(st.just("delete"), st.integers(min_value=0, max_value=7)),
        ),
        max_size=40,
    ),
)
def test_any_interleaving_counts_every_run_once(results: list[Result], steps: list[object]) -> None:
    """Restarts, crashes around the write, stale views and vanishing Jobs: the counters are those of a quiet life."""
    world = Operators(results)
    for step in steps:
        match step:
            case "end":
                if len(world.ended) < len(results):
                    world.ended.append(len(world.ended))
            case ("pass", int(stale), bool(crash)):
                world.act(stale, crash)
            case ("delete", int(number)):
                world.collect(number)
    while len(world.ended) < len(results):
        world.ended.append(len(world.ended))
    world.act(0, crash=False)
    world.act(0, crash=False)
    final, quiet = world.versions[-1], history(*results)
    assert final.stats == quiet.stats
    assert final.last_run == quiet.last_run
    assert final.last_success_time == quiet.last_success_time
    assert final.recent_runs == quiet.recent_runs
    # The UIDs of Jobs that have gone since wait for the next one that is counted.
    assert set(final.counted_jobs or ()) >= {f"{number}" for number in world.visible()}


@given(results=st.lists(st.sampled_from(RESULTS), min_size=1, max_size=10), order=st.randoms(use_true_random=False))
def test_sums_do_not_depend_on_the_order_in_which_runs_are_seen(results: list[Result], order: Random) -> None:
    numbers = list(range(len(results)))
    order.shuffle(numbers)
    status = CouncilorStatus()
    for number in numbers:
        status = fold(status, {f"{number}": run(results[number], number)}, [f"{n}" for n in numbers])
    quiet = history(*results)
    assert status.stats is not None
    assert quiet.stats is not None
    without = {"consecutive_failures": 0}
    assert status.stats.model_copy(update=without) == quiet.stats.model_copy(update=without)
    assert status.last_run == quiet.last_run
    assert status.last_success_time == quiet.last_success_time
    assert status.recent_runs == quiet.recent_runs


@given(results=st.lists(st.sampled_from(RESULTS), min_size=1, max_size=10))
def test_one_pass_over_many_runs_is_many_passes_over_one(results: list[Result]) -> None:
    runs = {f"uid-{number}": run(result, number) for number, result in enumerate(results)}
    assert fold(CouncilorStatus(), runs, runs) == history(*results)


def test_the_breaker_counts_in_the_order_of_time() -> None:
    runs = {"c": run("failed", 3), "a": run("failed", 1), "b": run("success", 2)}
    stats = fold(CouncilorStatus(), runs, runs).stats
    assert stats is not None
    assert stats.consecutive_failures == 1
