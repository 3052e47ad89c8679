"""Prices, targets and currency: what an hour costs, who says so, and since when."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Literal

from pytest_costguard.records.base import Record

MOST_MONEY = Decimal("1e15")
"""More is no price; its digits would not survive the arithmetic."""


class Quote(Record, frozen=True, kw_only=True):
    """The price of one machine for one hour, with where it comes from."""

    usd_per_hour: Decimal
    source: str
    as_of: dt.date | None = None
    provider: str = ""
    instance: str = ""
    region: str = ""
    purchase_model: str = "on_demand"
    vcpu: int | None = None
    memory_gib: Decimal | None = None
    accelerator: str = ""
    accelerator_count: int = 0
    discount: Decimal = Decimal(0)
    """Already subtracted from `usd_per_hour`; 0.3 is 30 %."""

    def __post_init__(self) -> None:
        if not self.usd_per_hour.is_finite() or not 0 < self.usd_per_hour <= MOST_MONEY:
            raise ValueError(
                f"usd_per_hour must be above zero and at most {MOST_MONEY:g}, got"
                f" {self.usd_per_hour:g}"
            )
        if not 0 <= self.discount < 1:
            raise ValueError(f"discount must be from 0 to below 1, got {self.discount:g}")

    @property
    def key(self) -> str:
        """`provider:instance:region`, or "" for a price that was given by hand."""
        return f"{self.provider}:{self.instance}:{self.region}" if self.instance else ""


class Currency(Record, frozen=True, kw_only=True):
    """What one US dollar is worth, and since when."""

    code: str = "USD"
    per_usd: Decimal = Decimal(1)
    as_of: dt.date | None = None

    def __post_init__(self) -> None:
        if not self.per_usd.is_finite() or self.per_usd <= 0:
            raise ValueError(f"per_usd must be above zero, got {self.per_usd}")
        if not (len(self.code) == 3 and self.code.isascii() and self.code.isupper()):
            raise ValueError(f"code must be three capital letters, got {self.code!r}")


TargetOrigin = Literal["command line", "configuration", "detected", "price"]
"""`price`: this very machine was priced directly."""


class Target(Record, frozen=True, kw_only=True):
    """The hardware that serves the workload: what it is, and what an hour of it costs."""

    name: str
    origin: TargetOrigin
    quote: Quote
    currency: Currency = Currency()
    cpu_model: str | None = None
    """A regular expression that the fingerprint's CPU model must match; None: not declared."""
    cores: int | None = None
    gpu: str | None = None
    stands_for: bool = False
    """The user has said that this runner stands for the target, so hardware is not compared."""
    instance_share: Decimal | None = None
    workers_per_instance: int | None = None

    def __post_init__(self) -> None:
        if self.instance_share is not None:
            _require_share("instance_share", self.instance_share)
        if self.workers_per_instance is not None and self.workers_per_instance < 1:
            raise ValueError(
                f"workers_per_instance must be at least 1, got {self.workers_per_instance}"
            )


Basis = Literal[
    "closed-loop throughput",
    "offline throughput",
    "goodput under the SLO",
    "throughput at the offered rate",
]


class Cost(Record, frozen=True, kw_only=True):
    """Cost per 1k inferences with its interval, or the reason why there is none."""

    state: Literal["priced", "not priced", "not measured on target"]
    reason: str = ""
    usd_per_1k: Decimal | None = None
    lower: Decimal | None = None
    upper: Decimal | None = None
    usd_per_hour: Decimal | None = None
    """Of the share of the instance that this throughput takes."""
    basis: Basis = "closed-loop throughput"
    share: Decimal = Decimal(1)
    share_reason: str = ""
    warning: str = ""

    def __post_init__(self) -> None:
        _require_share("share", self.share)


class MonthlyChange(Record, frozen=True, kw_only=True):
    """By how much a month gets dearer, in US dollars; below zero: cheaper."""

    usd: Decimal
    lower: Decimal
    upper: Decimal


def _require_share(name: str, value: Decimal) -> None:
    """Raise `ValueError` unless a value is a share of an instance."""
    if not (value.is_finite() and 0 < value <= 1):
        raise ValueError(f"{name} must be above 0 and at most 1, got {value}")
