"""When the requests of an open loop arrive, and with which input: computed before, from a seed."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from types import MappingProxyType

from pytest_costguard.records import ArrivalKind, Arrivals

_NS = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What is to be sent and when: offsets in nanoseconds from the start, ascending."""

    offset_ns: tuple[int, ...]
    inputs: tuple[int, ...]
    """Of each request, which input it sends."""


def schedule(
    arrivals: Arrivals,
    *,
    rate: float,
    requests: int,
    inputs: int,
    window: int,
    first: int = 0,
    popularity: float = 0.0,
) -> Schedule:
    """Return the arrivals of one window; the same arguments give the same ones.

    Gaps have the mean 1 / rate. `poisson`: exponential. `constant`: all alike. `gamma`: of shape
    1 / burstiness, so that their squared coefficient of variation is `burstiness`. `trace`: as
    they were recorded, from another place of the trace in each window, wrapping, stretched or
    squeezed so that the whole trace has the mean rate.

    Args:
        arrivals: which of these, and the seed.
        rate: requests a second.
        requests: how many, at least 1.
        inputs: how many inputs there are.
        window: which window of the run; both sides of a comparison send the same.
        first: the input of the first request, where each comes in its turn.
        popularity: exponent of Zipf's law: input k is sent in proportion to (k+1)^-popularity; 0:
            each comes in its turn.
    """
    # A text seeds by its SHA-512 (random.seed, version 2): neighbouring numbers share nothing.
    chance = random.Random(f"{arrivals.seed} {window}")  # noqa: S311  # no secret
    if arrivals.kind == "trace":
        gaps = _gaps_of_trace(arrivals.trace_seconds, requests, chance)
    else:
        draw = _GAPS[arrivals.kind]
        gaps = [draw(chance, arrivals.burstiness) for _ in range(requests)]
    seconds = accumulate(gap / rate for gap in gaps)
    return Schedule(
        offset_ns=tuple(round(offset * _NS) for offset in seconds),
        inputs=_inputs(chance, requests, inputs=inputs, first=first, popularity=popularity),
    )


def mean_rate(trace_seconds: tuple[float, ...]) -> float:
    """Return the requests a second of a trace, over the time between its first and last arrival."""
    lasting = trace_seconds[-1] - trace_seconds[0]
    return (len(trace_seconds) - 1) / lasting


def _gaps_of_trace(trace: tuple[float, ...], requests: int, chance: random.Random) -> list[float]:
    mean_gap = 1 / mean_rate(trace)
    gaps = [(after - before) / mean_gap for before, after in pairwise(trace)]
    start = chance.randrange(len(gaps))
    return [gaps[(start + place) % len(gaps)] for place in range(requests)]


def _inputs(
    chance: random.Random, requests: int, *, inputs: int, first: int, popularity: float
) -> tuple[int, ...]:
    if not popularity:
        return tuple((first + place) % inputs for place in range(requests))
    weights = list(accumulate((rank + 1) ** -popularity for rank in range(inputs)))
    return tuple(
        min(inputs - 1, bisect_left(weights, chance.random() * weights[-1]))
        for _ in range(requests)
    )


_GAPS: Mapping[ArrivalKind, Callable[[random.Random, float], float]] = MappingProxyType(
    {
        "poisson": lambda chance, _: chance.expovariate(1.0),
        "constant": lambda *_: 1.0,
        "gamma": lambda chance, burstiness: chance.gammavariate(1 / burstiness, burstiness),
    }
)
