"""The rule for an experiment: go on until the change is known as precisely as was wished.

Units and model are those of `stats.paired`: one logarithm a unit, log(B ÷ A), above 0 worse, and
the starting order taken out by least squares. At each of a few looks the two-sided t interval is
taken at 1 - 0.05/K, K the number of looks (Bonferroni), and the first one that is narrow enough
ends the measuring. So the interval that is shown holds the true change in at least 95 % of
experiments, at whichever look it was narrow enough. Whether it excludes "no change" plays no
part: to stop there would favour large changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_costguard.stats.paired import FEWEST_UNITS, Fit, PairedUnit, fit
from pytest_costguard.stats.quantiles import t_quantile

LOOKS = (6, 10, 16, 24, 36, 48, 72, 96)
"""After how many units to look."""
CONFIDENCE = 0.95
OWN_BIAS = 0.005
"""What the method itself may be off by, as a ratio: a few tenths of a percent were seen."""
_TAIL = (1 - CONFIDENCE) / len(LOOKS) / 2
_FARTHEST_UNITS = 100_000

Direction = Literal["better", "worse", "no difference seen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreciseChange:
    """How much a metric changes, as logarithms, above 0 worse, and how well that is known."""

    change: float
    lower: float
    upper: float
    units: int
    """How many it rests on."""
    precise: bool
    """Whether the interval is as narrow as was wished."""
    spread: float
    """The standard deviation of a unit."""
    next_look: int
    """The units at which it is looked at next; those that it rests on where it is over."""
    units_needed: int | None
    """About how many units would be precise enough; None where that is out of reach."""

    @property
    def half_width(self) -> float:
        """Half of the interval, as a ratio: 0.01 is "to 1 %"."""
        return math.expm1((self.upper - self.lower) / 2)

    @property
    def direction(self) -> Direction:
        """Which way it surely goes, by more than the method itself may be off by."""
        if self.lower > math.log1p(OWN_BIAS):
            return "worse"
        return "better" if self.upper < -math.log1p(OWN_BIAS) else "no difference seen"


def precise_change(units: Sequence[PairedUnit], *, precision: float) -> PreciseChange | None:
    """Look at the units as often as they allow, and stop at the first look that is precise.

    Called again with the same units it says the same. Where no look was precise it rests on all
    units, at the error that the coming look may spend, which then does not take place.

    Args:
        units: in the order in which they were measured.
        precision: the half width that is wished, as a ratio: 0.01 is 1 %.

    Returns:
        None where there are too few units, or both starting orders were not seen.

    Raises:
        ValueError: `precision` is not above zero.
    """
    if not precision > 0:
        raise ValueError(f"precision must be above zero, got {precision!r}")
    if len(units) < FEWEST_UNITS or len({unit.first for unit in units}) < 2:
        return None
    for look in LOOKS:
        if look <= len(units):
            found = _looked(units[:look], precision=precision)
            if found.precise:
                return found
    return _looked(units[: LOOKS[-1]], precision=precision)


def change_at(units: Sequence[PairedUnit], *, count: int) -> PreciseChange | None:
    """Return the change of a metric that did not decide when to stop, after `count` units.

    Its interval is as wide as if it had: it holds whatever ended the measuring.
    """
    if len(units) < FEWEST_UNITS or len({unit.first for unit in units[:count]}) < 2:
        return None
    return _looked(units[:count], precision=math.inf) if count >= FEWEST_UNITS else None


def _looked(units: Sequence[PairedUnit], *, precision: float) -> PreciseChange:
    fitted = fit(units)
    reach = t_quantile(1 - _TAIL, fitted.df) * fitted.standard_error
    precise = math.expm1(reach) <= precision
    count = len(units)
    coming = count if precise else next((look for look in LOOKS if look > count), count)
    return PreciseChange(
        change=fitted.change,
        lower=fitted.change - reach,
        upper=fitted.change + reach,
        units=count,
        precise=precise,
        spread=fitted.spread,
        next_look=coming,
        units_needed=count if precise else _needed(fitted, precision=precision),
    )


def _needed(fitted: Fit, *, precision: float) -> int | None:
    """Return the units with which an interval of this spread is narrow enough."""
    wanted, low, high = math.log1p(precision), FEWEST_UNITS, _FARTHEST_UNITS

    def wide(count: int) -> bool:
        return t_quantile(1 - _TAIL, count - 2) * fitted.spread / math.sqrt(count) > wanted

    if wide(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if wide(middle) else (low, middle)
    return low
