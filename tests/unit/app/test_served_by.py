"""Which server answers a workload: the one that is named, or the one at its address."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from pytest_costguard.app.authoring import Costguard
from pytest_costguard.errors import ConfigError


class Server:
    def __init__(self, port):
        self.port = port

    def serves(self, address):
        return f":{self.port}/" in address


class Backend:
    """Has servers that are up at once, and keeps the calls of `measure`."""

    def __init__(self):
        self.calls = []
        self.up = []

    def server(self, declared):
        self.up.append(Server(declared.port))
        return nullcontext(self.up[-1])

    def measure(self, call):
        self.calls.append(call)


@pytest.fixture
def backend():
    return Backend()


@pytest.fixture
def costguard(backend):
    return Costguard(nodeid="test_it.py::test", backend=backend)


def up(costguard, port):
    return costguard.server(["serve"], ready=f"http://127.0.0.1:{port}/ready")


def test_an_address_is_answered_by_the_server_at_its_port(costguard, backend):
    with up(costguard, 8001) as first, up(costguard, 8002) as second:
        costguard.measure("http://127.0.0.1:8001/infer", inputs=[1], name="first")
        costguard.measure("http://127.0.0.1:8002/infer", inputs=[1], name="second")
        costguard.measure("http://127.0.0.1:8003/infer", inputs=[1], name="another")
        costguard.measure(abs, inputs=[1], name="function")
    assert [call.server for call in backend.calls] == [first, second, None, None]


def test_a_function_is_answered_by_the_server_that_is_named(costguard, backend):
    with up(costguard, 8001) as server:
        costguard.measure(abs, inputs=[1], served_by=server)
    assert [call.server for call in backend.calls] == [server]


def test_a_server_that_is_down_answers_nothing(costguard, backend):
    with up(costguard, 8001) as server:
        pass
    costguard.measure("http://127.0.0.1:8001/infer", inputs=[1])
    assert backend.calls[0].server is None
    with pytest.raises(ConfigError, match="no server of this test that is up"):
        costguard.measure(abs, inputs=[1], served_by=server, name="late")


def test_what_is_not_understood_is_refused_before_anything_is_started(costguard, backend):
    with pytest.raises(ConfigError, match="is no address"):
        costguard.server(["serve"], ready="127.0.0.1:8001")
    assert backend.up == []
