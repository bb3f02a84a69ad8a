"""Every HTTP request that reached the stub, for assertions."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.conductor.faults import Kind, Operation, PortName


@dataclass
class RecordedRequest:
    """One request. `status` and `answered_at` are None until answered, and for ever when the answer was withheld.

    Header names are in lower case; a repeated header or query parameter keeps its last value.
    """

    operation: Operation
    port: PortName
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    answered_at: datetime | None = None
    status: int | None = None
    fault: Kind | None = None

    @property
    def json(self) -> Any:
        """The body, parsed. Raises json.JSONDecodeError when it is not JSON."""
        return json.loads(self.body)

    def as_dict(self) -> dict[str, Any]:
        return {
            "operation": self.operation,
            "port": self.port,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": self.headers,
            "body": self.body.decode(errors="replace"),
            "received_at": self.received_at.isoformat(),
            "status": self.status,
            "fault": self.fault,
        }


class RequestLog:
    """The requests in order of arrival; iterating yields a snapshot, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[RecordedRequest] = []

    def append(self, request: RecordedRequest) -> None:
        with self._lock:
            self._requests.append(request)

    def of(self, operation: Operation) -> list[RecordedRequest]:
        return [request for request in self if request.operation == operation]

    def clear(self) -> None:
        with self._lock:
            self._requests.clear()

    def __iter__(self) -> Iterator[RecordedRequest]:
        with self._lock:
            return iter(list(self._requests))

    def __len__(self) -> int:
        with self._lock:
            return len(self._requests)

    def __getitem__(self, index: int) -> RecordedRequest:
        with self._lock:
            return self._requests[index]
