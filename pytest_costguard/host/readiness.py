"""Waiting until a server is ready: addresses that answer 200, and functions that say so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

_SHORTEST_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.25
_PAUSE_SHARE = 0.02
"""Of the time so far: how much too late it may be seen that the server is ready."""
_LOOK_SECONDS = 2.0
"""How long one look may take before the server itself is looked at again."""

Look = Callable[[float], str]
"""Looks once, within so many seconds; returns "" where it is ready, or what was seen."""


def answers_200(address: str) -> Look:
    """Return what asks an address; a proxy of the environment's is not used.

    Whose certificate it shows is not looked at, as in a probe of Kubernetes: nothing is told to it
    but that it is asked, and requests hold it to `verify=`.
    """
    # Only here: most tests have no server, and a worker's start is to stay short.
    import ssl
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    parts = urlsplit(address)
    kind: Callable[..., HTTPConnection] = HTTPConnection
    if parts.scheme.lower() == "https":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        kind = partial(HTTPSConnection, context=context)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def look(seconds: float) -> str:
        connection = kind(parts.hostname or "", parts.port, timeout=seconds)
        try:
            connection.request("GET", path, headers={"Connection": "close", "Accept": "*/*"})
            status = connection.getresponse().status
        except (OSError, HTTPException) as error:
            return f"{address}: {error or type(error).__name__}"
        finally:
            connection.close()
        return "" if status == 200 else f"{address} answered {status}"

    return look


def says_so(function: Callable[[], object]) -> Look:
    """Return what asks a function; an `OSError` of it, such as a refused connection, is a no."""
    name = getattr(function, "__qualname__", type(function).__qualname__)

    def look(_: float) -> str:
        try:
            answer = function()
        except OSError as error:
            return f"{name}(): {type(error).__name__}: {error}"
        return "" if answer else f"{name}() returned {answer!r}"

    return look


class Ended(Exception):
    """The server has ended while it was waited for."""


class NotReady(Exception):
    """It was not ready in time; says what was seen last."""


def wait_until_ready(
    looks: Sequence[Look],
    *,
    seconds: float,
    runs: Callable[[], bool],
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], object] = time.sleep,
) -> float:
    """Return the moment at which all of them have been ready.

    Args:
        looks: at what must be ready.
        seconds: for all of it.
        runs: whether the server still does.
        clock: seconds of a clock that never goes back.
        sleep: waits for so many seconds.

    Raises:
        Ended: the server does not run any more.
        NotReady: the time is up.
        Exception: what a function raised that is no `OSError`.
    """
    began = clock()
    waiting = [_Asked(look) for look in looks]
    last_seen = ""
    while waiting:
        if not runs():
            raise Ended
        remaining = seconds - (clock() - began)
        seen = waiting[0].answer(min(_LOOK_SECONDS, max(_SHORTEST_PAUSE_SECONDS, remaining)))
        if seen == "":
            del waiting[0]
            last_seen = ""
            continue
        last_seen = seen or last_seen  # the last look may have had no time for an answer
        spent = clock() - began
        if spent >= seconds:
            raise NotReady(last_seen or "no answer at all")
        pause = min(_LONGEST_PAUSE_SECONDS, max(_SHORTEST_PAUSE_SECONDS, _PAUSE_SHARE * spent))
        sleep(min(pause, seconds - spent))
    ready = clock()
    if not runs():  # somebody else has answered
        raise Ended
    return ready


@dataclass(slots=True)
class _Asked:
    """Looks in a thread, so that a look that hangs does not hold up more than itself."""

    look: Look
    thread: threading.Thread | None = None
    seen: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def answer(self, seconds: float) -> str | None:
        """Return what is seen in that time, or None; one look ends before the next begins."""
        if self.thread is None:
            self.thread = threading.Thread(target=self._run, args=(seconds,), daemon=True)
            self.thread.start()
        self.thread.join(seconds)
        if self.thread.is_alive():
            return None
        self.thread = None
        if self.errors:
            raise self.errors.pop()
        return self.seen.pop()

    def _run(self, seconds: float) -> None:
        try:
            self.seen.append(self.look(seconds))
        except BaseException as error:  # noqa: BLE001  # raised where it was asked for
            self.errors.append(error)
