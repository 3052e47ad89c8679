"""How long a year of traffic takes to plan, and how far Erlang C is from queues played through.

`python -m benchmarks.capacity [--json FILE]`. A year in steps of five minutes goes through the
autoscaler; the goal is under two seconds. Queues are played through request by request, with
service times that are all alike, as most models' are, exponential ones, as the formula takes them
to be, and of two kinds that are spread more: it must be right for the second, and on the safe side
for the others.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from pytest_costguard.cost.autoscaling import SCALERS, simulate
from pytest_costguard.cost.capacity import FleetLimits, Replica
from pytest_costguard.cost.queueing import Objective, ServiceTimes, late_shares
from pytest_costguard.cost.traffic import TrafficProfile

YEAR_STEPS, STEP_SECONDS = 365 * 288, 300.0
GOAL_SECONDS = 2.0
SERVICE_SECONDS = 0.05
OBJECTIVE = Objective(quantile=0.95, seconds=0.075)
SHORT_SECONDS, LONG_SECONDS, SHORT_SHARE = 0.005, 0.06, 0.9
"""Requests of two kinds, which are spread more than an exponential distribution is."""
CASES = ((1, 0.3), (4, 0.5), (16, 0.7), (64, 0.9))
"""Replicas, and how full they are."""


def year(seed: int) -> TrafficProfile:
    """A year that swings by day and week, grows by half, and is never the same twice."""
    dice = random.Random(seed)
    rates = []
    for step in range(YEAR_STEPS):
        day = math.sin(2 * math.pi * step / 288) ** 2
        week = 0.7 if step // 288 % 7 >= 5 else 1.0
        growth = 1 + 0.5 * step / YEAR_STEPS
        rates.append((20 + 480 * day) * week * growth * dice.lognormvariate(0.0, 0.1))
    return TrafficProfile(step_seconds=STEP_SECONDS, items_per_second=tuple(rates))


def planned(repeats: int) -> dict[str, Any]:
    profile = year(20_261_127)
    replica = Replica(
        items_per_second=1 / SERVICE_SECONDS,
        items_per_request=1.0,
        service=ServiceTimes(mean=SERVICE_SECONDS, samples=np.full(400, SERVICE_SECONDS)),
        usd_per_hour=Decimal(1),
        startup_seconds=60.0,
    )
    taken, found = [], None
    for _ in range(repeats):
        begin = time.perf_counter()
        found = simulate(
            profile,
            replica=replica,
            scaler=SCALERS["HPA"],
            target_items_per_second=0.7 / SERVICE_SECONDS,
            limits=FleetLimits(),
            objective=OBJECTIVE,
        )
        taken.append(time.perf_counter() - begin)
    assert found is not None
    return {
        "steps": YEAR_STEPS,
        "seconds": sorted(taken)[len(taken) // 2],
        "worst_seconds": max(taken),
        "replicas_most": int(found.started.max()),
        "late_share": found.late_share,
        "goal_reached": max(taken) < GOAL_SECONDS,
    }


def played(
    servers: int, *, rate: float, service: Callable[[], float], requests: int, seed: int
) -> float:
    """The share of requests of a queue that are late, request by request."""
    dice = random.Random(seed)
    free = [0.0] * servers
    now, late = 0.0, 0
    for _ in range(requests):
        now += dice.expovariate(rate)
        end = max(now, heapq.heappop(free)) + service()
        heapq.heappush(free, end)
        late += end - now > OBJECTIVE.seconds
    return late / requests


def compared(requests: int) -> list[dict[str, Any]]:
    rows = []
    dice = random.Random(20_261_127)
    kinds = {
        "alike": (lambda: SERVICE_SECONDS, np.full(1, SERVICE_SECONDS)),
        "exponential": (
            lambda: dice.expovariate(1 / SERVICE_SECONDS),
            SERVICE_SECONDS * -np.log1p(-(np.arange(4000) + 0.5) / 4000),
        ),
        "of two kinds": (
            lambda: SHORT_SECONDS if dice.random() < SHORT_SHARE else LONG_SECONDS,
            np.array([SHORT_SECONDS] * 90 + [LONG_SECONDS] * 10),
        ),
    }
    for servers, full in CASES:
        for kind, (service, samples) in kinds.items():
            times = ServiceTimes(mean=float(samples.mean()), samples=samples)
            rate = full * servers / times.mean
            (told,) = late_shares(
                servers,
                loads=np.array([rate * times.mean]),
                service=times,
                within_seconds=OBJECTIVE.seconds,
            )
            seen = played(servers, rate=rate, service=service, requests=requests, seed=servers)
            rows.append(
                {
                    "replicas": servers,
                    "full": full,
                    "service": kind,
                    "told": float(told),
                    "played": seen,
                }
            )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--requests", type=int, default=400_000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = {"year": planned(given.repeats), "queues": compared(given.requests)}
    one = found["year"]
    print(
        f"a year of five-minute traffic: {one['seconds']:.2f} s (worst"
        f" {one['worst_seconds']:.2f} s, goal {GOAL_SECONDS:g} s),"
        f" up to {one['replicas_most']} replicas"
    )
    print("replicas  full  service times  late as told  late as played through")
    for row in found["queues"]:
        print(
            f"{row['replicas']:8}  {row['full']:.0%}   {row['service']:13}"
            f"  {row['told']:12.2%}  {row['played']:22.2%}"
        )
    if given.json:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0 if one["goal_reached"] else 1


if __name__ == "__main__":
    sys.exit(main())
