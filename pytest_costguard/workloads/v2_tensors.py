"""Tensors of the Open Inference Protocol V2: datatypes, and raw data as all its encodings have it.

Raw data is little-endian and row by row; of BYTES, each element's length in four bytes goes before
it ("Tensor Data" and "Binary Tensor Data Extension" of the protocol).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from pytest_costguard.errors import WorkloadError
from pytest_costguard.workloads.http_exchange import NoAnswer

BYTES = "BYTES"
_BF16 = "BF16"
_DATATYPES: Mapping[str, str] = MappingProxyType(
    {
        "bool": "BOOL",
        "uint8": "UINT8",
        "uint16": "UINT16",
        "uint32": "UINT32",
        "uint64": "UINT64",
        "int8": "INT8",
        "int16": "INT16",
        "int32": "INT32",
        "int64": "INT64",
        "float16": "FP16",
        "float32": "FP32",
        "float64": "FP64",
    }
)
_DTYPES: Mapping[str, str] = MappingProxyType({v2: name for name, v2 in _DATATYPES.items()})
_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One tensor of a request, by name."""

    name: str
    array: Any
    """A numpy array, of `str` and `bytes` objects where the datatype is BYTES."""

    @property
    def datatype(self) -> str:
        """The protocol's name of the elements' type."""
        return BYTES if self.array.dtype.kind == "O" else _DATATYPES[self.array.dtype.name]

    @property
    def shape(self) -> list[int]:
        """The sizes; none of a scalar."""
        return list(self.array.shape)

    def raw(self) -> bytes:
        """Return the data as bytes; raises `WorkloadError` for text that cannot be encoded."""
        if self.array.dtype.kind != "O":
            data: bytes = self.array.astype(self.array.dtype.newbyteorder("<")).tobytes()
            return data
        try:
            parts = [part if isinstance(part, bytes) else part.encode() for part in self.array.flat]
        except UnicodeEncodeError as error:
            raise WorkloadError(
                f"input {self.name!r} holds text that no encoding has: {error}",
                remedy="give bytes, or text without lone surrogates",
            ) from error
        return b"".join(len(part).to_bytes(4, "little") + part for part in parts)


def tensors_of(value: object) -> list[Tensor]:
    """Return the tensors of one input, given by name.

    Raises:
        WorkloadError: they are not by name, or one is of a kind that V2 does not have.
    """
    if not isinstance(value, Mapping) or not value:
        raise WorkloadError(
            f"an input of a V2 endpoint is tensors by name, got a {type(value).__qualname__}",
            remedy='write inputs=[{"x": array}, …], with the names that the model declares',
        )
    return [Tensor(name=str(name), array=_array(name, given)) for name, given in value.items()]


def from_raw(data: bytes | memoryview, *, name: str, datatype: str, shape: Sequence[int]) -> Any:
    """Return the array that raw data holds; BYTES as `bytes` objects, BF16 as float32.

    Raises:
        NoAnswer: the datatype is unknown, or the data does not fit the shape.
    """
    try:
        if datatype == BYTES:
            flat = _objects(_elements(memoryview(data)))
        elif datatype == _BF16:
            upper = np.frombuffer(data, dtype="<u2").astype("<u4") << 16
            flat = upper.view("<f4")
        else:
            flat = np.frombuffer(data, dtype=np.dtype(_dtype(datatype)).newbyteorder("<"))
    except ValueError as error:
        raise malformed(f"output {name!r}: {error}") from error
    return shaped(flat, name=name, shape=shape)


def from_values(values: Any, *, name: str, datatype: str, shape: Sequence[int]) -> Any:
    """Return the array that plain values hold, nested as they may be; BYTES as `bytes` objects.

    Raises:
        NoAnswer: the datatype is unknown, or the values do not fit it or the shape.
    """
    try:
        if datatype == BYTES:
            flat = _objects(
                [
                    text.encode() if isinstance(text, str) else text
                    for text in np.asarray(values, dtype=object).reshape(-1)
                ]
            )
        else:
            wanted = "float32" if datatype == _BF16 else _dtype(datatype)
            flat = np.asarray(values, dtype=wanted).reshape(-1)
    except (ValueError, TypeError, OverflowError) as error:
        raise malformed(f"output {name!r} is no {datatype}: {error}") from error
    return shaped(flat, name=name, shape=shape)


def shaped(flat: Any, *, name: str, shape: Sequence[int]) -> Any:
    """Return a flat array in its shape; raises `NoAnswer` where it has too few or many values."""
    if min(shape, default=0) < 0 or flat.size != math.prod(shape):
        raise malformed(f"output {name!r} of shape {list(shape)} holds {flat.size} values")
    return flat.reshape(shape)


def malformed(why: str) -> NoAnswer:
    """Return the error that says what is wrong with an answer."""
    return NoAnswer(
        f"the answer is not one of the V2 protocol: {why[:_SHOWN]}",
        remedy="ask the server by hand; where it speaks another protocol, say protocol='template'",
    )


def _array(name: object, given: object) -> Any:
    try:
        if type(given).__module__.partition(".")[0] == "torch":
            given = given.numpy(force=True)  # type: ignore[attr-defined]  # torch.Tensor.numpy
        array = np.asarray(given)
        if array.dtype.kind in "US":
            # Not by way of numpy's own texts: they lose zeros at the end of bytes.
            kept = array.astype(object) if isinstance(given, np.ndarray) else given
            array = np.asarray(kept, dtype=object)
    except (ValueError, TypeError) as error:
        raise WorkloadError(
            f"input {name!r} is no tensor: {error}",
            remedy="give an array with one size along each axis, of numbers or of text",
        ) from error
    if array.dtype.kind == "O":
        _require_text(name, array)
    elif array.dtype.name not in _DATATYPES:
        raise WorkloadError(
            f"input {name!r} is of the type {array.dtype}, which V2 does not have",
            remedy=f"convert it to one of {', '.join(_DATATYPES)}, or to text",
        )
    return array


def _require_text(name: object, array: Any) -> None:
    for element in array.flat:
        if not isinstance(element, str | bytes):
            raise WorkloadError(
                f"input {name!r} holds a {type(element).__qualname__} among its elements",
                remedy="give numbers of one type, or text and bytes alone",
            )


def _elements(data: memoryview) -> list[bytes]:
    found, position = [], 0
    while position < len(data):
        start = position + 4
        position = start + int.from_bytes(data[position:start], "little")
        if start > len(data) or position > len(data):
            raise ValueError("its last element is cut off")
        found.append(bytes(data[start:position]))
    return found


def _objects(values: Sequence[Any]) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _dtype(datatype: str) -> str:
    if datatype not in _DTYPES:
        raise malformed(f"the datatype {datatype!r} is not known")
    return _DTYPES[datatype]
