"""What `costguard ab` found out: two sides, A and B, and the change of each metric."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pytest_costguard.records.base import SCHEMA_VERSION, Record
from pytest_costguard.records.environment import Fingerprint
from pytest_costguard.records.measurement import Declaration, Failure, Pairing, WorkloadId

Answer = Literal["better", "worse", "no difference seen"]


class ExperimentSide(Record, frozen=True, kw_only=True):
    """One side, in the user's words, and the machine and packages as its workers saw them."""

    label: str
    """A folder, an interpreter, variables, a model file or a function."""
    fingerprint: Fingerprint | None = None


class MetricChange(Record, frozen=True, kw_only=True):
    """One metric on both sides: values in its own unit, and B ÷ A with its interval."""

    metric: str
    a: float | None
    """Where there is a ratio it is `b` ÷ `ratio`, so that drift does not blur what is shown."""
    b: float | None
    ratio: float | None = None
    lower: float | None = None
    upper: float | None = None
    confidence: float | None = None
    """Of the interval, whenever the measuring ended; None where there is none."""
    units: int = 0
    """How many units the ratio rests on."""


class WorkloadChange(Record, frozen=True, kw_only=True):
    """What was found out about one workload."""

    workload: WorkloadId
    declaration: Declaration
    """Of B."""
    metric: str
    """The one that decided when to stop."""
    answer: Answer
    """`better`: B is. Differences below half a percent may be the method's own."""
    precise: bool
    """Whether the interval is as narrow as was wished."""
    half_width: float
    """Half of the interval of `metric`, as a ratio."""
    units: int
    seconds: float
    """Of wall time, starts included."""
    seconds_needed: float | None = None
    """About how long would be precise enough, from the start; None where it is, or out of reach."""
    changes: tuple[MetricChange, ...] = ()
    pairing: Pairing | None = None
    """How both sides were measured beside each other."""
    notes: tuple[str, ...] = ()


class Experiment(Record, frozen=True, kw_only=True, tag="experiment", tag_field="kind"):
    """One `costguard ab`."""

    schema_version: int = SCHEMA_VERSION
    created: dt.datetime
    tool_version: str
    a: ExperimentSide
    b: ExperimentSide
    precision: float
    """The wished half width, as a ratio."""
    complete: bool = True
    """False when it was interrupted; what is here is valid all the same."""
    seconds: float
    workloads: tuple[WorkloadChange, ...] = ()
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
