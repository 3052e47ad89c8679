"""What `costguard doctor` finds: the machine, an A/A run, what it can see, what to mend."""

from __future__ import annotations

from pytest_costguard.records.base import SCHEMA_VERSION, Record
from pytest_costguard.records.environment import Fingerprint
from pytest_costguard.records.measurement import Pairing


class MachineFacts(Record, frozen=True, kw_only=True):
    """The machine's settings; `None`, or empty, where it does not tell."""

    fingerprint: Fingerprint
    usable_cores: int
    """Those that this process may run on."""
    quota_cores: float | None = None
    """CPU time that the control groups allow, in cores; None: no limit."""
    quota_told: bool = True
    """Whether there is a control group to read a quota from."""
    smt: bool | None = None
    governors: tuple[str, ...] = ()
    turbo: bool | None = None
    virtual: bool | None = None
    clock_source: str = ""
    cpu_time_step_seconds: float | None = None
    """How finely a process's CPU time is told."""
    load_average: float | None = None
    """Of one minute, before anything was measured."""
    cpu_pressure: float | None = None
    """Share of the 10 s before in which some process waited for a core."""
    unpinned: str = ""
    """Why a process cannot be held to a core; empty where it can."""


class Disturbed(Record, frozen=True, kw_only=True):
    """What disturbed the timed stretches of all processes, as shares of their wall time.

    `None` where the machine does not tell. Run-queue wait and throttling are summed over
    threads and cores, so they may be above 1.
    """

    run_queue_wait: float | None = None
    steal: float | None = None
    throttled: float | None = None
    idle_cpu: float | None = None
    """CPU time of threads that worked while the process had nothing to do: pools that spin."""
    switches_a_second: float | None = None


class SameTwice(Record, frozen=True, kw_only=True):
    """What a workload yields where both sides are the same. Changes are logarithms."""

    workload: str
    built_in: bool
    units: int
    seconds_a_unit: float
    """Wall seconds of one unit of both sides, starts included."""
    seconds_a_run: float
    """Wall seconds of one unit of a plain run, its start included."""
    request_seconds: float
    pairing: Pairing
    spread: float
    """Standard deviation of a unit's logarithm round the model."""
    change: float
    lower: float
    upper: float
    order_effect: float
    """What being started first costs."""
    differs: bool
    """Whether both sides surely differ by more than half a per cent, though they are the same."""
    run_shared: float | None = None
    """From run to run, what more units do not remove; None where it was not measured."""
    run_own: float | None = None
    """Of a unit within a run; calibrated, as stored baselines are."""
    totals: bool = False
    """Whether its inputs differ, so that the total has as much of the error as what is typical."""
    notes: tuple[str, ...] = ()


class Visible(Record, frozen=True, kw_only=True):
    """The smallest change that is called regressed with 95 % power; shares, 0.05 is 5 %."""

    workload: str
    seconds: float
    """Spent on the workload, starts included."""
    side_by_side: float | None
    """None: too short for the first look."""
    units: int
    """Of the look that decides; 0 where none is reached."""
    deep: bool
    """Whether it takes `--costguard-deep`."""
    stored: float | None
    """With a stored baseline of 8 runs like these; None where it was not measured."""


class Finding(Record, frozen=True, kw_only=True):
    """One thing to mend."""

    rule: str
    """Its name, which stays the same from version to version."""
    finding: str
    remedy: str
    gain: float
    """An estimate of the share of the noise that goes away, 0 to 1; findings are in its order."""


class DoctorReport(Record, frozen=True, kw_only=True, tag="doctor", tag_field="kind"):
    """All that the doctor says of a machine."""

    schema_version: int = SCHEMA_VERSION
    tool_version: str
    machine: MachineFacts
    disturbed: Disturbed
    workloads: tuple[SameTwice, ...]
    visible: tuple[Visible, ...]
    runner_spread: float | None
    """For the option of that name, as a share; None where it was not measured."""
    run_units: int
    """The units of a run that `runner_spread` is for."""
    allow: float
    gates: int
    """Among which the error is shared: mean and peak memory of each workload that is gated."""
    findings: tuple[Finding, ...]
    not_measured: tuple[str, ...] = ()
    """Workloads that could not be measured, with the reason."""
    seconds: float
    """That it all took."""
