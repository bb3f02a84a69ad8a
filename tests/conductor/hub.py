"""The gateway's WebSocket broadcast: everyone connected now hears an event, nobody later."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Final

from fastapi import WebSocket, WebSocketDisconnect

TASK_EVENTS: Final = frozenset(
    {"task_inputted", "task_submitted", "task_picked", "task_started", "task_completed", "task_error"}
)


def envelope(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "data": data, "timestamp": time.time()}


class Hub:
    """The connected listeners."""

    def __init__(self) -> None:
        self._listeners: set[WebSocket] = set()

    @property
    def clients_count(self) -> int:
        return len(self._listeners)

    async def broadcast(self, kind: str, data: dict[str, Any]) -> None:
        message = envelope(kind, data)
        for listener in tuple(self._listeners):
            try:
                await listener.send_json(message)
            except (RuntimeError, WebSocketDisconnect):  # gone between two events
                self._listeners.discard(listener)

    async def attend(self, listener: WebSocket) -> None:
        """Serves one connection until it closes."""
        await listener.accept()
        self._listeners.add(listener)
        try:
            with contextlib.suppress(WebSocketDisconnect):
                while True:
                    await self._obey(listener, await listener.receive_json())
        finally:
            self._listeners.discard(listener)

    async def _obey(self, listener: WebSocket, message: Any) -> None:
        command = message.get("command") if isinstance(message, dict) else None
        if command == "subscribe":
            await listener.send_json(envelope("subscribed", {"topics": message.get("topics", [])}))
        elif command == "ping":
            await listener.send_json(envelope("pong", {}))
        elif command == "get_stats":
            await listener.send_json(envelope("stats", {"clients_count": self.clients_count}))
        else:
            await listener.send_json(envelope("error", {"message": "unknown command"}))
