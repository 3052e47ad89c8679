"""Scenarios of one caller: each returns what a stretch of requests took."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pytest_costguard.measure.stretch import (
    Serve,
    Server,
    Slice,
    Timed,
    collector_at_rest,
    latencies_ns,
    span_ns,
    stamped,
)


def single_stream(server: Server, requests: Slice, n: int) -> Timed:  # noqa: ARG001
    """Serve the next request when the last is done, device and all; `n` has no meaning here."""
    return _closed_loop(server, requests, one_at_a_time(server))


def multi_stream(server: Server, requests: Slice, n: int) -> Timed:
    """Serve queries of `n` consecutive samples each; a request is a query, so is a latency.

    The samples of a query are served one after another, since the workload takes one at a time;
    the device is waited for at the end of the query.
    """
    queries = Slice(timed=in_queries(requests.timed, n), discard=in_queries(requests.discard, n))
    return _closed_loop(server, queries, _a_query_at_a_time(server))


def followed(server: Server, requests: Iterable[Any], *, query: bool) -> Iterator[Timed]:
    """Serve one request each time it is asked; what is done between two is in neither's time.

    Args:
        server: what serves.
        requests: inputs, or lists of them where `query`.
        query: whether a request is a query of several inputs.

    Raises:
        WorkloadError: the clock went backwards.
    """
    serve = _a_query_at_a_time(server) if query else one_at_a_time(server)
    now, cpu = _clocks(server)
    with collector_at_rest(), server.serving():
        for request in requests:
            start, cpu_start = now(), cpu()
            serve(request)
            cpu_end, end = cpu(), now()
            yield shared_out(span_ns(start, end), max(0, cpu_end - cpu_start), 1)


def _a_query_at_a_time(server: Server) -> Serve:
    serve, wait = server.serve, server.synchronise

    def query(samples: Sequence[Any]) -> None:
        for sample in samples:
            serve(sample)
        if wait is not None:
            wait()

    return query


def offline(server: Server, requests: Slice, n: int) -> Timed:  # noqa: ARG001
    """Hand over everything at once and wait once at the end; `n` has no meaning here.

    Yields one latency for the whole stretch: its wall time shared out evenly over its requests.
    """
    serve, wait, now, cpu = server.serve, server.synchronise, *_clocks(server)
    with collector_at_rest(), server.serving():
        for request in requests.discard:
            serve(request)
        if wait is not None:
            wait()
        cpu_start = cpu()
        start = now()
        for request in requests.timed:
            serve(request)
        if wait is not None:
            wait()
        end = now()
        cpu_end = cpu()
    return shared_out(span_ns(start, end), max(0, cpu_end - cpu_start), len(requests.timed))


def one_at_a_time(server: Server) -> Serve:
    """Return what serves one request and waits for the device, bare where there is none."""
    serve, wait = server.serve, server.synchronise
    if wait is None:
        return serve

    def serve_and_wait(request: Any) -> None:
        serve(request)
        wait()

    return serve_and_wait


def in_queries(samples: Sequence[Any], n: int) -> list[Sequence[Any]]:
    """Cut the samples into queries of `n`; their number must be a multiple of it."""
    return [samples[start : start + n] for start in range(0, len(samples), n)]


def shared_out(wall_ns: int, cpu_ns: int, requests: int) -> Timed:
    """Return a stretch whose requests were not told apart."""
    mean = max(1, round(wall_ns / requests))
    return Timed(wall_ns=wall_ns, cpu_ns=cpu_ns, latency_ns=(mean,), requests=requests)


def _closed_loop(server: Server, requests: Slice, serve: Serve) -> Timed:
    now, cpu = _clocks(server)
    with collector_at_rest(), server.serving():
        for request in requests.discard:
            serve(request)
        cpu_start = cpu()
        stamps = stamped(serve, requests.timed, now)
        cpu_end = cpu()
    return Timed(
        wall_ns=span_ns(stamps[0], stamps[-1]),
        cpu_ns=max(0, cpu_end - cpu_start),
        latency_ns=tuple(latencies_ns(stamps)),
        requests=len(requests.timed),
    )


def _clocks(server: Server) -> tuple[Callable[[], int], Callable[[], int]]:
    return server.clock.wall_ns, server.clock.cpu_ns
