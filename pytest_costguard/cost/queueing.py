"""Waiting for a free replica, where each serves one request at a time: Erlang C.

Arrivals are taken to be random (Poisson), and service times to be spread as an exponential
distribution is when it comes to waiting, which is more than most models' are, so that the answer is
on the safe side; where the measured ones are spread more, the waiting is taken to be as much
longer. The time of the request itself is the measured one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MOST_SERVERS = 10_000
"""More are not counted: nobody plans them by a formula."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A service level: a share of the requests is answered within a time."""

    quantile: float
    """0.95 for p95."""
    seconds: float

    def __post_init__(self) -> None:
        if not (0 < self.quantile < 1 and 0 < self.seconds < math.inf):
            raise ValueError(f"no objective: {self}")

    @property
    def allowed_late(self) -> float:
        """Which share of the requests may take longer."""
        return 1.0 - self.quantile


def waiting_chances(servers: int, *, loads: Floats) -> Floats:
    """Return the chances that a request has to wait (Erlang's C formula), one a load.

    By the recursion of Erlang's B formula, B(k) = aB(k-1) ÷ (k + aB(k-1)), and
    C = B ÷ (1 - u(1 - B)) for a utilisation u (Cooper, Introduction to Queueing Theory, 2nd ed.
    1981, chapter 3).

    Args:
        servers: replicas, at least 1.
        loads: in Erlang: requests a second times seconds a request.
    """
    # numpy takes many times as long as the arithmetic of a single number.
    blocked: float | Floats = 1.0 if loads.size == 1 else np.ones_like(loads)
    load = float(loads[0]) if loads.size == 1 else loads
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    utilisation = np.minimum(loads / servers, 1.0)
    return np.where(loads < servers, blocked / (1 - utilisation * (1 - blocked)), 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTimes:
    """How long single requests take, in seconds."""

    mean: float
    """With what lies between two requests: the inverse of the most that a server does."""
    samples: Floats
    """Measured, or quantiles that stand for them."""

    def __post_init__(self) -> None:
        if not (self.samples.size and self.mean > 0 and float(self.samples.min()) > 0):
            raise ValueError("service times must be above zero, and at least one")

    @property
    def stretch(self) -> float:
        """How much longer the waiting is than the formula's; never shorter.

        (1 + v) ÷ 2 for a squared coefficient of variation v above the exponential's 1
        (Allen-Cunneen; Allen, Probability, Statistics, and Queueing Theory, 2nd ed. 1990).
        """
        variation = float(self.samples.var()) / float(self.samples.mean()) ** 2
        return max(1.0, (1.0 + variation) / 2)

    def faster(self, factor: float) -> ServiceTimes:
        """Return the times of a server that takes `factor` times less for each request."""
        return ServiceTimes(mean=self.mean / factor, samples=self.samples / factor)


def late_shares(
    servers: int, *, loads: Floats, service: ServiceTimes, within_seconds: float
) -> Floats:
    """Return the shares of requests that wait and are served in more than `within_seconds`.

    P(wait > t) = C * exp(-(c - a) t ÷ (s * stretch)) for c servers, a load of a Erlang and a mean
    service time s; averaged over the measured service times x with t = within - x. One that takes
    longer than that by itself is late however many servers there are.

    Args:
        servers: replicas.
        loads: in Erlang, one a share; where it is no less than the servers, all are late.
        service: of single requests.
        within_seconds: the objective.
    """
    spare = within_seconds - service.samples
    rates = np.maximum(servers - loads, 0.0) / (service.mean * service.stretch)
    waits = np.exp(-np.outer(rates, np.maximum(spare, 0.0)))
    chances = waiting_chances(servers, loads=loads)
    late = np.where(spare >= 0, chances[:, np.newaxis] * waits, 1.0).mean(axis=1)
    return np.where(loads < servers, late, 1.0)


def servers_needed(
    *, requests_per_second: float, service: ServiceTimes, objective: Objective
) -> tuple[int, float] | None:
    """Return the fewest servers that meet the objective, and the fraction at which it is just met.

    Args:
        requests_per_second: that arrive in all.
        service: of single requests.
        objective: for waiting and service together.

    Returns:
        The number, and where between it and one fewer the late share is just what is allowed (by
        interpolation of its logarithm), to be shown beside it: whole numbers make a staircase of
        the cost. None where the requests are too slow by themselves.

    Raises:
        ValueError: more than `MOST_SERVERS` are needed.
    """
    if float((service.samples > objective.seconds).mean()) >= objective.allowed_late:
        return None
    load = requests_per_second * service.mean

    def late(servers: int) -> float:
        loads = np.array([load])
        return float(
            late_shares(servers, loads=loads, service=service, within_seconds=objective.seconds)[0]
        )

    low, high = math.floor(load), math.floor(load) + 1
    while high > MOST_SERVERS or late(high) > objective.allowed_late:
        if high >= MOST_SERVERS:
            raise ValueError(f"more than {MOST_SERVERS:,} servers")
        low, high = high, min(2 * high, MOST_SERVERS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if late(middle) <= objective.allowed_late else (middle, high)
    return high, _fraction(high, late=late, allowed=objective.allowed_late)


def _fraction(servers: int, *, late: Callable[[int], float], allowed: float) -> float:
    """Return where the late share is just what is allowed, between one server fewer and these."""
    if servers == 1:
        return 1.0
    fewer, enough = late(servers - 1), late(servers)
    if fewer >= 1 or not 0 < enough < fewer or not allowed > 0:
        # With one fewer the queue would grow for ever: there is no such place in between.
        return float(servers)
    part = math.log(fewer / allowed) / math.log(fewer / enough)
    return servers - 1 + min(max(part, 0.0), 1.0)
