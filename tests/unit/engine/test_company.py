"""Two sides at the same time: only requests count that both served while both ran."""

from __future__ import annotations

import pytest

from pytest_costguard.engine.company import serve_together
from pytest_costguard.engine.protocol import (
    Refused,
    RunTogether,
    Stop,
    Stopped,
    TimedRequest,
    TogetherDone,
)
from pytest_costguard.engine.session import WorkloadRefused
from pytest_costguard.engine.sides import BothSessions, SideRefused
from pytest_costguard.errors import WorkerError
from pytest_costguard.records import SIDES, WorkloadId


class Session:
    """A session whose worker serves requests of these spans, or refuses."""

    def __init__(self, spans):
        self.spans = spans
        self.told = []

    def tell(self, command):
        self.told.append(command)

    def expect(self, answer, *, doing):
        assert answer is TogetherDone
        if self.spans is None:
            refusal = Refused(workload=WorkloadId(nodeid="t.py::t"), reason="no", remedy="mend it")
            raise WorkloadRefused(refusal)
        return TogetherDone(
            requests=tuple(
                TimedRequest(begin * 10**6, end * 10**6, (end - begin) * 500_000, 2)
                for begin, end in self.spans
            )
        )

    def ask(self, command, answer, *, doing):
        assert (type(command), answer) == (Stop, Stopped)
        self.told.append(command)
        return Stopped()


def together(base, head, *, inputs=3):
    sessions = {"base": Session(base), "head": Session(head)}
    pair = BothSessions(sessions, SIDES)
    counts = dict.fromkeys(SIDES, inputs)
    return sessions, serve_together(pair, counts=counts, requests=len(base or head))


EVEN = [(0, 10), (10, 20), (20, 30), (30, 40)]


def test_what_both_served_while_both_ran_counts_with_its_cpu_time():
    _, found = together(EVEN, EVEN)
    blocks, first = found["head"]
    assert first == 0
    assert [block.cpu_seconds for block in blocks] == [0.005] * 4
    assert [block.items for block in blocks] == [2] * 4


def test_a_start_that_was_alone_does_not_count():
    late = [(begin + 15, end + 15) for begin, end in EVEN]
    _, found = together(EVEN, late)
    assert len(found["base"][0]) == len(found["head"][0]) == 2
    assert found["base"][1] == 2


def test_a_side_that_is_far_slower_loses_none_of_its_requests():
    slow = [(3 * begin, 3 * end) for begin, end in EVEN]
    _, found = together(EVEN, slow)
    assert [len(blocks) for blocks, _ in found.values()] == [4, 4]


def test_the_first_input_wraps_round_the_set():
    late = [(begin + 25, end + 25) for begin, end in EVEN]
    _, found = together(EVEN, late, inputs=2)
    assert found["base"][1] == 3 % 2


def test_both_are_told_to_stop_once_both_are_done():
    sessions, _ = together(EVEN, EVEN)
    for session in sessions.values():
        assert [type(command) for command in session.told] == [RunTogether, Stop]


def test_a_side_that_refuses_is_named_and_the_other_is_stopped():
    with pytest.raises(SideRefused) as refused:
        together(None, EVEN)
    assert refused.value.side == "base"


def test_sides_that_never_ran_at_the_same_time_are_an_error_with_a_remedy():
    late = [(begin + 100, end + 100) for begin, end in EVEN]
    with pytest.raises(WorkerError, match="never did") as error:
        together(EVEN, late)
    assert "--costguard-pairing=alternating" in error.value.remedy
