"""How far the workloads of two sides are from decided, and what ends their measuring."""

from __future__ import annotations

from dataclasses import dataclass

SLOW_UNITS = 16
"""Where the usual time ends before, requests are so slow that they get more: the third look."""
SLOW_TIMES = 3
"""How much more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far one workload is from decided."""

    decided: bool
    next_look: int
    """The units at which it is looked at next."""
    words: str = ""
    """For a person who waits."""
    looked: bool = False
    """Whether it was looked at after its last unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What ends the measuring where nothing is decided."""

    units: int
    seconds: float
    """Of one workload, starts included, once its first look was reached."""
    suite_seconds: float
    slow_seconds: float = 0.0
    """What one workload may take at most where `seconds` hold fewer than `SLOW_UNITS` units."""

    def ended(self, *, units: int, spent: float) -> bool:
        """Whether the time of a workload is up after so many units and seconds.

        Args:
            units: that it was measured in, its first look reached.
            spent: seconds, starts included.
        """
        slow = units < SLOW_UNITS
        return spent > (max(self.seconds, self.slow_seconds) if slow else self.seconds)
