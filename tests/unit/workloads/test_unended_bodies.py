"""Against a server that ends its bodies when it is told to, with and without TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import trustme

from pytest_costguard.measure.ports import Clock
from pytest_costguard.workloads.http_exchange import Exchange, Request

TOLD = b"data: [DONE]\n\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b"{}"
LONG = 10.0
"""Seconds that nobody waits for."""


class Server:
    """Answers every request with one event, and ends the body with it, later, or never."""

    def __init__(self, *, ends: str, head: bytes = CHUNKED, context: ssl.SSLContext | None = None):
        self.may_end = threading.Event()
        if ends == "with the event":
            self.may_end.set()
        self.connections = 0
        self.given_up = threading.Event()
        self.ended = threading.Event()
        self._ends = ends
        self._head = head
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        scheme = "https" if self._context else "http"
        return f"{scheme}://127.0.0.1:{self._listening.getsockname()[1]}/v1/chat/completions"

    @contextmanager
    def running(self) -> Iterator[Server]:
        threading.Thread(target=self._accept, daemon=True).start()
        with self._listening:
            yield self
        self.may_end.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                accepted, _ = self._listening.accept()
                self.connections += 1
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._answer, args=(accepted,), daemon=True).start()

    def _answer(self, accepted: socket.socket) -> None:
        with suppress(OSError):
            if self._context:
                accepted = self._context.wrap_socket(accepted, server_side=True)
            with accepted:
                while _has_asked(accepted):
                    self._tell(accepted)
        self.given_up.set()

    def _tell(self, accepted: socket.socket) -> None:
        event = b"%x\r\n%s\r\n" % (len(TOLD), TOLD)
        if self._ends == "with the event":
            accepted.sendall(self._head + event + b"0\r\n\r\n")
            return
        accepted.sendall(self._head + event)
        if self._ends == "later":
            self.may_end.wait(LONG)
            accepted.sendall(b"0\r\n\r\n")
            self.ended.set()


def _has_asked(accepted: socket.socket) -> bool:
    """Read one request, which may come in pieces; False where none comes any more."""
    read = b""
    while not read.endswith(b"\r\n\r\n" + BODY):
        piece = accepted.recv(65536)
        if not piece:
            return False
        read += piece
    return True


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(params=["http", "https"])
def context(request, authority):
    if request.param == "http":
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(made)
    return made


def exchange_with(server):
    return Exchange(server.url, timeout_seconds=LONG, verify=False)


def seconds_of_a_request(exchange):
    clock = Clock.system()
    before = clock.wall_ns()
    exchange.take_back()
    with exchange.following(Request(body=BODY)) as response:
        assert response.read1() == TOLD
    return (clock.wall_ns() - before) / 1e9


def test_an_end_that_comes_with_the_last_event_frees_the_connection(context):
    with Server(ends="with the event", context=context).running() as server:
        exchange = exchange_with(server)
        for _ in range(4):
            seconds_of_a_request(exchange)

        assert server.connections == 1


def test_nobody_waits_for_an_end_that_comes_later(context):
    with Server(ends="later", context=context).running() as server:
        exchange = exchange_with(server)
        took = [seconds_of_a_request(exchange) for _ in range(4)]

        # The quickest of them: a busy machine holds up some.
        assert min(took) < 0.04
        assert server.connections == 4


def test_the_connection_is_used_again_once_its_end_has_come(context):
    with Server(ends="later", context=context).running() as server:
        exchange = exchange_with(server)
        seconds_of_a_request(exchange)
        server.may_end.set()
        assert server.ended.wait(LONG)
        seconds_of_a_request(exchange)

        assert server.connections == 1


def test_a_connection_that_is_left_open_for_long_is_closed():
    with Server(ends="never").running() as server:
        exchange = exchange_with(server)
        while not server.given_up.wait(0.03):
            seconds_of_a_request(exchange)

        assert server.connections > 1


def test_a_server_that_closes_the_connection_is_not_waited_for():
    closing = CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with Server(ends="never", head=closing).running() as server:
        exchange = exchange_with(server)
        took = [seconds_of_a_request(exchange) for _ in range(3)]

        assert max(took) < LONG / 2
        assert server.given_up.wait(LONG)
