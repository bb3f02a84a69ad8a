"""The work queue: the semantics of client-go's workqueue, on a clock that the test moves."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable

import pytest

from councilor_operator.workqueue import FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS, WorkQueue

TURNS = 5


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue[str]:
    return WorkQueue(clock)


async def turns() -> None:
    """Let everything that can go on go on."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def soon(awaitable: Awaitable[str]) -> str:
    """A result that must be there without waiting for a clock."""
    async with asyncio.timeout(5):
        return await awaitable


async def waits(queue: WorkQueue[str]) -> bool:
    """Whether a worker that asks now gets nothing."""
    task = asyncio.create_task(queue.get())
    await turns()
    if task.done():
        key = task.result()
        queue.done(key)
        return False
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return True


async def test_first_in_first_out(queue: WorkQueue[str]) -> None:
    for key in "abc":
        queue.add(key)
    assert len(queue) == 3
    assert [await soon(queue.get()) for _ in range(3)] == ["a", "b", "c"]
    assert len(queue) == 0


async def test_a_key_that_waits_twice_comes_once(queue: WorkQueue[str]) -> None:
    for key in "abaab":
        queue.add(key)
    assert len(queue) == 2
    assert [await soon(queue.get()) for _ in range(2)] == ["a", "b"]
    assert await waits(queue)


async def test_a_waiting_worker_wakes_up(queue: WorkQueue[str]) -> None:
    worker = asyncio.create_task(queue.get())
    await turns()
    assert not worker.done()
    queue.add("a")
    assert await soon(worker) == "a"


async def test_each_of_many_waiting_workers_gets_a_key(queue: WorkQueue[str]) -> None:
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await turns()
    for key in "abc":
        queue.add(key)
    async with asyncio.timeout(5):
        assert set(await asyncio.gather(*workers)) == {"a", "b", "c"}


async def test_one_key_wakes_one_worker_only(queue: WorkQueue[str]) -> None:
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await turns()
    queue.add("a")
    await turns()
    assert [worker.done() for worker in workers].count(True) == 1
    queue.add("b")
    await turns()
    assert [worker.done() for worker in workers].count(True) == 2
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


async def test_a_key_in_work_is_given_to_nobody_else(queue: WorkQueue[str]) -> None:
    queue.add("a")
    assert await soon(queue.get()) == "a"
    queue.add("a")
    assert len(queue) == 0
    assert await waits(queue)


async def test_a_key_added_while_in_work_comes_once_more(queue: WorkQueue[str]) -> None:
    queue.add("a")
    key = await soon(queue.get())
    for _ in range(3):
        queue.add("a")
    queue.done(key)
    assert len(queue) == 1
    assert await soon(queue.get()) == "a"
    queue.done("a")
    assert await waits(queue)


async def test_done_without_new_word_is_the_end(queue: WorkQueue[str]) -> None:
    queue.add("a")
    queue.done(await soon(queue.get()))
    assert len(queue) == 0
    assert await waits(queue)


async def test_other_keys_go_on_meanwhile(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await soon(queue.get())
    queue.add("b")
    assert await soon(queue.get()) == "b"


async def test_a_key_comes_back_at_the_end(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await soon(queue.get())
    queue.add("a")
    queue.add("b")
    queue.done("a")
    assert [await soon(queue.get()) for _ in range(2)] == ["b", "a"]


async def test_many_workers_never_share_a_key(queue: WorkQueue[str]) -> None:
    busy: set[str] = set()
    worked: dict[str, int] = {}

    async def work() -> None:
        while True:
            key = await queue.get()
            assert key not in busy
            busy.add(key)
            worked[key] = worked.get(key, 0) + 1
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            busy.remove(key)
            queue.done(key)

    workers = [asyncio.create_task(work()) for _ in range(4)]
    for _ in range(30):
        for key in "abcdef":
            queue.add(key)
        await asyncio.sleep(0)
    for _ in range(1000):
        if not len(queue) and not busy:
            break
        await asyncio.sleep(0)
    else:
        pytest.fail("the workers do not come to an end")
    assert not any(worker.done() for worker in workers), "a worker found its key in other hands"
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    assert set(worked) == set("abcdef")


# --- delay ------------------------------------------------------------------------------------------------------------


async def test_a_delayed_key_comes_when_its_time_has_come(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add_after("a", 10)
    assert len(queue) == 0
    assert await waits(queue)
    clock.now += 9.5
    assert await waits(queue)
    clock.now += 0.5
    assert await soon(queue.get()) == "a"


@pytest.mark.parametrize("seconds", [0, -1, -1e9])
async def test_a_delay_that_has_passed_is_none(queue: WorkQueue[str], seconds: float) -> None:
    queue.add_after("a", seconds)
    assert await soon(queue.get()) == "a"


async def test_delayed_keys_come_in_the_order_of_their_times(queue: WorkQueue[str], clock: Clock) -> None:
    for key, seconds in (("c", 3), ("a", 1), ("b", 2)):
        queue.add_after(key, seconds)
    clock.now += 5
    assert [await soon(queue.get()) for _ in range(3)] == ["a", "b", "c"]


@pytest.mark.parametrize(("first", "second"), [(10, 5), (5, 10), (5, 5)])
async def test_the_earlier_of_two_delays_counts(
    queue: WorkQueue[str], clock: Clock, first: float, second: float
) -> None:
    queue.add_after("a", first)
    queue.add_after("a", second)
    clock.now += 5
    queue.done(await soon(queue.get()))
    clock.now += 10
    assert await waits(queue), "the later entry must not bring the key a second time"


async def test_after_its_time_a_key_may_be_delayed_again(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add_after("a", 5)
    clock.now += 5
    queue.done(await soon(queue.get()))
    queue.add_after("a", 7)
    assert await waits(queue)
    clock.now += 7
    assert await soon(queue.get()) == "a"


async def test_a_delayed_key_may_come_earlier_by_itself(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add_after("a", 5)
    queue.add("a")
    queue.done(await soon(queue.get()))
    clock.now += 5
    assert await soon(queue.get()) == "a"


async def test_a_delay_that_ends_in_work_means_one_more_pass(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("a")
    key = await soon(queue.get())
    queue.add_after("a", 1)
    clock.now += 2
    assert await waits(queue)
    queue.done(key)
    assert await soon(queue.get()) == "a"


async def test_a_delayed_key_that_waits_already_comes_once(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add_after("a", 1)
    clock.now += 1
    queue.add("a")
    queue.done(await soon(queue.get()))
    assert await waits(queue)


async def test_a_sleeping_worker_wakes_when_the_time_comes() -> None:
    """The one test on the real clock: the worker sleeps until the first delay ends."""
    queue: WorkQueue[str] = WorkQueue(time.monotonic)
    worker = asyncio.create_task(queue.get())
    await turns()
    queue.add_after("late", 3600)
    queue.add_after("early", 0.02)
    assert await soon(worker) == "early"


async def test_a_sleeping_worker_hears_of_an_earlier_delay() -> None:
    queue: WorkQueue[str] = WorkQueue(time.monotonic)
    queue.add_after("late", 3600)
    worker = asyncio.create_task(queue.get())
    await turns()
    queue.add_after("early", 0.01)
    assert await soon(worker) == "early"


# --- failures ---------------------------------------------------------------------------------------------------------


async def fail(queue: WorkQueue[str], clock: Clock, at_least: float = 0.0) -> float:
    """Take the key, fail, and move the clock to where it is due again."""
    key = await soon(queue.get())
    delay = queue.retry(key, at_least=at_least)
    assert await waits(queue)
    clock.now += delay
    return delay


async def test_retries_back_off_exponentially_to_a_limit(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("a")
    for failure in range(40):
        expected = min(FIRST_RETRY_SECONDS * 2**failure, LAST_RETRY_SECONDS)
        delay = await fail(queue, clock)
        assert 0.8 * expected <= delay <= 1.2 * expected


async def test_what_failed_together_does_not_come_back_together(queue: WorkQueue[str]) -> None:
    keys = [f"key-{number}" for number in range(20)]
    for key in keys:
        queue.add(key)
    delays = {queue.retry(await soon(queue.get())) for _ in keys}
    assert len(delays) > 10


async def test_success_resets_the_back_off(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("a")
    for _ in range(5):
        await fail(queue, clock)
    queue.done(await soon(queue.get()))
    queue.add("a")
    assert await fail(queue, clock) <= 1.2 * FIRST_RETRY_SECONDS


async def test_keys_back_off_each_for_itself(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("a")
    for _ in range(5):
        await fail(queue, clock)
    queue.done(await soon(queue.get()))
    queue.add("b")
    assert await fail(queue, clock) <= 1.2 * FIRST_RETRY_SECONDS


async def test_the_servers_own_delay_is_the_least(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("a")
    assert await fail(queue, clock, at_least=60) == 60
    assert await fail(queue, clock, at_least=0) < 60


async def test_a_key_that_failed_and_was_added_in_work_comes_at_once(queue: WorkQueue[str]) -> None:
    queue.add("a")
    key = await soon(queue.get())
    queue.add("a")
    queue.retry(key)
    assert await soon(queue.get()) == "a"


async def test_forget_drops_delays_and_failures(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("a")
    for _ in range(4):
        await fail(queue, clock)
    key = await soon(queue.get())
    queue.add_after("a", 30)
    queue.forget("a")
    queue.done(key)
    clock.now += 60
    assert await waits(queue)
    queue.add("a")
    assert await fail(queue, clock) <= 1.2 * FIRST_RETRY_SECONDS


async def test_forgetting_an_unknown_key_is_no_fault(queue: WorkQueue[str]) -> None:
    queue.forget("a")
    assert await waits(queue)


async def test_after_forget_a_key_may_be_delayed_again(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add_after("a", 5)
    queue.forget("a")
    queue.add_after("a", 8)
    clock.now += 5
    assert await waits(queue)
    clock.now += 3
    assert await soon(queue.get()) == "a"


# --- age --------------------------------------------------------------------------------------------------------------


async def test_age_is_that_of_the_first_in_line(queue: WorkQueue[str], clock: Clock) -> None:
    assert queue.oldest_age == 0
    queue.add("a")
    clock.now += 3
    queue.add("b")
    clock.now += 4
    queue.add("a")
    assert queue.oldest_age == 7
    await soon(queue.get())
    assert queue.oldest_age == 4
    await soon(queue.get())
    assert queue.oldest_age == 0


async def test_what_is_not_due_has_no_age(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add_after("a", 100)
    clock.now += 50
    assert queue.oldest_age == 0


async def test_how_long_the_key_in_work_has_been_there(queue: WorkQueue[str], clock: Clock) -> None:
    assert queue.longest_work == 0
    for key in "ab":
        queue.add(key)
        await soon(queue.get())
        clock.now += 10
    assert queue.longest_work == 20
    queue.done("a")
    assert queue.longest_work == 10
    # Asked for meanwhile: another pass is another beginning.
    queue.add("b")
    queue.done("b")
    assert queue.longest_work == 0
    await soon(queue.get())
    clock.now += 1
    assert queue.longest_work == 1


async def test_how_many_keys_failed_the_last_time(queue: WorkQueue[str], clock: Clock) -> None:
    for key in "ab":
        queue.add(key)
        queue.retry(await soon(queue.get()))
    assert queue.backing_off == 2
    clock.now += LAST_RETRY_SECONDS
    first = await soon(queue.get())
    queue.done(first)
    assert queue.backing_off == 1
    queue.forget("b" if first == "a" else "a")
    assert queue.backing_off == 0


async def test_other_threads_may_ask_how_the_queue_does(queue: WorkQueue[str]) -> None:
    done = threading.Event()
    failures: list[BaseException] = []

    def asks() -> None:
        try:
            while not done.is_set():
                assert queue.oldest_age == queue.longest_work == 0
                assert len(queue) + queue.backing_off >= 0
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=asks)
    thread.start()
    try:
        for number in range(5000):
            queue.add(str(number))
            queue.done(await queue.get())
    finally:
        done.set()
        thread.join()
    assert failures == []
