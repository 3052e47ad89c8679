"""Open-loop load: requests are sent when they are due, whatever became of those before them.

A dispatcher sleeps until shortly before each arrival, spins to it, and hands the request to a
pool of threads. A latency runs from the scheduled arrival, so that a late generator or a full
queue is in it, as a user would feel it; the time of serving and the lateness of sending stand
beside it. (Facts: sleep-then-spin is late by 1 µs at the median, sleeping alone by 88 µs.)

The pool stands for the server where the workload is in this process: as many threads as it serves
at the same time, each with an adaptive batcher where requests are served in batches. For an
endpoint it stands for the clients: as many threads as connections may be open.
"""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

from pytest_costguard.errors import CostguardError, WorkloadError
from pytest_costguard.measure.arrivals import Schedule
from pytest_costguard.measure.streamed import Streamed, took_ns
from pytest_costguard.measure.streams import one_at_a_time
from pytest_costguard.measure.stretch import Serve, Server
from pytest_costguard.records import Load, Series

_SPIN_NS = 200_000
"""How long before an arrival the sleeping ends: it overshoots by 50 to 150 µs."""
_SWITCH_SECONDS = 0.0002
_LEAD_NS = 5_000_000
"""Between the start of the threads and the first arrival."""
_GRACE_SECONDS = 5.0
"""Beyond a request's own time limit, before a thread that is still serving counts as stuck."""
TIMED_OUT = "no answer in time"

Collate = Callable[[list[Any]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A window that is given up once more than `most` requests failed, or took too long."""

    seconds: float
    most: int
    of: Series = "latency"
    """What of a request may take no longer than `seconds`."""
    first: int = 0
    """The first request that counts: those before it are the ramp."""


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


@dataclass(slots=True, kw_only=True)
class _Window:
    """What dispatcher and pool share; each place of a list is written by one thread alone."""

    server: Server
    load: Load
    schedule: Schedule
    inputs: Sequence[Any]
    collate: Collate | None
    limit: Limit | None
    waiting: SimpleQueue[int | None] = field(default_factory=SimpleQueue)
    due: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    began: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    failures: dict[int, str] = field(default_factory=dict)
    streamed: dict[int, Streamed] = field(default_factory=dict)
    sizes: Counter[int] = field(default_factory=Counter)
    lock: Lock = field(default_factory=Lock)
    cache: OrderedDict[int, None] = field(default_factory=OrderedDict)
    hits: int = 0
    beyond: int = 0
    broken: BaseException | None = None

    def __post_init__(self) -> None:
        count = len(self.schedule.offset_ns)
        self.due, self.sent = [0] * count, [0] * count
        self.began, self.ended = [0] * count, [0] * count


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
    window = _Window(
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
    """Let Python's lock go to the dispatcher after 0.2 ms instead of 5, where a workload holds it.

    Among the threads of many connections, which only wait, it would bring nothing.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual if load.connections else min(usual, _SWITCH_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def _run(window: _Window) -> tuple[int, bool]:
    """Dispatch beside a running pool; return how many were sent, and whether it was given up."""
    pool: list[Thread] = []
    work = _one_by_one if window.load.max_batch_size == 1 else _in_batches
    try:
        for number in range(window.load.at_once):
            thread = Thread(
                target=_serving, args=(window, work), name=f"costguard-pool-{number}", daemon=True
            )
            thread.start()
            pool.append(thread)
        dispatched = _dispatch(window)
    except BaseException:
        _drain(window)
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


def _ended(window: _Window, pool: list[Thread], *, within_seconds: float) -> bool:
    """Tell every thread that no more comes, and wait for all; say whether all have ended."""
    for _ in pool:
        window.waiting.put(None)
    now = window.server.clock.wall_ns
    deadline = now() + round(within_seconds * 1e9)
    for thread in pool:
        thread.join(max(0.0, (deadline - now()) / 1e9))
    return not any(thread.is_alive() for thread in pool)


def _dispatch(window: _Window) -> tuple[int, bool]:
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
            _drain(window)
            return place + 1, True
    return len(window.schedule.offset_ns), False


def _drain(window: _Window) -> None:
    """Take back what no thread has begun."""
    while True:
        try:
            window.waiting.get_nowait()
        except Empty:
            return


def _serving(window: _Window, work: Callable[[_Window, Serve], None]) -> None:
    """Be one thread of the pool, from its start to its end."""
    try:
        with window.server.serving():
            work(window, one_at_a_time(window.server))
    except BaseException as error:  # noqa: BLE001  # raised again where the window is
        window.broken = error


def _one_by_one(window: _Window, serve: Serve) -> None:
    get = window.waiting.get
    while (place := get()) is not None:
        if _too_late(window, place) or _known(window, place):
            continue
        _timed(window, [place], _call(window, serve, place))


def _call(window: _Window, serve: Serve, place: int) -> Callable[[], object]:
    """Return what serves one request, and keeps its answer only where it streams."""
    value = window.inputs[window.schedule.inputs[place]]
    if not window.server.streams:
        return lambda: serve(value)

    def serve_and_keep() -> None:
        window.streamed[place] = serve(value)

    return serve_and_keep


def _in_batches(window: _Window, serve: Serve) -> None:
    collate = window.collate
    assert collate is not None, "whoever asks for batches says how they are made"
    while True:
        places, over = _batch(window)
        if places:
            values = [window.inputs[window.schedule.inputs[place]] for place in places]
            window.sizes[len(places)] += 1
            _timed(window, places, lambda values=values: serve(collate(values)))  # type: ignore[misc]
        if over:
            return


def _batch(window: _Window) -> tuple[list[int], bool]:
    """Wait for a request, then for others as long as it may wait; the last says: no more come."""
    load, clock = window.load, window.server.clock
    places: list[int] = []
    deadline = 0
    while len(places) < load.max_batch_size:
        try:
            place = (
                window.waiting.get(timeout=max(0.0, (deadline - clock.wall_ns()) / 1e9))
                if places
                else window.waiting.get()
            )
        except Empty:
            break
        if place is None:
            return places, True
        if _too_late(window, place) or _known(window, place):
            continue
        if not places:
            deadline = clock.wall_ns() + round(load.max_batch_delay_seconds * 1e9)
        places.append(place)
    return places, False


def _timed(window: _Window, places: list[int], serve: Callable[[], object]) -> None:
    now = window.server.clock.wall_ns
    began = now()
    for place in places:
        window.began[place] = began
    reason = ""
    try:
        serve()
    except Exception as error:  # noqa: BLE001  # a request that raises has failed, and is counted
        reason = _in_short(error)
    ended = now()
    for place in places:
        if not reason and ended - window.due[place] > window.load.timeout_seconds * 1e9:
            _fail(window, place, TIMED_OUT)
        elif reason:
            _fail(window, place, reason)
        else:
            window.ended[place] = ended
            _keep(window, place)
            _look(window, place)


def _too_late(window: _Window, place: int) -> bool:
    """Whether a request has waited so long that nobody waits for it any more: it has failed."""
    waited = window.server.clock.wall_ns() - window.due[place]
    if waited <= window.load.timeout_seconds * 1e9:
        return False
    _fail(window, place, TIMED_OUT)
    return True


def _fail(window: _Window, place: int, reason: str) -> None:
    window.failures[place] = reason
    if window.limit is not None and place >= window.limit.first:
        with window.lock:
            window.beyond += 1


def _look(window: _Window, place: int) -> None:
    if window.limit is None or place < window.limit.first:
        return
    due = window.due[place]
    took = took_ns(
        window.streamed.get(place),
        window.limit.of,
        latency_ns=window.ended[place] - due,
        waited_ns=window.began[place] - due,
    )
    if took is not None and took > window.limit.seconds * 1e9:
        with window.lock:
            window.beyond += 1


def _known(window: _Window, place: int) -> bool:
    """Answer from the cache, where there is one and it has the answer."""
    if not window.load.cache_entries:
        return False
    wanted = window.schedule.inputs[place]
    with window.lock:
        if wanted not in window.cache:
            return False
        window.cache.move_to_end(wanted)
        window.hits += 1
    at = window.server.clock.wall_ns()
    window.began[place], window.ended[place] = at, at + 1
    return True


def _keep(window: _Window, place: int) -> None:
    if not window.load.cache_entries:
        return
    with window.lock:
        window.cache[window.schedule.inputs[place]] = None
        if len(window.cache) > window.load.cache_entries:
            window.cache.popitem(last=False)


def _told(window: _Window, *, sent: int, gave_up: bool) -> Sent:
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


def _in_short(error: BaseException) -> str:
    if isinstance(error, CostguardError):
        return error.message[:200]
    try:
        words = str(error)
    except Exception:  # noqa: BLE001  # the user's own __str__ may do anything
        words = ""
    return f"{type(error).__name__}: {words}"[:200] if words else type(error).__name__
