"""What to mend on a machine, in order of gain: a table of rules over what was found.

The gain is a rank and not a measurement: what the machine shows in the measured time weighs by
its share, what is only a setting weighs less than anything that was seen to disturb.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_costguard.engine.pairing import COARSE_CPU_TIME_SECONDS
from pytest_costguard.records import Disturbed, Finding, MachineFacts, SameTwice
from pytest_costguard.reports.numbers import change, percent

_BUSY_SHARE = 0.02
_MANY_SWITCHES = 50.0
_SLOW_CLOCKS = ("hpet", "acpi_pm", "refined-jiffies", "jiffies", "xen")
_STEADY_GOVERNORS = frozenset({"performance"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """All that a rule may look at."""

    machine: MachineFacts
    disturbed: Disturbed
    workloads: Sequence[SameTwice] = ()
    not_measured: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A condition, what is said where it holds, what to do, and how much that is worth."""

    name: str
    gain: Callable[[Grounds], float]
    """0 where there is nothing to mend; up to 1."""
    finding: Callable[[Grounds], str]
    remedy: str


def findings(grounds: Grounds) -> tuple[Finding, ...]:
    """Return what there is to mend, the greatest gain first. What is not told is no finding."""
    found = [
        Finding(rule=rule.name, finding=rule.finding(grounds), remedy=rule.remedy, gain=gain)
        for rule in RULES
        if (gain := rule.gain(grounds)) > 0
    ]
    return tuple(sorted(found, key=lambda finding: -finding.gain))


def _when(condition: Callable[[Grounds], bool], gain: float) -> Callable[[Grounds], float]:
    return lambda grounds: gain if condition(grounds) else 0.0


def _by_share(
    share: Callable[[Disturbed], float | None], *, weight: float, least: float = _BUSY_SHARE
) -> Callable[[Grounds], float]:
    """Weigh by the share of the time that was lost; a share below `least` is nothing to mend."""

    def gain(grounds: Grounds) -> float:
        lost = share(grounds.disturbed)
        return 0.0 if lost is None or lost <= least else min(0.95, 0.4 + weight * lost)

    return gain


def _share(share: float | None) -> str:
    """Two digits are enough for a share of the time: "12 %"."""
    return percent(None if share is None else round(share, 2 if share >= 0.095 else 3))


def _differing(grounds: Grounds) -> list[SameTwice]:
    return [one for one in grounds.workloads if one.differs]


def _kept_waiting(grounds: Grounds) -> bool:
    return (grounds.disturbed.run_queue_wait or 0.0) > _BUSY_SHARE


def _other_load(grounds: Grounds) -> bool:
    """Whether it was busy before; where it also kept the workload waiting, that says it better."""
    load = grounds.machine.load_average
    busy = load is not None and load > 0.5 * grounds.machine.usable_cores
    return busy and not _kept_waiting(grounds)


def _interrupted(grounds: Grounds) -> bool:
    often = (grounds.disturbed.switches_a_second or 0.0) > _MANY_SWITCHES
    return often and not _kept_waiting(grounds)


def _cpu_time_step(grounds: Grounds) -> float:
    return grounds.machine.cpu_time_step_seconds or 0.0


def _in_turns(grounds: Grounds) -> list[SameTwice]:
    return [one for one in grounds.workloads if one.pairing.kind == "restart"]


def _biggest(workloads: Sequence[SameTwice]) -> SameTwice:
    return max(workloads, key=lambda one: abs(one.change))


RULES: tuple[Rule, ...] = (
    Rule(
        name="sides_differ",
        gain=_when(lambda g: bool(_differing(g)), 1.0),
        finding=lambda g: (
            f"Both sides of {_biggest(_differing(g)).workload} are the same, and yet they differ by"
            f" {change(math.exp(_biggest(_differing(g)).change))} %."
        ),
        remedy="Find what tells the sides apart before you trust a verdict: state that the first"
        " process leaves behind (a cache, a file, a port), or a machine that changed meanwhile."
        " Run this again.",
    ),
    Rule(
        name="not_measured",
        gain=_when(lambda g: bool(g.not_measured), 0.98),
        finding=lambda g: f"Not measured: {g.not_measured[0]}",
        remedy="Mend this first: a workload that cannot be measured has no verdict.",
    ),
    Rule(
        name="steal",
        gain=_by_share(lambda d: d.steal, weight=2.0),
        finding=lambda g: f"The hypervisor took {_share(g.disturbed.steal)} of the time.",
        remedy="Use a dedicated or bare-metal runner, or a kind of instance that does not share"
        " its cores. Until then compare side by side, not with a stored baseline.",
    ),
    Rule(
        name="throttling",
        gain=_by_share(lambda d: d.throttled, weight=2.0, least=0.0),
        finding=lambda g: (
            "The CPU quota of the container held it back for"
            f" {_share(g.disturbed.throttled)} of the time."
        ),
        remedy="Raise or remove the quota (Kubernetes: limits.cpu; Docker: --cpus), or give whole"
        " cores (cpuset, static CPU manager), and declare no more threads than it allows.",
    ),
    Rule(
        name="waiting",
        gain=_by_share(lambda d: d.run_queue_wait, weight=1.5),
        finding=lambda g: (
            f"Other processes kept it waiting for a core {_share(g.disturbed.run_queue_wait)} of"
            " the time."
        ),
        remedy="Stop what else runs on this machine while it measures: other jobs of the runner,"
        " a build, an IDE, a sync; one job a runner.",
    ),
    Rule(
        name="idle_threads",
        gain=_by_share(lambda d: d.idle_cpu, weight=1.0, least=0.01),
        finding=lambda g: (
            f"Threads used a core for {_share(g.disturbed.idle_cpu)} of the time in which the"
            " workload had nothing to do: a pool that spins."
        ),
        remedy="Let the pool sleep: OMP_WAIT_POLICY=passive, KMP_BLOCKTIME=0, or"
        " session.intra_op.allow_spinning=0 for onnxruntime.",
    ),
    Rule(
        name="load",
        gain=_when(_other_load, 0.38),
        finding=lambda g: (
            f"Before anything was measured the load was {g.machine.load_average:.2g} on"
            f" {g.machine.usable_cores} usable cores."
        ),
        remedy="Measure when the machine is idle: the job's earlier steps may still be running.",
    ),
    Rule(
        name="one_core",
        gain=_when(lambda g: g.machine.usable_cores == 1, 0.35),
        finding=lambda _: (
            "There is one core to measure on, so that everything else of the system runs on it too."
        ),
        remedy="Use a runner with two cores or more.",
    ),
    Rule(
        name="pinning",
        gain=_when(lambda g: bool(g.machine.unpinned), 0.3),
        finding=lambda g: f"A process cannot be held to a core: {g.machine.unpinned}.",
        remedy="Allow sched_setaffinity (a seccomp profile or a sandbox may refuse it): both sides"
        " then run on the same core, and move together.",
    ),
    Rule(
        name="clock_source",
        gain=_when(lambda g: g.machine.clock_source in _SLOW_CLOCKS, 0.28),
        finding=lambda g: (
            f"The kernel tells the time by {g.machine.clock_source}, which is slow to read and may"
            " be coarse."
        ),
        remedy="Boot with the processor's own counter (clocksource=tsc) where it is stable, or let"
        " a request do more work.",
    ),
    Rule(
        name="cpu_time",
        # Elsewhere than on Linux the steps are the system's own.
        gain=_when(
            lambda g: sys.platform == "linux" and _cpu_time_step(g) > COARSE_CPU_TIME_SECONDS, 0.27
        ),
        finding=lambda g: (
            f"A process's CPU time is told in steps of {_cpu_time_step(g) * 1e3:.3g} ms, so that"
            " wall time is compared, with all that others do on the same core."
        ),
        remedy="Remove the limit on CPU time (ulimit -t, RLIMIT_CPU): under one, Linux counts in"
        " ticks.",
    ),
    Rule(
        name="in_turns",
        gain=_when(lambda g: bool(_in_turns(g)), 0.26),
        finding=lambda g: (
            f"The sides of {_in_turns(g)[0].workload} are measured in turns:"
            f" {_in_turns(g)[0].pairing.reason}."
        ),
        remedy="In turns what drifts from process to process does not cancel. Remove the reason:"
        " pools that sleep, room on the device for two.",
    ),
    Rule(
        name="switches",
        gain=_when(_interrupted, 0.24),
        finding=lambda g: f"It was interrupted {g.disturbed.switches_a_second:.0f} times a second.",
        remedy="See what else is busy (top, pidstat -w 1), and move it to other cores.",
    ),
    Rule(
        name="governor",
        gain=_when(
            lambda g: (
                bool(g.machine.governors) and not _STEADY_GOVERNORS.issuperset(g.machine.governors)
            ),
            0.22,
        ),
        finding=lambda g: (
            f"The clock follows the load (governor {', '.join(g.machine.governors)})."
        ),
        remedy="sudo cpupower frequency-set -g performance",
    ),
    Rule(
        name="turbo",
        gain=_when(lambda g: g.machine.turbo is True, 0.18),
        finding=lambda _: "Turbo is on: the clock depends on heat and on what other cores do.",
        remedy="Switch it off while measuring: echo 1 | sudo tee"
        " /sys/devices/system/cpu/intel_pstate/no_turbo, or echo 0 | sudo tee"
        " /sys/devices/system/cpu/cpufreq/boost",
    ),
    Rule(
        name="smt",
        gain=_when(lambda g: g.machine.smt is True, 0.15),
        finding=lambda _: "SMT is on: what runs on a core's other hardware thread slows it down.",
        remedy="Switch it off while measuring (echo off | sudo tee"
        " /sys/devices/system/cpu/smt/control), or leave the sibling of each used core idle.",
    ),
    Rule(
        name="quota",
        gain=_when(lambda g: g.machine.quota_cores is not None and not g.disturbed.throttled, 0.12),
        finding=lambda g: (
            f"A CPU quota of {g.machine.quota_cores:.3g} cores holds for this process; it did not"
            " bite while measuring."
        ),
        remedy="Whole cores without a quota cannot be throttled at a bad moment.",
    ),
    Rule(
        name="schedule_statistics",
        gain=_when(lambda g: bool(g.workloads) and g.disturbed.run_queue_wait is None, 0.1),
        finding=lambda _: (
            "The kernel does not tell how long a process waits for a core, so slow requests are"
            " not measured at the same time, which is the finer way."
        ),
        remedy="Use a kernel with CONFIG_SCHED_INFO and a /proc that shows schedstat.",
    ),
    Rule(
        name="virtual",
        gain=_when(
            lambda g: g.machine.virtual is True and (g.disturbed.steal or 0.0) <= _BUSY_SHARE, 0.08
        ),
        finding=lambda _: (
            "This is a virtual machine: neighbours share its caches and its memory's bandwidth,"
            " and nothing here tells when they do."
        ),
        remedy="Compare side by side. For a stored baseline that sees small changes use bare metal"
        " or a dedicated host.",
    ),
)
"""In the order in which they are told where their gain is the same."""
