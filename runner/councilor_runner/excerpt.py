"""Reading a JSON document of any size in bounded memory: of very long texts in it only beginning and end are kept.

An agent may print tens of megabytes, and a synchronous answer or the gateway carries them, while the runner's Pod has
less memory than several copies of that take. A record keeps `records.OUTPUT_LIMIT` of an answer and the verdict reads
beginning and end of it, so nothing else has to be held. Pure: bytes in, bytes out.
"""

import re
from dataclasses import dataclass

_TOKENS = re.compile(rb'(?:[^"\\]++|\\u[0-9A-Fa-f]{4}|\\[^u])*+', re.DOTALL)
"""The inside of a JSON string, escapes undivided."""
_LONGEST_ESCAPE = 6
_MARK = b"\\n[\\u2026]\\n"


class TooLargeError(Exception):
    """The document exceeds its limit although its long texts were cut."""


@dataclass(frozen=True, slots=True)
class ExcerptLimits:
    """Bytes of JSON. A text longer than `head` and `tail` together is cut to these; `document` bounds everything."""

    head: int
    tail: int
    document: int


ANSWER = ExcerptLimits(head=6 * 1024 * 1024 + 64, tail=2560 * 1024, document=16 * 1024 * 1024)
"""For the agent's answer. One byte of UTF-8 takes up to six in JSON (`\\u0041`), so the beginning is never less than a
record keeps; the end is what the verdict reads of it, at up to twelve bytes a character (a pair of surrogates)."""
FIELDS = ExcerptLimits(head=1024, tail=0, document=1024 * 1024)
"""For answers of which only short fields matter."""


class Excerpt:
    """Takes a JSON document piece by piece; `finish` returns it with its long texts cut.

    What is no JSON comes out as something that is none either.
    """

    def __init__(self, limits: ExcerptLimits) -> None:
        self._limits = limits
        self._kept = bytearray()
        self._rest = b""
        self._inside = False
        self._start = 0
        self._tail = bytearray()
        self._dropped = False

    def add(self, data: bytes) -> None:
        """Take the next piece. Raises TooLargeError."""
        data, position = self._rest + data, 0
        self._rest = b""
        while position < len(data):
            if not self._inside:
                quote = data.find(b'"', position)
                end = len(data) if quote < 0 else quote + 1
                self._kept += data[position:end]
                position = end
                if quote >= 0:
                    self._inside, self._start = True, len(self._kept)
            else:
                end = _boundary(data, position, len(data))
                self._text(data[position:end])
                position = end
                if data[position : position + 1] == b'"':
                    self._close()
                    position += 1
                elif len(data) - position >= _LONGEST_ESCAPE:
                    # A backslash that begins no escape: not JSON, and nothing to be careful with.
                    self._text(data[position : position + 1])
                    position += 1
                else:
                    self._rest = data[position:]
                    break
            if len(self._kept) > self._limits.document:
                raise TooLargeError

    def finish(self) -> bytes:
        """Return the document."""
        if self._inside:
            self._kept += self._tail
        return bytes(self._kept + self._rest)

    def _text(self, piece: bytes) -> None:
        room = self._limits.head - (len(self._kept) - self._start)
        if not self._tail and not self._dropped and room > 0:
            end = len(piece) if len(piece) <= room else _boundary(piece, 0, room)
            self._kept += piece[:end]
            piece = piece[end:]
        self._tail += piece
        # Rarely, and by much: each time what stays is moved.
        if len(self._tail) > 2 * self._limits.tail + _LONGEST_ESCAPE:
            self._shorten_tail()

    def _shorten_tail(self) -> None:
        cut = _boundary(self._tail, 0, len(self._tail) - self._limits.tail)
        # A boundary may lie before the wanted place, by an escape.
        if cut:
            self._dropped = True
            del self._tail[:cut]

    def _close(self) -> None:
        """End a text with what was kept of its end, and its quotation mark."""
        if len(self._tail) > self._limits.tail:
            self._shorten_tail()
        if self._dropped:
            _drop_broken_end(self._kept, self._start)
            _drop_broken_beginning(self._tail)
            self._kept += _MARK
        self._kept += self._tail
        self._kept += b'"'
        self._tail.clear()
        self._inside, self._dropped = False, False


def _boundary(data: bytes | bytearray, start: int, end: int) -> int:
    """Return the last place up to `end` where no escape is cut through."""
    match = _TOKENS.match(data, start, end)
    return start if match is None else match.end()


def _drop_broken_end(text: bytearray, start: int) -> None:
    """Take away the last character when it is of several bytes, whole or not."""
    while len(text) > start and text[-1] & 0xC0 == 0x80:
        text.pop()
    if len(text) > start and text[-1] & 0xC0 == 0xC0:
        text.pop()


def _drop_broken_beginning(text: bytearray) -> None:
    while text and text[0] & 0xC0 == 0x80:
        del text[0]
