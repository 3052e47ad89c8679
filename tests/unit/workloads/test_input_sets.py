from __future__ import annotations

import collections

import numpy as np
import pytest

from pytest_costguard.errors import WorkloadError
from pytest_costguard.workloads.inputs import LARGEST_ITERATOR, InputSet


class DataSet:
    """Length and entries, but no end when iterated over."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return index * 10


class Stream:
    """Can be iterated over anew, has no length, and may be called."""

    def __iter__(self):
        return iter([1, 2])

    def __call__(self, extra):
        raise AssertionError("not a factory")


class Frame:
    """Like a data frame: it has a length and entries, under keys."""

    def __len__(self):
        return 2

    def keys(self):
        return ["a", "b"]

    def __getitem__(self, key):
        return key


async def requests_later():
    yield 1


async def a_coroutine():
    return [1]


@pytest.mark.parametrize(
    "inputs",
    [
        ["a", "b"],
        ("a", "b"),
        iter(["a", "b"]),
        (letter for letter in "ab"),
        lambda: ["a", "b"],
        lambda: (letter for letter in "ab"),
        collections.deque(["a", "b"]),
    ],
    ids=["list", "tuple", "iterator", "generator", "factory", "generator factory", "deque"],
)
def test_keeps_the_requests_in_order(inputs):
    assert InputSet.of(inputs).inputs == ("a", "b")


def test_an_iterator_is_consumed_once_and_kept():
    kept = InputSet.of(iter([1, 2]))
    assert [*kept, *kept] == [1, 2, 1, 2]


def test_a_generator_function_counts_as_a_factory():
    def requests():
        yield from (1, 2)

    assert InputSet.of(requests).inputs == (1, 2)


def test_an_entry_of_an_arrays_first_axis_is_a_request():
    kept = InputSet.of(np.arange(6).reshape(3, 2))
    assert [entry.tolist() for entry in kept] == [[0, 1], [2, 3], [4, 5]]


def test_a_data_set_is_read_to_its_length():
    assert InputSet.of(DataSet()).inputs == (0, 10, 20)


def test_what_can_only_be_iterated_over_is_read_to_its_end():
    assert InputSet.of(Stream()).inputs == (1, 2)


def test_requests_may_differ_in_shape():
    assert len(InputSet.of([np.zeros(1), np.zeros((2, 3)), "text"])) == 3


@pytest.mark.parametrize("nothing", [[], (), iter(()), np.zeros((0, 4)), list])
def test_no_inputs_are_refused(nothing):
    with pytest.raises(WorkloadError, match="empty"):
        InputSet.of(nothing)


@pytest.mark.parametrize(
    "request_",
    ["text", b"bytes", bytearray(b"x"), {"ids": [1]}, Frame()],
    ids=lambda value: type(value).__name__,
)
def test_a_single_request_is_refused_with_the_remedy_to_wrap_it(request_):
    with pytest.raises(WorkloadError, match=r"inputs=\[request\]"):
        InputSet.of(request_)


@pytest.mark.parametrize("single", [3, 2.5, None, np.float32(1), np.zeros(())])
def test_a_lone_value_is_refused(single):
    with pytest.raises(WorkloadError, match="a single"):
        InputSet.of(single)


def test_a_set_is_refused_since_it_has_no_order():
    with pytest.raises(WorkloadError, match="order differs"):
        InputSet.of({1, 2})


def test_an_async_generator_is_refused():
    with pytest.raises(WorkloadError, match="asynchronous"):
        InputSet.of(requests_later())


@pytest.mark.parametrize("factory", [requests_later, a_coroutine])
def test_an_async_factory_is_refused(factory):
    with pytest.raises(WorkloadError, match="asynchronous"):
        InputSet.of(factory)


def test_a_factory_that_needs_arguments_is_refused():
    with pytest.raises(WorkloadError, match="needs arguments"):
        InputSet.of(lambda count: [1] * count)


def test_what_a_factory_raises_is_the_tests_own():
    def broken():
        raise KeyError("no such data")

    with pytest.raises(KeyError):
        InputSet.of(broken)


def test_an_endless_iterator_is_refused():
    with pytest.raises(WorkloadError, match=f"more than {LARGEST_ITERATOR}"):
        InputSet.of(iter(int, 1))


def test_a_request_holds_one_item_by_default():
    assert InputSet.of([1, 2, 3]).items() == [1, 1, 1]


def test_a_batch_size_counts_for_every_request():
    assert InputSet.of([1, 2]).items(np.int64(8)) == [8, 8]


def test_a_batch_size_may_be_a_function_of_the_input():
    assert InputSet.of([[1], [1, 2]]).items(len) == [1, 2]


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "8"])
def test_a_batch_size_that_is_no_number_of_items_is_refused(wrong):
    with pytest.raises(WorkloadError, match="batch_size is"):
        InputSet.of([1]).items(wrong)


def test_a_wrong_number_of_items_names_the_inputs_index():
    with pytest.raises(WorkloadError, match="batch_size of input 1 is 0"):
        InputSet.of([[1], []]).items(len)


def test_equal_inputs_have_equal_digests():
    assert InputSet.of([np.ones(3)]).digest == InputSet.of([np.ones(3)]).digest


def test_a_list_and_an_iterator_of_the_same_have_equal_digests():
    assert InputSet.of([1, 2]).digest == InputSet.of(iter((1, 2))).digest


def test_another_order_has_another_digest():
    assert InputSet.of([1, 2]).digest != InputSet.of([2, 1]).digest


def test_a_digest_says_when_it_is_partial():
    assert InputSet.of([lambda: 0]).digest_is_partial
