"""Queues that are played through request by request, with distributions whose truth is known."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_costguard.measure.backlog import backlog_of
from pytest_costguard.measure.rate_search import GIVEN_UP, allowances, is_short
from pytest_costguard.records import Probe

Times = Callable[[Any, int], Any]
"""So many service times in seconds, from a source of chance."""


def exponential(mean: float) -> Times:
    return lambda chance, count: chance.exponential(mean, count)


def constant(mean: float) -> Times:
    return lambda _, count: np.full(count, mean)


def two_kinds(*, short: float, long: float, share: float) -> Times:
    """Most requests are short, a few are long: spread more than an exponential distribution is."""
    return lambda chance, count: np.where(chance.random(count) < share, short, long)


def latencies(chance: Any, *, rate: float, times: Times, servers: int, count: int) -> Any:
    """Return the latencies of `count` Poisson arrivals at a queue that begins empty, in order."""
    arrivals = np.cumsum(chance.exponential(1 / rate, count))
    services = times(chance, count)
    return served(arrivals, services, servers=servers) - arrivals


def served(arrivals: Any, services: Any, *, servers: int) -> Any:
    """Return when each request is done, first come, first served."""
    if servers == 1:
        # Lindley: done_k = max over j <= k of arrival_j + the services from j to k.
        total = np.cumsum(services)
        return total + np.maximum.accumulate(arrivals - (total - services))
    free = [0.0] * servers
    done = np.empty(len(arrivals))
    for place, (arrival, service) in enumerate(zip(arrivals, services, strict=True)):
        end = max(arrival, heapq.heappop(free)) + service
        heapq.heappush(free, end)
        done[place] = end
    return done


def true_quantile_mm1(*, rate: float, mean: float, q: float) -> float:
    """Return the q-quantile of the latency of M/M/1, which is exponential of mean 1/(µ-λ)."""
    return -math.log(1 - q) / (1 / mean - rate)


def true_rate_mm1(*, mean: float, limit: float, q: float) -> float:
    """Return the rate at which the q-quantile of M/M/1 is exactly at a limit."""
    return 1 / mean + math.log(1 - q) / limit


def true_rate(
    times: Times, *, servers: int, limit: float, q: float, highest: float, count: int = 400_000
) -> float:
    """Return the rate at which the q-quantile is at a limit, by long plays of the queue."""
    low, high = 0.0, highest
    for turn in range(14):
        middle = (low + high) / 2
        chance = np.random.default_rng(turn)
        found = latencies(chance, rate=middle, times=times, servers=servers, count=count)
        beyond = float(np.mean(found[count // 10 :] > limit))
        low, high = (middle, high) if beyond <= 1 - q else (low, middle)
    return (low + high) / 2


@dataclass(slots=True)
class SimulatedServer:
    """Answers probes like a server would, without waiting; counts the seconds it would take."""

    times: Times
    servers: int
    slo: dict[str, float]
    seed: int
    seconds: float = 0.0
    probes: int = 0

    def probe(self, rate: float, requests: int, *, gives_up: bool = True) -> Probe:
        """Send a window after a ramp of a tenth, giving it up once it is clear."""
        chance = np.random.default_rng((self.seed, self.probes))
        self.probes += 1
        ramp = max(20, math.ceil(0.1 * requests))
        count = ramp + requests
        arrivals = np.cumsum(chance.exponential(1 / rate, count))
        done = served(arrivals, self.times(chance, count), servers=self.servers)
        (room,) = allowances(self.slo)
        counted = np.arange(count) >= ramp
        slow = (done - arrivals > room.seconds) & counted
        most = GIVEN_UP * room.most_beyond(requests)
        lasted, known = float(max(done.max(), arrivals[-1])), counted
        if gave_up := gives_up and int(slow.sum()) > most:
            # It is clear when one more than there is room for has been answered too late.
            lasted = float(np.sort(done[slow])[most])
            known = counted & (done <= lasted)
        late = int(slow[known].sum())
        self.seconds += lasted
        keeps = not gave_up and late <= room.most_beyond(requests)
        if keeps and is_short(self.slo, rate=rate, requests=requests):
            keeps = not backlog_of(arrivals.tolist(), done.tolist(), ramp=ramp).piled_up
        return Probe(
            rate=rate,
            requests=int(known.sum()),
            late=(late,),
            passed=keeps,
            seconds=lasted,
        )
