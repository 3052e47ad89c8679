"""How an input becomes a request by a template, and an answer a result."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pytest_costguard.errors import ConfigError, WorkloadError
from pytest_costguard.workloads.http_exchange import NoAnswer, Reply
from pytest_costguard.workloads.request_template import (
    checked_answer,
    checked_body,
    decoded,
    encoded,
)


def request(value, body=None, *, headers=None, method="POST"):
    return encoded(value, body=checked_body(body), headers=headers or {}, method=method)


def document(value, body=None):
    return json.loads(request(value, body).body)


def reply(body, kind="application/json"):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status=200, headers={"content-type": kind} if kind else {}, body=content)


@pytest.mark.parametrize(
    ("value", "body", "kind"),
    [
        ({"a": 1}, b'{"a": 1}', "application/json"),
        ([1, 2], b"[1, 2]", "application/json"),
        (np.array([[1, 2]]), b"[[1, 2]]", "application/json"),
        ({"n": np.float64(1.5)}, b'{"n": 1.5}', "application/json"),
        ("häuser", "häuser".encode(), "text/plain; charset=utf-8"),
        (b"\x00\x01", b"\x00\x01", "application/octet-stream"),
        (bytearray(b"\x00"), b"\x00", "application/octet-stream"),
    ],
)
def test_without_a_template_the_input_itself_is_sent(value, body, kind):
    made = request(value)
    assert (made.body, dict(made.headers)) == (body, {"Content-Type": kind})


def test_the_input_stands_where_the_template_says():
    template = {"model": "m", "input": "{input}", "list": ["{input}", 1, None], "n": 2}
    assert document([1, 2], template) == {
        "model": "m",
        "input": [1, 2],
        "list": [[1, 2], 1, None],
        "n": 2,
    }


def test_entries_of_the_input_are_named():
    template = {"q": "{input[question]}", "both": "{input[question]} in {input[place]}!"}
    value = {"question": 7, "place": "Rome"}
    assert document(value, template) == {"q": 7, "both": "7 in Rome!"}


def test_entries_of_a_sequence_are_counted():
    assert document(["a", "b"], {"second": "{input[1]}"}) == {"second": "b"}


def test_a_template_that_is_a_list_is_filled():
    assert document("a", [{"text": "{input}"}]) == [{"text": "a"}]


def test_braces_of_other_things_are_left_alone():
    assert document("a", {"prompt": "{role}: {input}"}) == {"prompt": "{role}: a"}


def test_json_in_a_text_is_a_structure_so_that_what_is_put_in_is_escaped():
    assert document('say "a"', '{"text": "{input}"}') == {"text": 'say "a"'}


def test_another_text_is_sent_as_text():
    made = request("a", "q={input}")
    assert made.body == b"q=a"
    assert made.headers["Content-Type"].startswith("text/plain")


def test_a_function_makes_the_body():
    assert request(2, lambda value: bytes(value)).body == b"\x00\x00"
    assert document(2, lambda value: {"n": value}) == {"n": 2}


def test_a_function_that_returns_nothing_sends_nothing():
    made = request(2, lambda value: None, method="GET")
    assert (made.body, dict(made.headers), made.method) == (b"", {}, "GET")


@pytest.mark.parametrize("name", ["Content-Type", "content-type"])
def test_a_given_content_type_wins(name):
    assert request("a", headers={name: "text/csv", "X-A": "b"}).headers == {
        name: "text/csv",
        "X-A": "b",
    }


@pytest.mark.parametrize(
    ("value", "template"), [({"a": 1}, "{input[b]}"), ([1], "{input[1]}"), (3, "{input[a]}")]
)
def test_an_entry_that_an_input_does_not_have_is_named(value, template):
    with pytest.raises(WorkloadError, match=r"asks for \{input\[\w\]\}, and an input has none"):
        request(value, {"x": template})


def test_text_that_no_encoding_has_is_refused():
    with pytest.raises(WorkloadError, match="cannot be written as text"):
        request("half a pair: \ud800", None)


@pytest.mark.parametrize("value", [{"x": object()}, {"x": float("nan")}, {1j: 1}])
def test_what_json_does_not_have_is_refused(value):
    with pytest.raises(WorkloadError, match="cannot be written as JSON"):
        request(value)


@pytest.mark.parametrize("body", [3, object(), b"bytes"])
def test_what_is_no_template_is_refused(body):
    with pytest.raises(ConfigError, match="is no template"):
        checked_body(body)


def test_what_is_no_place_is_refused():
    with pytest.raises(ConfigError, match="is no place in an answer"):
        checked_answer(3)


@pytest.mark.parametrize(
    ("answered", "result"),
    [
        (reply({"a": [1]}), {"a": [1]}),
        (reply({"a": 1}, "application/json; charset=utf-8"), {"a": 1}),
        (reply({"a": 1}, "application/problem+json"), {"a": 1}),
        (reply(b"{}\n{}\n", "application/x-ndjson"), b"{}\n{}\n"),
        (reply("ä".encode(), "text/plain"), "ä"),
        (reply(b"\x00", "image/png"), b"\x00"),
        (reply(b"\x00", ""), b"\x00"),
    ],
)
def test_an_answer_is_read_as_its_type_says(answered, result):
    assert decoded(answered, answer=None) == result


ANSWERED = reply({"predictions": [{"score": 0.5}, {"score": 0.25}], "n": 1})


@pytest.mark.parametrize(
    ("place", "result"),
    [
        ("n", 1),
        ("predictions[1].score", 0.25),
        ("predictions[0]", {"score": 0.5}),
        (lambda found: len(found["predictions"]), 2),
    ],
)
def test_the_result_is_at_its_place(place, result):
    assert decoded(ANSWERED, answer=place) == result


@pytest.mark.parametrize("place", ["score", "predictions[2]", "predictions.score", "n[0]", "n.a"])
def test_a_place_with_nothing_at_it_is_told_with_what_was_answered(place):
    with pytest.raises(NoAnswer, match=r"the answer has nothing at (.|\n)*answer="):
        decoded(ANSWERED, answer=place)


def test_an_answer_that_says_it_is_json_and_is_not_is_told():
    with pytest.raises(NoAnswer, match=r"says that it is JSON, and is not(.|\n)*<html>"):
        decoded(reply(b"<html>"), answer=None)
