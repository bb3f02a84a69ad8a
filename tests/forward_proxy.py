"""A forward proxy as companies have them: tunnels for https://, whole requests for http://, and a password for both."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

_START_SECONDS: Final = 10.0
_HEAD_LIMIT: Final = 65536


@dataclass(frozen=True)
class Passage:
    """One request to the proxy and what it answered itself; 200 for what it passed on."""

    method: str
    target: str
    status: int


class ForwardProxy:
    """Listens on loopback in a thread of its own.

    Without the `credentials` ("user:password") that it was made with it answers 407. `forbids` makes it answer 403 to
    everybody, and targets that it cannot reach 502. It passes on one request for each connection.
    """

    def __init__(self, credentials: str | None = None, *, forbids: bool = False) -> None:
        self._expected = None if credentials is None else base64.b64encode(credentials.encode()).decode()
        self._forbids = forbids
        self.passages: list[Passage] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(_START_SECONDS), "the proxy did not start"
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(_START_SECONDS)
        self._loop.close()

    async def _serve(self) -> None:
        serving: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._attend(reader, writer))
            serving.add(task)
            task.add_done_callback(serving.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=_HEAD_LIMIT)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._ended.wait()
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request, *lines = head.rstrip("\r\n").split("\r\n")
            method, target, version = request.split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            status = await self._pass_on(method, target, version, headers, lines, reader, writer)
            if status != 200:
                writer.write(f"HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
        writer.close()

    async def _pass_on(
        self,
        method: str,
        target: str,
        version: str,
        headers: dict[str, str],
        lines: list[str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> int:
        passage = Passage(method, target, 200)
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        if self._expected is not None and headers.get("proxy-authorization") != f"Basic {self._expected}":
            passage = Passage(method, target, 407)
        elif self._forbids:
            passage = Passage(method, target, 403)
        else:
            try:
                server_reader, server_writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
            except OSError:
                passage = Passage(method, target, 502)
        self.passages.append(passage)
        if passage.status != 200:
            return passage.status
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            own = [line for line in lines if not line.lower().startswith(("proxy-", "connection:"))]
            path = parts._replace(scheme="", netloc="").geturl() or "/"
            server_writer.write("\r\n".join([f"{method} {path} {version}", *own, "Connection: close", "", ""]).encode())
        try:
            await asyncio.gather(_copy(reader, server_writer), _copy(server_reader, writer))
        finally:
            server_writer.close()
        return 200


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        target.write(data)
        await target.drain()
    if target.can_write_eof():
        target.write_eof()
