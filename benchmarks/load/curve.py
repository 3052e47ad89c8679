"""What waiting costs: latency over the rate, of queues that are played.

Requests arrive at random and take 10 ms on average, exponentially, at one worker and at two. Each
rate is so many seconds of traffic in steady state, the same arrivals for both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.load.drawing import Curve, Point
from benchmarks.load.queues import exponential, latencies

MEAN = 0.01
WARM = 20_000
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95)
"""Of what the workers take without a pause."""
WAYS = {"one worker": 1, "two workers": 2}


def curves(requests: int) -> list[dict[str, Any]]:
    """Return for each number of workers the percentiles at each rate, of so many requests."""
    return [
        Curve(name=name, points=tuple(_points(workers, requests))).as_json()
        for name, workers in WAYS.items()
    ]


def _points(workers: int, requests: int) -> Iterator[Point]:
    for share in SHARES:
        rate = share * workers / MEAN
        found = latencies(
            np.random.default_rng(round(1000 * share)),
            rate=rate,
            times=exponential(MEAN),
            servers=workers,
            count=WARM + requests,
        )
        p50, p99 = (1e3 * float(np.quantile(found[WARM:], q)) for q in (0.5, 0.99))
        yield Point(rate=rate, p50=p50, p99=p99)
