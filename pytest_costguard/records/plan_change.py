"""What changes from one plan to another: every figure before and after, with its interval."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from pytest_costguard.records.base import SCHEMA_VERSION, Record
from pytest_costguard.records.measurement import WorkloadId
from pytest_costguard.records.money import Target
from pytest_costguard.records.plan import Bill, Range, ScalerName, Unplanned


class FigureChange(Record, frozen=True, kw_only=True):
    """A figure before and after, and the difference."""

    before: float
    after: float
    change: Range
    """After less before, and the ends of its interval."""


class BillChange(Record, frozen=True, kw_only=True):
    """An amount of US dollars before and after, and the difference."""

    before: Decimal
    after: Decimal
    change: Bill
    """After less before, and the ends of its interval."""


class MonthChange(Record, frozen=True, kw_only=True):
    """What changes in a month of one way to run a workload."""

    bill: BillChange
    usd_per_1k: BillChange
    """The bill over all inferences of the month."""
    replicas: FigureChange
    """Paid for on average."""
    utilisation: FigureChange
    """Of what the replicas could have served."""


class PlannedChange(Record, frozen=True, kw_only=True):
    """What changes for one workload, at one traffic and under one objective."""

    workload: WorkloadId
    labels: dict[str, str] = {}
    traffic: str
    """As it was written."""
    objective: str
    """`p95 within 50 ms`; "" where none is declared."""
    ratio: Range
    """What one replica serves, after over before."""
    paired: bool
    """Whether the ratio is that of both sides measured beside each other.

    Before is then what makes this ratio; else both are as they were measured, each by itself.
    """
    replicas: FigureChange
    """At the peak, the spare ones included."""
    exact: FigureChange
    """The same before they were rounded up."""
    static: MonthChange
    """The replicas of the peak, all the time."""
    autoscaled: MonthChange | None = None
    notes: tuple[str, ...] = ()


class PlanChange(Record, frozen=True, kw_only=True, tag="plan_change", tag_field="kind"):
    """What changes from one report's plan to another's, or from base to head."""

    schema_version: int = SCHEMA_VERSION
    tool_version: str
    created: dt.datetime
    before_run_id: str
    after_run_id: str
    target: Target | None
    """What serves after."""
    scaler: ScalerName | None
    workloads: tuple[PlannedChange, ...] = ()
    uncompared: tuple[Unplanned, ...] = ()
    """Workloads for which one of both has no plan, and why."""
    static: BillChange | None = None
    """Of all workloads together; None where there is none."""
    autoscaled: BillChange | None = None
    """None where one of them has none."""
    notes: tuple[str, ...] = ()
