from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pytest_costguard.engine.channel import Channel, ChannelClosed, Rendezvous, dial
from pytest_costguard.engine.protocol import Began, Begin, Calibrated, Command, Event, RunBlock

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
    from pytest_costguard.engine.protocol import TestEnded as Ended

    thread = threading.Thread(
        target=worker.send, args=(Ended(nodeid="a", outcome="failed", details=words),)
    )
    thread.start()
    received = coordinator.receive(timeout_seconds=10)
    thread.join()
    assert received.details == words
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
    import socket

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
