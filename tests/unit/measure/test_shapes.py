from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_costguard.measure.shapes import one_of_each_shape, shape_key


@dataclass
class Tensor:
    shape: object
    dtype: str


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros((2, 3)), np.ones((2, 3))),
        ({"a": np.zeros(2), "b": 1}, {"b": 5, "a": np.ones(2)}),
        ([1, 2], [3, 4]),
        ("abcd", "efgh"),
        (Tensor((1, 2), "f32"), Tensor((1, 2), "f32")),
        (Tensor("symbolic", "f32"), Tensor("symbolic", "f32")),
    ],
)
def test_inputs_of_one_shape_have_one_key(one, other):
    assert shape_key(one) == shape_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(2, dtype=np.float32), np.zeros(2, dtype=np.float16)),
        ({"a": np.zeros(2)}, {"a": np.zeros(3)}),
        ({"a": 1}, {"b": 1}),
        ([1, 2], [1, 2, 3]),
        ((np.zeros(1), np.zeros(2)), (np.zeros(2), np.zeros(1))),
        ("a" * 10, "a" * 100),
        ("abcd", b"abcd"),
        (1, 1.0),
        (Tensor((1, 2), "f32"), Tensor((1, 3), "f32")),
    ],
)
def test_inputs_of_different_shapes_have_different_keys(one, other):
    assert shape_key(one) != shape_key(other)


def test_the_first_of_each_shape_is_found_in_order():
    inputs = [np.zeros(2), np.zeros(3), np.ones(2), np.ones(1)]
    assert one_of_each_shape(inputs) == [0, 1, 3]


anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(anything)
def test_any_input_has_a_hashable_key(value):
    assert hash(shape_key(value)) == hash(shape_key(value))
