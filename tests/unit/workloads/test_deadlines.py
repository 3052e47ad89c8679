"""A deadline holds for all pieces of an answer together."""

from __future__ import annotations

import io
import socket
import time

import pytest

from pytest_costguard.workloads.deadlines import UntilDeadline, bounded_response


class Socket:
    """Keeps the time limits that it is given."""

    def __init__(self, limit):
        self.limits = [limit]

    def gettimeout(self):
        return self.limits[-1]

    def settimeout(self, seconds):
        self.limits.append(seconds)


def reader(times, *, limit=10.0, deadline=10.0):
    """A reader of `abcdef` whose clock says these times, and its socket."""
    ticks = iter(times)
    connected = Socket(limit)
    file = io.BytesIO(b"abcdef")
    bounded = UntilDeadline(file, connected, deadline=deadline, clock=lambda: next(ticks))
    return bounded, connected


def test_each_piece_has_what_is_left():
    bounded, connected = reader([1.0, 4.0, 9.0])

    assert [bounded.read(2) for _ in range(3)] == [b"ab", b"cd", b"ef"]
    assert connected.limits == [10.0, 9.0, 6.0, 1.0]


def test_after_the_deadline_nothing_is_read():
    bounded, _ = reader([9.0, 10.0])
    bounded.read(2)

    with pytest.raises(TimeoutError):
        bounded.read(2)


def test_a_shorter_limit_of_the_socket_stays():
    bounded, connected = reader([1.0], limit=0.05)
    bounded.read(2)

    assert connected.limits == [0.05]


def test_a_socket_that_waits_for_ever_is_bounded():
    bounded, connected = reader([1.0], limit=None)
    bounded.read(2)

    assert connected.limits == [None, 9.0]


def test_what_it_reads_is_closed_with_it():
    file = io.BytesIO(b"")
    UntilDeadline(file, Socket(1.0), deadline=1.0).close()

    assert file.closed


def test_what_the_standard_library_says_in_order_is_passed_on():
    # It names the level of debugging by its place, where one is set.
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        response = bounded_response(ours, 0, deadline=time.monotonic() + 5, method="GET")
        response.begin()

    assert response.status == 204
