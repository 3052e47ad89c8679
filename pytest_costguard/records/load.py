"""Load on a server: how requests arrive in an open loop, and what a window of it has shown."""

from __future__ import annotations

import math
from typing import Literal

from pytest_costguard.records.base import (
    Record,
    require_all_positive,
    require_all_seconds,
    require_counts,
    require_not_negative,
    require_positive,
    require_rate,
    require_seconds,
    require_waits,
)
from pytest_costguard.records.metrics import QUANTILES

LATE_SHARE = 0.05
"""Load is not what was asked for where requests are sent later than this share of a latency."""
_ROUNDING = 1e-9
_SHORTEST_RAMP = 20
BACKLOG_MOMENTS = 20
"""How often the requests under way are counted in a window."""
ArrivalKind = Literal["poisson", "constant", "gamma", "trace"]


class Arrivals(Record, frozen=True, kw_only=True):
    """When requests arrive, whatever becomes of those before: decided before the run, by a seed."""

    kind: ArrivalKind = "poisson"
    burstiness: float = 1.0
    """Squared coefficient of variation of the gaps of `gamma`: 1 is Poisson, above it bursts."""
    seed: int = 0
    trace_seconds: tuple[float, ...] = ()
    """Of a `trace`: each arrival, from the first one on, in seconds and ascending."""

    def __post_init__(self) -> None:
        require_positive("burstiness", self.burstiness)
        if (self.kind == "trace") != bool(self.trace_seconds):
            raise ValueError("a trace, and nothing else, needs trace_seconds")
        for seconds in self.trace_seconds:
            require_not_negative("trace_seconds", seconds)


class Load(Record, frozen=True, kw_only=True):
    """Open-loop load: what is sent, what serves it, and what a request may take."""

    rate: float | None = None
    """Requests a second; None: the highest that keeps the SLO is searched for."""
    arrivals: Arrivals = Arrivals()
    workers: int = 1
    """How many requests, or batches of them, are served at the same time in this process."""
    connections: int = 0
    """Of an endpoint, which serves in a process of its own: open at most; 0: not an endpoint."""
    timeout_seconds: float = 10.0
    """From the scheduled arrival; a request without an answer by then has failed."""
    max_batch_size: int = 1
    """Waiting requests that are served as one."""
    max_batch_delay_seconds: float = 0.0
    """How long the first request of a batch waits for others."""
    cache_entries: int = 0
    """Answers that are kept and not computed again."""
    popularity: float = 0.0
    """Exponent of Zipf's law over the inputs; 0: each comes in its turn."""
    slo: dict[str, float] = {}
    """Limits in seconds, by the percentile (`records.QUANTILES`) that must keep it."""
    shares: dict[str, float] = {}
    """Of a mixture: which share of the requests each part gets, by its name; they add up to 1."""

    def __post_init__(self) -> None:
        if self.rate is not None:
            require_positive("rate", self.rate)
        require_positive("timeout_seconds", self.timeout_seconds)
        require_not_negative("max_batch_delay_seconds", self.max_batch_delay_seconds)
        require_not_negative("popularity", self.popularity)
        for name, least in (("workers", 1), ("connections", 0), ("max_batch_size", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.cache_entries < 0:
            raise ValueError(f"cache_entries must not be negative, got {self.cache_entries}")
        for metric, seconds in self.slo.items():
            if metric not in QUANTILES:
                raise ValueError(f"an SLO is held by a percentile, not by {metric!r}")
            require_positive(f"slo.{metric}", seconds)
        require_all_positive("shares", tuple(self.shares.values()))
        if self.shares and abs(math.fsum(self.shares.values()) - 1) > _ROUNDING:
            raise ValueError("the shares of a mixture must add up to 1")
        if self.rate is None and not self.slo:
            raise ValueError("the highest rate is searched for under an SLO: slo is empty")

    @property
    def at_once(self) -> int:
        """How many requests can be under way at the same time."""
        return self.connections or self.workers

    def __str__(self) -> str:
        told = "" if self.rate is None else f"{self.rate:g}/s"
        if not self.shares:
            return told
        shares = ", ".join(f"{name} {100 * share:.3g} %" for name, share in self.shares.items())
        return f"{told}{' of ' if told else ''}{shares}"


class Probe(Record, frozen=True, kw_only=True):
    """One window of a search for the highest rate: what was sent, and whether the SLO was kept."""

    rate: float
    requests: int
    """Of which it is known what became; fewer than planned where it was clear before the end."""
    late: tuple[int, ...]
    """Of these, those beyond each limit of the SLO, in its order; failures are beyond all."""
    passed: bool
    sent_late: bool = False
    """Whether the generator could not send in time, so that the server is not to blame."""
    seconds: float

    def __post_init__(self) -> None:
        require_rate("rate", self.rate)
        require_counts("requests", (self.requests,))
        require_counts("late", self.late)
        require_waits("seconds", (self.seconds,))


class OpenLoop(Record, frozen=True, kw_only=True):
    """What open-loop load saw beside the latencies of the requests that were answered.

    `Unit.latency_seconds` holds these, from the scheduled arrival, in order of arrival.
    """

    rate: float
    """Requests a second that were asked for, or found by a search."""
    dispatched_rate: float
    """Requests a second that were sent."""
    answered_seconds: float
    """What the counted requests take at their rate, and longer where they piled up."""
    lateness_seconds: tuple[float, ...]
    """How long after its scheduled arrival each request was sent: the generator's own fault."""
    service_seconds: tuple[float, ...]
    """Of the requests that were answered: without what they waited for others."""
    unanswered: tuple[int, ...] = ()
    """Which of all requests, by their place in order of arrival, failed or came too late."""
    failures: dict[str, int] = {}
    """Their reasons, and how many each has; none where nobody knows whose they are."""
    backlog: tuple[int, ...] = ()
    """Requests under way at moments of each window, evenly spaced, once the server was filled; of
    those that were answered in the end."""
    backlog_arrived: tuple[int, ...] = ()
    """How many of them arrived between the first and the last of these moments, for each window; 0
    where requests take so long that nothing is known of what piles up. Empty: not known of any."""
    window_requests: tuple[int, ...]
    """How many requests each window held."""
    within_slo: int | None = None
    """Requests that were answered within the SLO; None where there is none."""
    batch_sizes: dict[int, int] = {}
    """How many batches of each size were served."""
    cache_hits: int = 0
    probes: tuple[Probe, ...] = ()
    """Of a search, in order."""
    search_ended: str = ""
    """Why a search ended before its bracket was as narrow as it should be; "" where it is."""
    parts: tuple[int, ...] = ()
    """Of a mixture: which part each of all requests was, counted in the order of the shares."""
    busy_periods: tuple[int, ...] = ()
    """Which of all requests found nothing under way when they were due, and so began a period in
    which the server was busy; empty where that is not known, or there was always something."""
    ramp_lateness_seconds: tuple[float, ...] = ()
    """Of each window: how late the latest of the requests before it was sent, which are not
    counted; empty where that is not known."""

    def __post_init__(self) -> None:
        if not self.window_requests:
            raise ValueError("window_requests must hold at least one window")
        if self.parts and len(self.parts) != self.requests:
            raise ValueError(f"{len(self.parts)} parts for {self.requests} requests")
        require_rate("rate", self.rate)
        require_rate("dispatched_rate", self.dispatched_rate)
        require_seconds("answered_seconds", self.answered_seconds)
        require_all_seconds("service_seconds", self.service_seconds)
        require_waits("lateness_seconds", self.lateness_seconds)
        require_waits("ramp_lateness_seconds", self.ramp_lateness_seconds)
        require_counts("window_requests", self.window_requests, least=1)
        require_counts("backlog", self.backlog)
        require_counts("backlog_arrived", self.backlog_arrived)
        require_counts("failures", tuple(self.failures.values()))
        require_counts("batch_sizes", (*self.batch_sizes, *self.batch_sizes.values()))
        require_counts("cache_hits", (self.cache_hits,))
        require_counts("parts", self.parts)
        self._require_windows()
        self._require_agreement()

    def _require_windows(self) -> None:
        """Raise `ValueError` where what is told of windows is not of these."""
        for name in ("ramp_lateness_seconds", "backlog_arrived"):
            if len(getattr(self, name)) not in (0, len(self.window_requests)):
                raise ValueError(f"{name} must hold one for each window")
        if len(self.backlog) not in (0, BACKLOG_MOMENTS * len(self.window_requests)):
            raise ValueError(f"backlog must hold {BACKLOG_MOMENTS} counts for each window")
        for number, held in enumerate(self.window_requests):
            most = 2 * held + _SHORTEST_RAMP  # of a burst some of the ramp may be among them
            arrived = self.backlog_arrived[number : number + 1]
            under_way = self.backlog[number * BACKLOG_MOMENTS : (number + 1) * BACKLOG_MOMENTS]
            for name, counts in (("backlog_arrived", arrived), ("backlog", under_way)):
                if max(counts, default=0) > most:
                    raise ValueError(f"{name}={max(counts)} is not of a window of {held} requests")

    def _require_agreement(self) -> None:
        """Raise `ValueError` where what is told of requests is not of as many as there were."""
        requests, lost = self.requests, self.unanswered
        if len(self.lateness_seconds) != requests:
            raise ValueError(f"lateness_seconds must hold one for each of {requests} requests")
        if len(self.service_seconds) != requests - len(lost):
            raise ValueError("service_seconds must hold one for each answered request")
        for name, places in (("unanswered", lost), ("busy_periods", self.busy_periods)):
            outside = bool(places) and not 0 <= places[0] <= places[-1] < requests
            if outside or sorted(set(places)) != list(places):
                raise ValueError(f"{name} must name places below {requests}, each once, ascending")
        if self.failures and sum(self.failures.values()) != len(lost):
            raise ValueError("failures must give each unanswered request one reason")
        if self.within_slo is not None and not 0 <= self.within_slo <= requests:
            raise ValueError(f"within_slo must be from 0 to {requests}")

    @property
    def requests(self) -> int:
        """All that were sent and counted."""
        return sum(self.window_requests)

    @property
    def error_rate(self) -> float:
        """Share of requests without an answer in time."""
        return len(self.unanswered) / self.requests
