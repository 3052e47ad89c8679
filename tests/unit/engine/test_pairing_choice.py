"""Which way of pairing a workload gets: by its length, by what it waits for, by what is asked."""

from __future__ import annotations

import msgspec
import pytest

from pytest_costguard.engine.pairing import PairingTerms, blocked_share, choose, spinning
from pytest_costguard.engine.protocol import Announced, WarmedUp
from pytest_costguard.records import (
    SIDES,
    Declaration,
    Scenario,
    Sensors,
    Warmup,
    WorkloadId,
)

ONE_CORE = PairingTerms(cores=(0,), metrics=frozenset({"mean"}))


def sensors(*, wall=1.0, cpu=1.0, waited=0.0, steal=0.0, waits=None, idle=None, idle_cpu=None):
    return Sensors(
        wall_seconds=wall,
        cpu_seconds=cpu,
        run_queue_wait_seconds=waited,
        steal_seconds=steal,
        voluntary_switches=waits,
        idle_seconds=idle,
        idle_cpu_seconds=idle_cpu,
    )


def choice(
    terms=ONE_CORE, *, seconds=0.05, read=None, threads=1, scenario=None, times=1, **announced
):
    declaration = Declaration(
        adapter="callable",
        input_count=1,
        input_digest="d",
        threads=threads,
        scenario=scenario or Scenario(),
    )
    one = Announced(
        workload=WorkloadId(nodeid="t.py::t"),
        declaration=declaration,
        cold_start=None,
        has_quality=False,
        alone=True,
        **announced,
    )
    warm = WarmedUp(
        warmup=Warmup(requests=3, seconds=1.0, settled=True),
        seconds_per_request=seconds,
        sensors=read or sensors(),
    )
    other = msgspec.structs.replace(warm, seconds_per_request=seconds * times)
    return choose(terms, announced=dict.fromkeys(SIDES, one), warmed={"base": warm, "head": other})


def test_a_slow_request_that_is_cpu_time_is_served_by_both_sides_at_once():
    found = choice()
    assert (found.kind, found.clock) == ("together", "cpu")


def test_a_quick_request_alternates_and_is_compared_by_cpu_time():
    found = choice(seconds=0.0005)
    assert (found.kind, found.clock) == ("alternating", "cpu")


def test_waiting_for_a_core_and_stolen_time_are_not_waiting_of_the_requests_own():
    assert choice(read=sensors(cpu=0.6, waited=0.3, steal=0.1)).kind == "together"


@pytest.mark.parametrize("seconds", [0.0005, 0.05])
@pytest.mark.parametrize(
    ("given", "because"),
    [
        ({"read": sensors(cpu=0.8)}, "waits for something other than a core 20.0 % of the time"),
        ({"read": Sensors(wall_seconds=1, cpu_seconds=1)}, "does not tell CPU time from waiting"),
        ({"read": sensors(cpu=1.6)}, "more than one thread works"),
        ({"threads": 2}, "more than one request or thread"),
        ({"scenario": Scenario(kind="concurrent", n=2)}, "more than one request or thread"),
        ({"is_async": True}, "a coroutine function"),
        ({"uses_device": True}, "a device does its work"),
        ({"in_server": True}, "a server does its work"),
        ({"pinned": False}, "may not be held to a core"),
        ({"cpu_time_step_seconds": 0.004}, "CPU time is told in steps of 4 ms"),
        ({"terms": PairingTerms(cores=(0,), clock="wall")}, "wall time was asked for"),
    ],
)
def test_cpu_time_is_refused_where_it_is_not_what_a_caller_waits_for(given, because, seconds):
    found = choice(**given, seconds=seconds)
    assert (found.kind, found.clock) == ("alternating", "wall")
    assert because in found.reason


@pytest.mark.parametrize(
    ("given", "because"),
    [
        ({"scenario": Scenario(kind="offline")}, "not told apart"),
        ({"times": 4}, "one side is far slower than the other"),
        ({"terms": PairingTerms(metrics=frozenset({"mean"}))}, "not held to one core"),
        ({"terms": PairingTerms(cores=(0,), metrics=frozenset({"p99"}))}, "p99 need requests"),
    ],
)
def test_slow_requests_alternate_by_cpu_time_where_both_at_once_would_not_do(given, because):
    found = choice(**given)
    assert (found.kind, found.clock) == ("alternating", "cpu")
    assert because in found.reason


def test_a_tail_beside_the_mean_does_not_forbid_it():
    terms = PairingTerms(cores=(0,), metrics=frozenset({"mean", "p99"}))
    assert choice(terms).kind == "together"


def test_what_was_asked_for_is_done():
    terms = PairingTerms(cores=(0,), asked="alternating")
    assert choice(terms).kind == "alternating"
    assert choice(PairingTerms(cores=(0,), asked="together"), seconds=0.001).kind == "together"
    assert choice(PairingTerms(cores=(0,), clock="cpu"), read=sensors(cpu=0.5)).clock == "cpu"


def test_what_was_asked_for_and_cannot_be_done_says_why():
    found = choice(PairingTerms(cores=(0,), asked="together"), threads=2)
    assert found.kind == "alternating"
    assert "not possible: more than one request or thread" in found.reason


def test_threads_that_work_while_their_side_is_idle_are_named_with_their_side():
    read = {"base": sensors(idle=0.5, idle_cpu=0.001), "head": sensors(idle=0.5, idle_cpu=0.1)}
    assert spinning(read) == "on head, threads were busy 20 % of the time while it was idle"


@pytest.mark.parametrize(
    "read", [sensors(), sensors(idle=0.001, idle_cpu=0.001), sensors(idle=0.5, idle_cpu=0.004)]
)
def test_little_idle_work_or_little_idle_time_is_no_spinning(read):
    assert spinning(dict.fromkeys(SIDES, read)) == ""


def test_a_server_that_works_most_of_the_time_while_its_side_is_idle_is_named():
    def read(used):
        idle = sensors(idle=0.5, idle_cpu=0.0)
        return {"head": msgspec.structs.replace(idle, server_idle_cpu_seconds=used)}

    assert spinning(read(0.1)) == ""
    assert spinning(read(0.4)) == "on head, its server was busy 80 % of the time while it was idle"


def test_a_request_that_never_gave_its_core_up_has_waited_for_nothing_else():
    stolen = {"cpu": 0.95, "waited": 0.02}  # the rest went to others before a tick counted it
    assert choice(read=sensors(**stolen, waits=0)).clock == "cpu"
    assert choice(read=sensors(**stolen, waits=1)).clock == "wall"


def test_more_cpu_time_than_wall_time_is_no_waiting():
    assert blocked_share(sensors(cpu=1.02)) == 0.0
