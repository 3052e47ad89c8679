"""Open-loop load: requests are sent when they are due, whatever became of those before them.

A dispatcher sleeps until shortly before each arrival, spins to it, and hands the request to a
pool of threads. A latency runs from the scheduled arrival, so that a late generator or a full
queue is in it, as a user would feel it; the time of serving and the lateness of sending stand
beside it. (Facts: sleep-then-spin is late by 1 µs at the median, sleeping alone by 88 µs.)

What the pool is, is told in `serving_pool`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from pytest_costguard.errors import WorkloadError
from pytest_costguard.measure.arrivals import Schedule
from pytest_costguard.measure.serving_pool import Collate, Limit, Window, started
from pytest_costguard.measure.streamed import Streamed, took_ns
from pytest_costguard.measure.stretch import Server
from pytest_costguard.records import Load, Series

_SPIN_NS = 200_000
"""How long before an arrival the sleeping ends: it overshoots by 50 to 150 µs."""
_SWITCH_SECONDS = 0.00005
"""How long one thread may keep Python's lock from the dispatcher; the usual is 5 ms."""
_SWITCH_SECONDS_OF_MANY = 0.0002
"""Where several threads serve: they hand it to each other as often, which costs them time."""
_LEAD_NS = 5_000_000
"""Between the start of the threads and the first arrival."""
_GRACE_SECONDS = 5.0
"""Beyond a request's own time limit, before a thread that is still serving counts as stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of one window's requests; every tuple is in order of arrival, in nanoseconds."""

    due_ns: tuple[int, ...]
    sent_ns: tuple[int, ...]
    began_ns: tuple[int, ...]
    ended_ns: tuple[int, ...]
    """0 where there was no answer in time, or the window was given up before."""
    failures: dict[int, str]
    """The reason, by the place of the request; those that were given up are not in it."""
    batch_sizes: dict[int, int]
    cache_hits: int
    gave_up: bool
    """Whether it was ended early, by its `Limit`."""
    streamed: dict[int, Streamed] = field(default_factory=dict)
    """What a workload that streams has told, by the place of the request."""

    def took_ns(self, place: int, series: Series) -> float | None:
        """Return what an answered request took; None where it has none of that.

        Of ITL, whose samples are gaps, its own mean gap: its TPOT.
        """
        latency = self.ended_ns[place] - self.due_ns[place]
        waited = self.began_ns[place] - self.due_ns[place]
        return took_ns(self.streamed.get(place), series, latency_ns=latency, waited_ns=waited)


def open_loop(
    server: Server,
    *,
    load: Load,
    schedule: Schedule,
    inputs: Sequence[Any],
    collate: Collate | None = None,
    limit: Limit | None = None,
) -> Sent:
    """Send every request of the schedule at its time and wait for the last answer.

    A request that raises has failed; it does not end the window.

    Args:
        server: what serves one input, or a batch that `collate` has made.
        load: how many are served at the same time, batches, cache, time limit.
        schedule: when, and which input.
        inputs: the representative requests.
        collate: makes one request of several waiting ones; needed where batches are.
        limit: when to give the window up; None: never.

    Raises:
        WorkloadError: a request is still being served long after its time limit.
        BaseException: Ctrl-C, or what the serving context raised, once the pool has ended.
    """
    window = Window(
        server=server,
        load=load,
        schedule=schedule,
        inputs=inputs,
        collate=collate,
        limit=limit,
    )
    # The collector stays as it is: its pauses are part of what a server's users feel.
    with _lock_handed_on_soon(load):
        sent, gave_up = _run(window)
    if window.broken is not None:
        raise window.broken
    return _told(window, sent=sent, gave_up=gave_up)


@contextmanager
def _lock_handed_on_soon(load: Load) -> Iterator[None]:
    """Let Python's lock go to the dispatcher soon, where a workload may hold it.

    Among the threads of many connections, which only wait, it would bring nothing.
    """
    usual = sys.getswitchinterval()
    soon = _SWITCH_SECONDS if load.at_once == 1 else _SWITCH_SECONDS_OF_MANY
    sys.setswitchinterval(usual if load.connections else min(usual, soon))
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def _run(window: Window) -> tuple[int, bool]:
    """Dispatch beside a running pool; return how many were sent, and whether it was given up."""
    pool: list[Thread] = []
    try:
        pool.extend(started(window))
        dispatched = _dispatch(window)
    except BaseException:
        window.drain()
        _ended(window, pool, within_seconds=_GRACE_SECONDS)
        raise
    limit = window.load.timeout_seconds
    # The last one may have begun just before its limit, and an endpoint then waits as long again.
    if not _ended(window, pool, within_seconds=2 * limit + _GRACE_SECONDS):
        raise WorkloadError(
            f"a request was still being served {_GRACE_SECONDS:g} s after its time limit of"
            f" {limit:g} s",
            remedy="find what hangs, or give timeout= as long as a request may take",
        )
    return dispatched


def _ended(window: Window, pool: list[Thread], *, within_seconds: float) -> bool:
    """Tell every thread that no more comes, and wait for all; say whether all have ended."""
    for _ in pool:
        window.waiting.put(None)
    now = window.server.clock.wall_ns
    deadline = now() + round(within_seconds * 1e9)
    for thread in pool:
        thread.join(max(0.0, (deadline - now()) / 1e9))
    return not any(thread.is_alive() for thread in pool)


def _dispatch(window: Window) -> tuple[int, bool]:
    """Hand over each request when it is due; return how many, and whether it was clear before."""
    now, sleep, put = window.server.clock.wall_ns, window.server.clock.sleep, window.waiting.put
    most = None if window.limit is None else window.limit.most
    sent, dues = window.sent, window.due
    start = now() + _LEAD_NS
    for place, offset in enumerate(window.schedule.offset_ns):
        due = start + offset
        remaining = due - now()
        if remaining > _SPIN_NS:
            sleep((remaining - _SPIN_NS) / 1e9)
        while (at := now()) < due:
            pass
        sent[place], dues[place] = at, due
        put(place)
        if (most is not None and window.beyond > most) or window.broken is not None:
            window.drain()
            return place + 1, True
    return len(window.schedule.offset_ns), False


def _told(window: Window, *, sent: int, gave_up: bool) -> Sent:
    return Sent(
        due_ns=tuple(window.due[:sent]),
        sent_ns=tuple(window.sent[:sent]),
        began_ns=tuple(window.began[:sent]),
        ended_ns=tuple(window.ended[:sent]),
        failures=dict(sorted(window.failures.items())),
        batch_sizes=dict(sorted(window.sizes.items())),
        cache_hits=window.hits,
        gave_up=gave_up,
        streamed=window.streamed,
    )
