"""Server-sent events, cut from a response body however its bytes arrive.

The format is that of the WHATWG's HTML standard, section 9.2, "Server-sent events": lines end with
CR, LF or both; a blank line ends an event; a line that begins with a colon is a comment; several
`data` lines of one event are joined by LF; unknown fields mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event with data."""

    data: bytes
    name: str = ""
    """Its `event` field; "" where there is none, which means a message."""


class EventStream:
    """Takes the pieces of one response body in order, and gives the events that they complete."""

    def __init__(self) -> None:
        self._line = b""
        self._after_cr = False
        self._begun = False
        self._data: list[bytes] = []
        self._name = ""

    def feed(self, piece: bytes) -> list[ServerSentEvent]:
        """Return the events that are complete with this piece, which may be cut anywhere."""
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]  # the second half of a line's end
            self._after_cr = False
        if not piece:
            return []
        self._after_cr = piece.endswith(b"\r")
        lines = (self._line + piece).splitlines(keepends=True)
        ended = lines[-1].endswith((b"\n", b"\r"))
        self._line = b"" if ended else lines.pop()
        found = (self._take(line.rstrip(b"\r\n")) for line in lines)
        return [event for event in found if event is not None]

    def rest(self) -> ServerSentEvent | None:
        """Return what was left without its blank line when the body ended.

        The standard drops it; servers are known that end with `data: [DONE]` and nothing more, so
        whoever reads decides.
        """
        if self._line:
            line, self._line = self._line, b""
            self._take(line)
        return self._take(b"")

    def _take(self, line: bytes) -> ServerSentEvent | None:
        if not self._begun:
            line, self._begun = line.removeprefix(_BYTE_ORDER_MARK), True
        if not line:
            return self._dispatched()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", errors="replace")
        return None

    def _dispatched(self) -> ServerSentEvent | None:
        data, name = self._data, self._name
        self._data, self._name = [], ""
        return ServerSentEvent(b"\n".join(data), name) if data else None
