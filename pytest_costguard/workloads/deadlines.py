"""Answers that are there by a deadline, however their bytes trickle in."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from functools import partial
from http.client import HTTPResponse
from typing import Any


class UntilDeadline(io.RawIOBase):
    """Reads from a socket's file for as long as its deadline has not come.

    A socket's own time limit begins anew with each piece, so that a byte a second keeps it from
    ever ending. A shorter limit of the socket's stays.

    Args:
        file: what reads the socket.
        connected: the same socket.
        deadline: on the clock.
        clock: tells seconds.
    """

    def __init__(
        self,
        file: io.RawIOBase,
        connected: socket.socket,
        *,
        deadline: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = file
        self._socket = connected
        self._deadline = deadline
        self._clock = clock

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read a piece; raises `TimeoutError` once the deadline has come."""
        left = self._deadline - self._clock()
        if left <= 0:
            raise TimeoutError("timed out")
        limit = self._socket.gettimeout()
        if limit is None or left < limit:
            self._socket.settimeout(left)
        return self._file.readinto(buffer)

    def close(self) -> None:
        """Close the socket's file, too."""
        try:
            super().close()
        finally:
            self._file.close()


def with_deadlines(connection: type) -> type:
    """Return a kind of urllib3's connections whose answers are whole within their time limit.

    That limit is the one for the first piece, which urllib3 has made of the time that is left.
    """

    class Bounded(connection):  # type: ignore[misc]  # the base is known when it runs
        def getresponse(self) -> Any:
            if self.timeout is not None:
                deadline = time.monotonic() + self.timeout
                self.response_class = partial(bounded_response, deadline=deadline)
            return super().getresponse()

    return Bounded


def bounded_response(
    connected: socket.socket, *rest: Any, deadline: float, **options: Any
) -> HTTPResponse:
    """Make the standard library's response of a connection, which is read until a deadline."""
    response = HTTPResponse(connected, *rest, **options)
    raw = response.fp.detach()  # a BufferedReader, as of any socket
    response.fp = io.BufferedReader(UntilDeadline(raw, connected, deadline=deadline))
    return response
