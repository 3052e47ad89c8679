"""Targets, prices and machines for the tests of cost."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from pytest_costguard.records import Fingerprint, Interval, Quote, Target

TODAY = dt.date(2026, 11, 23)
"""Later than every date in the bundled table."""


def quote(**changes: Any) -> Quote:
    """A CPU instance of eight cores at 0.36 dollars an hour: 0.0001 dollars a second."""
    facts: dict[str, Any] = {
        "usd_per_hour": Decimal("0.36"),
        "source": "a test",
        "provider": "cloud",
        "instance": "cpu.8",
        "region": "north",
        "vcpu": 8,
    }
    return Quote(**(facts | changes))


def gpu_quote(**changes: Any) -> Quote:
    """An instance of four cores and one L4 at 0.72 dollars an hour."""
    facts: dict[str, Any] = {
        "usd_per_hour": Decimal("0.72"),
        "instance": "gpu.4",
        "vcpu": 4,
        "accelerator": "NVIDIA L4",
        "accelerator_count": 1,
    }
    return quote(**(facts | changes))


def target(**changes: Any) -> Target:
    """The CPU instance as a declared target."""
    facts: dict[str, Any] = {"name": "prod", "origin": "configuration", "quote": quote()}
    return Target(**(facts | changes))


def machine(**changes: Any) -> Fingerprint:
    """A machine that matches the CPU instance."""
    facts: dict[str, Any] = {
        "cpu_model": "AMD EPYC 9R14",
        "cores": 8,
        "memory_bytes": 16 * 2**30,
    }
    return Fingerprint(**(facts | changes))


def rate(estimate: float, lower: float, upper: float, n: int = 6) -> Interval:
    """A 95 % interval of throughput, items a second."""
    return Interval(estimate=estimate, lower=lower, upper=upper, confidence=0.95, n=n)
