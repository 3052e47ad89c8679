"""The scenarios for coroutine functions, on the caller's running event loop.

The serving context is entered once for a stretch, not once a caller: all of them share the one
thread that the loop runs in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_costguard.measure.callers import Trace, merged
from pytest_costguard.measure.event_loop import Start, together
from pytest_costguard.measure.streams import in_queries, shared_out
from pytest_costguard.measure.stretch import (
    ServeAsync,
    Server,
    Slice,
    Timed,
    collector_at_rest,
    latencies_ns,
    span_ns,
    stamped_async,
)


async def single_stream_async(server: Server, requests: Slice, n: int) -> Timed:  # noqa: ARG001
    """Serve the next request when the last is done; `n` has no meaning here."""
    return await _closed_loop(server, requests, one_at_a_time_async(server))


async def multi_stream_async(server: Server, requests: Slice, n: int) -> Timed:
    """Serve queries of `n` consecutive samples each, the samples of a query all at once."""
    serve, wait = server.serve, server.synchronise

    async def query(samples: Sequence[Any]) -> None:
        await together([_start(serve, sample) for sample in samples])
        if wait is not None:
            wait()

    queries = Slice(timed=in_queries(requests.timed, n), discard=in_queries(requests.discard, n))
    return await _closed_loop(server, queries, query)


async def concurrent_async(server: Server, requests: Slice, n: int) -> Timed:
    """Serve with `n` callers at once; caller c takes every n-th request from the c-th on.

    Raises:
        BaseException: whatever the first failing request raised, unchanged; the others are
            cancelled.
    """
    callers = min(n, len(requests.timed))
    serve, clock = one_at_a_time_async(server), server.clock
    traces: list[Trace] = []

    async def discard(caller: int) -> None:
        for request in requests.discard[caller::callers]:
            await serve(request)

    async def call(share: Sequence[Any]) -> None:
        cpu_start = clock.cpu_ns()
        stamps = await stamped_async(serve, share, clock.wall_ns)
        traces.append(Trace(stamps=stamps, cpu_start_ns=cpu_start, cpu_end_ns=clock.cpu_ns()))

    shares = [requests.timed[caller::callers] for caller in range(callers)]
    with collector_at_rest(), server.serving():
        await together([_start(discard, caller) for caller in range(callers)])
        await together([_start(call, share) for share in shares])
    return merged(traces)


async def offline_async(server: Server, requests: Slice, n: int) -> Timed:  # noqa: ARG001
    """Start every request of the stretch at once and wait for all of them together.

    Yields one latency for the whole stretch: its wall time shared out evenly over its requests.
    """
    serve, wait = server.serve, server.synchronise
    now, cpu = server.clock.wall_ns, server.clock.cpu_ns
    with collector_at_rest(), server.serving():
        for request in requests.discard:
            await serve(request)
        if wait is not None:
            wait()
        starts = [_start(serve, request) for request in requests.timed]
        cpu_start = cpu()
        start = now()
        await together(starts)
        if wait is not None:
            wait()
        end = now()
        cpu_end = cpu()
    return shared_out(span_ns(start, end), max(0, cpu_end - cpu_start), len(requests.timed))


def one_at_a_time_async(server: Server) -> ServeAsync:
    """Return what serves one request and waits for the device, bare where there is none."""
    serve, wait = server.serve, server.synchronise
    if wait is None:
        return serve

    async def serve_and_wait(request: Any) -> None:
        await serve(request)
        wait()

    return serve_and_wait


async def _closed_loop(server: Server, requests: Slice, serve: ServeAsync) -> Timed:
    now, cpu = server.clock.wall_ns, server.clock.cpu_ns
    with collector_at_rest(), server.serving():
        for request in requests.discard:
            await serve(request)
        cpu_start = cpu()
        stamps = await stamped_async(serve, requests.timed, now)
        cpu_end = cpu()
    return Timed(
        wall_ns=span_ns(stamps[0], stamps[-1]),
        cpu_ns=max(0, cpu_end - cpu_start),
        latency_ns=tuple(latencies_ns(stamps)),
        requests=len(requests.timed),
    )


def _start(serve: ServeAsync, request: Any) -> Start:
    return lambda: serve(request)
