"""The operator's steps: what is asked of it, until it has done everything and is quiet, and what that took."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import httpx

from tests.bench import measurement, workload
from tests.bench.client import USER_AGENT, Client
from tests.bench.measurement import AuditLog, Counters, Mark, Memory, of_project
from tests.bench.patience import quiet, until
from tests.controlplane.process import OperatorProcess
from tests.ports import free_port

STATUS: Final = "councilors/status"


class MeasuredOperator(OperatorProcess):
    """The operator as a process, with its metrics."""

    def __init__(self, kubeconfig: Path, log: Path) -> None:
        port = free_port()
        super().__init__(
            kubeconfig,
            log,
            health_port=free_port(),
            COUNCILOR_METRICS_PORT=str(port),
            # As in the image, a start does not compile: the first one, on an empty cluster, does it for the others.
            PYTHONDONTWRITEBYTECODE="",
            PYTHONPYCACHEPREFIX=str(log.parent / "bytecode"),
        )
        # Without the series of each Councilor: asked for ten times a second they would be most of what is measured.
        names = ("reconciles_total", "api_writes_total", "queue_depth")
        query = "&".join(f"name[]=councilor_operator_{name}" for name in names)
        self._metrics = f"http://127.0.0.1:{port}/metrics?{query}"

    def _healthy(self) -> bool:
        """Tell whether it is up: from its first metrics on, since the probe may answer only when the work is done."""
        if self._process is None or self._process.poll() is not None:
            return super()._healthy()  # says why it ended
        try:
            return httpx.get(self._metrics, timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    async def counters(self) -> Counters:
        """Return what it counted."""
        async with aiohttp.ClientSession() as session, session.get(self._metrics) as response:
            return Counters.from_text(await response.text())


@dataclass(frozen=True, slots=True)
class Step:
    """What one step took."""

    seconds: float
    cpu_seconds: float
    """Processor time of the operator until it was quiet again."""
    memory: Memory
    writes: dict[str, int]
    """The operator's writes by verb and resource."""


class Trial:
    """An operator and a number of Councilors in one namespace."""

    def __init__(
        self, client: Client, audit: AuditLog, process: MeasuredOperator, *, namespace: str, count: int
    ) -> None:
        self._client = client
        self._audit = audit
        self._process = process
        self._namespace = namespace
        self._count = count

    async def start(self) -> Step:
        """Start the operator on an empty cluster."""
        mark, started = self._audit.mark(), time.perf_counter()
        self._process.start()
        seconds = time.perf_counter() - started
        await quiet(self._process)
        return self._step(seconds, 0.0, mark)

    async def converge(self) -> Step:
        """Create all Councilors; the time ends with the last first status."""
        return await self._write(
            "create",
            lambda: self._client.send_all(workload.create(self._namespace, number) for number in range(self._count)),
        )

    async def change(self) -> Step:
        """Change title and prompt of all Councilors; the time ends with the last status that follows."""
        return await self._write(
            "patch",
            lambda: self._client.send_all(workload.change(self._namespace, number) for number in range(self._count)),
        )

    async def restart(self) -> Step:
        """Kill the operator and start it; the time ends when it has looked at every Councilor once."""
        self._process.kill()
        mark, started = self._audit.mark(), time.perf_counter()
        self._process.start()
        await until(self._process, self._looked_at_all, "the operator does not get through all Councilors")
        seconds = time.perf_counter() - started
        await quiet(self._process)
        return self._step(seconds, 0.0, mark)

    async def idle(self, seconds: float) -> Step:
        """Ask nothing for a while."""
        mark, before, started = self._audit.mark(), self._cpu(), time.perf_counter()
        await asyncio.sleep(seconds)
        return self._step(time.perf_counter() - started, before, mark)

    async def _write(self, verb: str, write: Callable[[], Awaitable[object]]) -> Step:
        mark, before = self._audit.mark(), self._cpu()
        patches = (await self._process.counters()).status_patches
        await write()

        async def patched() -> bool:
            counters = await self._process.counters()
            return counters.status_patches - patches >= self._count and counters.queued == 0

        # The operator's own count is cheap to ask for; what the API server holds has the last word.
        await until(self._process, patched, "the operator does not report on every Councilor")
        await until(self._process, self._converged, "not every Councilor has its CronJob and an up-to-date status")
        await quiet(self._process)
        records = list(self._audit.since(mark))
        first = min(r.received for r in records if r.agent == USER_AGENT and r.verb == verb)
        last = max(r.answered for r in records if of_project(r) and r.resource == STATUS and r.code == 200)
        return self._step((last - first).total_seconds(), before, mark)

    def _step(self, seconds: float, cpu_before: float, mark: Mark) -> Step:
        writes: dict[str, int] = {}
        for record in self._audit.since(mark):
            if of_project(record) and record.verb in measurement.WRITES:
                key = f"{record.verb} {record.resource}"
                writes[key] = writes.get(key, 0) + 1
        return Step(seconds, self._cpu() - cpu_before, measurement.memory(self._process.pid), writes)

    async def _looked_at_all(self) -> bool:
        try:
            counters = await self._process.counters()
        except aiohttp.ClientError:
            return False
        return counters.passes >= self._count and counters.queued == 0

    async def _converged(self) -> bool:
        councilors = await self._client.list(workload.councilor_path(self._namespace))
        cron_jobs = await self._client.list(workload.CRON_JOBS, workload.MANAGED)
        return len(councilors) == len(cron_jobs) == self._count and all(
            body.get("status", {}).get("observedGeneration") == body["metadata"]["generation"] for body in councilors
        )

    def _cpu(self) -> float:
        return measurement.cpu_seconds(self._process.pid)
