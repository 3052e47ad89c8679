"""What a run writes: measurements, and everything needed to decide about them again."""

from __future__ import annotations

import datetime as dt
import math
from itertools import chain

import msgspec

from pytest_costguard.records.base import SCHEMA_VERSION, Record, require_all_positive
from pytest_costguard.records.doctor import DoctorReport
from pytest_costguard.records.environment import Fingerprint
from pytest_costguard.records.experiment import Experiment
from pytest_costguard.records.measurement import (
    Declaration,
    Failure,
    Measurement,
    Pairing,
    WorkloadId,
)
from pytest_costguard.records.money import MonthlyChange, Target
from pytest_costguard.records.plan import Plan
from pytest_costguard.records.plan_change import PlanChange
from pytest_costguard.records.verdict import FailOn, Gates, WorkloadVerdict


class Commit(Record, frozen=True, kw_only=True):
    """The revision that was measured; `dirty` when the work tree had changes."""

    sha: str
    dirty: bool = False
    branch: str = ""


class Run(Record, frozen=True, kw_only=True, tag="run", tag_field="kind"):
    """One `pytest --costguard`: what was measured, where, of what, under which configuration."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    created: dt.datetime
    tool_version: str
    fingerprint: Fingerprint
    commit: Commit | None = None
    lock_digest: str | None = None
    config_digest: str = ""
    price_digest: str = ""
    complete: bool = True
    """False when the run was interrupted; what is here is valid all the same."""
    whole_suite: bool = True
    """Whether every test was selected, so that a workload that is absent is gone."""
    measurements: tuple[Measurement, ...] = ()
    failures: tuple[Failure, ...] = ()
    lines: dict[str, int] = {}
    """The line of its file, from 1, at which each test begins, by node id."""
    root: str = ""
    """The way from the checkout's top to pytest's root directory; "" where they are the same."""

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            # Within a report too, whose own version says that all of it is of that one.
            raise ValueError(f"schema_version must be {SCHEMA_VERSION}, got {self.schema_version}")
        for measurement in self.measurements:
            if not measurement.units:
                raise ValueError(f"measurements: units of {measurement.workload} are none")
        if len({one.workload for one in self.measurements}) < len(self.measurements):
            raise ValueError("measurements must hold each workload once")


class BaselineWorkload(Record, frozen=True, kw_only=True):
    """One workload of one baseline run, reduced to a value a unit and metric."""

    workload: WorkloadId
    declaration: Declaration
    metrics: dict[str, tuple[float, ...]]
    """Metric name to one value a unit. `cost_per_1k` is never stored: prices change."""
    calibration: tuple[float, ...] = ()
    """Median seconds of the calibration kernel, one a unit."""
    memory_method: str = ""
    """How the peak memory was read; "" where that is not known, or there is none."""

    def __post_init__(self) -> None:
        # A series holds a million values: look closer only where their sum or the least tells.
        everything = [*self.calibration, *chain.from_iterable(self.metrics.values())]
        if everything and min(everything) > 0 and math.isfinite(sum(everything)):
            return
        for name, values in self.metrics.items():
            for value in values:
                if not math.isfinite(value) or (value < 0 and name != "quality"):
                    raise ValueError(f"{name} must be finite and not negative, got {values!r}")
        require_all_positive("calibration", self.calibration)


class BaselineRun(Record, frozen=True, kw_only=True, tag="baseline", tag_field="kind"):
    """One run in a baseline series, with what is needed to run it again."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    created: dt.datetime
    tool_version: str
    fingerprint: Fingerprint
    commit: Commit | None = None
    lock_digest: str | None = None
    config_digest: str = ""
    workloads: tuple[BaselineWorkload, ...] = ()
    whole_suite: bool = True
    """Whether every test was selected, so that a workload that is absent is gone."""
    source: str = "costguard"
    """Who measured it: `costguard` or `pytest-benchmark`."""


class Baseline(Record, frozen=True, kw_only=True):
    """The series that a run is compared with: the runs of one name on one fingerprint."""

    name: str
    location: str
    store: str = ""
    """The option that finds it again; "" for the default, a path, and for an address.

    An address may hold credentials.
    """
    runs: tuple[BaselineRun, ...] = ()
    other_series: tuple[str, ...] = ()
    """Descriptions of series of the same name on other hardware."""


class Against(Record, frozen=True, kw_only=True):
    """Base as it was measured side by side with head, unit by unit in the same order.

    The units of one index on both sides are a pair, and so are their blocks, in order. In even
    units base was started first, in odd ones head.
    """

    requested: str
    """What was asked for: a commit, a branch, `merge-base:main`, `auto`."""
    found_as: str
    """How the commit was found, in words."""
    run: Run
    """What was measured of base. Its failures are among those of the report's run."""
    looks: tuple[int, ...]
    """After how many units each hypothesis was looked at."""
    cores: tuple[int, ...] = ()
    """Both sides were held to one of them at a time, another one every second unit."""
    seconds: dict[str, float] = {}
    """Wall seconds that each workload took, starts included, by `str(workload)`."""
    pairings: dict[str, Pairing] = {}
    """How each workload's sides were measured beside each other, by `str(workload)`."""
    only_base: tuple[WorkloadId, ...] = ()
    """Workloads that base has and head has not."""
    changed_files: tuple[str, ...] = ()
    """Files that differ between the two revisions, the first of them in alphabetical order."""
    unloaded: tuple[str, ...] = ()
    """Changed modules, where no side has loaded any of their packages and nothing else differs."""
    notes: tuple[str, ...] = ()
    """What a reader must know of the comparison as a whole."""


class SecondLook(Record, frozen=True, kw_only=True):
    """Workloads in doubt, measured again side by side with one commit of the baseline."""

    against: Against
    """Base, which is that commit."""
    head: tuple[Measurement, ...]
    """Head as it was measured beside base; figures and budgets rest on the report's run."""


class Escalation(Record, frozen=True, kw_only=True):
    """What a stored baseline left in doubt, and what came of measuring it side by side."""

    looks: tuple[SecondLook, ...] = ()
    """One for each commit of the baseline that was needed."""
    refused: dict[str, str] = {}
    """Why a workload in doubt was not measured again, by `str(workload)`."""
    caveats: dict[str, tuple[str, ...]] = {}
    """In what base was not as the baseline measured it, by `str(workload)`.

    What the stored baseline has decided then stands.
    """
    complete: bool = True
    """False when it was interrupted: then only what is decided takes a stored verdict's place."""


class Outcome(Record, frozen=True, kw_only=True):
    """How the run ends: counts of each verdict and whether the gate fails."""

    failed: bool
    sentence: str
    """One sentence for a person: what, how much, and how sure."""
    counts: dict[str, int] = {}
    monthly: MonthlyChange | None = None
    """What all sure changes together mean a month; None where none has a price and a traffic."""


class Report(Record, frozen=True, kw_only=True, tag="report", tag_field="kind"):
    """Everything a report shows, and everything its verdicts can be recomputed from."""

    schema_version: int = SCHEMA_VERSION
    run: Run
    baseline: Baseline | None = None
    baseline_requested: str = "auto"
    baseline_problem: str = ""
    """Why there is no baseline though one was asked for, or "" """
    against: Against | None = None
    """Base, where it was measured side by side; then no baseline is compared with."""
    escalation: Escalation | None = None
    """Where the doubts of a stored baseline were to be measured side by side."""
    target: Target | None = None
    target_problem: str = ""
    fail_on: tuple[FailOn, ...] = (FailOn.REGRESSION, FailOn.BUDGET)
    runner_spread: float | None = None
    gates: dict[str, Gates] = {}
    """By `str(workload)`."""
    verdicts: tuple[WorkloadVerdict, ...] = ()
    expected_failures: dict[str, str] = {}
    """The tests, by node id, that failed as they were expected to (xfail), and the reasons given.

    What they measured is judged and shown like any, and does not fail the run.
    """
    other_failures: int = 0
    """Tests that failed by themselves: the session fails for them, whatever is decided here."""
    missing: tuple[WorkloadId, ...] = ()
    """In the baseline, selected nowhere in this run though the whole suite was asked for."""
    outcome: Outcome


AnyRecord = Run | BaselineRun | Report
"""What is read again."""
_Written = AnyRecord | Experiment | DoctorReport | Plan | PlanChange


def to_json(record: _Written) -> bytes:
    """Return the record as indented JSON; `Decimal` and dates become strings."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1)


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of every object that is written."""
    return msgspec.json.schema(_Written)
