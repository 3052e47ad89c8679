"""Windows of open-loop load: how many requests they hold, and what they say together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from pytest_costguard.errors import WorkloadError
from pytest_costguard.measure.attainment import require_told, within_slo
from pytest_costguard.measure.backlog import Backlog, backlog_of
from pytest_costguard.measure.open_loop import Sent
from pytest_costguard.measure.streamed import tokens_of
from pytest_costguard.records import Block, Load, OpenLoop, Tokens

RAMP = 0.1
"""Share of a window's requests that go before it, sent and not counted: a queue begins empty."""
_FEWEST_RAMP = 20
_FEWEST_REQUESTS = 100
_MOST_REQUESTS = 100_000
_MOST_REASONS = 10
_OTHER_REASONS = "other reasons"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One window of load, its ramp left out."""

    block: Block
    latency_seconds: tuple[float, ...]
    """Of the requests that were answered, in order of arrival."""
    open_loop: OpenLoop
    tokens: Tokens | None = None
    """Of the requests that were answered, in order of arrival; None where they do not stream."""


def plan_window(*, rate: float, seconds: float, min_requests: int, max_seconds: float) -> int:
    """Return how many requests a window holds beside its ramp.

    Args:
        rate: requests a second.
        seconds: what it should last at least.
        min_requests: that the percentiles asked for need.
        max_seconds: what it must not exceed, ramp included.
    """
    wanted = max(math.ceil(rate * seconds), min_requests, _FEWEST_REQUESTS)
    lasting = rate * max_seconds
    bound = max(1, math.floor(min(lasting / (1 + RAMP), lasting - _FEWEST_RAMP) + 1e-9))
    return min(wanted, bound, _MOST_REQUESTS)


def ramp_of(requests: int) -> int:
    """Return how many requests go before a window of so many."""
    return max(_FEWEST_RAMP, math.ceil(RAMP * requests))


def told(
    sent: Sent,
    *,
    ramp: int,
    rate: float,
    load: Load,
    items: Sequence[int],
    cpu_seconds: float,
    parts: Sequence[int] = (),
) -> Window:
    """Return what a window says once its ramp is left out.

    Args:
        sent: what became of its requests, which was not given up.
        ramp: how many of them are left out.
        rate: requests a second that were asked for.
        load: with the SLO.
        items: how many inferences each request holds, ramp included.
        cpu_seconds: that this process used meanwhile.
        parts: of a mixture, which part each request was, ramp included.

    Raises:
        WorkloadError: not a single request was answered; the reasons are named. Or the SLO
            limits what the answers do not tell.
    """
    places = range(ramp, len(sent.due_ns))
    answered = [place for place in places if sent.ended_ns[place]]
    if not answered:
        raise WorkloadError(
            f"not one of {len(places)} requests was answered: {_reasons(sent, places)}",
            remedy="serve a single request by hand, and see what it says",
        )
    latencies = tuple(_span(sent.due_ns[place], sent.ended_ns[place]) for place in answered)
    backlog = backlog_of(sent.due_ns, sent.ended_ns, ramp=ramp)
    ends = sorted(sent.ended_ns[place] for place in answered)
    lasted = _lasted(ends, asked=len(places) / rate, backlog=backlog)
    unanswered = tuple(place - ramp for place in places if not sent.ended_ns[place])
    tokens = _tokens(sent, answered)
    require_told(load.slo, tokens)
    return Window(
        block=Block(
            wall_seconds=lasted,
            cpu_seconds=cpu_seconds,
            requests=len(answered),
            items=sum(items[place] for place in answered),
        ),
        latency_seconds=latencies,
        open_loop=OpenLoop(
            rate=rate,
            dispatched_rate=_dispatched_rate(sent, places, rate),
            answered_seconds=lasted,
            lateness_seconds=tuple(
                (sent.sent_ns[place] - sent.due_ns[place]) / 1e9 for place in places
            ),
            service_seconds=tuple(
                _span(sent.began_ns[place], sent.ended_ns[place]) for place in answered
            ),
            unanswered=unanswered,
            failures=_reasons_of(sent.failures[place + ramp] for place in unanswered),
            backlog=backlog.counts,
            backlog_arrived=(backlog.arrived,),
            window_requests=(len(places),),
            within_slo=within_slo(latencies, slo=load.slo, tokens=tokens),
            batch_sizes=sent.batch_sizes,
            cache_hits=sent.cache_hits,
            parts=tuple(parts[ramp : len(sent.due_ns)]),
            busy_periods=_busy_periods(sent, ramp, timeout_seconds=load.timeout_seconds),
            ramp_lateness_seconds=(_latest(sent, ramp),),
        ),
        tokens=tokens,
    )


def _lasted(ends: Sequence[int], *, asked: float, backlog: Backlog) -> float:
    """Return the seconds in which a window's answers were given, as fast as they were.

    As long as its requests take at their rate (by chance, or in a burst, arrivals lie closer
    together or farther apart): what leaves a server that keeps up is what arrives, however long
    each takes. Where requests surely piled up, as long as so many answers take at the rate at which
    they were given once the server was filled. Where that is not known, as long as they took, from
    the first to the last: it is never better than what was seen.

    Args:
        ends: when each answer came, ascending, in nanoseconds; at least one.
        asked: what the requests of the window take at their rate, failed ones among them.
        backlog: what was under way in it.
    """
    if not backlog.arrived:
        spaces = max(1, len(ends) - 1)
        return max(asked, (ends[-1] - ends[0]) / 1e9 * len(ends) / spaces)
    if not backlog.piled_up:
        return asked
    return max(asked, len(ends) * backlog.lasted / 1e9 / max(1, backlog.left))


def _tokens(sent: Sent, answered: Sequence[int]) -> Tokens | None:
    if not all(place in sent.streamed for place in answered):
        return None
    return tokens_of(
        [sent.streamed[place] for place in answered],
        waited_ns=[sent.began_ns[place] - sent.due_ns[place] for place in answered],
    )


def joined(windows: Sequence[OpenLoop]) -> OpenLoop:
    """Return several windows of one unit, which ran one after another, as one."""
    offsets, before = [], 0
    for window in windows:
        offsets.append(before)
        before += window.requests
    failures: Counter[str] = Counter()
    sizes: Counter[int] = Counter()
    for window in windows:
        failures.update(window.failures)
        sizes.update(window.batch_sizes)
    kept = [window.within_slo for window in windows if window.within_slo is not None]
    return OpenLoop(
        rate=windows[0].rate,
        dispatched_rate=min(window.dispatched_rate for window in windows),
        answered_seconds=sum(window.answered_seconds for window in windows),
        lateness_seconds=tuple(chain.from_iterable(one.lateness_seconds for one in windows)),
        service_seconds=tuple(chain.from_iterable(one.service_seconds for one in windows)),
        unanswered=_moved_on(offsets, [window.unanswered for window in windows]),
        failures=dict(failures),
        backlog=tuple(chain.from_iterable(window.backlog for window in windows)),
        backlog_arrived=tuple(chain.from_iterable(window.backlog_arrived for window in windows)),
        window_requests=tuple(chain.from_iterable(window.window_requests for window in windows)),
        within_slo=sum(kept) if len(kept) == len(windows) else None,
        batch_sizes=dict(sizes),
        cache_hits=sum(window.cache_hits for window in windows),
        probes=tuple(chain.from_iterable(window.probes for window in windows)),
        search_ended=windows[0].search_ended,
        parts=tuple(chain.from_iterable(window.parts for window in windows)),
        busy_periods=_moved_on(offsets, [window.busy_periods for window in windows]),
        ramp_lateness_seconds=tuple(
            chain.from_iterable(window.ramp_lateness_seconds for window in windows)
        ),
    )


def _moved_on(offsets: Sequence[int], of_windows: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return places in each window as places among the requests of all."""
    both = zip(offsets, of_windows, strict=True)
    return tuple(offset + place for offset, places in both for place in places)


def _reasons_of(failures: Iterable[str]) -> dict[str, int]:
    """Count the most frequent reasons: words that differ from request to request fill no record."""
    counts = Counter(failures)
    kept = dict(counts.most_common(_MOST_REASONS))
    others = counts.total() - sum(kept.values())
    return {**kept, _OTHER_REASONS: others} if others else kept


def _dispatched_rate(sent: Sent, places: range, rate: float) -> float:
    """The rate at which they were sent, relative to when they were due; the schedule's own if so.

    Chance makes a Poisson window of N arrivals longer or shorter than N ÷ rate: that is no fault.
    """
    first, last = places[0], places[-1]
    asked = sent.due_ns[last] - sent.due_ns[first]
    took = sent.sent_ns[last] - sent.sent_ns[first]
    return rate if took <= 0 or asked <= 0 else rate * min(1.0, asked / took)


def _busy_periods(sent: Sent, ramp: int, *, timeout_seconds: float) -> tuple[int, ...]:
    """Return which requests were due when all before them, those of the ramp too, had ended.

    When one that failed has ended is not known: at twice its time limit, as far as a client waits.
    """
    failed_ns = round(2 * timeout_seconds * 1e9)
    begins, ended = [], 0
    for place, due in enumerate(sent.due_ns):
        if place >= ramp and due >= ended:
            begins.append(place - ramp)
        ended = max(ended, sent.ended_ns[place] or due + failed_ns)
    return tuple(begins)


def _latest(sent: Sent, ramp: int) -> float:
    """Return how late the latest request of the ramp was sent; 0.0 where there is none."""
    both = zip(sent.sent_ns[:ramp], sent.due_ns[:ramp], strict=True)
    return max((at - due for at, due in both), default=0) / 1e9


def _span(start_ns: int, end_ns: int) -> float:
    return max(1, end_ns - start_ns) / 1e9


def _reasons(sent: Sent, places: range) -> str:
    counts = Counter(sent.failures[place] for place in places if place in sent.failures)
    return "; ".join(f"{reason} ({count})" for reason, count in counts.most_common(3))
