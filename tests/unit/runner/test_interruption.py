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


async def test_a_limit_without_a_signal() -> None:
    interruption = Interruption()
    interruption.attach(asyncio.get_running_loop())
    async with interruption.limit(60, 30):
        done = await working("done", asyncio.Event(), ends=True)
    assert done == "done"
    with pytest.raises(TimeoutError):
        async with interruption.limit(0.01, 0):
            await asyncio.Event().wait()


@pytest.mark.parametrize("before", [True, False])
async def test_a_signal_shortens_a_limit(before: bool) -> None:
    """Without the signal this would wait for an hour."""
    interruption = Interruption()
    interruption.attach(asyncio.get_running_loop())
    if before:
        interruption.trigger()
    else:
        asyncio.get_running_loop().call_soon(interruption.trigger)
    with pytest.raises(TimeoutError):
        async with interruption.limit(3600, 0.01):
            await asyncio.Event().wait()


async def test_a_signal_never_prolongs_a_limit() -> None:
    interruption = Interruption()
    interruption.attach(asyncio.get_running_loop())
    interruption.trigger()
    with pytest.raises(TimeoutError):
        async with interruption.limit(0.01, 3600):
            await asyncio.Event().wait()


async def test_work_within_a_limit_is_done_after_a_signal() -> None:
    interruption = Interruption()
    interruption.attach(asyncio.get_running_loop())
    interruption.trigger()
    async with interruption.limit(3600, 3600):
        await asyncio.sleep(0)
