"""How far the workloads of two sides are from decided, and what ends their measuring."""

from __future__ import annotations

from dataclasses import dataclass


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
