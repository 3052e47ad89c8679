from __future__ import annotations

import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import subprocess
import sys
import threading
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytest_costguard.workloads.digests import digest_of, file_digest

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8)
)
KEYS = st.integers() | st.text(max_size=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.frozensets(KEYS, max_size=4)
    ),
    max_leaves=12,
)
ARRAYS = hnp.arrays(
    dtype=hnp.integer_dtypes() | hnp.floating_dtypes() | hnp.unicode_string_dtypes(max_len=4),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, max_side=3),
)


@dataclasses.dataclass
class Query:
    text: str
    k: int = 10


class Plain:
    def __init__(self, **fields):
        self.__dict__.update(fields)


class Unwilling:
    def __reduce_ex__(self, protocol):
        raise RuntimeError("not today")


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


def hexadecimal(value):
    return digest_of(value).hexadecimal


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_a_copy_has_the_same_digest(value):
    assert hexadecimal(copy.deepcopy(value)) == hexadecimal(value)


@settings(max_examples=60, deadline=None)
@given(VALUES, VALUES)
def test_different_values_have_different_digests(first, second):
    assert (hexadecimal(first) == hexadecimal(second)) == (tagged(first) == tagged(second))


@settings(max_examples=60, deadline=None)
@given(ARRAYS)
def test_a_copy_of_an_array_has_the_same_digest(array):
    assert hexadecimal(array.copy()) == hexadecimal(array)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(dtype=hnp.integer_dtypes(), shape=(2, 3)), st.integers(0, 5))
def test_one_changed_entry_changes_an_arrays_digest(array, index):
    changed = array.copy()
    changed.flat[index] ^= 1
    assert hexadecimal(changed) != hexadecimal(array)


def tagged(value):
    """The value with every type named, since 1 == True == 1.0 and 0.0 == -0.0 in Python."""
    if isinstance(value, list | tuple):
        return (type(value).__name__, [tagged(entry) for entry in value])
    if isinstance(value, dict):
        return ("dict", sorted((repr(k), tagged(v)) for k, v in value.items()).__repr__())
    if isinstance(value, frozenset):
        return ("set", sorted(map(repr, value)))
    return (type(value).__name__, repr(value))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.zeros(4, "f4"), np.zeros(4, "f8")),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.float32(1), np.ones((), "f4")),
        (np.array(["a", 1], dtype=object), np.array(["a", 2], dtype=object)),
        (Query("a"), Query("b")),
        (Plain(a=1), Plain(a=2)),
        (Colour.RED, Colour.BLUE),
        (decimal.Decimal("1.0"), decimal.Decimal("1.00")),
        (datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)),
        (["ab"], ["a", "b"]),
        ([1], (1,)),
        (1, True),
        (1, 1.0),
        ("1", b"1"),
        (np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 2], mask=[0, 0])),
        (int, float),
        (len, max),
    ],
)
def test_a_difference_is_seen(first, second):
    assert hexadecimal(first) != hexadecimal(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (collections.Counter("ab"), collections.Counter("ba")),
        (np.arange(6).reshape(2, 3).T, np.ascontiguousarray(np.arange(6).reshape(2, 3).T)),
        (Query("a"), Query("a")),
        (Plain(a={"x", "y", "z"}), Plain(a={"z", "y", "x"})),
        (collections.deque([1, 2]), collections.deque([1, 2])),
        (np.array(["ab"], dtype=object), np.array(["".join("ab")], dtype=object)),
    ],
)
def test_what_is_equal_has_the_same_digest(first, second):
    assert hexadecimal(first) == hexadecimal(second)


def test_whether_equal_parts_are_the_same_object_makes_no_difference():
    part = "".join(["a", "b"])
    assert hexadecimal(Plain(a=part, b=part)) == hexadecimal(Plain(a=part, b="".join("ab")))


def test_padding_between_the_fields_of_a_structure_does_not_count():
    kind = np.dtype({"names": ["a", "b"], "formats": ["i1", "i4"], "offsets": [0, 4]})
    clean, dirty = np.zeros(2, kind), np.frombuffer(b"\0" + b"\xff" * 3 + b"\0" * 12, dtype=kind)
    assert hexadecimal(clean) == hexadecimal(dirty)


@pytest.mark.parametrize("dtype", ["datetime64[ns]", "U0", "S3", "f2", "c8", "V4"])
def test_every_kind_of_array_can_be_digested(dtype):
    assert not digest_of(np.zeros(2, dtype)).is_partial


def test_a_list_that_holds_itself_ends():
    endless = [1]
    endless.append(endless)
    assert hexadecimal(endless) != hexadecimal([1, [1]])


def test_objects_that_hold_each_other_end():
    first, second = Plain(name="a"), Plain(name="b")
    first.other, second.other = second, first
    assert not digest_of(first).is_partial


@pytest.mark.parametrize(
    "value",
    [lambda: 0, Unwilling(), threading.Lock(), [lambda: 0], {"a": Unwilling()}],
    ids=["lambda", "unwilling", "lock", "in a list", "in a dict"],
)
def test_a_digest_is_partial_where_content_is_not_known(value):
    assert digest_of(value).is_partial


@pytest.mark.parametrize("value", [object, len, dataclasses, Colour.RED, Plain(a=1)])
def test_a_digest_is_whole_where_content_is_known(value):
    assert not digest_of(value).is_partial


def test_what_is_known_by_its_type_only_has_the_same_digest_each_time():
    assert hexadecimal([Unwilling(), 1]) == hexadecimal([Unwilling(), 1])


def test_a_file_counts_by_name_and_content_wherever_it_lies(tmp_path):
    for side in ("base", "head"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "a.wav").write_bytes(b"sound")
    assert hexadecimal(tmp_path / "base" / "a.wav") == hexadecimal(tmp_path / "head" / "a.wav")


def test_another_content_of_a_file_is_seen(tmp_path):
    file = tmp_path / "a.wav"
    file.write_bytes(b"sound")
    before = hexadecimal(file)
    file.write_bytes(b"noise")
    assert hexadecimal(file) != before


def test_a_path_without_a_file_counts_as_it_is():
    assert hexadecimal(PurePosixPath("a")) != hexadecimal(Path("b"))


def test_a_files_digest_is_that_of_sha256sum(tmp_path):
    file = tmp_path / "abc"
    file.write_bytes(b"abc")
    assert file_digest(file).startswith("ba7816bf8f01cfea414140de5dae2223")  # FIPS 180-2, B.1


def test_the_digest_is_the_same_in_another_process():
    code = (
        "from pytest_costguard.workloads.digests import digest_of; import datetime, fractions;"
        "print(digest_of([{'b', 'a', 'c'}, {'x': 1}, datetime.date(2024, 1, 1),"
        " fractions.Fraction(1, 3), len]).hexadecimal)"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
