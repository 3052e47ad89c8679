from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from pytest_costguard.engine.channel import Channel, ChannelClosed, ChannelStuck, Rendezvous, dial
from pytest_costguard.engine.protocol import Began, Begin, Calibrated, Command, Event, RunBlock
from pytest_costguard.engine.protocol import TestEnded as Ended

Ends = tuple[Channel[Event, Command], Channel[Command, Event]]


@pytest.fixture(params=[True, False], ids=["inherited", "dialled"])
def connect(request: pytest.FixtureRequest) -> Callable[[], Ends]:
    def both() -> Ends:
        rendezvous = Rendezvous(inherit=request.param)
        found = {}
        worker = threading.Thread(
            target=lambda: found.setdefault("worker", dial(rendezvous.address))
        )
        worker.start()
        coordinator = rendezvous.connect()
        worker.join()
        if request.param:
            rendezvous._theirs.detach()  # the worker's process would own it
        return Channel(coordinator, receives=Event), Channel(found["worker"], receives=Command)

    return both


def test_messages_arrive_whole_and_in_order(connect):
    coordinator, worker = connect()
    sent = [RunBlock(first=n, requests=n + 1, discard=1) for n in range(100)]
    for message in sent:
        coordinator.send(message)
    assert [worker.receive(timeout_seconds=5) for _ in sent] == sent
    coordinator.close()
    worker.close()


def test_a_message_larger_than_the_socket_buffer_arrives(connect):
    coordinator, worker = connect()
    words = "x" * 3_000_000
    thread = threading.Thread(
        target=worker.send, args=(Ended(nodeid="a", outcome="failed", details=words),)
    )
    thread.start()
    received = coordinator.receive(timeout_seconds=10)
    thread.join()
    assert received.details == words
    coordinator.close()
    worker.close()


def test_characters_that_no_text_may_hold_arrive_in_words(connect):
    coordinator, worker = connect()
    worker.send(Ended(nodeid="a", outcome="failed", details="it raised: \udc80 and é"))
    received = coordinator.receive(timeout_seconds=5)
    assert received == Ended(nodeid="a", outcome="failed", details=r"it raised: \udc80 and é")
    coordinator.close()
    worker.close()


def test_silence_is_none_and_not_an_error(connect):
    coordinator, worker = connect()
    assert coordinator.receive(timeout_seconds=0.01) is None
    coordinator.close()
    worker.close()


def test_the_end_of_the_other_side_is_seen(connect):
    coordinator, worker = connect()
    worker.send(Began())
    worker.close()
    assert coordinator.receive(timeout_seconds=5) == Began()
    with pytest.raises(ChannelClosed):
        coordinator.receive(timeout_seconds=5)
    coordinator.close()


def test_a_command_is_no_event(connect):
    coordinator, worker = connect()
    coordinator.send(Begin())
    wrong = Channel(worker._socket, receives=Event)
    with pytest.raises(ChannelClosed, match="not a message"):
        wrong.receive(timeout_seconds=5)
    coordinator.close()
    worker.close()


def test_garbage_is_no_message(connect):
    coordinator, worker = connect()
    worker._socket.sendall(b"\xff" * 64)
    with pytest.raises(ChannelClosed, match="not a message"):
        coordinator.receive(timeout_seconds=5)
    coordinator.close()
    worker.close()


def test_a_stranger_without_the_token_is_not_let_in():
    rendezvous = Rendezvous(inherit=False)
    stranger = socket.create_connection(("127.0.0.1", rendezvous.address.port))
    stranger.sendall(b"0" * len(rendezvous.address.token))
    found = {}
    worker = threading.Thread(target=lambda: found.setdefault("it", dial(rendezvous.address)))
    worker.start()
    coordinator = Channel(rendezvous.connect(), receives=Event)
    worker.join()
    friend = Channel(found["it"], receives=Command)
    friend.send(Calibrated(seconds=0.5))
    assert coordinator.receive(timeout_seconds=5) == Calibrated(seconds=0.5)
    for channel in (coordinator, friend, stranger):
        channel.close()


def test_a_descriptor_beyond_what_select_takes_is_as_good_as_any():
    fcntl = pytest.importorskip("fcntl")
    resource = pytest.importorskip("resource")
    ours, theirs = socket.socketpair()
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] <= 1100:
        pytest.skip("this system allows no descriptor above 1024")
    high = socket.socket(fileno=fcntl.fcntl(ours.fileno(), fcntl.F_DUPFD, 1030))
    ours.close()
    worker, coordinator = Channel(theirs, receives=Command), Channel(high, receives=Event)
    worker.send(Began())
    assert coordinator.receive(timeout_seconds=5) == Began()
    assert coordinator.receive(timeout_seconds=0) is None
    coordinator.close()
    worker.close()


def test_a_message_that_nobody_reads_is_given_up():
    ours, theirs = socket.socketpair()
    channel = Channel(ours, receives=Event, send_seconds=0.01)
    more_than_any_buffer = Ended(nodeid="a", outcome="failed", details="x" * (64 << 20))
    with pytest.raises(ChannelStuck, match="nothing was read"):
        channel.send(more_than_any_buffer)
    theirs.close()
