"""What a change of cost means a month, at the traffic that was declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Context, Decimal
from types import MappingProxyType

from pytest_costguard.records import (
    Basis,
    Comparison,
    Cost,
    Currency,
    MonthlyChange,
    Traffic,
    Verdict,
)
from pytest_costguard.reports.numbers import money

_FOLLOWED_BY_COST: Mapping[Basis, Sequence[str]] = MappingProxyType(
    {
        "closed-loop throughput": ("mean", "throughput"),
        "offline throughput": ("mean", "throughput"),
        "goodput under the SLO": ("max_rate", "throughput"),
        # At an offered rate a machine is paid for what was sent, however long a request takes.
        "throughput at the offered rate": (),
    }
)
"""At a fixed price, cost is proportional to a mean, and to the inverse of any rate."""
_SURE = (Verdict.REGRESSED, Verdict.IMPROVED)
_DIGITS = Context(prec=6)
"""Of an amount: as many as are shown, and some for sums."""


def monthly_change(
    comparisons: Sequence[Comparison], *, cost: Cost | None, traffic: Traffic | None
) -> MonthlyChange | None:
    """Return by how much a month gets dearer; None where that is not sure, or has no price.

    cost of head x (1 - 1 / ratio) x inferences a month, and the same for both bounds of the ratio.
    Head's own cost is taken as measured: its interval is that of the figure, and shared by base.

    Args:
        comparisons: of one workload.
        cost: of head, per 1,000 inferences.
        traffic: of the workload.
    """
    if traffic is None or cost is None or cost.usd_per_1k is None:
        return None
    followed = _FOLLOWED_BY_COST[cost.basis]
    sure = [one for one in comparisons if one.verdict in _SURE]
    found = next((one for one in sure if one.metric in followed), None)
    if found is None or not (found.ratio and found.lower and found.upper):
        return None
    month = cost.usd_per_1k * Decimal(traffic.items_per_month) / 1000
    inverse = found.metric != "mean"
    shares = [
        1 - Decimal(ratio if inverse else 1 / ratio)
        for ratio in (found.ratio, found.lower, found.upper)
    ]
    usd, *bounds = (_DIGITS.plus(month * share) for share in shares)
    return MonthlyChange(usd=usd, lower=min(bounds), upper=max(bounds))


def total(changes: Iterable[MonthlyChange | None]) -> MonthlyChange | None:
    """Return several changes as one, each at the same end of its bounds; None where there is none.

    The true total lies within: bounds that add up are wider than they had to be.
    """
    known = [one for one in changes if one is not None]
    if not known:
        return None
    return MonthlyChange(
        usd=sum((one.usd for one in known), Decimal(0)),
        lower=sum((one.lower for one in known), Decimal(0)),
        upper=sum((one.upper for one in known), Decimal(0)),
    )


def told(change: MonthlyChange, currency: Currency) -> str:
    """Say it in words: `USD 310 a month more at the declared traffic (USD 250 to USD 370)`."""
    word = "more" if change.usd >= 0 else "less"
    sign = 1 if change.usd >= 0 else -1
    low, high = sorted((sign * change.lower, sign * change.upper))
    amounts = [money(amount, currency) for amount in (sign * change.usd, low, high)]
    return f"{amounts[0]} a month {word} at the declared traffic ({amounts[1]} to {amounts[2]})"
