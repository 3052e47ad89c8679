"""A figure between two bounds."""

from __future__ import annotations

from pytest_costguard.records.base import Record


class Interval(Record, frozen=True, kw_only=True):
    """An estimate between two bounds; `confidence` is that of the whole interval."""

    estimate: float
    lower: float
    upper: float
    confidence: float
    n: int

    def __post_init__(self) -> None:
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"confidence must be from 0 to 1, got {self.confidence!r}")
