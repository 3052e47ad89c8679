"""How much a workload serves over time: a profile in equal steps, which then begins again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_costguard.records import Traffic

HOURS_A_MONTH = 730
"""As in the clouds' own calculators."""
SECONDS_A_MONTH = HOURS_A_MONTH * 3600.0
DAY_SECONDS = 86_400.0
HOURS_A_WEEK = 168
_STEP_OF_A_DAY_SECONDS = 300.0
_HALVINGS = 60
_STEEPEST = 1e6
_NEAR = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficProfile:
    """Inferences a second, step by step; after the last step the first one follows."""

    step_seconds: float
    items_per_second: tuple[float, ...]

    def __post_init__(self) -> None:
        if not (math.isfinite(self.step_seconds) and self.step_seconds > 0):
            raise ValueError(f"step_seconds must be above zero, got {self.step_seconds!r}")
        if not self.items_per_second:
            raise ValueError("a profile needs at least one step")
        if min(self.items_per_second) < 0 or not math.isfinite(sum(self.items_per_second)):
            raise ValueError("rates must be finite and not negative")
        if not self.peak > 0:
            raise ValueError("a profile without any traffic plans nothing")

    @property
    def peak(self) -> float:
        """The highest rate, inferences a second."""
        return max(self.items_per_second)

    @property
    def average(self) -> float:
        """The mean rate, inferences a second."""
        return math.fsum(self.items_per_second) / len(self.items_per_second)

    @property
    def seconds(self) -> float:
        """How long it is before it begins again."""
        return self.step_seconds * len(self.items_per_second)

    @property
    def items_a_month(self) -> float:
        """Inferences in a month of 730 hours."""
        return self.average * SECONDS_A_MONTH


def constant(items_per_second: float) -> TrafficProfile:
    """Return a profile whose rate never changes; a day of it, in one step."""
    return TrafficProfile(step_seconds=DAY_SECONDS, items_per_second=(items_per_second,))


def daily(*, peak: float, average: float) -> TrafficProfile:
    """Return a day that swings between night and noon: peak * ((1 - cos) / 2)^k, in 5 min steps.

    The exponent k is the one whose mean over the steps is the average.

    Args:
        peak: the highest rate, inferences a second.
        average: the mean rate; above zero and not above the peak.

    Raises:
        ValueError: there is no such day.
    """
    if not 0 < average <= peak:
        raise ValueError(f"the average ({average}) must be above zero and at most the peak")
    steps = int(DAY_SECONDS / _STEP_OF_A_DAY_SECONDS)
    swing = [(1 - math.cos(2 * math.pi * (step + 0.5) / steps)) / 2 for step in range(steps)]
    highest = max(swing)
    shape = [value / highest for value in swing]
    exponent = _exponent(shape, mean=average / peak)
    profile = TrafficProfile(
        step_seconds=_STEP_OF_A_DAY_SECONDS,
        items_per_second=tuple(peak * value**exponent for value in shape),
    )
    if not math.isclose(profile.average, average, rel_tol=_NEAR):
        raise ValueError(f"no day in steps of 5 min has the peak {peak:g} and the mean {average:g}")
    return profile


def weekly(items_per_second: tuple[float, ...]) -> TrafficProfile:
    """Return a week of 168 hours, each with its rate; it begins with Monday's first hour."""
    if len(items_per_second) != HOURS_A_WEEK:
        raise ValueError(f"a week has {HOURS_A_WEEK} hours, got {len(items_per_second)}")
    return TrafficProfile(step_seconds=3600.0, items_per_second=items_per_second)


def recorded_profile(traffic: Traffic) -> TrafficProfile | None:
    """Return the profile of a declared traffic; None where a report has kept its peak alone."""
    if traffic.peak_per_second is None:
        return constant(traffic.items_per_month / SECONDS_A_MONTH)
    if traffic.steps is None:
        return None
    return TrafficProfile(
        step_seconds=traffic.steps.step_seconds, items_per_second=traffic.steps.items_per_second
    )


def recorded_peak(traffic: Traffic) -> float:
    """Return the highest rate of a declared traffic, inferences a second."""
    if traffic.peak_per_second is None:
        return traffic.items_per_month / SECONDS_A_MONTH
    return traffic.peak_per_second


def _exponent(shape: Sequence[float], *, mean: float) -> float:
    """Return the power of a shape between 0 and 1 that has this mean; it falls as the power grows.

    A mean below what the steepest day of all has is that day's.
    """

    def of(exponent: float) -> float:
        return math.fsum(value**exponent for value in shape) / len(shape)

    low, high = 0.0, 1.0
    while of(high) > mean and high < _STEEPEST:
        low, high = high, 2 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if of(middle) > mean else (low, middle)
    return (low + high) / 2
