"""The tap: a proxy for one Pod that counts its messages in one order, and strikes at the chosen one.

A message has three moments at which a crash differs: the request has left the Pod but was not carried out; it was
carried out but the answer is not back; the answer is back. Walking through all moments of all messages covers every
window between the steps of a run, whatever the runner does inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

from tests.crashes.wire import Message, read_http, read_mongodb

T = TypeVar("T")

Service = Literal["mongodb", "conductor", "gateway"]

_LIMIT: Final = 64 * 1024 * 1024
_SECONDS: Final = 60.0
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER without time to linger: closing becomes a reset."""


class Moment(Enum):
    """How far a message has come; the values are for people."""

    BEFORE = "before it is carried out"
    CARRIED_OUT = "carried out, answer lost"
    AFTER = "answer handed back"


@dataclass(frozen=True, slots=True)
class Point:
    """A moment of the n-th message, counted from 0."""

    number: int
    moment: Moment


@dataclass(frozen=True, slots=True)
class Blow:
    """What happens at a point: `strike`, and then the connection is cut, the message held until `let_go`, or it goes
    on."""

    point: Point
    strike: Callable[[], Awaitable[None]]
    then: Literal["cut", "hold", "go on"] = "cut"


class _CutError(Exception):
    """The connection ends here."""


@dataclass(frozen=True, slots=True)
class _Link:
    """The two connections a message goes through."""

    from_client: asyncio.StreamReader
    to_client: asyncio.StreamWriter
    from_server: asyncio.StreamReader
    to_server: asyncio.StreamWriter


class Tap:
    """Stands before the servers while one Pod lives; made by `Exchange.tap`."""

    def __init__(self, blow: Blow | None) -> None:
        self.messages: list[str] = []
        """What the Pod sent, in order."""
        self.struck = threading.Event()
        self.deserted = threading.Event()
        """The Pod has used connections and closed them all."""
        self.ports: dict[Service, int] = {}
        self._blow = blow
        self._open = 0
        self._may_go = asyncio.Event()
        self._servers: list[asyncio.Server] = []
        self._handlers: set[asyncio.Task[None]] = set()

    async def listen(self, upstreams: Mapping[Service, tuple[str, int]]) -> None:
        for service, address in upstreams.items():
            server = await asyncio.start_server(self._acceptor(service, address), "127.0.0.1", 0, limit=_LIMIT)
            self._servers.append(server)
            self.ports[service] = server.sockets[0].getsockname()[1]

    async def let_go(self) -> None:
        """Let the held message go on."""
        self._may_go.set()

    async def settle(self) -> None:
        """Return once all connections have ended, each after the answers to its requests."""
        if self._handlers:
            await asyncio.wait(self._handlers, timeout=_SECONDS)

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    def _acceptor(
        self, service: Service, address: tuple[str, int]
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        relay = self._mongodb if service == "mongodb" else self._http

        async def accept(from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
            handler = asyncio.current_task()
            assert handler is not None
            self._handlers.add(handler)
            self._open += 1
            try:
                async with _link(from_client, to_client, address) as link:
                    await relay(link)
            except (OSError, asyncio.IncompleteReadError):
                pass  # one side has gone, and so has the other by now
            except asyncio.CancelledError:
                pass  # by `close`; the callback of asyncio's streams stumbles over a task that says so (Python 3.11)
            finally:
                self._open -= 1
                if self._open == 0 and self.messages:
                    self.deserted.set()
                self._handlers.discard(handler)

        return accept

    async def _http(self, link: _Link) -> None:
        while True:
            request = await _next_request(link)
            number = self._count(request)
            await self._moment(number, Moment.BEFORE)
            await _send(link.to_server, request)
            answer = await read_http(link.from_server)
            await self._moment(number, Moment.CARRIED_OUT)
            await _send(link.to_client, answer)
            await self._moment(number, Moment.AFTER)

    async def _mongodb(self, link: _Link) -> None:
        waiting: dict[int, int] = {}
        answered = asyncio.Event()

        async def requests() -> None:
            while True:
                try:
                    request = await read_mongodb(link.from_client)
                except asyncio.IncompleteReadError:
                    while waiting:
                        answered.clear()
                        await answered.wait()
                    raise
                if request.name is not None:
                    waiting[request.number] = number = self._count(request)
                    await self._moment(number, Moment.BEFORE)
                await _send(link.to_server, request)

        async def answers() -> None:
            while True:
                answer = await read_mongodb(link.from_server)
                number = waiting.get(answer.answers)
                if number is not None:
                    await self._moment(number, Moment.CARRIED_OUT)
                with contextlib.suppress(ConnectionError):
                    await _send(link.to_client, answer)
                if number is not None:
                    await self._moment(number, Moment.AFTER)
                    del waiting[answer.answers]
                    answered.set()

        pumps = [asyncio.create_task(requests()), asyncio.create_task(answers())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            ended = await asyncio.gather(*pumps, return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException) and not isinstance(error, asyncio.CancelledError):
                raise error

    def _count(self, request: Message) -> int:
        self.messages.append(request.name or "")
        return len(self.messages) - 1

    async def _moment(self, number: int, moment: Moment) -> None:
        blow = self._blow
        if blow is None or self.struck.is_set() or blow.point != Point(number, moment):
            return
        self.struck.set()
        await blow.strike()
        if blow.then == "hold":
            await self._may_go.wait()
        if blow.then == "cut":
            raise _CutError


@contextlib.asynccontextmanager
async def _link(
    from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter, address: tuple[str, int]
) -> AsyncIterator[_Link]:
    writers = [to_client]
    try:
        from_server, to_server = await asyncio.open_connection(*address, limit=_LIMIT)
        writers.append(to_server)
        yield _Link(from_client, to_client, from_server, to_server)
    except _CutError:
        to_client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    finally:
        for writer in writers:
            writer.transport.abort()


async def _next_request(link: _Link) -> Message:
    """Return the client's next request. Raises asyncio.IncompleteReadError when either side ends the connection."""
    request = asyncio.create_task(read_http(link.from_client))
    # A server that closes an idle connection has to be seen to close it.
    closed = asyncio.create_task(link.from_server.read(1))
    try:
        await asyncio.wait((request, closed), return_when=asyncio.FIRST_COMPLETED)
        if not request.done():
            raise asyncio.IncompleteReadError(b"", None)
        return await request
    finally:
        for task in (request, closed):
            task.cancel()
        await asyncio.gather(request, closed, return_exceptions=True)


async def _send(writer: asyncio.StreamWriter, message: Message) -> None:
    writer.write(message.data)
    await writer.drain()


class Exchange:
    """The event loop of all taps, in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="taps", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @contextlib.contextmanager
    def tap(self, upstreams: Mapping[Service, tuple[str, int]], blow: Blow | None) -> Iterator[Tap]:
        """Open a tap before these servers."""
        tap = Tap(blow)
        self.do(tap.listen(upstreams))
        try:
            yield tap
        finally:
            self.do(tap.close())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_SECONDS)
