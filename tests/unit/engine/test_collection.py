from __future__ import annotations

import pytest

from pytest_costguard.engine.collection import Collection
from pytest_costguard.engine.plain import MeasuredUnit
from pytest_costguard.engine.protocol import Announced
from pytest_costguard.records import (
    Block,
    ColdStart,
    Declaration,
    Failure,
    Memory,
    Sensors,
    Unit,
    Warmup,
    WorkloadId,
)


def measured(
    name="", *, index=0, digest="d", memory=True, nodeid="test_a.py::test_a", elsewhere=False
):
    """A unit of a process that served it alone, where its memory is told; or that had others."""
    workload = WorkloadId(nodeid=nodeid, name=name)
    alone = memory or elsewhere
    cold_start = ColdStart(load_seconds=None, first_call_seconds=0.1)
    return MeasuredUnit(
        announced=Announced(
            workload=workload,
            declaration=Declaration(adapter="callable", input_count=1, input_digest=digest),
            cold_start=cold_start,
            has_quality=False,
            alone=alone,
        ),
        unit=Unit(
            index=index,
            blocks=(Block(wall_seconds=1.0, cpu_seconds=1.0, requests=1, items=1),),
            latency_seconds=(1.0,),
            warmup=Warmup(requests=3, seconds=0.1, settled=True),
            sensors=Sensors(wall_seconds=1.0, cpu_seconds=1.0),
            memory=Memory(peak_bytes=1 << 20, method="VmHWM after reset") if memory else None,
            cold_start=cold_start if alone else None,
        ),
        notes=(),
    )


def test_units_of_a_workload_come_together_in_order():
    collection = Collection()
    for index in range(3):
        collection.add(measured(index=index))
    (measurement,) = collection.measurements()
    assert [unit.index for unit in measurement.units] == [0, 1, 2]


def test_inputs_that_differ_from_unit_to_unit_are_noted_once():
    collection = Collection()
    for index, digest in enumerate("abc"):
        collection.add(measured(index=index, digest=digest))
    (measurement,) = collection.measurements()
    assert len(measurement.notes) == 1
    assert "inputs differ" in measurement.notes[0]


def test_a_workload_that_a_unit_lost_is_a_failure_with_the_words_of_its_test():
    collection = Collection()
    collection.add(measured("first"))
    collection.add(measured("second"))
    collection.add(measured("first", index=1))
    collection.test_details["test_a.py::test_a"] = "assert 1 == 2"
    collection.check_complete(["test_a.py::test_a"], units=2)
    (failure,) = collection.failures
    assert failure.workload.name == "second"
    assert "1 of 2 units" in failure.reason
    assert failure.details == "assert 1 == 2"


def test_a_test_that_failed_before_it_measured_is_a_failure_and_never_a_pass():
    collection = Collection()
    collection.test_details["test_a.py::test_a"] = "assert 1 == 2"
    collection.check_complete(["test_a.py::test_a", "test_a.py::test_skipped"], units=2)
    (failure,) = collection.failures
    assert failure.workload == WorkloadId(nodeid="test_a.py::test_a")
    assert "before it had measured anything" in failure.reason
    assert failure.details == "assert 1 == 2"


def test_the_remedy_of_an_error_of_ours_is_that_of_the_failure():
    collection = Collection()
    collection.test_details["test_a.py::test_a"] = (
        ">       raise refusal(value)\n"
        "E       pytest_costguard.errors.ConfigError: test_a.py: rate = 0 is not above zero\n"
        "E         remedy: write a number above zero\n"
        "\n"
        "quantities.py:346: ConfigError\n"
    )
    collection.check_complete(["test_a.py::test_a"], units=2)
    (failure,) = collection.failures
    assert failure.reason.endswith("anything: test_a.py: rate = 0 is not above zero")
    assert failure.remedy == "write a number above zero"


def test_the_first_reason_for_a_failure_stays():
    collection = Collection()
    for reason in ("the cause", "its consequence"):
        collection.fail(
            Failure(workload=WorkloadId(nodeid="a"), reason=reason, remedy="mend the cause")
        )
    assert [failure.reason for failure in collection.failures] == ["the cause"]


def test_memory_measured_alone_completes_units_that_had_none():
    collection = Collection()
    collection.add(measured("first"))
    collection.add(measured("second", memory=False))
    assert collection.without_memory() == (WorkloadId(nodeid="test_a.py::test_a", name="second"),)
    collection.complete_memory(measured("second"))
    assert collection.without_memory() == ()


def test_what_is_served_elsewhere_is_not_served_alone_for_a_memory_that_nobody_knows():
    collection = Collection()
    collection.add(measured(memory=False, elsewhere=True))
    assert collection.without_memory() == ()


def test_units_that_lack_memory_are_known_by_their_indices():
    collection = Collection()
    for index, memory in enumerate([False, True, False]):
        collection.add(measured(index=index, memory=memory))
    workload = WorkloadId(nodeid="test_a.py::test_a")
    assert collection.without_memory() == ()
    assert collection.without_memory_in(workload) == (0, 2)
    collection.complete_memory(measured(index=0))
    assert collection.without_memory_in(workload) == (2,)


@pytest.mark.parametrize("nodeid", ["test_a.py::test_a", "test_a.py::other"])
def test_workloads_are_known_by_their_test(nodeid):
    collection = Collection()
    collection.add(measured(nodeid=nodeid))
    assert collection.workloads(nodeid) == (WorkloadId(nodeid=nodeid),)
    assert collection.workloads("elsewhere.py::test") == ()
