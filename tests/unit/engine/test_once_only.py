"""What both sides cannot have at the same time sends them into turns, and is no fault of either."""

from __future__ import annotations

import pytest

from pytest_costguard.engine import protocol
from pytest_costguard.engine.lockstep import Lockstep
from pytest_costguard.engine.pair_collection import PairCollection
from pytest_costguard.engine.protocol import Refused
from pytest_costguard.engine.session import WorkloadRefused
from pytest_costguard.engine.sides import NotBesideEachOther, SideRefused, at
from pytest_costguard.records import WorkloadId

WORKLOAD = WorkloadId(nodeid="test_it.py::test")


def refused(needs=""):
    return Refused(
        workload=WORKLOAD,
        reason="port 8080 is in use\nIts last output: none",
        remedy="stop it",
        needs_the_machine=needs,
    )


class Session:
    def __init__(self, *events):
        self.events = list(events)

    def next_event(self):
        return self.events.pop(0)


def lockstep(**sessions):
    return Lockstep(sessions=sessions, found=PairCollection(), unit=0, lone=True)


def test_a_workload_that_needs_what_the_other_side_has_is_measured_in_turns():
    with pytest.raises(NotBesideEachOther) as told, at("base"):
        raise WorkloadRefused(refused("both sides need the same port"))
    assert told.value.reason == "both sides need the same port: on base, port 8080 is in use"
    assert told.value.side == "base"


def test_any_other_refusal_is_that_sides_own():
    with pytest.raises(SideRefused), at("base"):
        raise WorkloadRefused(refused())


def test_so_is_a_test_that_has_reached_no_workload_yet():
    pair = lockstep(base=Session(refused("both sides need the same port")), head=Session())
    with pytest.raises(NotBesideEachOther):
        pair.advance("base", WORKLOAD.nodeid)
    assert not pair.found.head.failed(WORKLOAD.nodeid)


def test_where_a_side_is_alone_it_is_a_failure_of_the_test():
    ended = protocol.TestEnded(nodeid=WORKLOAD.nodeid, outcome="failed", details="")
    alone = lockstep(base=Session(refused("both sides need the same port"), ended))
    assert alone.advance("base", WORKLOAD.nodeid) is None
    assert alone.found.head.failed(WORKLOAD.nodeid)
