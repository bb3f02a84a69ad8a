"""Work that a signal may cut short: its result, its error, or nothing."""

import asyncio

import pytest

from councilor_runner.interruption import Interruption


async def working(result: str, started: asyncio.Event, *, ends: bool) -> str:
    started.set()
    if not ends:
        await asyncio.Event().wait()
    return result


async def test_the_result_of_work_that_nobody_disturbs() -> None:
    assert await Interruption().cut_short(working("done", asyncio.Event(), ends=True)) == "done"


async def test_work_that_is_cut_short_has_no_result() -> None:
    interruption, started = Interruption(), asyncio.Event()
    interruption.attach(asyncio.get_running_loop())
    waiting = asyncio.create_task(interruption.cut_short(working("done", started, ends=False)))
    await started.wait()
    interruption.trigger()
    assert await waiting is None


async def test_a_signal_that_came_before() -> None:
    interruption = Interruption()
    interruption.trigger()
    interruption.attach(asyncio.get_running_loop())
    assert await interruption.cut_short(working("done", asyncio.Event(), ends=False)) is None


async def test_work_that_cannot_be_stopped_any_more_keeps_its_result() -> None:
    interruption, started = Interruption(), asyncio.Event()
    interruption.attach(asyncio.get_running_loop())

    async def stubborn() -> str:
        try:
            return await working("done", started, ends=False)
        except asyncio.CancelledError:
            return "just finished"

    waiting = asyncio.create_task(interruption.cut_short(stubborn()))
    await started.wait()
    interruption.trigger()
    assert await waiting == "just finished"


async def test_an_error_is_passed_on() -> None:
    async def failing() -> str:
        raise LookupError("no such thing")

    with pytest.raises(LookupError):
        await Interruption().cut_short(failing())
