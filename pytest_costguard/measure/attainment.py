"""Whether requests attain an SLO whose limits look at different things.

Limits may be on percentiles of latency, of the time to the first token, of the time per output
token, and of the gaps between tokens. A percentile is held over all samples of a window; a request
counts towards the goodput where it keeps its limits together (as in vLLM's `--goodput`, and in
DistServe, OSDI 2024, which holds each request to TTFT and TPOT at once).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from pytest_costguard.errors import WorkloadError
from pytest_costguard.measure.open_loop import Sent
from pytest_costguard.measure.rate_search import GIVEN_UP, Allowance
from pytest_costguard.measure.serving_pool import Limit
from pytest_costguard.records import LATE_SHARE, QUANTILES, Series, Tokens
from pytest_costguard.stats.percentiles import percentile

_QUEUES_SHOW_IN: tuple[Series, ...] = ("ttft", "latency", "tpot")
"""What shows a rate that is too high, the earliest first: a queue is waited in before a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """How many samples of a window were beyond one limit, failures included, and of how many."""

    beyond: int
    samples: int

    def requests(self, count: int) -> int:
        """Return to how many of so many requests that is equal."""
        return round(self.beyond * count / self.samples) if self.samples else 0

    def keeps(self, limit: Allowance) -> bool:
        """Whether the limit leaves room for them."""
        return self.beyond <= limit.most_beyond(self.samples)


def beyond(sent: Sent, places: Sequence[int], limit: Allowance) -> Beyond:
    """Count what was beyond a limit, among requests of which it is known what became.

    A request that failed is beyond every limit; of gaps it counts for as many as an answered one
    has on average. A request without a second token has no TPOT, and keeps its limit.
    """
    failed = sum(place in sent.failures for place in places)
    answered = [place for place in places if sent.ended_ns[place]]
    bound = limit.seconds * 1e9
    if limit.series == "itl":
        gaps = [sent.streamed[place].gaps_ns for place in answered if place in sent.streamed]
        slow = sum(gap > bound for one in gaps for gap in one)
        lost = failed * max(1, round(fmean(map(len, gaps)))) if gaps else failed
        return Beyond(beyond=slow + lost, samples=sum(map(len, gaps)) + lost)
    took = [sent.took_ns(place, limit.series) for place in answered]
    slow = sum(value is not None and value > bound for value in took)
    return Beyond(beyond=slow + failed, samples=len(places))


def give_up(limits: Sequence[Allowance], *, requests: int, ramp: int) -> Limit:
    """Return when a window is clear before its end: far more are late than there is room for.

    Of several limits on one thing the longest is looked at, which has the least room; the others
    are looked at when the window is over. Gaps are not counted before: there only failures are.
    """
    for series in _QUEUES_SHOW_IN:
        alike = [one for one in limits if one.series == series]
        if alike:
            longest = max(alike, key=lambda one: one.seconds)
            most = GIVEN_UP * longest.most_beyond(requests)
            return Limit(seconds=longest.seconds, most=most, of=series, first=ramp)
    strictest = max(limits, key=lambda one: one.quantile)
    most = GIVEN_UP * strictest.most_beyond(requests)
    return Limit(seconds=math.inf, most=most, first=ramp)


def sent_late(sent: Sent, places: Sequence[int], limits: Sequence[Allowance]) -> bool:
    """Whether the generator was so late that what a window showed need not be the server's doing.

    Held against the strictest limit on latency or TTFT, which both hold lateness itself. Where
    there is none, requests that come in a heap still make tokens slow: it is then held against the
    median latency of the answered requests.

    Args:
        sent: the window.
        places: the counted requests of which it is known what became.
        limits: those that were looked at.
    """
    late = [at - due for at, due in zip(sent.sent_ns, sent.due_ns, strict=True)]
    against = [one.seconds * 1e9 for one in limits if one.series in ("latency", "ttft")]
    if not against:
        answered = [
            sent.ended_ns[place] - sent.due_ns[place] for place in places if sent.ended_ns[place]
        ]
        against = [percentile(answered, 0.5)] if answered else []
    return bool(against) and percentile(late, 0.99) > LATE_SHARE * min(against)


def within_slo(
    latency_seconds: Sequence[float], *, slo: Mapping[str, float], tokens: Tokens | None = None
) -> int | None:
    """Return how many requests were answered within the SLO, which makes the goodput; None without.

    A request is, when it keeps its limits together: of each thing that is limited that of the
    highest percentile, since lower ones say what is typical, and nothing of a single request. A
    limit on gaps is kept by a request whose own mean gap, its TPOT, keeps it.

    Args:
        latency_seconds: of the answered requests.
        slo: limits in seconds by percentile.
        tokens: of the answered requests, in the same order.
    """
    if not slo:
        return None
    kept = [True] * len(latency_seconds)
    for metric, limit in _highest(slo).items():
        took = _by_request(latency_seconds, tokens, QUANTILES[metric].series)
        kept = [
            so_far and (seconds is None or seconds <= limit)
            for so_far, seconds in zip(kept, took, strict=True)
        ]
    return sum(kept)


def require_told(slo: Mapping[str, float], tokens: Tokens | None) -> None:
    """Raise `WorkloadError` where an SLO limits what the answers do not tell."""
    told = tokens is not None and bool(tokens.ttft_seconds)
    unknown = [metric for metric in slo if QUANTILES[metric].series != "latency"]
    if unknown and not told:
        raise WorkloadError(
            f"slo= limits {unknown[0]}, and this workload does not stream its answers",
            remedy='measure the address of an OpenAI-style endpoint (protocol="openai"), without'
            " stream=False",
        )
    paced = [metric for metric in unknown if QUANTILES[metric].series != "ttft"]
    if paced and tokens is not None and not tokens.gap_seconds:
        raise WorkloadError(
            f"slo= limits {paced[0]}, and no answer had a second event with output",
            remedy="let it answer with more tokens (max_tokens), or limit the latency (p99)",
        )


def _highest(slo: Mapping[str, float]) -> dict[str, float]:
    """Return the limit of the highest percentile of each thing that is limited."""
    by_series: dict[Series, str] = {}
    for metric in sorted(slo, key=lambda metric: QUANTILES[metric].q):
        by_series[QUANTILES[metric].series] = metric
    return {metric: slo[metric] for metric in by_series.values()}


def _by_request(
    latency_seconds: Sequence[float], tokens: Tokens | None, series: Series
) -> Sequence[float | None]:
    if series == "latency":
        return latency_seconds
    if tokens is None:
        return [None for _ in latency_seconds]
    return tokens.ttft_seconds if series == "ttft" else tokens.tpot_by_request()
