"""The concurrent scenario: callers in threads, each sending its next request when one is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from threading import Barrier, BrokenBarrierError, Thread
from typing import Any

from pytest_costguard.measure.streams import one_at_a_time
from pytest_costguard.measure.stretch import (
    Server,
    Slice,
    Stamps,
    Timed,
    collector_at_rest,
    latencies_ns,
    span_ns,
    stamped,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What one caller saw: its chained wall readings, and the process's CPU time round them."""

    stamps: Stamps
    cpu_start_ns: int
    cpu_end_ns: int


@dataclass(slots=True, kw_only=True)
class _Crowd:
    """What the callers of one stretch share."""

    server: Server
    shares: list[list[Any]]
    discards: list[list[Any]]
    barrier: Barrier
    traces: list[Trace] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    def stop(self) -> None:
        """End every caller's loop after its present request.

        Emptying the lists that the loops run over ends them at once and, unlike a flag that
        each loop would have to look at, costs the timed stretch nothing.
        """
        for share in (*self.shares, *self.discards):
            share.clear()
        self.barrier.abort()

    def call(self, caller: int) -> None:
        """Be one caller, from its thread's start to its end."""
        try:
            with self.server.serving():
                self._call(caller)
        except BaseException as error:  # noqa: BLE001 - re-raised in the caller's thread
            self.failures.append(error)
            self.stop()

    def _call(self, caller: int) -> None:
        serve, clock = one_at_a_time(self.server), self.server.clock
        for request in self.discards[caller]:
            serve(request)
        try:
            self.barrier.wait()
        except BrokenBarrierError:
            return
        cpu_start = clock.cpu_ns()
        stamps = stamped(serve, self.shares[caller], clock.wall_ns)
        self.traces.append(Trace(stamps=stamps, cpu_start_ns=cpu_start, cpu_end_ns=clock.cpu_ns()))


def concurrent(server: Server, requests: Slice, n: int) -> Timed:
    """Serve with `n` callers at once; caller c takes every n-th request from the c-th on.

    The threads are started, and have served their discarded requests, before they are released
    together; the stretch lasts from the first caller's start to the last one's end. Where there
    are fewer requests than callers, the callers left without one do not take part.

    Raises:
        BaseException: whatever the first failing request raised, unchanged; the others are
            stopped after their present request, and all threads have ended.
    """
    callers = min(n, len(requests.timed))
    crowd = _Crowd(
        server=server,
        shares=[list(requests.timed[caller::callers]) for caller in range(callers)],
        discards=[list(requests.discard[caller::callers]) for caller in range(callers)],
        barrier=Barrier(callers),
    )
    with collector_at_rest():
        _run(crowd)
    if crowd.failures:
        raise crowd.failures[0]
    return merged(crowd.traces)


def merged(traces: list[Trace]) -> Timed:
    """Put what several callers saw together, latencies in order of completion."""
    completed = sorted(
        (end, latency)
        for trace in traces
        for end, latency in zip(
            islice(trace.stamps, 1, None), latencies_ns(trace.stamps), strict=True
        )
    )
    start = min(trace.stamps[0] for trace in traces)
    cpu_start = min(trace.cpu_start_ns for trace in traces)
    return Timed(
        wall_ns=span_ns(start, completed[-1][0]),
        cpu_ns=max(0, max(trace.cpu_end_ns for trace in traces) - cpu_start),
        latency_ns=tuple(latency for _, latency in completed),
        requests=len(completed),
    )


def _run(crowd: _Crowd) -> None:
    threads: list[Thread] = []
    try:
        for caller in range(len(crowd.shares)):
            thread = Thread(
                target=crowd.call, args=(caller,), name=f"costguard-caller-{caller}", daemon=True
            )
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
    except BaseException:
        crowd.stop()
        for thread in threads:
            thread.join()
        raise
