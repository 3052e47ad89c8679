"""What the doctor makes of a machine and of what was measured."""

from __future__ import annotations

import time

import pytest
from factories.doctor import machine, same_twice

from pytest_costguard.app.doctor import assemble, disturbed_by, machine_facts, visible
from pytest_costguard.app.same_twice import Yield
from pytest_costguard.records import Block, Failure, Sensors, Unit, Warmup, WorkloadId


def unit(**sensors: float) -> Unit:
    return Unit(
        index=0,
        blocks=(Block(wall_seconds=1.0, cpu_seconds=1.0, requests=1, items=1),),
        latency_seconds=(1.0,),
        warmup=Warmup(requests=1, seconds=1.0, settled=True),
        sensors=Sensors(wall_seconds=2.0, cpu_seconds=1.0, **sensors),
    )


def test_disturbances_are_shares_of_the_timed_stretches():
    seen = disturbed_by([unit(steal_seconds=0.2, involuntary_switches=30), unit(steal_seconds=0.4)])
    assert seen.steal == pytest.approx(0.15)
    assert seen.switches_a_second == pytest.approx(15.0)
    assert seen.run_queue_wait is None


def test_threads_that_spin_are_held_against_the_idle_time():
    assert disturbed_by([unit(idle_seconds=0.5, idle_cpu_seconds=0.4)]).idle_cpu == 0.8


def test_a_longer_time_sees_no_larger_change():
    seen = [visible(same_twice(), seconds=seconds, gates=2) for seconds in (10.0, 30.0, 120.0)]
    assert [one.units for one in seen] == [6, 24, 48]
    assert seen[0].side_by_side > seen[1].side_by_side > seen[2].side_by_side > 0.02
    assert seen[0].stored >= seen[1].stored >= seen[2].stored > 0.02


def test_without_plain_runs_nothing_is_said_of_stored_baselines():
    alone = same_twice(run_shared=None, run_own=None)
    assert visible(alone, seconds=30.0, gates=2).stored is None
    found = Yield(workloads=(alone,), units=(), failures=())
    report = assemble(found, machine=machine(), run_units=6, began=time.monotonic())
    assert report.runner_spread is None


def test_the_spread_to_declare_is_that_of_the_worst_workload():
    steady, shaky = same_twice(run_shared=0.001), same_twice(run_shared=0.05, run_own=0.0)
    found = Yield(workloads=(steady, shaky), units=(), failures=())
    report = assemble(found, machine=machine(), run_units=6, began=time.monotonic())
    assert report.runner_spread == pytest.approx(0.0513, abs=1e-4)


def test_what_could_not_be_measured_is_the_first_thing_to_mend():
    failure = Failure(workload=WorkloadId(nodeid="a.py::t"), reason="it died", remedy="-")
    found = Yield(workloads=(same_twice(),), units=(), failures=(failure,))
    report = assemble(found, machine=machine(), run_units=6, began=time.monotonic())
    assert report.not_measured == ("a.py::t: it died",)
    assert report.findings[0].rule == "not_measured"


def test_a_bare_root_tells_nothing_and_raises_nothing(tmp_path):
    facts = machine_facts(root=tmp_path, environ={})
    assert (facts.smt, facts.governors, facts.turbo, facts.virtual) == (None, (), None, None)
    assert (facts.quota_cores, facts.quota_told) == (None, False)
    assert facts.usable_cores >= 1


def test_every_gate_of_a_suite_shares_the_error_and_the_kernel_stands_for_one_workload():
    kernel = Yield(workloads=(same_twice(), same_twice()), units=(), failures=())
    own = Yield(workloads=(same_twice(built_in=False),) * 3, units=(), failures=())
    gates = [
        assemble(found, machine=machine(), run_units=6, began=time.monotonic()).gates
        for found in (kernel, own)
    ]
    assert gates == [2, 6]
