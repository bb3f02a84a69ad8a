"""How busy the machine is (proc_stat(5))."""

from __future__ import annotations

import os
import time
from pathlib import Path

_IDLE = (3, 4)
"""Fields of the line `cpu`: idle, iowait."""


class Meter:
    """Counts the processor time that the whole machine used since it was made or last read."""

    def __init__(self) -> None:
        self._began, self._busy = time.monotonic(), _busy_seconds()

    def read(self) -> float:
        """Busy cores on average."""
        now, busy = time.monotonic(), _busy_seconds()
        cores = (busy - self._busy) / max(0.001, now - self._began)
        self._began, self._busy = now, busy
        return cores


def _busy_seconds() -> float:
    first = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    ticks = sum(int(value) for field, value in enumerate(first) if field not in _IDLE)
    return ticks / os.sysconf("SC_CLK_TCK")
