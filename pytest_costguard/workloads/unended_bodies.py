"""Connections whose answer is told, while the end of its body is still to come.

A server says `[DONE]`, and ends the body a moment later. Nobody waits for that: it would be in the
time of a request that is over.
"""

from __future__ import annotations

import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

_PATIENCE_SECONDS = 0.05
"""How long a connection may wait for the end of its body, before it is given up."""
_REST_SECONDS = 0.001
"""For what comes in pieces although it is there."""
_END = b"\r\n\r\n"
"""Of a chunked body, with or without trailers."""

_Kept = deque[tuple[float, Any]]
"""Since when, and the response."""


class UnendedBodies:
    """Keeps urllib3's responses that were read as far as they tell something.

    Before the next request those whose end has come meanwhile are read to it, which takes no
    waiting, and their connections are used again; those that had long enough are closed. Threads
    may share it.

    Args:
        now: seconds from an arbitrary zero.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: _Kept = deque()
        weakref.finalize(self, _give_up_all, self._kept)

    def keep(self, response: Any) -> None:
        """Keep one for later, unless its connection is free already or is never used again."""
        connection = response.connection
        if connection is None:
            return
        if connection.sock is None:  # the server has said that it closes it
            _give_up(response)
        else:
            self._kept.append((self._now(), response))

    def take_back(self) -> None:
        """Give the connections of those that have ended back to their pool, and never wait."""
        for _ in range(len(self._kept)):
            try:
                since, response = self._kept.popleft()
            except IndexError:  # another thread was quicker
                return
            if _end_has_come(response):
                response.connection.sock.settimeout(_REST_SECONDS)
                response.drain_conn()
                response.release_conn()
            elif self._now() - since > _PATIENCE_SECONDS:
                _give_up(response)
            else:
                self._kept.append((since, response))


def _give_up_all(kept: _Kept) -> None:
    for _, response in kept:
        _give_up(response)
    kept.clear()


def _give_up(response: Any) -> None:
    response.close()
    response.release_conn()


def _end_has_come(response: Any) -> bool:
    """Whether the rest of a body can be read without waiting for it."""
    from urllib3.util import wait_for_read

    sock = response.connection.sock
    if wait_for_read(sock, timeout=0.0) or getattr(sock, "pending", int)():
        return True
    # The one place that tells, without taking it, what has come together with the last event. It is
    # no part of urllib3's promises: without it, the end is not known, and the connection given up.
    peek = getattr(getattr(getattr(response, "_fp", None), "fp", None), "peek", None)
    if peek is None:
        return False
    sock.settimeout(0.0)
    try:
        seen: bytes = peek()
    except OSError:  # of TLS: there is nothing yet
        return False
    return seen.endswith(_END) if response.chunked else bool(seen)
