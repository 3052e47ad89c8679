"""What inputs look like to a runtime, so that a warm-up can see every kind of them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any


def shape_key(value: Any) -> Hashable:
    """Return a key that is equal for inputs that a runtime prepares itself for alike.

    An array or tensor counts by shape and type (recognised by its `shape` and `dtype`, nothing
    is imported), text and bytes by the power of two below their length (what a tokeniser makes
    of it is no exact function of the length, and hardly two texts are equally long), mappings,
    lists and tuples by what they hold, all else by its class.
    """
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and dtype is not None:
        return ("array", _sizes(shape), str(dtype))
    if isinstance(value, str | bytes | bytearray | memoryview):
        return (type(value).__name__, len(value).bit_length())
    if isinstance(value, Mapping):
        entries = {repr(key): shape_key(entry) for key, entry in value.items()}
        return ("mapping", tuple(sorted(entries.items(), key=lambda entry: entry[0])))
    if isinstance(value, list | tuple):
        keys = tuple(shape_key(entry) for entry in value)
        return ("sequence", len(keys), keys if len(set(keys)) > 1 else keys[:1])
    return f"{type(value).__module__}.{type(value).__qualname__}"


def one_of_each_shape(inputs: Sequence[Any], parts: Sequence[int] = ()) -> list[int]:
    """Return the index of the first input of every shape, of each part of a mixture, in order."""
    first: dict[Hashable, int] = {}
    for index, value in enumerate(inputs):
        part = parts[index] if parts else 0
        first.setdefault((part, shape_key(value)), index)
    return list(first.values())


def _sizes(shape: Any) -> Hashable:
    try:
        return tuple(int(size) for size in shape)
    except (TypeError, ValueError):
        return str(shape)
