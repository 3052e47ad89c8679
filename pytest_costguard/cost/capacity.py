"""How many replicas a rate needs, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType

from pytest_costguard.cost.queueing import (
    MOST_SERVERS,
    Objective,
    ServiceTimes,
    servers_needed,
)
from pytest_costguard.cost.traffic import HOURS_A_MONTH, SECONDS_A_MONTH
from pytest_costguard.records import Sizing

DEFAULT_UTILISATION = 0.7
ALMOST = 1e-9
"""A rate that fills replicas exactly, but for rounding, needs no more of them."""
_WORDS: Mapping[Sizing, str] = MappingProxyType(
    {
        "Erlang C": "a replica serves one request at a time: Erlang C",
        "utilisation": "no replica is filled beyond the utilisation that is allowed",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One copy of what serves, as it was measured and priced."""

    items_per_second: float
    """At most, without a pause: its goodput."""
    items_per_request: float
    service: ServiceTimes | None = None
    """Of single requests, where it serves one at a time; None where it serves several."""
    usd_per_hour: Decimal | None = None
    """None where it has no price: how many are needed is known all the same."""
    startup_seconds: float | None = 0.0
    """None where that is not known."""

    def __post_init__(self) -> None:
        rates = (self.items_per_second, self.items_per_request)
        free = self.usd_per_hour is not None and not self.usd_per_hour > 0
        if free or not all(0 < rate < math.inf for rate in rates):
            raise ValueError(f"no replica serves like that: {self}")

    @property
    def requests_per_second(self) -> float:
        """At most, without a pause."""
        return self.items_per_second / self.items_per_request

    def faster(self, factor: float) -> Replica:
        """Return a replica that serves `factor` times as much, each request as much quicker."""
        return replace(
            self,
            items_per_second=self.items_per_second * factor,
            service=None if self.service is None else self.service.faster(factor),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetLimits:
    """How many replicas there may be, and how full they are to be."""

    minimum: int | None = None
    """None: one, or none at all where an autoscaler may stop the last."""
    maximum: int | None = None
    spare: int = 0
    """More than are needed, for one that fails or is being replaced."""
    utilisation: float = DEFAULT_UTILISATION
    """Aimed at where Erlang C does not tell how full is too full."""

    def __post_init__(self) -> None:
        if not 0 < self.utilisation <= 1 or self.spare < 0 or (self.maximum or 1) < 1:
            raise ValueError(f"no fleet has such limits: {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """How many replicas a rate needs."""

    replicas: int
    exact: float
    """Before it was rounded up to whole replicas, spare ones included."""
    sizing: Sizing
    short: bool = False
    """Whether more are needed than there may be."""

    @property
    def because(self) -> str:
        """How it was found, in words."""
        return _WORDS[self.sizing]


def needed(
    items_per_second: float,
    *,
    replica: Replica,
    limits: FleetLimits,
    objective: Objective | None,
) -> Need | None:
    """Return how many replicas serve a rate: max(minimum, ceil(need) + spare), up to the maximum.

    With an objective, and where a replica serves one request at a time, the need is the fewest
    that meet it (Erlang C): a flat utilisation is too little for small fleets and too much for
    large ones. Else it is rate ÷ (goodput * utilisation).

    Returns:
        None where no number of replicas meets the objective: single requests take too long.

    Raises:
        ValueError: more replicas are needed than are counted.
    """
    sizing: Sizing = "utilisation"
    exact = items_per_second / (replica.items_per_second * limits.utilisation)
    whole = max(math.ceil(exact - ALMOST), int(items_per_second > 0))
    if whole > MOST_SERVERS:
        raise ValueError(f"more than {MOST_SERVERS:,} replicas")
    if objective is not None and replica.service is not None and items_per_second > 0:
        found = servers_needed(
            requests_per_second=items_per_second / replica.items_per_request,
            service=replica.service,
            objective=objective,
        )
        if found is None:
            return None
        (whole, exact), sizing = found, "Erlang C"
    least = 1 if limits.minimum is None else limits.minimum
    wanted = max(least, whole + limits.spare)
    most = wanted if limits.maximum is None else limits.maximum
    return Need(
        replicas=min(wanted, most),
        exact=exact + limits.spare,
        sizing=sizing,
        short=wanted > most,
    )


def monthly_usd(replica_hours: Decimal, *, replica: Replica) -> Decimal:
    """Return what replicas cost that run for so many hours.

    Raises:
        ValueError: they have no price.
    """
    if replica.usd_per_hour is None:
        raise ValueError("what has no price costs nothing that is known")
    return replica_hours * replica.usd_per_hour


def static_hours(replicas: int) -> Decimal:
    """Return the hours that replicas run in a month of 730 hours if they always do."""
    return Decimal(replicas) * HOURS_A_MONTH


def hours_a_month(replica_seconds: float, *, of_seconds: float) -> Decimal:
    """Return the replica hours of a month, from those of a stretch that stands for all of it."""
    return Decimal(repr(replica_seconds / of_seconds * SECONDS_A_MONTH / 3600.0))


def usd_per_1k_effective(monthly: Decimal, *, served_a_month: float) -> Decimal:
    """Return what 1,000 inferences cost in truth: the month's bill over all that it serves."""
    return monthly / Decimal(repr(served_a_month)) * 1000
