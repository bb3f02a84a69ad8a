"""The stub Conductor as one object: three ports, a watcher and a genuine MongoDB behind them.

It runs on an event loop of its own, in a thread: tests that block, kill or fake time do not disturb it, and it serves
synchronous and asynchronous tests alike. All public methods may be called from any thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import pymongo
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError
from starlette.types import ASGIApp

from tests.certificates import Identity
from tests.conductor.answers import Answer
from tests.conductor.control import control_app
from tests.conductor.dispatch import conductor_app
from tests.conductor.documents import DATABASE, Document, agent_document
from tests.conductor.faults import Faults, PortName
from tests.conductor.frontend import Frontend
from tests.conductor.gateway import gateway_app
from tests.conductor.request_log import RequestLog
from tests.conductor.settings import Settings
from tests.conductor.site import Site
from tests.conductor.slots import Slots
from tests.conductor.state import StubState
from tests.conductor.watcher import Watcher

T = TypeVar("T")

APP_NAME: Final = "stub-conductor"
_CONTROL_HOST: Final = "127.0.0.1"  # whoever may reach Conductor need not be able to script it
_SELECTION_MS: Final = 3000
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0
_CALL_SECONDS: Final = 30.0


class StubConductorError(RuntimeError):
    """The stub could not start or does not answer; the message says why."""


class StubConductor:
    """A Conductor whose agents answer by script.

    ```
    with StubConductor(mongod.uri) as stub:            # or: async with
        stub.add_agent("LicenseAuditor_Agent")
        stub.script("LicenseAuditor_Agent", Answer(result="1 has no licence file.", delay=0.2))
        stub.faults.next("submit", status=502, times=2)
    ```

    Ports are free ones on `host` unless given; the control port is always on loopback and without TLS, the others speak
    it with an `identity`. Connections close after `idle_seconds` without a call. Raises StubConductorError
    when a port is taken or MongoDB is away.
    """

    def __init__(
        self,
        mongodb_uri: str,
        *,
        host: str = "127.0.0.1",
        conductor_port: int = 0,
        gateway_port: int = 0,
        control_port: int = 0,
        database: str = DATABASE,
        settings: Settings | None = None,
        identity: Identity | None = None,
        idle_seconds: int = 60,
    ) -> None:
        self._identity = identity
        self._idle_seconds = idle_seconds
        self._mongodb_uri = mongodb_uri
        self._host = host
        self._ports = {"conductor": conductor_port, "gateway": gateway_port, "control": control_port}
        self._database_name = database
        self._state = StubState(settings or Settings())
        self._watcher = Watcher(self._state)
        self._sites: dict[str, Site] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    @property
    def settings(self) -> Settings:
        return self._state.settings

    @property
    def faults(self) -> Faults:
        return self._state.faults

    @property
    def requests(self) -> RequestLog:
        return self._state.requests

    @property
    def conductor_url(self) -> str:
        return self._site("conductor").url

    @property
    def gateway_url(self) -> str:
        return self._site("gateway").url

    @property
    def control_url(self) -> str:
        return self._site("control").url

    @property
    def websocket_url(self) -> str:
        return f"{self.gateway_url.replace('http', 'ws', 1)}/ws/gamification"

    @property
    def executions(self) -> dict[str, int]:
        """How often the fake agent ran, per task id: 1 proves a single dispatch."""
        return self._watcher.executions

    @property
    def listeners(self) -> int:
        """Connected WebSocket clients."""
        return self._state.hub.clients_count

    def peak_concurrency(self, cwd: str) -> int:
        """The most tasks that ever ran at once in this working directory."""
        return self._watcher.peak_concurrency(cwd)

    def script(self, agent_id: str, *answers: Answer, prompt: str | None = None) -> None:
        """Sets what an agent ("*": any) answers, in turn and from the first again; it does not create the agent.

        With `prompt` the answers are for tasks whose prompt contains that text.
        """
        self._state.scripts.set(agent_id, answers, prompt)

    def add_agent(self, agent_id: str, ai_provider: str | None = None, **fields: Any) -> None:
        """Stores an agent in the full schema, or replaces it; an agent without a document is unknown to Conductor."""
        document = agent_document(agent_id, ai_provider, **fields)
        self._call(self._replace_agent(agent_id, document))

    def ensure_agent(self, agent_id: str) -> None:
        """Stores an agent unless there is one."""
        self._call(self._insert_agent(agent_document(agent_id)))

    def refuse(self, port: PortName, seconds: float | None = None) -> None:
        """Lets a port refuse connections until `accept`, or for some seconds."""

        async def refuse() -> None:
            self._sites[port].refuse(seconds)

        self._call(refuse())

    def accept(self, port: PortName) -> None:
        self._call(self._sites[port].accept())

    def start(self) -> None:
        if self._thread is not None:
            raise StubConductorError("a stub starts once: create another, or use refuse() and accept() for an outage")
        try:
            _create_indexes(self._mongodb_uri, self._database_name)
        except PyMongoError as error:
            raise StubConductorError(f"MongoDB cannot be used ({type(error).__name__}): is mongod running?") from error
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="stub-conductor", daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            raise StubConductorError(f"the stub did not start within {_START_SECONDS:.0f} s")
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        if self._thread is None:
            return
        if self._loop is not None and self._stopping is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_CALL_SECONDS)
        if self._thread.is_alive():
            raise StubConductorError(f"the stub did not stop within {_CALL_SECONDS:.0f} s")
        if self._failure is not None:
            raise StubConductorError("the watcher failed: a defect of the stub") from self._failure

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _site(self, name: str) -> Site:
        if name not in self._sites:
            raise StubConductorError("the stub has not been started: enter its context first")
        return self._sites[name]

    def _call(self, operation: Coroutine[Any, Any, T]) -> T:
        """Runs something on the stub's loop and waits for it."""
        if self._loop is None or not self._ready.is_set():
            operation.close()
            raise StubConductorError("the stub has not been started: enter its context first")
        return asyncio.run_coroutine_threadsafe(operation, self._loop).result(_CALL_SECONDS)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        client: AsyncMongoClient[Document] = AsyncMongoClient(
            self._mongodb_uri, serverSelectionTimeoutMS=_SELECTION_MS, appname=APP_NAME
        )
        watching: asyncio.Task[None] | None = None
        try:
            try:
                self._state.database = client[self._database_name]
                await self._open_sites()
            except OSError as error:
                self._failure = StubConductorError(f"cannot listen on {self._host}: {error.strerror}")
                return
            self.faults.on_change = lambda: self._threadsafe(self._refuse_due)
            watching = asyncio.create_task(self._watcher.run())
            self._ready.set()
            await self._stopping.wait()
        finally:
            for site in self._sites.values():
                site.abort()
            self._state.stop()
            await asyncio.gather(*(site.close() for site in self._sites.values()))
            if watching is not None:
                ended, _ = await asyncio.wait([watching], timeout=_STOP_SECONDS)
                self._failure = next((task.exception() for task in ended), None) or self._watcher.failure
            await client.close()
            await _others_done()
            self._ready.set()

    async def _open_sites(self) -> None:
        names: tuple[PortName, ...] = ("conductor", "gateway", "control")
        for name in names:
            host = _CONTROL_HOST if name == "control" else self._host
            identity = None if name == "control" else self._identity
            self._sites[name] = Site(name, host, self._ports[name], identity=identity, idle_seconds=self._idle_seconds)
        slots = Slots(lambda: self.settings.sync_slots)
        await self._sites["conductor"].open(self._frontend("conductor", conductor_app(self._state), slots))
        await self._sites["gateway"].open(self._frontend("gateway", gateway_app(self._state), None))
        await self._sites["control"].open(control_app(self._state, self._watcher))

    def _frontend(self, name: str, app: ASGIApp, slots: Slots | None) -> Frontend:
        return Frontend(app, state=self._state, site=self._sites[name], slots=slots, refuse_due=self._refuse_due)

    def _refuse_due(self) -> None:
        for fault in self.faults.take_refusals():
            self._sites[fault.port].refuse(fault.seconds)

    def _threadsafe(self, action: Callable[[], None]) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(action)

    async def _replace_agent(self, agent_id: str, document: Document) -> None:
        await self._state.database.agents.replace_one({"agent_id": agent_id}, document, upsert=True)

    async def _insert_agent(self, document: Document) -> None:
        await self._state.database.agents.update_one(
            {"agent_id": document["agent_id"]}, {"$setOnInsert": document}, upsert=True
        )


async def _others_done() -> None:
    """Lets the driver's monitors end by themselves: one that is cancelled while it connects leaks its socket."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=_STOP_SECONDS)


def _create_indexes(mongodb_uri: str, database_name: str) -> None:
    """Those of upstream that change behaviour or carry the stub's own queries.

    By the synchronous driver, since this is also the test whether MongoDB is there: the asynchronous one leaks the
    socket of a monitor that is connecting while its client closes, which is what it does all the time without a server.
    """
    with pymongo.MongoClient[Document](mongodb_uri, serverSelectionTimeoutMS=_SELECTION_MS, appname=APP_NAME) as client:
        database = client[database_name]
        database.agents.create_index("agent_id", unique=True)
        database.agent_instances.create_index("instance_id", unique=True)
        database.tasks.create_indexes(
            [
                pymongo.IndexModel("task_id", unique=True, sparse=True),
                pymongo.IndexModel([("status", pymongo.ASCENDING), ("created_at", pymongo.ASCENDING)]),
            ]
        )
