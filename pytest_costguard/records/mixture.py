"""What several workloads on one machine do to each other, against each of them alone."""

from __future__ import annotations

from pytest_costguard.records.base import Record, require_positive
from pytest_costguard.records.interval import Interval


class PartTogether(Record, frozen=True, kw_only=True):
    """One part of a mixture: its requests beside the others, and against those it has alone."""

    name: str
    share: float
    """Of the requests."""
    requests: int
    """Of it, beside the others."""
    figures: dict[str, Interval] = {}
    """Beside the others: percentiles of the latency in seconds, and the error rate."""
    unsupported: dict[str, str] = {}
    """Percentiles that its requests do not support, with the reason."""
    longer: dict[str, Interval] = {}
    """How many times as long each percentile is beside the others as alone, at the same rate.

    The geometric mean of the ratios of each unit, which measured both in one process, and the
    t-interval of their logarithms.
    """
    served_longer: Interval | None = None
    """The same of the median time of serving, without what a request waits for others."""
    reason: str = ""
    """Why there is nothing to hold it against."""


class Capacity(Record, frozen=True, kw_only=True):
    """The highest rate of a mixture, against the one that its parts alone let expect."""

    rate: float
    """Requests a second, of all parts together."""
    expected_rate: float
    """1 / the sum of share / highest rate alone: as if the parts took turns on the machine.

    Shown as what makes the ratio.
    """
    ratio: Interval
    """Of the first to the second: the geometric mean over units, with its t-interval."""

    def __post_init__(self) -> None:
        require_positive("rate", self.rate)
        require_positive("expected_rate", self.expected_rate)


class Peaks(Record, frozen=True, kw_only=True):
    """Peak memory of one process that serves all parts, and of processes of their own, summed."""

    together_bytes: float
    apart_bytes: float


class Together(Record, frozen=True, kw_only=True):
    """What measuring several workloads together has shown."""

    parts: tuple[PartTogether, ...]
    capacity: Capacity | None = None
    """Where the highest rates were searched for."""
    peaks: dict[str, Peaks] = {}
    """By metric: `peak_memory`, `peak_device_memory`."""
