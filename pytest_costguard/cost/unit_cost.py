"""Cost per 1k inferences: the price of an hour over what is served in it, with its interval."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

from pytest_costguard.cost.hardware import declares_hardware, mismatches
from pytest_costguard.cost.share import share_of
from pytest_costguard.records import (
    Basis,
    Cost,
    Fingerprint,
    Interval,
    Quote,
    Scenario,
    ScenarioKind,
    Target,
)

SECONDS_PER_HOUR = Decimal(3600)
STALE_AFTER_DAYS = 90

_BASES: Mapping[ScenarioKind, Basis] = MappingProxyType(
    {
        "offline": "offline throughput",
        "max_rate": "goodput under the SLO",
        "server": "throughput at the offered rate",
    }
)
NO_TARGET = (
    "no target and no price was given (--costguard-target=NAME names what serves,"
    " --costguard-price=USD_PER_HOUR prices this machine)"
)


def usd_per_1k(*, usd_per_hour: Decimal, share: Decimal, items_per_second: float) -> Decimal:
    """Return the cost of 1,000 items in US dollars, at saturation.

    price per hour * share / (throughput * 3600) * 1000, the project's own definition of cost at
    saturation: the best case, since an hour that is not full costs the same.

    Args:
        usd_per_hour: of the whole instance.
        share: of the instance that this throughput takes, above 0 and up to 1.
        items_per_second: throughput, above zero and finite.
    """
    items_per_hour = Decimal(repr(items_per_second)) * SECONDS_PER_HOUR
    return usd_per_hour * share / items_per_hour * 1000


def usd_per_1m_tokens(*, usd_per_hour: Decimal, tokens_per_second: float) -> Decimal:
    """Return the cost of 1,000,000 tokens in US dollars, at saturation.

    price per hour * share / (tokens per second * 3600) * 1,000,000: the best case, as `usd_per_1k`.
    A machine that reads a prompt and writes an answer has one price: the cost of output tokens is
    the whole of it over the output tokens, that of input tokens the whole of it over the input
    tokens, and neither may be added to the other. That of all tokens together is over their sum.

    Args:
        usd_per_hour: of the share of the instance.
        tokens_per_second: above zero and finite.
    """
    tokens_per_hour = Decimal(repr(tokens_per_second)) * SECONDS_PER_HOUR
    return usd_per_hour / tokens_per_hour * 1_000_000


def token_cost(cost: Cost | None, tokens_per_second: Interval | None) -> Interval | None:
    """Return the cost of 1,000,000 tokens with its bounds, the reciprocals of the throughput's.

    Bounds that there are not are the estimate's, with confidence 0.

    Args:
        cost: of the workload, per 1,000 inferences.
        tokens_per_second: of the tokens that are counted, over units.

    Returns:
        None where there is no price, or no tokens.
    """
    if cost is None or cost.usd_per_hour is None or tokens_per_second is None:
        return None
    n, estimate = tokens_per_second.n, tokens_per_second.estimate
    if not _sound(estimate):
        return None
    lowest, highest = _bounds(tokens_per_second)
    bounded = lowest is not None and highest is not None
    rates = (estimate, highest or estimate, lowest or estimate) if bounded else (estimate,) * 3
    usd, lower, upper = unit_token_costs(cost, rates)
    confidence = tokens_per_second.confidence if bounded else 0.0
    return Interval(estimate=usd, lower=lower, upper=upper, confidence=confidence, n=n)


def unit_token_costs(cost: Cost | None, tokens_per_second: Sequence[float]) -> tuple[float, ...]:
    """Return the cost of 1,000,000 tokens at each throughput; none without a price."""
    if cost is None or (hourly := cost.usd_per_hour) is None:
        return ()
    return tuple(
        float(usd_per_1m_tokens(usd_per_hour=hourly, tokens_per_second=rate))
        for rate in tokens_per_second
        if _sound(rate)
    )


def cost_of(
    *,
    target: Target | None,
    target_problem: str,
    fingerprint: Fingerprint,
    threads: int,
    throughputs: Sequence[float],
    scenario: Scenario,
    interval: Interval | None = None,
    today: dt.date | None = None,
    in_server: bool = False,
) -> tuple[Cost, tuple[float, ...]]:
    """Return the cost per 1k of one workload, and US dollars per 1k for each of its units.

    Args:
        target: the hardware that serves, priced; None where there is none.
        target_problem: why there is no target, or "".
        fingerprint: the machine that was measured on.
        threads: that the workload declares.
        throughputs: items a second, one a unit.
        scenario: how requests arrived; it names the basis.
        interval: of the throughput over units; the bounds of the cost are its reciprocals. None
            or an interval of a single unit bounds nothing.
        today: for the age of the price; None leaves it unchecked.
        in_server: whether a process of its own serves.

    Returns:
        The cost, which is never a zero: without a price, or on other hardware than the target's,
        it says so and there are no values.
    """
    basis = basis_of(scenario)
    if target is None:
        return Cost(state="not priced", reason=target_problem or NO_TARGET, basis=basis), ()
    if not throughputs or not all(_sound(value) for value in throughputs):
        return Cost(state="not priced", reason="no throughput was measured", basis=basis), ()
    differing = mismatches(target, fingerprint)
    if differing:
        return Cost(
            state="not measured on target", reason=_elsewhere(target, differing), basis=basis
        ), ()
    share = share_of(
        target, fingerprint=fingerprint, threads=threads, scenario=scenario, in_server=in_server
    )

    def priced(items_per_second: float) -> Decimal:
        return usd_per_1k(
            usd_per_hour=target.quote.usd_per_hour,
            share=share.fraction,
            items_per_second=items_per_second,
        )

    lowest, highest = _bounds(interval)
    cost = Cost(
        state="priced",
        usd_per_1k=priced(_estimate(throughputs, interval)),
        lower=priced(highest) if highest is not None else None,
        upper=priced(lowest) if lowest is not None else None,
        usd_per_hour=target.quote.usd_per_hour * share.fraction,
        basis=basis,
        share=share.fraction,
        share_reason=share.reason,
        warning="; ".join(_warnings(target, today=today)),
    )
    return cost, tuple(float(priced(value)) for value in throughputs)


def basis_of(scenario: Scenario) -> Basis:
    """Return what a scenario's throughput means for cost: each is a best case of its own.

    At an offered rate it is none: what is served is what was sent, and a machine that could take
    more is paid in full.
    """
    return _BASES.get(scenario.kind, "closed-loop throughput")


def stale_price(quote: Quote, *, today: dt.date) -> str:
    """Return a warning where a price is older than `STALE_AFTER_DAYS`, else ""."""
    if quote.as_of is None:
        return ""
    days = (today - quote.as_of).days
    if days <= STALE_AFTER_DAYS:
        return ""
    return (
        f"the price of {quote.key or 'this machine'} is {days} days old ({quote.as_of}): check it,"
        " and put today's into your own price file (--costguard-prices=FILE.csv)"
    )


def _sound(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _estimate(throughputs: Sequence[float], interval: Interval | None) -> float:
    if interval is not None and _sound(interval.estimate):
        return interval.estimate
    return math.fsum(throughputs) / len(throughputs)


def _bounds(interval: Interval | None) -> tuple[float | None, float | None]:
    """Return the bounds of the throughput that bound a cost; None where there is no bound."""
    if interval is None or interval.n < 2:
        return None, None
    lowest, highest = interval.lower, interval.upper
    return lowest if _sound(lowest) else None, highest if _sound(highest) else None


def _elsewhere(target: Target, differing: Sequence[str]) -> str:
    what = f"this machine is not the target {target.name!r}: {'; '.join(differing)}"
    if target.origin == "detected":
        return f"{what}; declare a target with a price that includes everything it has"
    return f"{what}; measure on the target, or set stands_for = true if this runner stands for it"


def _warnings(target: Target, *, today: dt.date | None) -> list[str]:
    found = [] if today is None else [stale_price(target.quote, today=today)]
    declared = target.origin in ("command line", "configuration")
    if declared and not target.stands_for and not declares_hardware(target):
        found.append(
            f"the target {target.name!r} says nothing of its hardware, so this machine was not"
            " compared with it: declare its cores, cpu_model or gpu"
        )
    return [text for text in found if text]
