from __future__ import annotations

import numpy as np
import pytest

from pytest_costguard.errors import WorkloadError
from pytest_costguard.workloads.onnx_feeds import Feeds, ModelInput

A = ModelInput(name="a", type="tensor(float)", shape=("rows", 2))
B = ModelInput(name="b", type="tensor(int64)", shape=(None,))
TWO = Feeds(inputs=(A, B))
ROWS, NUMBERS = np.zeros((1, 2), "f4"), np.zeros(3, "i8")
RUNTIME_ERROR = RuntimeError("some words of the runtime")


class FakeTensor:
    def detach(self):
        return self


def explained(request):
    return str(TWO.explained(request, RUNTIME_ERROR))


def test_a_dict_is_fed_as_it_is():
    request = {"a": ROWS}
    assert TWO.feed(request) is request


def test_a_tuple_is_fed_in_the_order_of_the_inputs():
    assert TWO.feed((ROWS, NUMBERS)) == {"a": ROWS, "b": NUMBERS}


def test_a_bare_array_is_fed_to_the_one_input():
    assert Feeds(inputs=(A,)).feed(ROWS) == {"a": ROWS}


@pytest.mark.parametrize("request_", [ROWS, (ROWS,), (ROWS, NUMBERS, ROWS)])
def test_another_number_of_arrays_is_refused_and_the_inputs_are_listed(request_):
    with pytest.raises(WorkloadError, match=r"a \(float32\), b \(int64\)"):
        TWO.feed(request_)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"a": ROWS, "ids": NUMBERS}, "unknown input names: ['ids'], missing: ['b']"),
        ({"a": ROWS}, "missing: ['b']"),
        ({"a": ROWS, "b": [1, 2]}, "'b' is a list, not an array"),
        ({"a": FakeTensor(), "b": NUMBERS}, "tensor.numpy()"),
        ((ROWS.astype("f8"), NUMBERS), "'a' is float64, the model wants float32"),
        ((ROWS, NUMBERS.astype("i4")), "array.astype('int64')"),
        ((np.zeros((1, 3), "f4"), NUMBERS), "shape (1, 3), the model wants (rows, 2)"),
        ((ROWS, NUMBERS.reshape(3, 1)), "shape (3, 1), the model wants (any)"),
        ((ROWS, NUMBERS), "some words of the runtime"),
    ],
)
def test_a_refused_request_is_explained(request_, words):
    assert words in explained(request_)


@pytest.mark.parametrize("dtype", ["U3", "S3", object])
def test_a_text_input_takes_every_kind_of_text(dtype):
    text = ModelInput(name="t", type="tensor(string)", shape=(1,))
    assert text.complaint(np.array(["abc"], dtype=dtype)) is None


def test_a_type_that_numpy_does_not_know_is_named_as_the_runtime_does():
    odd = ModelInput(name="o", type="seq(tensor(float))", shape=())
    assert odd.element_type == "seq(tensor(float))"
