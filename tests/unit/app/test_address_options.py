"""What an address makes of the options of a call of `measure`."""

from __future__ import annotations

import pytest

from pytest_costguard.app.declared_scenarios import declared_scenario
from pytest_costguard.app.instruments import MachineInstruments
from pytest_costguard.app.measure_call import MeasureCall
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import Scenario, WorkloadId
from pytest_costguard.workloads.answers import Answer

ADDRESS = "http://127.0.0.1:8080/v2/models/m/infer"


def declared(scenario, *, thing=ADDRESS, **options):
    return declared_scenario(scenario, thing=thing, options=options, nodeid="t.py::test")


def test_a_closed_loop_hands_the_time_limit_on_in_seconds():
    assert declared("single_stream", timeout="500ms").options == {"timeout": 0.5}


def test_without_a_time_limit_the_closed_loop_leaves_it_to_the_endpoint():
    assert declared("single_stream").options == {}


def test_under_load_a_request_waits_no_longer_than_the_load_counts_it():
    found = declared("server", rate=10, timeout="2s")
    assert found.scenario.load.timeout_seconds == 2.0
    assert found.options == {"timeout": 2.0}


def test_under_load_the_usual_time_limit_is_handed_on_too():
    found = declared("server", rate=10, binary=True)
    assert found.options == {"timeout": found.scenario.load.timeout_seconds, "binary": True}


def test_what_is_no_address_keeps_its_options():
    assert declared("server", thing=len, rate=10, timeout="2s").options == {}
    assert declared("single_stream", thing=len, timeout="2s").options == {"timeout": "2s"}


def test_a_time_limit_without_a_unit_is_refused():
    with pytest.raises(ConfigError, match="timeout"):
        declared("single_stream", timeout="10")


def call(thing=None, **fields):
    return MeasureCall(
        workload=WorkloadId(nodeid="t.py::test"),
        thing=thing,
        inputs=[1],
        batch_size=None,
        scenario=Scenario(),
        options={},
        **{"load": None, "quality": None, **fields},
    )


def test_an_address_is_answered_elsewhere_and_has_no_cold_start_here():
    assert (call(ADDRESS).is_elsewhere, call(ADDRESS).loads) == (True, False)
    assert not call(len).is_elsewhere


def test_an_address_that_load_returns_is_refused():
    with pytest.raises(ConfigError, match=r"load= returned an address(.|\n)*the address itself"):
        call(load=lambda: ADDRESS).adapter(threads=1)


def test_quality_sees_answers_read():
    assert call(ADDRESS, quality=sum).quality_of([Answer(lambda: 1), 2]) == 3


def test_the_memory_of_what_asks_is_not_taken_for_that_of_the_server():
    instruments = MachineInstruments(
        threads=1,
        scenario=Scenario(),
        is_async=False,
        device_peak_bytes=lambda: None,
        reset_device_peak=lambda: None,
        is_elsewhere=True,
    )
    assert not instruments.has_meter
    instruments.begin()
    _, memory, notes = instruments.end()
    assert memory is None
    assert any("none that the test has started" in note for note in notes)
