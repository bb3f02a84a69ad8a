"""Waiting for the processes that are measured: for what they have to do, and until they rest."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from tests.bench import measurement
from tests.controlplane.process import OperatorProcess

POLL_SECONDS: Final = 0.1
DEADLINE_SECONDS: Final = 900.0
QUIET_SECONDS: Final = 1.0
QUIET_SHARE: Final = 0.05
"""Share of a core below which a process counts as quiet."""


async def until(process: OperatorProcess, reached: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until something is reached; raises TimeoutError that says `what` did not happen, with the process's log."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not await reached():
        if time.monotonic() > deadline:
            log = await asyncio.to_thread(process.log.read_text)
            raise TimeoutError(f"{what} within {DEADLINE_SECONDS:.0f} s; its log:\n{log[-4000:]}")
        await asyncio.sleep(POLL_SECONDS)


async def quiet(process: OperatorProcess) -> None:
    """Wait until a process rests: what follows from its own writes belongs to the step that is measured."""
    before = measurement.cpu_seconds(process.pid)

    async def rests() -> bool:
        nonlocal before
        await asyncio.sleep(QUIET_SECONDS)
        now = measurement.cpu_seconds(process.pid)
        used, before = now - before, now
        return used <= QUIET_SHARE * QUIET_SECONDS

    await until(process, rests, "it does not come to rest")
