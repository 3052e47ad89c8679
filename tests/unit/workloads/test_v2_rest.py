"""Requests and answers of V2 over REST, held against documents that were written by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pytest_costguard.errors import WorkloadError
from pytest_costguard.workloads.http_exchange import NoAnswer, Reply
from pytest_costguard.workloads.v2_rest import decoded, encoded

LENGTH = "inference-header-content-length"


def answer(document, raw=b"", **headers):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    sent = {LENGTH: str(len(body))} if raw else {}
    return Reply(status=200, headers={**sent, **headers}, body=body + raw)


def outputs(*tensors):
    return {"model_name": "m", "id": "1", "outputs": list(tensors)}


def test_tensors_are_written_as_json():
    request = encoded({"x": np.array([[1, 2]], "f4"), "names": ["a"]}, binary=False)
    assert json.loads(request.body) == {
        "inputs": [
            {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1.0, 2.0]},
            {"name": "names", "shape": [1], "datatype": "BYTES", "data": ["a"]},
        ]
    }
    assert (request.method, request.headers) == ("POST", {"Content-Type": "application/json"})


def test_tensors_are_written_as_binary_data_behind_the_json():
    request = encoded({"x": np.array([1], "u2"), "names": ["ab"]}, binary=True)
    length = int(request.headers["Inference-Header-Content-Length"])
    assert json.loads(request.body[:length]) == {
        "inputs": [
            {
                "name": "x",
                "shape": [1],
                "datatype": "UINT16",
                "parameters": {"binary_data_size": 2},
            },
            {
                "name": "names",
                "shape": [1],
                "datatype": "BYTES",
                "parameters": {"binary_data_size": 6},
            },
        ],
        "parameters": {"binary_data_output": True},
    }
    assert request.body[length:] == b"\x01\x00" + b"\x02\x00\x00\x00ab"
    assert request.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize("binary", [True, False])
def test_a_whole_request_is_sent_as_it_is(binary):
    whole = {"id": "7", "inputs": [{"name": "x", "shape": [1], "datatype": "INT8", "data": [1]}]}
    assert json.loads(encoded(whole, binary=binary).body) == whole


def test_a_tensor_may_be_called_inputs():
    sent = json.loads(encoded({"inputs": [1, 2]}, binary=False).body)
    assert sent["inputs"][0]["name"] == "inputs"


@pytest.mark.parametrize("bad", [np.array([np.nan], "f4"), np.array([np.inf], "f4")])
def test_what_json_does_not_have_is_refused_and_binary_data_named(bad):
    with pytest.raises(WorkloadError, match=r"as JSON(.|\n)*binary=True"):
        encoded({"x": bad}, binary=False)
    encoded({"x": bad}, binary=True)


def test_bytes_that_are_no_text_are_refused_in_json():
    with pytest.raises(WorkloadError, match="input 'x' holds bytes that are no text"):
        encoded({"x": [b"\xff"]}, binary=False)


def test_a_whole_request_with_an_array_in_it_is_refused():
    whole = {"inputs": [{"name": "x", "data": np.ones(1)}]}
    with pytest.raises(WorkloadError, match="ndarray is not JSON serializable"):
        encoded(whole, binary=False)


def test_an_answer_in_json_is_read():
    found = decoded(
        answer(
            outputs(
                {"name": "y", "shape": [2, 1], "datatype": "FP32", "data": [1.0, 2.0]},
                {"name": "label", "shape": [1], "datatype": "BYTES", "data": ["a"]},
                {
                    "name": "nested",
                    "shape": [1, 2],
                    "datatype": "INT64",
                    "data": [[1, 2]],
                    "parameters": None,
                },
            )
        )
    )
    assert found["y"].tolist() == [[1.0], [2.0]]
    assert found["y"].dtype == np.float32
    assert found["label"].tolist() == [b"a"]
    assert found["nested"].tolist() == [[1, 2]]


def test_an_answer_in_binary_data_is_read_in_the_order_of_its_outputs():
    sized = [{"parameters": {"binary_data_size": size}} for size in (2, 5)]
    found = decoded(
        answer(
            outputs(
                {"name": "a", "shape": [1], "datatype": "UINT16", **sized[0]},
                {"name": "plain", "shape": [1], "datatype": "INT8", "data": [3]},
                {"name": "b", "shape": [1], "datatype": "BYTES", **sized[1]},
            ),
            raw=b"\x02\x01" + b"\x01\x00\x00\x00x",
        )
    )
    assert {name: values.tolist() for name, values in found.items()} == {
        "a": [258],
        "plain": [3],
        "b": [b"x"],
    }


def test_an_answer_without_outputs_to_read_is_empty():
    assert decoded(answer(outputs())) == {}


SIZED = {"name": "y", "shape": [1], "datatype": "UINT16", "parameters": {"binary_data_size": 2}}


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        (answer(b"<html>"), "JSONDecodeError"),
        (answer(b"\xff\xfe\xff"), "UnicodeDecodeError"),
        (answer([1, 2]), "no outputs"),
        (answer({"error": "model is not loaded"}), "no outputs, but.*model is not loaded"),
        (answer({"outputs": None}), "TypeError"),
        (answer({"outputs": ["y"]}), "TypeError"),
        (answer(outputs({"shape": [1], "datatype": "INT8", "data": [1]})), "KeyError: 'name'"),
        (answer(outputs({"name": "y", "shape": [1], "datatype": "INT8"})), "KeyError: 'data'"),
        (answer(outputs({"name": "y", "shape": "ab", "datatype": "INT8", "data": []})), "'a'"),
        (
            answer(outputs({"name": "y", "shape": [2], "datatype": "INT8", "data": [1]})),
            r"'y' of shape \[2\] holds 1 values",
        ),
        (answer(outputs(SIZED), raw=b"\x01"), "2 bytes of data, and 1 are left"),
        (answer(outputs(SIZED), raw=b"\x01\x00\x00"), "1 bytes are left"),
        (
            answer(outputs({**SIZED, "parameters": {"binary_data_size": -1}}), raw=b"\x01"),
            "-1 bytes",
        ),
        (
            answer(outputs({**SIZED, "parameters": {"binary_data_size": "2"}}), raw=b"\x01\x00"),
            "TypeError",
        ),
        (answer(outputs(SIZED), **{LENGTH: "9999"}), "Content-Length is '9999'"),
        (answer(outputs(SIZED), **{LENGTH: "-1"}), "Content-Length is '-1'"),
        (answer(outputs(SIZED), **{LENGTH: "many"}), "Content-Length is 'many'"),
    ],
)
def test_a_malformed_answer_is_told_with_what_is_wrong_with_it(reply, complaint):
    with pytest.raises(NoAnswer, match=f"not one of the V2 protocol(.|\n)*{complaint}"):
        decoded(reply)


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize(
    "dtype", ["bool", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]
)
def test_what_was_written_is_read_again(binary, dtype):
    value = {"x": np.arange(6).reshape(2, 3).astype(dtype), "s": np.asarray(["a", ""])}
    request = encoded(value, binary=binary)
    length = int(request.headers.get("Inference-Header-Content-Length", len(request.body)))
    document = json.loads(request.body[:length])
    found = decoded(answer({"outputs": document["inputs"]}, raw=request.body[length:]))
    assert (found["x"] == value["x"]).all()
    assert found["x"].dtype == value["x"].dtype
    assert found["s"].tolist() == [b"a", b""]


def test_an_answer_that_is_nested_without_end_is_told():
    with pytest.raises(NoAnswer, match="not one of the V2 protocol"):
        decoded(Reply(status=200, headers={}, body=b"[" * 200_000))


def test_text_that_no_encoding_has_is_refused_with_its_input():
    with pytest.raises(WorkloadError, match="input 'x' holds text that no encoding has"):
        encoded({"x": ["half a pair: \ud800"]}, binary=True)
