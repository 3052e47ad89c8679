"""A plan: how many replicas the measured workloads need for a traffic, and what a month costs."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Literal

from pytest_costguard.records.base import SCHEMA_VERSION, Record
from pytest_costguard.records.interval import Interval
from pytest_costguard.records.measurement import WorkloadId
from pytest_costguard.records.money import Basis, Target

Sizing = Literal["Erlang C", "utilisation"]
"""How the number of replicas was found: by waiting times, or by a share of the goodput."""
ScalerName = Literal["HPA", "KEDA"]


class Range(Record, frozen=True, kw_only=True):
    """A figure at the estimated goodput, and at the ends of the goodput's interval."""

    estimate: float
    lower: float | None = None
    upper: float | None = None


class Bill(Record, frozen=True, kw_only=True):
    """An amount of US dollars at the estimated goodput, and at the ends of its interval."""

    usd: Decimal
    lower: Decimal | None = None
    upper: Decimal | None = None


class Month(Record, frozen=True, kw_only=True):
    """A month of 730 hours of one way to run a workload."""

    replicas: float
    """Paid for on average."""
    most: int
    """At any time."""
    bill: Bill
    usd_per_1k: Decimal
    """The bill over all inferences of the month."""
    utilisation: float
    """Of what the replicas could have served."""
    served_share: float
    """Of the inferences; below 1 where there are never enough replicas."""
    late_share: float | None
    """Of the requests, that miss the objective; None where none is declared, or not known."""


class PlannedWorkload(Record, frozen=True, kw_only=True):
    """What one workload needs and costs."""

    workload: WorkloadId
    labels: dict[str, str] = {}
    """Team, project, environment, as the test declares them."""
    traffic: str
    """As it was written."""
    peak_per_second: float
    """Inferences."""
    average_per_second: float
    items_per_month: float
    objective: str
    """`p95 within 50 ms`; "" where none is declared."""
    goodput: Interval
    """Of one replica, inferences a second."""
    items_per_request: float
    target_per_second: float
    """Inferences that an autoscaler aims at for each replica."""
    basis: Basis
    usd_per_hour: Decimal
    """Of one replica."""
    startup_seconds: float | None
    """None where it was not measured: then nothing is autoscaled."""
    sizing: Sizing
    replicas: int
    """At the peak, the spare ones included."""
    exact: Range
    """The same before it was rounded up."""
    static: Month
    """The replicas of the peak, all the time."""
    autoscaled: Month | None = None
    notes: tuple[str, ...] = ()
    part_of: WorkloadId | None = None
    """The mixture that has its requests too: of a sum, both together would count them twice."""


class SharedOrSeparate(Record, frozen=True, kw_only=True):
    """A month of several workloads on the same replicas, and on replicas of their own."""

    shared: Bill
    separate: Bill
    """The sum over the parts; its bounds add up at the same end of each, so they are wide."""
    shared_replicas: float
    """Paid for on average."""
    separate_replicas: float


class PlannedMixture(Record, frozen=True, kw_only=True):
    """What a mixture costs on shared replicas, against its parts on replicas of their own."""

    workload: WorkloadId
    parts: tuple[WorkloadId, ...]
    static: SharedOrSeparate
    """The replicas of the peak, all the time."""
    autoscaled: SharedOrSeparate | None = None


class Unplanned(Record, frozen=True, kw_only=True):
    """A workload for which there is no plan, and why."""

    workload: WorkloadId
    reason: str
    remedy: str


class Plan(Record, frozen=True, kw_only=True, tag="plan", tag_field="kind"):
    """What the workloads of a report need and cost at a traffic."""

    schema_version: int = SCHEMA_VERSION
    tool_version: str
    created: dt.datetime
    run_id: str
    """Of the run that measured."""
    target: Target | None
    scaler: ScalerName | None
    workloads: tuple[PlannedWorkload, ...] = ()
    mixtures: tuple[PlannedMixture, ...] = ()
    unplanned: tuple[Unplanned, ...] = ()

    @property
    def paid_for(self) -> tuple[PlannedWorkload, ...]:
        """The workloads whose bills add up: the parts of a mixture are in its own."""
        return tuple(one for one in self.workloads if one.part_of is None)
