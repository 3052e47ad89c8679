from __future__ import annotations

import socket
from dataclasses import dataclass, field

import pytest

from pytest_costguard.engine.channel import Channel
from pytest_costguard.engine.protocol import (
    Announced,
    Began,
    Begin,
    Command,
    Event,
    Load,
    Reached,
    Refused,
)
from pytest_costguard.engine.session import WorkerSession
from pytest_costguard.errors import WorkerError
from pytest_costguard.records import WorkloadId

WORKLOAD = WorkloadId(nodeid="test_a.py::test_a", name="b")


@dataclass
class FakeWorker:
    """A worker without a process; it may say something at the moment in which it is looked at."""

    channel: Channel[Event, Command]
    theirs: Channel[Command, Event]
    says_at_its_end: list[Event] = field(default_factory=list)
    ended: bool = False

    def alive(self) -> bool:
        while self.says_at_its_end:
            self.theirs.send(self.says_at_its_end.pop())
        return not self.ended

    def wait_briefly(self) -> int:
        return 1

    def last_output(self) -> str:
        return ""


@pytest.fixture
def worker():
    ours, theirs = socket.socketpair()
    fake = FakeWorker(Channel(ours, receives=Event), Channel(theirs, receives=Command))
    yield fake
    fake.channel.close()
    fake.theirs.close()


def test_the_last_message_of_a_process_that_ended_is_not_lost(worker):
    worker.ended = True
    worker.says_at_its_end = [Began()]
    session = WorkerSession(worker, timeout_seconds=20)
    assert session.ask(Begin(), Began, doing="beginning") == Began()


def test_a_process_that_ended_without_a_word_has_died(worker):
    worker.ended = True
    session = WorkerSession(worker, timeout_seconds=20)
    with pytest.raises(WorkerError, match="ended with exit code 1"):
        session.ask(Begin(), Began, doing="beginning")


def test_two_measurements_at_once_are_named_and_not_taken_for_another_version(worker):
    worker.theirs.send(Reached(workload=WORKLOAD))
    session = WorkerSession(worker, timeout_seconds=20)
    with pytest.raises(WorkerError, match="began to measure") as caught:
        session.ask(Load(), Announced, doing="loading")
    assert "one after the other" in caught.value.remedy


def test_a_worker_that_does_not_listen_is_an_error_and_not_a_hang():
    ours, theirs = socket.socketpair()
    stuck = Channel(ours, receives=Event, send_seconds=0.01)
    session = WorkerSession(FakeWorker(stuck, stuck), timeout_seconds=20)
    with pytest.raises(WorkerError, match=r"nothing was read for 0\.01 s"):
        session.tell(Refused(workload=WORKLOAD, reason="x" * (64 << 20), remedy=""))
    theirs.close()
