"""The highest rate that keeps an SLO: bracketing, then a curve through what the windows showed.

A window at one rate keeps the SLO where no more requests than the percentile leaves room for take
longer than its limit. It is given up as soon as far more have, which a rate that is far too high
shows within a few limits' time, so that the seconds go where the answer is. Once two rates close
together differ, the rate at which exactly as many are late as there is room for is read off a curve
through the windows near them (`stats.crossing`). What chance does to it is seen between units, each
of which searches for itself.

Where a window is short against the limit, a queue that grows without end does not reach it there:
such a window keeps the SLO only where requests did not pile up in it (`measure.backlog`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pytest_costguard.errors import WorkloadError
from pytest_costguard.records import QUANTILES, Probe, Series
from pytest_costguard.stats.crossing import Seen, crossing
from pytest_costguard.stats.percentiles import (
    GAPS_A_REQUEST,
    requests_needed,
    unit_requests_needed,
)

PRECISION = 0.10
"""How close together, as a ratio less one, the bracket ends: what is between, the curve tells."""
_BEYOND = 1.03
"""How far outside of the bracket, as a ratio, the curve may put it: chance may move an end."""
_WIDE = 1.6
_NARROW = 1.1
_LIMITS_A_WINDOW = 20.0
"""A window lasts as many of the SLO's limits: a queue near its limit needs time to fill."""
_FEWEST_LIMITS = 2.0
"""In a window that lasts fewer of them hardly anything has ended that can show a queue."""
_TIMES_NEEDED = 3
"""So many times the requests that independent samples would need: late ones come in bursts."""
GIVEN_UP = 3
"""A window is given up once so many times more requests are late than there is room for: how late
those near the limit are is what the curve goes through."""
_NEAR = 1.3
"""As a ratio: windows as far from the bracket are part of the curve."""
_SHORTEST_SECONDS = 0.5
_MOST_REQUESTS = 20_000
_HIGHEST_START = 5_000.0
"""Requests a second; no more can be sent from here anyway."""
_LOWEST = 1 / 200
"""Of what the search began with: no request waits for another at a rate so low."""
_MOST_PROBES = 40
_FEWEST_WINDOWS = 3
"""A search has time for as many of its longest windows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one window may show and still keep the SLO."""

    seconds: float
    quantile: float
    series: Series = "latency"
    """What is limited."""

    def most_beyond(self, samples: int) -> int:
        """Return how many of so many requests, or gaps, may take longer."""
        return math.floor((1 - self.quantile) * samples + 1e-9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search has found."""

    rate: float
    """Requests a second; 0.0 where not even the lowest rate kept the SLO."""
    highest_kept: float
    probes: tuple[Probe, ...]
    reason: str = ""
    """Why the bracket is not as narrow as it was to be; "" where it is."""

    @property
    def complete(self) -> bool:
        """Whether the search has come to its end."""
        return not self.reason


ProbeAt = Callable[[float, int], Probe]
"""Sends so many requests at a rate, giving the window up as soon as it is clear."""


def allowances(slo: Mapping[str, float]) -> tuple[Allowance, ...]:
    """Return what each limit of an SLO leaves room for, in the order of `Probe.late`."""
    return tuple(
        Allowance(seconds=seconds, quantile=QUANTILES[metric].q, series=QUANTILES[metric].series)
        for metric, seconds in slo.items()
    )


def window_requests(slo: Mapping[str, float], rate: float) -> int:
    """Return how many requests tell whether a rate keeps an SLO.

    Some times what a statement about its highest percentile needs, and enough for a queue to fill.
    """
    needed = _TIMES_NEEDED * max(map(requests_needed, slo))
    lasting = max(_SHORTEST_SECONDS, _LIMITS_A_WINDOW * longest_request(slo))
    return max(needed, min(math.ceil(rate * lasting), _MOST_REQUESTS))


def affordable_requests(slo: Mapping[str, float], rate: float, *, seconds: float) -> int:
    """Return how many requests of a window fit into some seconds; 0 where they are too few.

    Fewer than one beyond the highest percentile say nothing of it.
    """
    wanted = window_requests(slo, rate)
    fewest = max(map(unit_requests_needed, slo))
    fitting = math.floor(rate * seconds)
    return min(wanted, fitting) if fitting >= fewest else 0


def is_short(slo: Mapping[str, float], *, rate: float, requests: int) -> bool:
    """Whether so many requests end before a queue that grows has had time to reach the limit."""
    return requests < rate * _LIMITS_A_WINDOW * longest_request(slo)


def longest_request(slo: Mapping[str, float]) -> float:
    """Return about how many seconds a request takes that is at the limits of an SLO."""
    return max(_seconds_of_a_request(metric, seconds) for metric, seconds in slo.items())


def _seconds_of_a_request(metric: str, seconds: float) -> float:
    """Return about how long a request takes whose limit is this; few answers are shorter."""
    of_each_token = QUANTILES[metric].series in ("tpot", "itl")
    return seconds * GAPS_A_REQUEST if of_each_token else seconds


def search(
    probe: ProbeAt,
    *,
    slo: Mapping[str, float],
    start: float,
    known: bool,
    max_seconds: float,
    precision: float = PRECISION,
) -> Found:
    """Search for the highest rate that keeps an SLO.

    Args:
        probe: sends requests at a rate.
        slo: limits in seconds by percentile.
        start: where to begin, in requests a second.
        known: whether `start` is what an earlier search has found, so that the bracket is narrow.
        max_seconds: no window begins after it.
        precision: how narrow the bracket must be.

    Raises:
        WorkloadError: `start` is no rate.
    """
    if not (math.isfinite(start) and start > 0):
        raise WorkloadError(
            f"a search cannot begin at a rate of {start!r}", remedy="give start_rate= above zero"
        )
    return _Search(probe, slo=slo, max_seconds=max_seconds, precision=precision).run(start, known)


class _Search:
    def __init__(
        self, probe: ProbeAt, *, slo: Mapping[str, float], max_seconds: float, precision: float
    ) -> None:
        self._probe = probe
        self._slo = slo
        self._limits = allowances(slo)
        self._left = max_seconds
        self._window_seconds = max_seconds / _FEWEST_WINDOWS
        self._precision = precision
        self._probes: list[Probe] = []
        self._kept = 0.0
        self._broken = math.inf
        self._reason = "its time was up"

    def run(self, start: float, known: bool) -> Found:
        rate = min(start, _HIGHEST_START)
        step, lowest = _NARROW if known else _WIDE, rate * _LOWEST
        while self._kept == 0.0 or self._broken == math.inf:
            if not self._look(rate):
                return self._ended()
            # Where a narrow bracket does not hold, it was no good: widen as far as needed.
            if self._broken == math.inf:
                rate = self._kept * step
            elif self._kept == 0.0:
                rate = self._broken / step
            step = min(step * step, 4.0)
            if rate < lowest:
                return self._ended("requests that wait for no other are too slow")
        while self._broken / self._kept > 1 + self._precision:
            if not self._look(math.sqrt(self._kept * self._broken)):
                return self._ended()
        return self._found(self._too_short())

    def _too_short(self) -> str:
        """Say that windows are so short that what passed need not be kept; "" if they are not."""
        limit = longest_request(self._slo)
        windows = [one for one in self._probes if one.rate == self._kept]
        shortest = min(one.requests / one.rate for one in windows)
        if all(one.requests + 1 >= one.rate * _FEWEST_LIMITS * limit for one in windows):
            return ""
        return (
            f"its windows last {shortest:.3g} s, and beside a limit of {limit:.3g} s that is too"
            " little to see whether a queue grows"
        )

    def _between(self) -> float:
        """Return the rate at which the limit that is broken first is broken.

        Where requests piled up before they were late, the late ones tell nothing of it: no more
        than the middle of the bracket.
        """
        found = self._by_late_ones()
        return min(found, math.sqrt(self._kept * self._broken)) if self._broken_by_few() else found

    def _broken_by_few(self) -> bool:
        """Whether the lowest rate that broke the SLO left room for the requests that were late."""
        broken = [one for one in self._probes if one.rate == self._broken and not one.passed]
        return any(
            all(
                late <= limit.most_beyond(one.requests)
                for late, limit in zip(one.late, self._limits, strict=True)
            )
            for one in broken
        )

    def _by_late_ones(self) -> float:
        middle = math.sqrt(self._kept * self._broken)
        near = [one for one in self._probes if middle / _NEAR < one.rate < middle * _NEAR]
        if not near:
            return middle  # the search has ended while its bracket was wide
        rates = [
            crossing(
                [Seen(rate=p.rate, requests=p.requests, late=p.late[number]) for p in near],
                share=1 - limit.quantile,
            )
            for number, limit in enumerate(self._limits)
        ]
        return min(max(min(rates), self._kept / _BEYOND), self._broken * _BEYOND)

    def _look(self, rate: float) -> bool:
        """Probe one rate and move an end of the bracket; say whether there is time for more."""
        if self._left <= 0 or len(self._probes) >= _MOST_PROBES:
            return False
        requests = affordable_requests(self._slo, rate, seconds=self._window_seconds)
        if not requests:
            self._reason = (
                f"at {rate:.3g} requests a second a window that tells {max(self._slo)} takes more"
                f" than {self._window_seconds:.3g} s"
            )
            return False
        seen = self._probe(rate, requests)
        self._probes.append(seen)
        self._left -= seen.seconds
        if seen.passed:
            self._kept = max(self._kept, rate)
        else:
            self._broken = min(self._broken, rate)
        return True

    def _ended(self, reason: str = "") -> Found:
        return self._found(reason or self._reason)

    def _found(self, reason: str) -> Found:
        between = self._kept > 0 and self._broken < math.inf
        return Found(
            rate=self._between() if between else self._kept,
            highest_kept=self._kept,
            probes=tuple(self._probes),
            reason=reason,
        )
