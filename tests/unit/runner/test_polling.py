"""Waiting for a task: sources that know, deny or fail, on a clock of the test's own."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from councilor_runner.answers import TaskState
from councilor_runner.polling import Lookup, PollLimits, SourceUnavailableError, WaitEnd, look_up, wait_for_task

DONE = TaskState("completed", "fine", 0, exit_code_known=True)
BUSY = TaskState("processing")
LIMITS = PollLimits()


class TestClock:
    """Time that passes by sleeping only."""

    __test__ = False

    def __init__(self) -> None:
        self.time = 1000.0
        self.naps: list[float] = []

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time, tz=UTC)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.time += seconds


class Scripted:
    """A source whose answer depends on the time."""

    def __init__(self, answer: Callable[[float], TaskState | Exception | None], clock: TestClock | None = None) -> None:
        self.name = "scripted"
        self._answer = answer
        self._clock = clock or TestClock()

    async def read(self, task_id: str) -> TaskState | None:
        assert task_id == "d2"
        answer = self._answer(self._clock.time - 1000.0)
        if isinstance(answer, Exception):
            raise answer
        return answer


AWAY = SourceUnavailableError("scripted", "away")
REFUSED = SourceUnavailableError("scripted", "no", refused=True)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([DONE], DONE),
        ([BUSY, DONE], BUSY),
        ([None, DONE], DONE),
        ([AWAY, DONE], DONE),
        ([REFUSED, BUSY], BUSY),
        ([TaskState("completed", "fine"), DONE], DONE),
        ([TaskState("completed", "fine"), AWAY], TaskState("completed", "fine")),
        ([None], Lookup.ABSENT),
        ([None, AWAY], Lookup.ABSENT),
        ([AWAY, AWAY], Lookup.UNAVAILABLE),
        ([REFUSED, AWAY], Lookup.UNAVAILABLE),
        ([REFUSED, REFUSED], Lookup.REFUSED),
        ([], Lookup.UNAVAILABLE),
    ],
)
async def test_look_up(answers: list[TaskState | Exception | None], expected: TaskState | Lookup) -> None:
    sources = [Scripted(lambda _, answer=answer: answer) for answer in answers]  # type: ignore[misc]
    assert await look_up("d2", sources) == expected


async def wait(answer: Callable[[float], TaskState | Exception | None], seconds: float) -> tuple[object, TestClock]:
    clock = TestClock()
    ended = await wait_for_task("d2", [Scripted(answer, clock)], clock, clock.time + seconds, LIMITS)
    return ended, clock


async def test_the_pace_slows_down() -> None:
    ended, clock = await wait(lambda time: DONE if time > 120 else BUSY, 600)
    assert ended == DONE
    assert clock.naps[0] == 0.2
    assert clock.naps == sorted(clock.naps)
    assert clock.naps[-1] == 5.0
    assert len(clock.naps) < 50


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda _: BUSY, WaitEnd.DEADLINE),
        (lambda _: AWAY, WaitEnd.UNREADABLE),
        (lambda time: AWAY if time < 50 else BUSY, WaitEnd.DEADLINE),
        (lambda time: BUSY if time < 50 else AWAY, WaitEnd.UNREADABLE),
        (lambda time: BUSY if time < 5 else None, WaitEnd.VANISHED),
        (lambda _: None, WaitEnd.VANISHED),
        (lambda time: None if time < 5 else DONE, DONE),
        (lambda time: AWAY if time < 30 else DONE, DONE),
        (lambda _: REFUSED, WaitEnd.REFUSED),
    ],
)
async def test_how_waiting_ends(answer: Callable[[float], TaskState | Exception | None], expected: object) -> None:
    ended, clock = await wait(answer, 60)
    assert ended == expected
    assert clock.time <= 1060


async def test_a_result_at_the_very_end_still_counts() -> None:
    ended, clock = await wait(lambda time: DONE if time >= 60 else BUSY, 60)
    assert (ended, clock.time) == (DONE, 1060)


async def test_a_deadline_that_has_passed_allows_one_look() -> None:
    assert (await wait(lambda _: DONE, -5))[0] == DONE
    assert (await wait(lambda _: BUSY, -5))[0] is WaitEnd.DEADLINE
