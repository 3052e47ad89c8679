"""Tensors of the V2 protocol, held against bytes that were written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_costguard.errors import WorkloadError
from pytest_costguard.workloads.http_exchange import NoAnswer
from pytest_costguard.workloads.v2_tensors import from_raw, from_values, tensors_of

KNOWN = [
    ("BOOL", "bool", [True, False], b"\x01\x00"),
    ("UINT8", "u1", [1, 255], b"\x01\xff"),
    ("UINT16", "u2", [1, 258], b"\x01\x00\x02\x01"),
    ("UINT32", "u4", [1, 258], b"\x01\x00\x00\x00\x02\x01\x00\x00"),
    ("UINT64", "u8", [258], b"\x02\x01\x00\x00\x00\x00\x00\x00"),
    ("INT8", "i1", [1, -1], b"\x01\xff"),
    ("INT16", "i2", [1, -2], b"\x01\x00\xfe\xff"),
    ("INT32", "i4", [-2], b"\xfe\xff\xff\xff"),
    ("INT64", "i8", [-2], b"\xfe\xff\xff\xff\xff\xff\xff\xff"),
    ("FP16", "f2", [1.0, -2.0], b"\x00\x3c\x00\xc0"),
    ("FP32", "f4", [1.0, -2.0], b"\x00\x00\x80\x3f\x00\x00\x00\xc0"),
    ("FP64", "f8", [1.0], b"\x00\x00\x00\x00\x00\x00\xf0\x3f"),
]
"""Datatype, numpy's type, values, and the same as raw data."""
EVERY_DATATYPE = pytest.mark.parametrize(
    ("datatype", "dtype", "values", "raw"), KNOWN, ids=[known[0] for known in KNOWN]
)


def only(value):
    (tensor,) = tensors_of({"x": value})
    return tensor


def raw_of(data, datatype, shape):
    return from_raw(data, name="y", datatype=datatype, shape=shape)


def values_of(data, datatype, shape):
    return from_values(data, name="y", datatype=datatype, shape=shape)


@EVERY_DATATYPE
def test_an_array_becomes_its_raw_data(datatype, dtype, values, raw):
    tensor = only(np.array(values, dtype=dtype))
    assert (tensor.datatype, tensor.shape, tensor.raw()) == (datatype, [len(values)], raw)


@EVERY_DATATYPE
def test_raw_data_becomes_an_array(datatype, dtype, values, raw):
    found = raw_of(raw, datatype, [len(values), 1])
    assert found.tolist() == [[value] for value in values]
    assert found.dtype == np.dtype(dtype)


@EVERY_DATATYPE
def test_plain_values_become_an_array(datatype, dtype, values, raw):
    found = values_of(values, datatype, [1, len(values)])
    assert found.tolist() == [values]
    assert found.dtype == np.dtype(dtype)


def test_big_endian_arrays_are_sent_little_endian():
    assert only(np.array([258], dtype=">u2")).raw() == b"\x02\x01"


def test_an_array_that_does_not_lie_in_order_is_sent_row_by_row():
    assert only(np.arange(4, dtype="u1").reshape(2, 2).T).raw() == b"\x00\x02\x01\x03"


def test_text_and_bytes_go_with_their_length():
    tensor = only(["a", "äb"])
    assert tensor.datatype == "BYTES"
    assert tensor.raw() == b"\x01\x00\x00\x00a\x03\x00\x00\x00\xc3\xa4b"
    assert raw_of(tensor.raw(), "BYTES", [2]).tolist() == [b"a", "äb".encode()]


@pytest.mark.parametrize(
    "given", [[b"a\x00", b""], np.array([b"a\x00", b""], dtype=object)], ids=["list", "array"]
)
def test_zeros_at_the_end_of_bytes_are_kept(given):
    assert only(given).raw() == b"\x02\x00\x00\x00a\x00\x00\x00\x00\x00"


def test_an_array_of_text_is_sent_as_bytes():
    assert only(np.array([["ab"], ["c"]])).raw() == b"\x02\x00\x00\x00ab\x01\x00\x00\x00c"


def test_bytes_in_plain_values_may_be_nested():
    assert values_of([["a"], ["b"]], "BYTES", [2, 1]).tolist() == [[b"a"], [b"b"]]


@pytest.mark.parametrize(
    ("scalar", "datatype", "raw"),
    [
        (np.float32(1), "FP32", b"\x00\x00\x80\x3f"),
        (True, "BOOL", b"\x01"),
        ("a", "BYTES", b"\x01\x00\x00\x00a"),
        (b"a\x00", "BYTES", b"\x02\x00\x00\x00a\x00"),
    ],
    ids=["number", "bool", "text", "bytes"],
)
def test_a_scalar_has_no_axis(scalar, datatype, raw):
    tensor = only(scalar)
    assert (tensor.datatype, tensor.shape, tensor.raw()) == (datatype, [], raw)
    assert raw_of(raw, datatype, []).shape == ()


def test_a_tensor_without_elements_is_sent_without_data():
    tensor = only(np.zeros((0, 3), "f4"))
    assert (tensor.shape, tensor.raw()) == ([0, 3], b"")
    assert raw_of(b"", "FP32", [0, 3]).shape == (0, 3)


def test_half_precision_of_another_kind_is_read_as_single():
    assert raw_of(b"\x80\x3f\x00\xc0", "BF16", [2]).tolist() == [1.0, -2.0]
    assert values_of([1.0, -2.0], "BF16", [2]).dtype == np.float32


def test_what_a_server_writes_for_no_number_is_read_so():
    assert np.isnan(values_of([None, 1.0], "FP32", [2])[0])


def test_a_torch_tensor_is_sent_as_its_array():
    torch = pytest.importorskip("torch")
    assert only(torch.ones(2, requires_grad=True)).raw() == b"\x00\x00\x80\x3f" * 2


def test_half_precision_of_torch_is_refused_with_what_to_convert_it_to():
    torch = pytest.importorskip("torch")
    with pytest.raises(WorkloadError, match=r"input 'x' is no tensor(.|\n)*BFloat16"):
        only(torch.ones(2, dtype=torch.bfloat16))


@pytest.mark.parametrize("value", [[1.0, 2.0], np.ones(2), "text", {}, None])
def test_an_input_without_names_is_refused(value):
    with pytest.raises(WorkloadError, match=r"tensors by name(.|\n)*inputs="):
        tensors_of(value)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ([[1, 2], [3]], "no tensor"),
        (np.array([1 + 2j]), "complex128, which V2 does not have"),
        (np.array(["2026-01-01"], dtype="M8[D]"), "which V2 does not have"),
        ([None, 1], "holds a NoneType"),
        (np.array(["a", 1], dtype=object), "holds a int"),
        ({"a": 1}, "holds a dict"),
    ],
    ids=["ragged", "complex", "dates", "nothing", "mixed", "mapping"],
)
def test_what_v2_does_not_have_is_refused_by_name(given, complaint):
    with pytest.raises(WorkloadError, match=f"input 'x'(.|\n)*{complaint}"):
        only(given)


@pytest.mark.parametrize(
    ("read", "data", "datatype", "shape"),
    [
        (raw_of, b"\x00\x00\x80\x3f", "FP32", [2]),
        (raw_of, b"\x00\x00\x80", "FP32", [1]),
        (raw_of, b"\x00\x00\x80\x3f", "FP33", [1]),
        (raw_of, b"\x05\x00\x00\x00a", "BYTES", [1]),
        (raw_of, b"\x00\x00", "BYTES", [1]),
        (raw_of, b"", "FP32", [-1, 0]),
        (values_of, [1.0, 2.0], "FP32", [3]),
        (values_of, ["a"], "INT32", [1]),
        (values_of, [300], "UINT8", [1]),
        (values_of, [{}], "FP64", [1]),
        (values_of, [1.0], "DOUBLE", [1]),
    ],
)
def test_data_that_does_not_fit_what_it_says_it_is_is_refused(read, data, datatype, shape):
    with pytest.raises(NoAnswer, match="not one of the V2 protocol"):
        read(data, datatype, shape)
