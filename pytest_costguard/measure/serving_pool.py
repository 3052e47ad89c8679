"""The threads that serve an open loop's requests: one by one or in batches, beside a cache.

The pool stands for the server where the workload is in this process: as many threads as it serves
at the same time, each with an adaptive batcher where requests are served in batches. For an
endpoint it stands for the clients: as many threads as connections may be open.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

from pytest_costguard.errors import CostguardError
from pytest_costguard.measure.arrivals import Schedule
from pytest_costguard.measure.streamed import Streamed, took_ns
from pytest_costguard.measure.streams import one_at_a_time
from pytest_costguard.measure.stretch import Serve, Server
from pytest_costguard.records import Load, Series

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


@dataclass(slots=True, kw_only=True)
class Window:
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

    def drain(self) -> None:
        """Take back what no thread has begun."""
        while True:
            try:
                self.waiting.get_nowait()
            except Empty:
                return


def started(window: Window) -> Iterator[Thread]:
    """Start the threads of the pool, one after another, and yield each."""
    work = _one_by_one if window.load.max_batch_size == 1 else _in_batches
    for number in range(window.load.at_once):
        thread = Thread(
            target=_serving, args=(window, work), name=f"costguard-pool-{number}", daemon=True
        )
        thread.start()
        yield thread


def _serving(window: Window, work: Callable[[Window, Serve], None]) -> None:
    """Be one thread of the pool, from its start to its end."""
    try:
        with window.server.serving():
            work(window, one_at_a_time(window.server))
    except BaseException as error:  # noqa: BLE001  # raised again where the window is
        window.broken = error


def _one_by_one(window: Window, serve: Serve) -> None:
    get = window.waiting.get
    while (place := get()) is not None:
        if _too_late(window, place) or _known(window, place):
            continue
        _timed(window, [place], _call(window, serve, place))


def _call(window: Window, serve: Serve, place: int) -> Callable[[], object]:
    """Return what serves one request, and keeps its answer only where it streams."""
    value = window.inputs[window.schedule.inputs[place]]
    if not window.server.streams:
        return lambda: serve(value)

    def serve_and_keep() -> None:
        window.streamed[place] = serve(value)

    return serve_and_keep


def _in_batches(window: Window, serve: Serve) -> None:
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


def _batch(window: Window) -> tuple[list[int], bool]:
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


def _timed(window: Window, places: list[int], serve: Callable[[], object]) -> None:
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


def _too_late(window: Window, place: int) -> bool:
    """Whether a request has waited so long that nobody waits for it any more: it has failed."""
    waited = window.server.clock.wall_ns() - window.due[place]
    if waited <= window.load.timeout_seconds * 1e9:
        return False
    _fail(window, place, TIMED_OUT)
    return True


def _fail(window: Window, place: int, reason: str) -> None:
    window.failures[place] = reason
    if window.limit is not None and place >= window.limit.first:
        with window.lock:
            window.beyond += 1


def _look(window: Window, place: int) -> None:
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


def _known(window: Window, place: int) -> bool:
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


def _keep(window: Window, place: int) -> None:
    if not window.load.cache_entries:
        return
    with window.lock:
        window.cache[window.schedule.inputs[place]] = None
        if len(window.cache) > window.load.cache_entries:
            window.cache.popitem(last=False)


def _in_short(error: BaseException) -> str:
    if isinstance(error, CostguardError):
        return error.message[:200]
    try:
        words = str(error)
    except Exception:  # noqa: BLE001  # the user's own __str__ may do anything
        words = ""
    return f"{type(error).__name__}: {words}"[:200] if words else type(error).__name__
