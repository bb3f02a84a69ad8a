"""The sync's steps: what is done to the documents, until Councilors and CronJobs have followed, and what that took.

The floor of creating is the same requests without anything that finds out what to send; that of a comparison is reading
the same documents and doing nothing with them.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, get_args

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from councilor_operator.names import cron_job_name
from councilor_operator.sync.candidate import Collection
from councilor_operator.sync.documents import FILTERS, PROJECTIONS
from tests.bench import documents, measurement
from tests.bench.client import Client, Request
from tests.bench.measurement import AuditLog, Mark, Memory, Record, of_project
from tests.bench.operator import MeasuredOperator
from tests.bench.patience import quiet, until
from tests.bench.report import Report
from tests.bench.workload import councilor_path
from tests.controlplane.api import Api
from tests.controlplane.fixtures import install_crd, running_plane
from tests.controlplane.sync import DATABASE, SyncProcess
from tests.mongodb import Mongod
from tests.ports import free_port

COLLECTIONS: Final[tuple[Collection, ...]] = get_args(Collection)
NAMESPACE, FLOOR_NAMESPACE = "bench", "bench-floor"
WARM_UP: Final = 500
COMPARISONS: Final = 10
RESTARTS: Final = 3
CHANGES: Final = 200
IDLE_SECONDS: Final = 20.0
CHANGE_SECONDS: Final = 60.0
COUNCILORS, CRON_JOBS = "councilors", "cronjobs"

Database = AsyncDatabase[documents.Document]


@dataclass(frozen=True, slots=True)
class Rounds:
    """What the sync counted since it started."""

    ended: int
    seconds: float
    """Of all rounds together."""
    created: int
    streaming: bool
    """Whether it hears of changes by a change stream now."""

    @classmethod
    def from_text(cls, text: str) -> "Rounds":
        """Read them from the Prometheus text format."""
        found: dict[tuple[str, ...], float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name, *sample.labels.values()] = sample.value
        return cls(
            ended=int(found["councilor_sync_round_duration_seconds_count",]),
            seconds=found["councilor_sync_round_duration_seconds_sum",],
            created=int(found["councilor_sync_writes_total", "create"]),
            streaming=found["councilor_sync_feed_mode", "stream"] == 1,
        )


class MeasuredSync(SyncProcess):
    """The sync as a process, with its metrics."""

    def __init__(self, kubeconfig: Path, log: Path, uri: str) -> None:
        super().__init__(
            kubeconfig,
            log,
            health_port=free_port(),
            MONGODB_URI=uri,
            COUNCILOR_SYNC_NAMESPACE=NAMESPACE,
            # The clock asks for no round while rounds are counted.
            COUNCILOR_SYNC_FULL_SECONDS="86400",
            COUNCILOR_METRICS_PORT=str(free_port()),
            # As in the image, a start does not compile: the first one, on an empty database, does it for the others.
            PYTHONDONTWRITEBYTECODE="",
            PYTHONPYCACHEPREFIX=str(log.parent / "bytecode"),
        )

    async def rounds(self) -> Rounds:
        """Return what it counted."""
        async with aiohttp.ClientSession() as session, session.get(self._metrics) as response:
            return Rounds.from_text(await response.text())

    async def streams(self) -> bool:
        """Tell whether it hears of changes by a change stream."""
        return (await self.rounds()).streaming


@dataclass(frozen=True, slots=True)
class Step:
    """What one step took."""

    seconds: float
    cpu_seconds: float
    """Processor time of the sync until it was quiet again."""
    memory: Memory
    writes: int
    """Writes of all kinds that the API server saw, events included."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a document and when its CronJob was seen with it."""

    councilor: str
    sent: datetime
    seen: datetime


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from sending the change of a document to MongoDB."""

    sync: float
    """Until the API server has taken the patch of the Councilor."""
    operator: float
    """From there until it has taken the CronJob."""

    @property
    def total(self) -> float:
        """Return the milliseconds from the document to the CronJob."""
        return self.sync + self.operator


class Schedules:
    """The schedules of the CronJobs of a namespace, kept up to date by a watch."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._changed = asyncio.Condition()

    @classmethod
    @asynccontextmanager
    async def followed(cls, client: Client) -> AsyncIterator["Schedules"]:
        """Follow them within the block."""
        schedules = cls()
        following = asyncio.create_task(schedules._follow(client))
        try:
            yield schedules
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def wait_for(self, cron_job: str, schedule: str) -> None:
        """Wait until a CronJob has a schedule; raises TimeoutError."""
        async with asyncio.timeout(CHANGE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self._known.get(cron_job) == schedule)

    async def _follow(self, client: Client) -> None:
        async for cron_job in client.watch(f"/apis/batch/v1/namespaces/{NAMESPACE}/{CRON_JOBS}"):
            async with self._changed:
                self._known[cron_job["metadata"]["name"]] = cron_job["spec"]["schedule"]
                self._changed.notify_all()


class Trial:
    """A sync, and a number of documents in one database."""

    def __init__(
        self, client: Client, audit: AuditLog, database: Database, process: MeasuredSync, *, count: int
    ) -> None:
        self._client = client
        self._audit = audit
        self._database = database
        self._process = process
        self._count = count

    async def create(self) -> tuple[Step, float]:
        """Insert all documents while the sync is at rest on an empty database.

        The step's time is that from the first create to the end of the last one; returns also the seconds from the
        first insert on.
        """
        self._process.start()
        await until(self._process, self._process.streams, "the sync follows no change stream")
        await quiet(self._process)
        mark, before, sent = self._audit.mark(), self._cpu(), datetime.now(UTC)
        for collection in COLLECTIONS:
            await self._database[collection].insert_many(documents.documents(collection, self._count))

        async def created() -> bool:
            return (await self._process.rounds()).created >= self._count

        await until(self._process, created, "the sync does not create every Councilor")
        await quiet(self._process)
        creates = [record for record in self._writes(mark) if (record.verb, record.resource) == ("create", COUNCILORS)]
        last = max(record.answered for record in creates)
        first = min(record.received for record in creates)
        return self._step((last - first).total_seconds(), before, mark), (last - sent).total_seconds()

    async def compare(self) -> Step:
        """Ask for a comparison when there is nothing to do; the time is the sync's own, processor time of one, too."""
        mark, cpu, start = self._audit.mark(), self._cpu(), await self._process.rounds()
        for number in range(COMPARISONS):
            before = (await self._process.rounds()).ended
            # No councilor yet; the sync cannot know.
            await self._database.agents.insert_one({"agent_id": f"Passer_By_{number}"})
            await until(self._process, self._ended_after(before), "the sync makes no round")
        end = await self._process.rounds()
        ended = end.ended - start.ended
        step = self._step((end.seconds - start.seconds) / ended, cpu, mark)
        return Step(step.seconds, step.cpu_seconds / ended, step.memory, step.writes)

    async def restart(self) -> Step:
        """Kill the sync and start it; the time ends with its first comparison."""
        self._process.kill()
        mark, started = self._audit.mark(), time.perf_counter()
        self._process.start()
        seconds = time.perf_counter() - started
        await quiet(self._process)
        return self._step(seconds, 0.0, mark)

    async def idle(self) -> Step:
        """Ask nothing for a while."""
        mark, before, started = self._audit.mark(), self._cpu(), time.perf_counter()
        await asyncio.sleep(IDLE_SECONDS)
        return self._step(time.perf_counter() - started, before, mark)

    async def follow(self, operator: MeasuredOperator) -> list[Latency]:
        """Let the operator make the CronJobs, and change the schedule of one document after another."""
        operator.start()

        async def reported() -> bool:
            counters = await operator.counters()
            return counters.status_patches >= self._count and counters.queued == 0

        await until(operator, reported, "the operator does not report on every Councilor")
        await quiet(operator)
        await quiet(self._process)
        names = documents.names(documents.candidates(self._count))
        mark, changes = self._audit.mark(), []
        async with Schedules.followed(self._client) as schedules:
            for change in range(CHANGES):
                # Steps that visit documents all over both collections.
                number = change * (self._count // CHANGES or 1) % self._count
                key, value = documents.key_of(number), documents.another_time(number, change)
                councilor, sent = names[key["agent_id"]], datetime.now(UTC)
                await self._database[documents.collection_of(number)].update_one(
                    key, {"$set": {"councilor_config.schedule.value": value}}
                )
                await schedules.wait_for(cron_job_name(councilor), value)
                changes.append(Change(councilor, sent, datetime.now(UTC)))
        return _latencies(changes, self._writes(mark))

    def _ended_after(self, before: int) -> Callable[[], Awaitable[bool]]:
        async def ended() -> bool:
            return (await self._process.rounds()).ended > before

        return ended

    def _step(self, seconds: float, cpu_before: float, mark: Mark) -> Step:
        memory = measurement.memory(self._process.pid)
        return Step(seconds, self._cpu() - cpu_before, memory, len(self._writes(mark)))

    def _writes(self, mark: Mark) -> list[Record]:
        return [
            record for record in self._audit.since(mark) if of_project(record) and record.verb in measurement.WRITES
        ]

    def _cpu(self) -> float:
        return measurement.cpu_seconds(self._process.pid)


def measure(folder: Path, count: int, report: Report) -> None:
    """Measure the sync with so many documents, on servers of its own, and report on it."""
    folder.mkdir()
    _say(count, "starting a control plane and MongoDB")
    with running_plane(folder / "cluster") as plane, Mongod() as mongod:
        kubeconfig = install_crd(plane)
        api = Api(kubeconfig)
        for namespace in (FLOOR_NAMESPACE, NAMESPACE):
            api.make_namespace(namespace)
        api.close()
        process = MeasuredSync(kubeconfig, folder / "sync.log", mongod.uri)
        operator = MeasuredOperator(kubeconfig, folder / "operator.log")
        try:
            asyncio.run(_measure(kubeconfig, mongod.uri, AuditLog(plane.audit_log), process, operator, count, report))
        finally:
            operator.kill()
            process.kill()


async def _measure(
    kubeconfig: Path,
    uri: str,
    audit: AuditLog,
    process: MeasuredSync,
    operator: MeasuredOperator,
    count: int,
    report: Report,
) -> None:
    async with Client.connect(kubeconfig) as client, AsyncMongoClient[dict[str, Any]](uri) as mongodb:
        database = mongodb[DATABASE]
        trial = Trial(client, audit, database, process, count=count)
        _say(count, "floor")
        # An API server that has just started takes its time for the first of a kind.
        await _floor(client, WARM_UP)
        floors = [await _floor(client, count)]
        _say(count, "create")
        created, since_insert = await trial.create()
        _say(count, "compare, idle")
        reading = await _reading(database)
        compared, idle = await trial.compare(), await trial.idle()
        _say(count, "restart")
        restarts = [await trial.restart() for _ in range(RESTARTS)]
        process.kill()
        _say(count, "floor again")
        floors.append(await _floor(client, count))
        process.start()
        _say(count, f"change {CHANGES} documents, operator running")
        latencies = await trial.follow(operator)
        followed = measurement.memory(process.pid)

    _report_creating(report, count, floors, created, since_insert)
    report.add("sync_round_floor", reading, "s", count)
    report.add("sync_round_seconds", compared.seconds, "s", count)
    report.add("sync_round_ratio", compared.seconds / reading, "x floor", count)
    report.add("sync_round_cpu", compared.cpu_seconds, "s", count)
    report.add("sync_round_writes", compared.writes, "writes", count)
    report.add("sync_idle_cpu", 100 * idle.cpu_seconds / idle.seconds, "% of a core", count)
    report.add("sync_restart_seconds", statistics.median(step.seconds for step in restarts), "s", count)
    report.add("sync_restart_cpu", statistics.median(step.cpu_seconds for step in restarts), "s", count)
    report.add("sync_restart_writes", sum(step.writes for step in restarts), "writes", count)
    _report_latencies(report, count, latencies)
    steps = {"create": created, "compare": compared, "restart": restarts[-1]}
    for name, step in steps.items():
        report.add(f"sync_memory_after_{name}", step.memory.now, "MB", count)
    report.add("sync_memory_after_changes", followed.now, "MB", count)
    peaks = [step.memory.peak for step in (*steps.values(), *restarts)]
    report.add("sync_memory_peak", max(*peaks, followed.peak), "MB", count)


async def _floor(client: Client, count: int) -> float:
    """Return the seconds for creating the same Councilors in a namespace of their own, and leave it empty."""
    requests = [documents.create(candidate, FLOOR_NAMESPACE) for candidate in documents.candidates(count)]
    started = time.perf_counter()
    councilors = await client.send_all(requests)
    seconds = time.perf_counter() - started
    names = [str(body["metadata"]["name"]) for body in councilors]
    await client.send_all(Request("DELETE", councilor_path(FLOOR_NAMESPACE, name)) for name in names)
    return seconds


async def _reading(database: Database) -> float:
    """Return the seconds for reading all documents, the median of several times."""
    taken = []
    for _ in range(COMPARISONS):
        started = time.perf_counter()
        for collection in COLLECTIONS:
            await database[collection].find(FILTERS[collection], PROJECTIONS[collection], sort=[("_id", 1)]).to_list()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _latencies(changes: Sequence[Change], writes: Sequence[Record]) -> list[Latency]:
    """Return what the API server's own record says about each change."""
    found = []
    for change in changes:
        councilor = _answered(change, writes, COUNCILORS, change.councilor)
        cron_job = _answered(change, writes, CRON_JOBS, cron_job_name(change.councilor))
        found.append(Latency(_milliseconds(change.sent, councilor), _milliseconds(councilor, cron_job)))
    return found


def _answered(change: Change, writes: Sequence[Record], resource: str, name: str) -> datetime:
    return max(
        record.answered
        for record in writes
        if (record.verb, record.resource, record.name) == ("patch", resource, name)
        and change.sent <= record.received <= change.seen
    )


def _milliseconds(since: datetime, until: datetime) -> float:
    return 1000 * (until - since).total_seconds()


def _report_creating(report: Report, count: int, floors: Sequence[float], created: Step, since_insert: float) -> None:
    before, after = floors
    base = (before + after) / 2
    report.add("sync_create_floor", base, "s", count)
    report.add("sync_create_floor_drift", after / before, "", count)
    report.add("sync_create_seconds", created.seconds, "s", count)
    report.add("sync_create_ratio", created.seconds / base, "x floor", count)
    report.add("sync_create_since_insert", since_insert, "s", count)
    report.add("sync_create_cpu", 1000 * created.cpu_seconds / count, "ms each", count)
    report.add("sync_create_writes", created.writes / count, "each", count)


def _report_latencies(report: Report, count: int, latencies: Sequence[Latency]) -> None:
    parts = {
        "": [latency.total for latency in latencies],
        "sync_": [latency.sync for latency in latencies],
        "operator_": [latency.operator for latency in latencies],
    }
    for name, values in parts.items():
        percentiles = statistics.quantiles(values, n=100)
        for number in (50, 99):
            report.add(f"sync_latency_{name}p{number}", percentiles[number - 1], "ms", count)


def _say(count: int, text: str) -> None:
    sys.stderr.write(f"{count} documents: {text}\n")
    sys.stderr.flush()
