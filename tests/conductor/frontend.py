"""ASGI layer before both ports: records every request, applies faults, demands headers, limits concurrent calls."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl

from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.conductor.faults import Fault, Operation, PortName
from tests.conductor.request_log import RecordedRequest
from tests.conductor.site import Site
from tests.conductor.slots import Slots
from tests.conductor.state import StubState

_OPERATIONS: Final[dict[PortName, tuple[tuple[str, re.Pattern[str], Operation], ...]]] = {
    "conductor": (
        ("GET", re.compile(r"/health"), "health"),
        ("POST", re.compile(r"/agents/[^/]+/execute"), "submit"),
        ("POST", re.compile(r"/conductor(/agents/[^/]+)?/execute"), "legacy"),
    ),
    "gateway": (
        ("GET", re.compile(r"/health"), "gateway-health"),
        ("GET", re.compile(r"/api/tasks"), "tasks"),
        ("GET", re.compile(r"/api/tasks/[^/]+"), "task"),
        ("GET", re.compile(r"/api/tasks/[^/]+/details"), "details"),
        ("POST", re.compile(r"/api/internal/task-event"), "event"),
    ),
}

_TRICKLE_SECONDS: Final = 0.2
_REASONS: Final = {429: "Too Many Requests", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}


def operation_of(port: PortName, method: str, path: str) -> Operation:
    for expected, pattern, operation in _OPERATIONS[port]:
        if method == expected and pattern.fullmatch(path):
            return operation
    return "other"


class Frontend:
    """Wraps one application. `slots` is the pool of threads upstream serves its calls with; None means no limit."""

    def __init__(
        self, app: ASGIApp, *, state: StubState, site: Site, slots: Slots | None, refuse_due: Callable[[], None]
    ) -> None:
        self._app = app
        self._state = state
        self._site = site
        self._slots = slots
        self._refuse_due = refuse_due

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        prefix = self._state.settings.prefix
        if not scope["path"].startswith(f"{prefix}/"):
            await JSONResponse({"detail": "Not Found"}, status_code=404)(scope, receive, send)
            return
        scope = {**scope, "path": scope["path"].removeprefix(prefix)}
        body = await _read_body(receive)
        if body is None:
            return
        request = self._record(scope, body)
        fault = self._state.faults.take(request.operation)
        if fault is not None:
            request.fault = fault.kind

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.status = message["status"]
                request.answered_at = datetime.now(UTC)
                # Now and not when the answer has left: its caller could be quick enough to send the next request over a
                # connection that is about to close.
                self._refuse_due()
                if not self._site.listening:
                    message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        try:
            if fault is None or fault.carried_out:
                await self._call(scope, _replay(body, receive), answer if fault is None else _discard, request)
            if fault is not None:
                await self._fail(fault, scope, receive, answer)
        finally:
            self._refuse_due()

    async def _trickle(self) -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await self._state.pause(_TRICKLE_SECONDS)

    def _record(self, scope: Scope, body: bytes) -> RecordedRequest:
        path: str = scope["path"]
        request = RecordedRequest(
            operation=operation_of(self._site.name, scope["method"], path),
            port=self._site.name,
            method=scope["method"],
            path=path,
            query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            body=body,
        )
        self._state.requests.append(request)
        return request

    async def _call(self, scope: Scope, receive: Receive, send: Send, request: RecordedRequest) -> None:
        required = self._state.settings.required_headers
        if any(request.headers.get(name) != value for name, value in required.items()):
            await JSONResponse({"detail": "Not authenticated"}, status_code=401)(scope, receive, send)
            return
        slot: AbstractAsyncContextManager[None] = self._slots or contextlib.nullcontext()
        async with slot:
            await self._app(scope, receive, send)

    async def _fail(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        match fault.kind:
            case "status":
                await _error_response(fault)(scope, receive, send)
            case "not-json":
                body = fault.body if fault.body is not None else '{"status": "pend'
                await Response(body, headers=fault.headers, media_type="application/json")(scope, receive, send)
            case "reset" | "drop":
                self._site.cut(scope["client"], reset=fault.kind == "reset")
                await _gone(receive)
            case "trickle":
                await StreamingResponse(self._trickle(), media_type="application/json")(scope, receive, send)
            case "hang" | "refuse":
                await _gone(receive)


def _error_response(fault: Fault) -> Response:
    status = fault.status or 500
    headers = dict(fault.headers)
    if fault.retry_after is not None:
        headers["Retry-After"] = fault.retry_after
    reason = _REASONS.get(status, "Error")
    page = f"<html><head><title>{status} {reason}</title></head><body><h1>{status} {reason}</h1></body></html>"
    # Half a pair of surrogates stands for a byte that is no UTF-8.
    body = (fault.body if fault.body is not None else page).encode("utf-8", "surrogateescape")
    return Response(body, status_code=status, headers=headers, media_type=None if fault.body else "text/html")


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body, or None when the caller left before it was complete."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    replayed = False

    async def replay() -> Message:
        nonlocal replayed
        if replayed:
            return await receive()
        replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _discard(_message: Message) -> None:
    """Takes the answer of a call whose answer is to be lost."""


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
