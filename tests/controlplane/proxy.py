"""A TCP proxy on loopback between the operator and the API server, which can lose connections without closing them."""

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml


class Proxy:
    """Forwards bytes, TLS included; `lose` lets every connection of that moment go silent, new ones work."""

    def __init__(self, kubeconfig: Path, through: Path) -> None:
        """Make `through`, a kubeconfig that leads through the proxy to the API server of `kubeconfig`."""
        self._document: Any = yaml.safe_load(kubeconfig.read_text())
        self._through = through
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._generation = 0
        self._server: asyncio.Server | None = None
        self._target = urlsplit(self._document["clusters"][0]["cluster"]["server"])
        self._writers: set[asyncio.StreamWriter] = set()

    def start(self) -> Path:
        """Start it; returns the path of its kubeconfig."""
        self._thread.start()
        port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(timeout=10)
        self._document["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
        self._through.write_text(yaml.safe_dump(self._document))
        return self._through

    def lose(self) -> None:
        """Let all connections go silent: what either side sends is lost, and neither is told."""
        self._generation += 1

    def stop(self) -> None:
        """Close everything."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        generation = self._generation
        server_reader, server_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._writers |= {writer, server_writer}

        async def forward(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while data := await source.read(65536):
                    if self._generation == generation:
                        sink.write(data)
                        await sink.drain()
            # The end of one side is an end that the other is told of, unless the connection is lost.
            if self._generation == generation:
                sink.close()

        await asyncio.gather(forward(reader, server_writer), forward(server_reader, writer))

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
