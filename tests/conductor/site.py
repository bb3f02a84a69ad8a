"""One listening port, served by uvicorn, that can stop and resume listening and cut single connections."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from tests.certificates import Identity
from tests.conductor.faults import PortName

_STOP_SECONDS: Final = 10.0


class Site:
    """Lives on the stub's event loop. The port is bound at once, so that it is known before the first request."""

    def __init__(
        self, name: PortName, host: str, port: int, *, identity: Identity | None = None, idle_seconds: int = 60
    ) -> None:
        """With `identity` it speaks TLS; connections that are idle for `idle_seconds` are closed."""
        self.name: Final = name
        self._host = host
        self._identity = identity
        self._idle_seconds = idle_seconds
        self._app: ASGIApp | None = None
        self._socket: socket.socket | None = self._bind(port)
        self.port: Final[int] = self._socket.getsockname()[1]
        self._server: uvicorn.Server | None = None
        self._serving: dict[uvicorn.Server, asyncio.Task[None]] = {}
        self._resume: asyncio.TimerHandle | None = None

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'http' if self._identity is None else 'https'}://{host}:{self.port}"

    @property
    def listening(self) -> bool:
        """Whether it takes connections."""
        return self._server is not None

    async def open(self, app: ASGIApp) -> None:
        self._app = app
        await self.accept()

    async def accept(self) -> None:
        """Listens, or listens again."""
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None
        if self._server is not None or self._app is None:
            return
        listener = self._socket or self._bind(self.port)
        self._socket = None
        config = uvicorn.Config(
            self._app,
            http="h11",
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_keep_alive=self._idle_seconds,
            ssl_certfile=None if self._identity is None else self._identity.certificate,
            ssl_keyfile=None if self._identity is None else self._identity.key,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        self._server = server
        self._serving[server] = serving
        serving.add_done_callback(lambda _done: self._serving.pop(server))
        # Cancelled while it starts, the server leaves its socket open.
        serving.add_done_callback(lambda _done: listener.close())
        while not server.started:
            if serving.done():
                await serving
            await asyncio.sleep(0.005)

    def refuse(self, seconds: float | None = None) -> None:
        """Refuses connections, for ever or for a time; idle ones close, calls under way are still answered."""
        server = self._server
        if server is not None:
            self._server = None
            for listener in server.servers:
                listener.close()
            for connection in list(server.server_state.connections):
                connection.shutdown()
            server.should_exit = True
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None
        if seconds is not None:
            loop = asyncio.get_running_loop()
            self._resume = loop.call_later(seconds, lambda: loop.create_task(self.accept()))

    def cut(self, client: tuple[str, int], *, reset: bool) -> None:
        """Ends one caller's connection without an answer: by RST, or by an orderly close."""
        for server in self._serving:
            for connection in list(server.server_state.connections):
                if getattr(connection, "client", None) == client:
                    if reset:
                        peer = connection.transport.get_extra_info("socket")
                        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.transport.abort()

    def abort(self) -> None:
        """Stops listening and ends all connections: callers that wait get no answer."""
        self.refuse()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        for server in self._serving:
            for connection in list(server.server_state.connections):
                connection.transport.abort()

    async def close(self) -> None:
        """Waits, after `abort`, for the calls, which the stub's state has told to give up."""
        calls = [call for server in self._serving for call in server.server_state.tasks]
        if calls:
            await asyncio.wait(calls, timeout=_STOP_SECONDS)
        # What is left is uvicorn looking ten times a second whether it may end.
        for serving in self._serving.values():
            serving.cancel()
        if self._serving:
            await asyncio.wait(list(self._serving.values()), timeout=_STOP_SECONDS)

    def _bind(self, port: int) -> socket.socket:
        # Named as TCP, so that asyncio recognises the connections as such and sends what it has (TCP_NODELAY): else the
        # body of every answer waits 40 ms for the caller to acknowledge the head.
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, port))
        except OSError:
            listener.close()
            raise
        return listener
