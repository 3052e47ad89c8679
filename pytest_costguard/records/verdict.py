"""Verdicts and the budgets and rules that they answer."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Literal

from pytest_costguard.records.base import Record, require_not_negative, require_positive
from pytest_costguard.records.interval import Interval
from pytest_costguard.records.measurement import WorkloadId
from pytest_costguard.records.metrics import METRICS
from pytest_costguard.records.mixture import Together
from pytest_costguard.records.money import Cost, MonthlyChange


class Verdict(StrEnum):
    """What a comparison of head with a reference says."""

    REGRESSED = "regressed"
    IMPROVED = "improved"
    UNCHANGED = "unchanged"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARABLE = "not comparable"
    NEW = "new"
    MISSING = "missing"


class BudgetVerdict(StrEnum):
    """What a budget says."""

    WITHIN = "within"
    OVER = "over"
    INCONCLUSIVE = "inconclusive"
    NOT_PRICED = "not priced"
    NOT_MEASURED = "not measured"


class FailOn(StrEnum):
    """What can fail a run."""

    REGRESSION = "regression"
    BUDGET = "budget"
    INCONCLUSIVE = "inconclusive"
    MISSING = "missing"
    CHANGED = "changed"
    NOT_COMPARABLE = "not-comparable"
    NOT_PRICED = "not-priced"


class Budget(Record, frozen=True, kw_only=True):
    """A limit on a metric: in its own unit, or relative to the baseline's value."""

    metric: str
    limit: float
    bound: Literal["at most", "at least"] = "at most"
    relative: bool = False
    """`limit` is a share of the baseline's value: 0.99 for "at least 99 % of the baseline's"."""
    kind: Literal["budget", "slo"] = "budget"
    origin: str
    """Where the limit is set, in words: `marker of tests/test_a.py::test_b`, `pyproject.toml …`."""
    text: str
    """The limit as the user wrote it."""
    own: bool = False
    """Whether the test's marker, or a rule that names no other test, says it of this workload."""

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ValueError(f"unknown metric {self.metric!r}")
        require_not_negative("limit", self.limit)


class Acceptance(Record, frozen=True, kw_only=True):
    """That somebody accepts a regression up to a size and a day, and the limits without that."""

    up_to: float
    reason: str
    by: str
    until: dt.date
    """The last day on which it counts."""
    allow: float
    catch: float

    def __post_init__(self) -> None:
        if not self.up_to > self.allow:
            raise ValueError(f"up_to ({self.up_to}) must be above allow ({self.allow})")
        if not self.catch > self.allow:
            raise ValueError(f"catch ({self.catch}) must be above allow ({self.allow})")


class Regression(Record, frozen=True, kw_only=True):
    """How much a metric may get worse (`allow`), and what must not be missed (`catch`)."""

    metric: str
    allow: float
    catch: float
    origin: str
    accepted: Acceptance | None = None
    """Where somebody has accepted more than the rule allows: `allow` is then how much."""

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ValueError(f"unknown metric {self.metric!r}")
        require_not_negative("allow", self.allow)
        if not self.catch > self.allow:
            raise ValueError(f"catch ({self.catch}) must be above allow ({self.allow})")


class TrafficSteps(Record, frozen=True, kw_only=True):
    """A traffic over time in equal steps; after the last one it begins again."""

    step_seconds: float
    items_per_second: tuple[float, ...]

    def __post_init__(self) -> None:
        require_positive("step_seconds", self.step_seconds)
        for rate in self.items_per_second:
            require_not_negative("items_per_second", rate)
        require_positive("the highest of items_per_second", max(self.items_per_second, default=0))


class Traffic(Record, frozen=True, kw_only=True):
    """How much a workload serves, as somebody has declared it."""

    items_per_month: float
    text: str
    """As it was written: `3M/day`, or the name of a file."""
    origin: str
    peak_per_second: float | None = None
    """The highest rate, in inferences; None where it never changes."""
    steps: TrafficSteps | None = None
    """None where it never changes, or has more steps than a report keeps."""
    digest: str = ""
    """SHA-256 of the steps; "" where it never changes."""

    def __post_init__(self) -> None:
        require_positive("items_per_month", self.items_per_month)
        if self.peak_per_second is not None:
            require_positive("peak_per_second", self.peak_per_second)
        if self.steps is not None and max(self.steps.items_per_second) != self.peak_per_second:
            raise ValueError("peak_per_second must be the highest rate of the steps")


class Gates(Record, frozen=True, kw_only=True):
    """All that one workload is held to, and how much it serves."""

    budgets: tuple[Budget, ...] = ()
    regressions: tuple[Regression, ...] = ()
    traffic: Traffic | None = None


class Comparison(Record, frozen=True, kw_only=True):
    """Head against a reference, for one metric. Ratios above 1 are worse for `lower` metrics."""

    metric: str
    verdict: Verdict
    head: float | None = None
    base: float | None = None
    ratio: float | None = None
    lower: float | None = None
    upper: float | None = None
    smallest_visible: float | None = None
    """The smallest relative change that this comparison could have called regressed."""
    regression: Regression | None = None
    reason: str
    runs: int = 0
    """How many baseline runs it rests on."""
    units: int = 0
    """How many units of both sides it rests on, side by side."""
    accepted: bool = False
    """Whether it is worse than the rule allows, and no worse than somebody has accepted."""
    escalated_from: Verdict | None = None
    """What the stored baseline said, where a measurement side by side took its place."""


class BudgetResult(Record, frozen=True, kw_only=True):
    """One budget and its verdict. Values are in the metric's unit."""

    budget: Budget
    verdict: BudgetVerdict
    interval: Interval | None = None
    limit: float | None = None
    """The limit in the metric's unit; None where it is relative and there is no baseline."""
    cause: FailOn | None = None
    """The word of `fail-on` that it falls under; None where nothing is amiss, or not judged yet."""
    reason: str


class WorkloadVerdict(Record, frozen=True, kw_only=True):
    """All that was decided about one workload."""

    workload: WorkloadId
    comparisons: tuple[Comparison, ...] = ()
    budgets: tuple[BudgetResult, ...] = ()
    figures: dict[str, Interval] = {}
    """Every measured metric with its interval over units; absent: not measured."""
    unsupported: dict[str, str] = {}
    """Metrics that the samples do not support, with the reason."""
    cost: Cost | None = None
    monthly: MonthlyChange | None = None
    """What a change of its cost means at the declared traffic; None where none is sure."""
    inputs_changed: bool = False
    failing: tuple[str, ...] = ()
    """One readable message for each thing that fails the run under `fail_on`."""
    warnings: tuple[str, ...] = ()
    together: Together | None = None
    """Of a mixture: what its parts do to each other. No verdict depends on it."""
