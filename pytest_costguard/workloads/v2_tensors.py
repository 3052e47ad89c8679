"""Tensors of the Open Inference Protocol V2 over REST, as JSON and by the binary extension.

Open Inference Protocol, "Inference Request JSON Object" and "Tensor Data"; binary: "Binary Tensor
Data Extension" (the JSON goes first, then the raw tensors in its order, little-endian; of BYTES,
each element's length in four bytes goes before it).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from pytest_costguard.errors import WorkloadError
from pytest_costguard.workloads.http_exchange import NoAnswer, Reply, Request

_HEADER_LENGTH = "Inference-Header-Content-Length"
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
_BYTES = "BYTES"


def encoded(value: object, *, binary: bool) -> Request:
    """Return the request of one input: tensors by name, or a whole V2 request, which is sent as is.

    Raises:
        WorkloadError: the input is neither, or a tensor is of a kind that V2 does not have.
    """
    if not isinstance(value, Mapping) or not value:
        raise WorkloadError(
            f"an input of a V2 endpoint is tensors by name, got a {type(value).__qualname__}",
            remedy='write inputs=[{"x": array}, …], with the names that the model declares',
        )
    if isinstance(value.get("inputs"), Sequence) and not isinstance(value["inputs"], str):
        return _as_json(dict(value))
    tensors = {str(name): _array(name, tensor) for name, tensor in value.items()}
    if not binary:
        return _as_json({"inputs": [_json_tensor(name, one) for name, one in tensors.items()]})
    raw = {name: _raw(one) for name, one in tensors.items()}
    document = {
        "inputs": [
            {**_head(name, one), "parameters": {"binary_data_size": len(raw[name])}}
            for name, one in tensors.items()
        ],
        "parameters": {"binary_data_output": True},
    }
    header = json.dumps(document).encode()
    return Request(
        body=b"".join((header, *raw.values())),
        headers={
            "Content-Type": "application/octet-stream",
            _HEADER_LENGTH: str(len(header)),
        },
    )


def decoded(reply: Reply) -> dict[str, Any]:
    """Return the tensors of an answer by name, as arrays; BYTES as arrays of `bytes`.

    Raises:
        NoAnswer: it is no V2 answer, or its data does not fit the shapes that it declares.
    """
    headers = {name.lower(): value for name, value in reply.headers.items()}
    length = headers.get(_HEADER_LENGTH.lower())
    cut = len(reply.body) if length is None else int(length) if length.isdigit() else -1
    if not 0 <= cut <= len(reply.body):
        raise _malformed(f"its {_HEADER_LENGTH} is {length!r}")
    try:
        document = json.loads(reply.body[:cut])
        outputs = document["outputs"]
        return dict(_tensors(outputs, memoryview(reply.body)[cut:]))
    except (ValueError, TypeError, KeyError) as error:
        raise _malformed(f"{type(error).__name__}: {error}") from error


def _tensors(outputs: Sequence[Mapping[str, Any]], raw: memoryview) -> Iterator[tuple[str, Any]]:
    for output in outputs:
        name, shape = str(output["name"]), [int(size) for size in output["shape"]]
        datatype, count = output["datatype"], math.prod(shape)
        size = output.get("parameters", {}).get("binary_data_size")
        if size is not None:
            data, raw = raw[:size], raw[size:]
            values = _from_raw(data, datatype)
        else:
            values = _from_json(output["data"], datatype)
        if values.size != count:
            raise _malformed(f"output {name!r} of shape {shape} holds {values.size} values")
        yield name, values.reshape(shape)


def _from_raw(data: memoryview, datatype: str) -> Any:
    if datatype != _BYTES:
        return np.frombuffer(data, dtype=np.dtype(_dtype(datatype)).newbyteorder("<"))
    found, position = [], 0
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "little")
        found.append(bytes(data[position + 4 : position + 4 + length]))
        position += 4 + length
    return _objects(found)


def _from_json(data: Any, datatype: str) -> Any:
    if datatype == _BYTES:
        flat = data if isinstance(data, list) else [data]
        return _objects([text.encode() if isinstance(text, str) else text for text in flat])
    return np.asarray(data, dtype=_dtype(datatype)).reshape(-1)


def _objects(values: Sequence[Any]) -> Any:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _dtype(datatype: str) -> str:
    if datatype not in _DTYPES:
        raise _malformed(f"the datatype {datatype!r} is not known")
    return _DTYPES[datatype]


def _array(name: object, tensor: object) -> Any:
    if type(tensor).__module__.partition(".")[0] == "torch":
        tensor = tensor.numpy(force=True)  # type: ignore[attr-defined]  # torch.Tensor.numpy
    array = np.asarray(tensor)
    if array.dtype.kind in "US":
        return array.astype(object)
    if array.dtype.kind != "O" and array.dtype.name not in _DATATYPES:
        raise WorkloadError(
            f"input {name!r} is of the type {array.dtype}, which V2 does not have",
            remedy=f"convert it to one of {', '.join(_DATATYPES)}, or to text",
        )
    return array


def _json_tensor(name: str, array: Any) -> dict[str, Any]:
    if array.dtype.kind == "O":
        data = [v.decode() if isinstance(v, bytes) else str(v) for v in array.reshape(-1)]
    else:
        data = array.reshape(-1).tolist()
    return {**_head(name, array), "data": data}


def _head(name: str, array: Any) -> dict[str, Any]:
    datatype = _BYTES if array.dtype.kind == "O" else _DATATYPES[array.dtype.name]
    return {"name": name, "shape": list(array.shape), "datatype": datatype}


def _raw(array: Any) -> bytes:
    if array.dtype.kind != "O":
        raw: bytes = array.astype(array.dtype.newbyteorder("<")).tobytes()
        return raw
    parts = [v if isinstance(v, bytes) else str(v).encode() for v in array.reshape(-1)]
    return b"".join(len(part).to_bytes(4, "little") + part for part in parts)


def _as_json(document: dict[str, Any]) -> Request:
    return Request(body=json.dumps(document).encode(), headers={"Content-Type": "application/json"})


def _malformed(why: str) -> NoAnswer:
    return NoAnswer(
        f"the answer is not one of the V2 protocol: {why}",
        remedy="check that the address ends in /infer, or say protocol='template'",
    )
