"""An HTTP server for webhooks; the path says how it answers.

/status/503   with that status
/elsewhere    with a redirection to /status/200
/drip         with a body that never ends, a byte at a time
anything else with 200 and an empty JSON object
"""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs

_DRIP_SECONDS: Final = 0.2


@dataclass(frozen=True)
class Received:
    """A request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode(), strict_parsing=True).items()}


class Webhook:
    """Serves on loopback and keeps what it received; with a TLS context it speaks HTTPS."""

    def __init__(self, context: ssl.SSLContext | None = None, *, address: str = "127.0.0.1") -> None:
        self.received: list[Received] = []
        self._ending = threading.Event()
        self._server = ThreadingHTTPServer((address, 0), self._handler())
        self._server.daemon_threads = True
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def at(self, path: str) -> list[Received]:
        return [request for request in self.received if request.path == path]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                webhook.received.append(Received(self.command, self.path, headers, self.rfile.read(length)))
                first, *rest = self.path.strip("/").split("/")
                if first == "drip":
                    self._drip()
                    return
                self.send_response(int(rest[0]) if first == "status" else 302 if first == "elsewhere" else 200)
                if first == "elsewhere":
                    self.send_header("Location", "/status/200")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_PUT = do_POST  # noqa: N815 - the name is http.server's

            def _drip(self) -> None:
                self.send_response(200)
                self.end_headers()
                try:
                    while not webhook._ending.wait(_DRIP_SECONDS):
                        self.wfile.write(b".")
                except OSError:
                    return

            def log_message(self, *_: object) -> None:
                """Nothing: the test reads `received`."""

        return Handler
