"""A fake of the cost room: one machine at a dollar an hour, or no price at all."""

from __future__ import annotations

from decimal import Decimal

from pytest_costguard.records import Cost


def dollar_an_hour(*, throughputs, **_):
    """Price an hour at one dollar."""
    values = tuple(1000 / 3600 / rate for rate in throughputs)
    at_mean = 1000 / 3600 / (sum(throughputs) / len(throughputs))
    cost = Cost(state="priced", usd_per_1k=Decimal(repr(at_mean)), usd_per_hour=Decimal(1))
    return cost, values


def no_price(*, target_problem, **_):
    """Know no price."""
    return Cost(state="not priced", reason=target_problem or "no target is declared"), ()


def another_machine(**_):
    """Know a price, but of another machine."""
    reason = "the target has 8 cores, this runner 2"
    return Cost(state="not measured on target", reason=reason), ()
