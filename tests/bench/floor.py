"""The floor: what the API server allows a client that has nothing to decide, request by request.

The same requests as the operator's and its users': in a namespace of their own, while no operator runs.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from tests.bench import workload
from tests.bench.client import Client, Object, Request


@dataclass(frozen=True, slots=True)
class Floor:
    """Seconds for all Councilors, by kind of request."""

    create: float
    """Create the Councilors."""
    apply: float
    """Create their CronJobs by server-side apply."""
    status: float
    """Patch their first status."""
    change: float
    """Patch all specs."""
    reapply: float
    """Apply the changed CronJobs."""
    restatus: float
    """Patch the statuses that follow."""

    @property
    def converge(self) -> float:
        """Return the seconds for creating Councilors and all that follows."""
        return self.create + self.apply + self.status

    @property
    def reconverge(self) -> float:
        """Return the seconds for changing Councilors and all that follows."""
        return self.change + self.reapply + self.restatus


async def measure(client: Client, namespace: str, count: int) -> Floor:
    """Measure the floor in an empty namespace and leave it empty."""
    councilors, create = await _timed(client, (workload.create(namespace, number) for number in range(count)))
    first = [workload.Counterpart(councilor, None) for councilor in councilors]
    cron_jobs, apply = await _timed(client, [counterpart.apply() for counterpart in first])
    patches = [counterpart.patch_status(cron_job) for counterpart, cron_job in zip(first, cron_jobs, strict=True)]
    _, status = await _timed(client, patches)

    councilors, change = await _timed(client, (workload.change(namespace, number) for number in range(count)))
    second = [
        workload.Counterpart(councilor, cron_job) for councilor, cron_job in zip(councilors, cron_jobs, strict=True)
    ]
    cron_jobs, reapply = await _timed(client, [counterpart.apply() for counterpart in second])
    patches = [counterpart.patch_status(cron_job) for counterpart, cron_job in zip(second, cron_jobs, strict=True)]
    _, restatus = await _timed(client, patches)

    # Children first: nothing is left for the garbage collector to find.
    await client.send_all(Request("DELETE", workload.cron_job_path(namespace, _name(body))) for body in cron_jobs)
    await client.send_all(Request("DELETE", workload.councilor_path(namespace, _name(body))) for body in councilors)
    return Floor(create, apply, status, change, reapply, restatus)


async def measure_listing(client: Client) -> float:
    """Return the seconds for reading and decoding all Councilors and CronJobs once."""
    started = time.perf_counter()
    await client.list(workload.COUNCILORS)
    await client.list(workload.CRON_JOBS, workload.MANAGED)
    return time.perf_counter() - started


async def _timed(client: Client, requests: Iterable[Request]) -> tuple[list[Object], float]:
    started = time.perf_counter()
    answers = await client.send_all(requests)
    return answers, time.perf_counter() - started


def _name(body: Object) -> str:
    return str(body["metadata"]["name"])
