"""Where a message ends on the wire and what it is called: MongoDB's wire protocol and HTTP/1.1.

Sources: MongoDB wire protocol (OP_MSG, opcode 2013; header of four little-endian 32-bit integers), RFC 9112.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from typing import Final

import bson

_HEADER: Final = struct.Struct("<iiii")
_OP_MSG: Final = 2013
_BODY_SECTION: Final = 0
# The driver's own affairs: they come whenever its monitor likes, and change nothing.
_NOISE: Final = frozenset({"hello", "ismaster", "isMaster", "ping"})


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `name` is None for the noise of a driver; `number` and `answers` pair requests with answers."""

    data: bytes
    name: str | None
    number: int = 0
    answers: int = 0


async def read_mongodb(reader: asyncio.StreamReader) -> Message:
    """Return the next message. Raises asyncio.IncompleteReadError at the end of the connection."""
    header = await reader.readexactly(_HEADER.size)
    length, number, answers, opcode = _HEADER.unpack(header)
    body = await reader.readexactly(length - _HEADER.size)
    return Message(header + body, _command(body) if opcode == _OP_MSG else None, number, answers)


def _command(body: bytes) -> str | None:
    """Name command and collection: `update councilor_executions`. Four bytes of flags come first."""
    if body[4] != _BODY_SECTION:
        raise ValueError("an OP_MSG whose first section is not its body: no driver sends that")
    (size,) = struct.unpack_from("<i", body, 5)
    command, target = next(iter(bson.decode(body[5 : 5 + size]).items()), ("", ""))
    if command in _NOISE:
        return None
    return f"{command} {target}" if isinstance(target, str) else command


async def read_http(reader: asyncio.StreamReader) -> Message:
    """Return the next request or response. Raises asyncio.IncompleteReadError at the end of the connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.casefold(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "transfer-encoding" in headers:
        raise ValueError("neither the runner nor the stub Conductor sends chunks")
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, path, _ = first.split(" ", 2)
    return Message(head + body, f"{method} {path.partition('?')[0]}")
