"""Addresses as workloads, asked of a small server in a thread."""

from __future__ import annotations

import json

import numpy as np
import pytest
from contracts.workload import WorkloadContract
from fakes.model_server import INFER, ModelServer, serving

from pytest_costguard.errors import ConfigError, WorkloadError
from pytest_costguard.measure.ports import Clock
from pytest_costguard.measure.served import Served
from pytest_costguard.records import Scenario
from pytest_costguard.workloads.answers import Answer, read
from pytest_costguard.workloads.endpoint import Endpoint
from pytest_costguard.workloads.http_exchange import NoAnswer

X = {"x": np.array([1.0, 2.0], "f4")}


@pytest.fixture
def server():
    with serving() as running:
        yield running


class EndpointContract(WorkloadContract):
    """The contract over an endpoint of a server that runs as long as each test."""

    server: ModelServer

    @pytest.fixture(autouse=True)
    def _served(self):
        with serving() as self.server:
            yield

    def same(self, first, second):
        ours, theirs = read(first), read(second)
        return str(ours) == str(theirs)


class TestV2InJson(EndpointContract):
    def make(self):
        return Endpoint(self.server.url())

    def an_input(self):
        return X


class TestV2InBinaryData(EndpointContract):
    def make(self):
        return Endpoint(self.server.url(), options={"binary": True})

    def an_input(self):
        return X


class TestTemplate(EndpointContract):
    def make(self):
        return Endpoint(self.server.url("/echo"), options={"body": {"text": "{input}"}})

    def an_input(self):
        return "a question"


def asked(endpoint, value):
    with endpoint.serving():
        answer = endpoint.function()(value)
    return read(answer)


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_a_v2_model_answers_with_arrays_by_name(server, binary):
    endpoint = Endpoint(server.url(), options={"binary": binary})
    for _ in range(2):
        found = asked(endpoint, X)
        assert found["y"].tolist() == [2.0, 4.0]
        assert found["y"].dtype == np.float32


def test_a_template_answers_with_what_is_at_its_place(server):
    options = {"body": {"texts": ["{input}"]}, "answer": "texts[0]"}
    assert asked(Endpoint(server.url("/echo"), options=options), "a") == "a"


def test_headers_and_method_are_sent(server):
    options = {"headers": {"Authorization": "Bearer t"}, "method": "put"}
    asked(Endpoint(server.url("/echo"), options=options), {"a": 1})
    (seen,) = server.state.seen
    assert (seen.method, seen.headers["authorization"]) == ("PUT", "Bearer t")


def test_headers_are_sent_with_v2_requests_too(server):
    asked(Endpoint(server.url(), options={"headers": {"X-Tenant": "a"}}), X)
    assert server.state.seen[0].headers["x-tenant"] == "a"


@pytest.mark.parametrize("beforehand", [True, False])
def test_an_input_is_made_a_request_once(server, beforehand):
    made = []

    def body(value):
        made.append(value)
        return {"n": value}

    endpoint = Endpoint(server.url("/echo"), options={"body": body})
    values = [[1], [2]]
    if beforehand:
        endpoint.prepare(values)
        assert made == values
    for _ in range(3):
        for value in values:
            asked(endpoint, value)
    assert made == values
    assert [seen.json for seen in server.state.seen] == [{"n": [1]}, {"n": [2]}] * 3


def test_measuring_makes_every_request_before_the_first_is_sent(server):
    Served(
        workload=Endpoint(server.url("/echo")),
        inputs=[{"a": 1}],
        items=[1],
        scenario=Scenario(),
        clock=Clock.system(),
    )
    with pytest.raises(WorkloadError, match="by name"):
        Served(
            workload=Endpoint(server.url()),
            inputs=[X, [1.0]],
            items=[1, 1],
            scenario=Scenario(),
            clock=Clock.system(),
        )
    assert server.state.seen == []


def test_first_answers_are_read_after_the_stretch_and_later_ones_when_somebody_looks(server):
    read_so_far = []

    def answer(found):
        read_so_far.append(found)
        return found

    endpoint = Endpoint(server.url("/echo"), options={"answer": answer})
    ask, value = endpoint.function(), {"a": 1}
    with endpoint.serving():
        ask(value)
        ask(value)
        assert read_so_far == []
    assert read_so_far == [{"a": 1}]
    with endpoint.serving():
        later = ask(value)
    assert read_so_far == [{"a": 1}]
    assert later.value == {"a": 1}


def test_the_status_of_every_answer_is_checked(server):
    ask = Endpoint(server.url()).function()
    ask(X)
    server.state.answer = lambda seen: (503, b"overloaded", {})
    with pytest.raises(NoAnswer, match=f"{INFER} answered 503: overloaded"):
        ask(X)


def test_where_an_input_was_answered_before_the_log_tells_more_than_its_shape(server):
    ask = Endpoint(server.url(), options={"binary": True}).function()
    ask(X)
    server.state.answer = lambda seen: (500, b"no memory", {})
    with pytest.raises(NoAnswer, match=r"500: no memory(.|\n)*the server's log"):
        ask(X)


def test_the_first_answer_to_each_input_is_checked_in_full(server):
    server.state.answer = lambda seen: (200, b'{"outputs": [{"name": "y"}]}', {})
    with pytest.raises(NoAnswer, match="not one of the V2 protocol"):
        asked(Endpoint(server.url()), X)


def test_a_request_that_failed_is_made_anew(server):
    endpoint = Endpoint(server.url())
    with pytest.raises(WorkloadError, match="by name"):
        endpoint.function()([1.0])
    assert asked(endpoint, X)["y"].tolist() == [2.0, 4.0]


def test_what_the_server_refuses_is_told_in_its_words(server):
    with pytest.raises(NoAnswer, match=r"answered 400: \{\"error\": \"no FP64 here\"\}"):
        Endpoint(server.url()).function()({"x": [1.0]})


def test_a_server_that_fails_of_binary_data_may_not_know_it(server):
    said = b'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: no JSON\n'
    server.state.answer = lambda seen: (500, said, {})
    with pytest.raises(NoAnswer, match=r"500: ValueError: no JSON(.|\n)*leave binary=True out"):
        Endpoint(server.url(), options={"binary": True}).function()(X)


def test_loading_asks_a_v2_server_for_its_model_once(server):
    endpoint = Endpoint(server.url("/v2/models/double/versions/2/infer?trace=1"))
    endpoint.load()
    endpoint.load()
    assert [(seen.method, seen.path) for seen in server.state.seen] == [
        ("GET", "/v2/models/double/versions/2")
    ]
    assert endpoint.describe().details == {
        "protocol": "v2",
        "path": "/v2/models/double/versions/2/infer?trace",
        "data": "JSON",
        "model": "double",
        "platform": "numpy",
        "versions": "1, 2",
    }


@pytest.mark.parametrize("said", [b"<html>", b"[]", b"{}", b'{"versions": 3}'])
def test_a_server_that_says_little_of_its_model_will_do(server, said):
    server.state.answer = lambda seen: (200, said, {})
    endpoint = Endpoint(server.url())
    endpoint.load()
    assert "versions" not in endpoint.describe().details


def test_a_model_that_the_server_does_not_have_is_told_when_loading(server):
    with pytest.raises(NoAnswer, match="/v2/models/triple answered 404"):
        Endpoint(server.url("/v2/models/triple/infer")).load()


def test_loading_a_template_asks_nothing(server):
    Endpoint(server.url("/echo")).load()
    assert server.state.seen == []


def test_a_description_tells_binary_data_from_json_and_holds_no_secrets(server):
    options = {"binary": True, "headers": {"Authorization": "secret"}}
    details = Endpoint(server.url(f"{INFER}?key=secret&debug"), options=options).describe().details
    assert details == {"protocol": "v2", "path": f"{INFER}?key&debug", "data": "binary"}


@pytest.mark.parametrize(
    ("path", "options", "kind"),
    [
        ("/v2/models/m/infer", {}, "v2"),
        ("/v2/models/m/versions/3/infer/", {}, "v2"),
        ("/prefix/v2/models/m/infer?a=b", {}, "v2"),
        ("/predict", {}, "http"),
        ("/v1/models/m:predict", {}, "http"),
        ("/predict", {"protocol": "v2"}, "v2"),
        ("/v2/models/m/infer", {"protocol": "template"}, "http"),
        ("/v2/models/m/infer", {"body": {"inputs": []}}, "http"),
    ],
)
def test_the_protocol_follows_from_the_address_unless_it_is_given(path, options, kind):
    assert Endpoint(f"http://host{path}", options=options).kind == kind


@pytest.mark.parametrize("path", ["/v2/models/m", "/v2/models/m/", "/v2/models/m/versions/1"])
def test_the_address_of_a_model_is_refused_with_what_is_missing(path):
    with pytest.raises(ConfigError, match="add /infer"):
        Endpoint(f"http://host{path}")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"protocol": "v3"}, "protocol='v3' is not known(.|\n)*v2, template"),
        ({"binary": 1}, "binary=1 is neither True nor False"),
        ({"body": {}, "binary": True}, "unknown option 'binary'"),
        ({"anser": "x"}, "unknown option 'anser'(.|\n)*"),
        ({"timeout": "10"}, "timeout='10' is no number of seconds"),
        ({"timeout": 0}, "timeout=0 is no number of seconds"),
        ({"timeout": True}, "timeout=True is no number of seconds"),
        ({"verify": 1.5}, "verify=1.5 is neither"),
        ({"headers": ["a"]}, "headers= is a list"),
        ({"headers": {"a": 1}}, "holds what is no text"),
        ({"headers": {1: "a"}}, "holds what is no text"),
        ({"headers": {"Authorization": "secret\n"}}, "has a value of 'Authorization' that cannot"),
        ({"headers": {"a\r\nb": "secret"}}, "headers= has the name .*, which cannot be sent"),
        ({"method": "A B", "body": {}}, "method='A B' is no method of HTTP"),
        ({"method": "", "body": {}}, "method='' is no method of HTTP"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(options, complaint):
    with pytest.raises(ConfigError, match=complaint) as caught:
        Endpoint(f"http://host{INFER}", options=options)
    assert "secret" not in str(caught.value)


def test_an_answer_shows_what_it_holds():
    assert repr(Answer(lambda: [1])) == "Answer([1])"


def test_what_is_no_answer_is_read_as_it_is():
    assert read([1]) == [1]


def test_a_request_of_v2_is_what_the_protocol_says(server):
    asked(Endpoint(server.url()), X)
    assert server.state.seen[0].json == {
        "inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1.0, 2.0]}]
    }
    assert json.loads(server.state.seen[0].body)


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        (b"", "application/json", "answered with nothing where it had answered with"),
        (b"<html>", "text/html; charset=utf-8", "answered with text/html where it had answered"),
    ],
)
def test_an_answer_of_another_kind_than_the_first_is_a_failure(server, body, kind, told):
    answers = [(200, b'{"score": 1}', {"Content-Type": "application/json"})] * 2
    answers += [(200, body, {"Content-Type": kind})]
    server.state.answer = lambda _: answers.pop(0)
    ask = Endpoint(server.url("/predict"), options={"answer": "score"}).function()
    value = {"x": 1}

    assert [read(ask(value)), read(ask(value))] == [1, 1]
    with pytest.raises(NoAnswer, match=told):
        ask(value)
