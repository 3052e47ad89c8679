"""The timed stretch itself: what is served, by what, and how its clock readings become figures."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pytest_costguard.errors import WorkloadError
from pytest_costguard.measure.ports import Clock

Serve = Callable[[Any], Any]
ServeAsync = Callable[[Any], Awaitable[Any]]
Stamps = deque[int]
"""Readings of the clock in nanoseconds: before the first request and after each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A loaded workload's moving parts, looked up once so that no timed loop looks them up."""

    serve: Serve
    """Serves one input; answers with an awaitable where the workload is asynchronous."""
    synchronise: Callable[[], None] | None
    serving: Callable[[], AbstractContextManager[object]]
    clock: Clock
    streams: bool = False
    """Whether `serve` answers with a `Streamed` that an open loop is to keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The inputs of one stretch: `discard` is served first and not timed, then `timed`."""

    timed: Sequence[Any]
    discard: Sequence[Any] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """What one stretch took, in nanoseconds; latencies in order of completion, none below 1."""

    wall_ns: int
    cpu_ns: int
    latency_ns: tuple[int, ...]
    requests: int


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Collect the young garbage, keep the collector off meanwhile, then leave it as it was.

    Only the two young generations: a full collection beside a loaded runtime takes longer than
    a block of 3 ms lasts. The warm-up makes the one full collection.
    """
    was_enabled = gc.isenabled()
    gc.collect(1)
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def stamped(serve: Serve, requests: Sequence[Any], now: Callable[[], int]) -> Stamps:
    """Serve the requests one after another; return the clock before the first and after each.

    One reading ends a request and begins the next, so that the latencies add up to the wall
    time. They are kept in a deque: it never copies what it has while it grows, and appending
    takes less time than storing into a list that was made beforehand. An answer is dropped at
    once, so that its release counts as part of its request.
    """
    stamps: Stamps = deque()
    keep = stamps.append
    keep(now())
    for request in requests:
        serve(request)
        keep(now())
    return stamps


async def stamped_async(
    serve: ServeAsync, requests: Sequence[Any], now: Callable[[], int]
) -> Stamps:
    """Like `stamped`, for a function that answers with an awaitable."""
    stamps: Stamps = deque()
    keep = stamps.append
    keep(now())
    for request in requests:
        await serve(request)
        keep(now())
    return stamps


def latencies_ns(stamps: Iterable[int]) -> list[int]:
    """Turn chained clock readings into latencies.

    A request too fast for the clock counts as 1 ns, the smallest step that is readable: records
    hold only latencies above zero, and a floor overstates by less than the clock can show.

    Raises:
        WorkloadError: the clock went backwards.
    """
    spans = [after - before for before, after in pairwise(stamps)]
    for index, span in enumerate(spans):
        if span < 0:
            raise _backwards(-span, f"while request {index} of a block was served")
    return [span or 1 for span in spans]


def span_ns(start: int, end: int) -> int:
    """Return a stretch's wall time in nanoseconds, at least 1.

    Raises:
        WorkloadError: the clock went backwards.
    """
    if end < start:
        raise _backwards(start - end, "during a block")
    return max(1, end - start)


def _backwards(by_ns: int, when: str) -> WorkloadError:
    return WorkloadError(
        f"the wall clock went backwards by {by_ns} ns {when}",
        remedy="measure with a monotonic clock: Clock.system() reads time.perf_counter_ns",
    )
