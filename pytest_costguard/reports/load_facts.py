"""What an open loop has shown beside its figures, in words: what was sent, how late, how served."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pytest_costguard.records import ArrivalKind, Load, Measurement, OpenLoop
from pytest_costguard.reports.numbers import counted, percent, significant
from pytest_costguard.stats.percentiles import percentile

_MOST_REASONS = 3
_MILLISECONDS_FROM = 0.001
_ARRIVALS: dict[ArrivalKind, str] = {
    "poisson": "Poisson arrivals",
    "constant": "evenly spaced arrivals",
    "gamma": "bursts",
    "trace": "arrivals of a trace",
}


def load_facts(measurement: Measurement | None) -> tuple[str, ...]:
    """Return one sentence for each thing that a reader may ask of a load; none in closed loops."""
    load = None if measurement is None else measurement.declaration.scenario.load
    if measurement is None or load is None:
        return ()
    loops = [unit.open_loop for unit in measurement.units if unit.open_loop is not None]
    return tuple(_facts(load, loops, measurement)) if loops else ()


def failures_told(measurement: Measurement) -> str:
    """Say how many requests had no answer in time, and why; "" where all had one."""
    loops = [unit.open_loop for unit in measurement.units if unit.open_loop is not None]
    failed = sum(len(loop.unanswered) for loop in loops)
    if not failed:
        return ""
    reasons: Counter[str] = Counter()
    for loop in loops:
        reasons.update(loop.failures)
    named = "; ".join(f"{why} ({count:,})" for why, count in reasons.most_common(_MOST_REASONS))
    sent = sum(loop.requests for loop in loops)
    return f"{failed:,} of {counted(sent, 'request')} failed or had no answer in time: {named}"


def _facts(load: Load, loops: Sequence[OpenLoop], measurement: Measurement) -> Iterator[str]:
    sent = sum(loop.requests for loop in loops)
    kind = _ARRIVALS[load.arrivals.kind]
    if load.rate is None:
        probes = sum(len(loop.probes) for loop in loops) / len(loops)
        kept = ", ".join(f"{name} ≤ {1e3 * seconds:g} ms" for name, seconds in load.slo.items())
        windows = f"{significant(probes, digits=2)} windows a unit"
        yield f"searched for the highest rate with {kept}, in {windows}, {kind}"
    else:
        yield f"{counted(sent, 'request')} at {load.rate:g} a second, {kind}"
    late = [seconds for loop in loops for seconds in loop.lateness_seconds]
    yield f"sent late by {_us(percentile(late, 0.5))} (p50) and {_us(percentile(late, 0.99))} (p99)"
    latencies = [seconds for unit in measurement.units for seconds in unit.latency_seconds]
    service = [seconds for loop in loops for seconds in loop.service_seconds]
    if latencies and service:
        waited = 1 - percentile(service, 0.5) / percentile(latencies, 0.5)
        what = "to be sent: for a connection, or for a core" if load.connections else "to be served"
        yield f"{percent(max(0.0, waited))} of the median latency is waiting {what}"
    yield from _served(loops, sent)


def _served(loops: Sequence[OpenLoop], sent: int) -> Iterator[str]:
    sizes: Counter[int] = Counter()
    for loop in loops:
        sizes.update(loop.batch_sizes)
    if sizes:
        mean = sum(size * count for size, count in sizes.items()) / sizes.total()
        yield f"batches of {significant(mean)} requests on average, {max(sizes)} at most"
    hits = sum(loop.cache_hits for loop in loops)
    if hits:
        yield f"{percent(min(1.0, hits / sent))} were answered from the cache"


def _us(seconds: float) -> str:
    if seconds >= _MILLISECONDS_FROM:
        return f"{significant(1e3 * seconds, digits=2)} ms"
    return f"{significant(1e6 * seconds, digits=2)} µs"
