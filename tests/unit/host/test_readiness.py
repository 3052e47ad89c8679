"""Waiting for a server: what is asked, how often, and what is said where it does not come up."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import trustme

from pytest_costguard.host.readiness import (
    Ended,
    NotReady,
    answers_200,
    says_so,
    wait_until_ready,
)


class Clock:
    """Stands still but for what is slept, and what each look takes."""

    def __init__(self):
        self.now = 0.0
        self.sleeps = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.sleeps.append(seconds)
        self.now += seconds


def from_on(clock, seconds, *, seen="still loading"):
    return lambda _: "" if clock() >= seconds else seen


def waited(*looks, clock, seconds=60.0, runs=lambda: True):
    return wait_until_ready(looks, seconds=seconds, runs=runs, clock=clock, sleep=clock.sleep)


def test_ready_is_the_moment_when_all_have_been_ready():
    clock = Clock()
    ready = waited(from_on(clock, 1.0), from_on(clock, 3.0), clock=clock)
    assert ready == pytest.approx(3.0, rel=0.05)


def test_it_is_asked_often_at_first_and_less_often_later():
    clock = Clock()
    waited(from_on(clock, 40.0), clock=clock)
    assert clock.sleeps[0] == pytest.approx(0.005)
    assert max(clock.sleeps) == pytest.approx(0.25)


def test_what_is_not_ready_in_time_says_what_was_seen_last():
    clock = Clock()
    with pytest.raises(NotReady, match="answered 503"):
        waited(from_on(clock, 99.0, seen="answered 503"), clock=clock, seconds=2.0)
    assert clock.now == pytest.approx(2.0, abs=0.1)


def test_a_server_that_has_ended_is_not_waited_for():
    clock = Clock()
    with pytest.raises(Ended):
        waited(from_on(clock, 99.0), clock=clock, runs=lambda: clock() < 0.5)
    assert clock.now < 1


def test_an_answer_of_somebody_else_does_not_make_an_ended_server_ready():
    runs = iter([True, False])
    with pytest.raises(Ended):
        waited(lambda _: "", clock=Clock(), runs=lambda: next(runs))


def test_what_was_seen_before_is_told_where_the_last_look_has_no_time_for_an_answer():
    released = threading.Event()
    answers = iter(["answered 503"])
    try:
        with pytest.raises(NotReady, match="answered 503"):
            wait_until_ready(
                [lambda _: next(answers, None) or str(released.wait())],
                seconds=0.1,
                runs=lambda: True,
            )
    finally:
        released.set()


def test_a_look_that_hangs_is_given_up_when_the_time_is_up():
    released = threading.Event()
    try:
        with pytest.raises(NotReady, match="no answer"):
            wait_until_ready([lambda _: str(released.wait())], seconds=0.1, runs=lambda: True)
    finally:
        released.set()


def test_a_function_is_ready_when_it_says_so_and_a_refused_connection_is_a_no():
    answers = iter([ConnectionRefusedError("refused"), False, True])

    def loaded():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    look = says_so(loaded)
    assert "refused" in look(1.0)
    assert "returned False" in look(1.0)
    assert look(1.0) == ""


def test_an_error_of_a_function_is_the_tests_own():
    def broken(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        waited(broken, clock=Clock())


@contextlib.contextmanager
def serving(status, *, context=None):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/ready?model=a" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http{'s' * (context is not None)}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_an_address_is_ready_when_it_answers_200(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving(200) as url:
        assert answers_200(f"{url}/ready?model=a")(5.0) == ""
        assert answers_200(f"{url}/")(5.0).endswith("answered 404")


@pytest.mark.parametrize("status", [204, 302, 503])
def test_any_other_answer_is_not_ready(status):
    with serving(status) as url:
        assert answers_200(f"{url}/ready?model=a")(5.0).endswith(f"answered {status}")


def test_what_does_not_speak_http_is_not_ready():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def mumble():
            connection, _ = server.accept()
            connection.sendall(b"220 mail\r\n")
            connection.close()

        thread = threading.Thread(target=mumble)
        thread.start()
        assert answers_200(f"http://127.0.0.1:{port}/")(5.0) != ""
        thread.join()
    assert "refused" in answers_200(f"http://127.0.0.1:{port}/")(5.0)


def test_readiness_does_not_ask_whose_certificate_it_is():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with serving(200, context=context) as address:
        assert answers_200(f"{address}/ready?model=a")(5.0) == ""
