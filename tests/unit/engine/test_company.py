"""Two sides at the same time: counted while both serve, and no side is left serving for ever."""

from __future__ import annotations

import pytest

from pytest_costguard.engine.company import serve_together
from pytest_costguard.engine.protocol import (
    Began,
    Count,
    Refused,
    RunTogether,
    Stop,
    Stopped,
    TogetherDone,
)
from pytest_costguard.engine.session import WorkloadRefused
from pytest_costguard.engine.sides import BothSessions, SideRefused
from pytest_costguard.records import SIDES, Block, WorkloadId


class Session:
    """A session whose worker serves, or refuses in place of one of its answers."""

    def __init__(self, name, journal, *, refuses=None):
        self.name = name
        self.journal = journal
        self.refuses = refuses

    def tell(self, command):
        self.journal.append((self.name, type(command)))

    def expect(self, answer, *, doing, more_seconds=0.0):
        if answer is self.refuses:
            refusal = Refused(workload=WorkloadId(nodeid="t.py::t"), reason="no", remedy="mend it")
            raise WorkloadRefused(refusal)
        self.journal.append((self.name, answer))
        if answer is Began:
            return Began()
        block = Block(wall_seconds=0.02, cpu_seconds=0.01, requests=1, items=1)
        return TogetherDone(blocks=(block,) * 3)

    def ask(self, command, answer, *, doing):
        assert (type(command), answer) == (Stop, Stopped)
        self.journal.append((self.name, Stop))
        return Stopped()


def together(**refuses):
    journal = []
    sessions = {side: Session(side, journal, refuses=refuses.get(side)) for side in SIDES}
    return journal, lambda: serve_together(
        BothSessions(sessions, SIDES), requests=3, seconds_per_request=0.1
    )


def test_nothing_is_counted_before_both_are_serving():
    journal, serve = together()
    found = serve()
    assert [len(done.blocks) for done in found.values()] == [3, 3]
    steps = [step for _, step in journal]
    assert steps == [
        *(RunTogether, RunTogether, Began, Began, Count, Count),
        *(TogetherDone, TogetherDone, Stop, Stop),
    ]


@pytest.mark.parametrize("step", [Began, TogetherDone])
@pytest.mark.parametrize(("side", "other"), [("base", "head"), ("head", "base")])
def test_a_side_that_refuses_is_named_and_the_other_is_stopped(step, side, other):
    journal, serve = together(**{side: step})
    with pytest.raises(SideRefused) as refused:
        serve()
    assert refused.value.side == side
    assert journal[-1] == (other, Stop)
    assert (side, Stop) not in journal
