"""Requests and answers of the Open Inference Protocol V2 over REST, as JSON and as binary data.

Open Inference Protocol, "Inference Request JSON Object"; binary: "Binary Tensor Data Extension"
(the JSON goes first, then the raw tensors in its order).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from pytest_costguard.errors import WorkloadError
from pytest_costguard.workloads.http_exchange import Reply, Request
from pytest_costguard.workloads.v2_tensors import (
    BYTES,
    Tensor,
    from_raw,
    from_values,
    malformed,
    tensors_of,
)

_HEADER_LENGTH = "Inference-Header-Content-Length"


def encoded(value: object, *, binary: bool) -> Request:
    """Return the request of one input: tensors by name, or a whole V2 request, which is sent as is.

    Raises:
        WorkloadError: the input is neither, or a tensor cannot be written so.
    """
    if is_whole_request(value):
        return _as_json(dict(value))
    tensors = tensors_of(value)
    if not binary:
        return _as_json({"inputs": [_json_tensor(one) for one in tensors]})
    raw = [one.raw() for one in tensors]
    document = {
        "inputs": [
            {**_head(one), "parameters": {"binary_data_size": len(data)}}
            for one, data in zip(tensors, raw, strict=True)
        ],
        "parameters": {"binary_data_output": True},
    }
    header = json.dumps(document).encode()
    return Request(
        body=b"".join((header, *raw)),
        headers={"Content-Type": "application/octet-stream", _HEADER_LENGTH: str(len(header))},
    )


def is_whole_request(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether an input is a V2 request already, rather than tensors by name."""
    inputs = value.get("inputs") if isinstance(value, Mapping) else None
    return (
        isinstance(inputs, list | tuple)
        and bool(inputs)
        and all(isinstance(one, Mapping) and "name" in one for one in inputs)
    )


def decoded(reply: Reply) -> dict[str, Any]:
    """Return the tensors of an answer by name, as arrays; BYTES as arrays of `bytes`.

    Raises:
        NoAnswer: it is no V2 answer, or its data does not fit the shapes that it declares.
    """
    length = reply.headers.get(_HEADER_LENGTH.lower())
    cut = len(reply.body) if length is None else int(length) if length.isdecimal() else -1
    if not 0 <= cut <= len(reply.body):
        raise malformed(f"its {_HEADER_LENGTH} is {length!r}")
    try:
        document = json.loads(reply.body[:cut])
        if "outputs" not in document:
            raise malformed(f"it holds no outputs, but {json.dumps(document)}")
        return dict(_outputs(document["outputs"], memoryview(reply.body)[cut:]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise malformed(f"{type(error).__name__}: {error}") from error


def _outputs(outputs: Sequence[Mapping[str, Any]], raw: memoryview) -> Iterator[tuple[str, Any]]:
    for output in outputs:
        name, datatype = str(output["name"]), str(output["datatype"])
        shape = [int(size) for size in output["shape"]]
        size = (output.get("parameters") or {}).get("binary_data_size")
        if size is None:
            values = output["data"]
            yield name, from_values(values, name=name, datatype=datatype, shape=shape)
            continue
        if not 0 <= size <= len(raw):
            raise malformed(f"output {name!r} has {size} bytes of data, and {len(raw)} are left")
        data, raw = raw[:size], raw[size:]
        yield name, from_raw(data, name=name, datatype=datatype, shape=shape)
    if len(raw):
        raise malformed(f"{len(raw)} bytes are left after its outputs")


def _json_tensor(tensor: Tensor) -> dict[str, Any]:
    if tensor.datatype != BYTES:
        return {**_head(tensor), "data": tensor.array.reshape(-1).tolist()}
    try:
        texts = [one.decode() if isinstance(one, bytes) else one for one in tensor.array.flat]
    except UnicodeDecodeError as error:
        raise WorkloadError(
            f"input {tensor.name!r} holds bytes that are no text, which JSON does not have",
            remedy="give binary=True where the server knows the extension, or text (base64)",
        ) from error
    return {**_head(tensor), "data": texts}


def _head(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "shape": tensor.shape, "datatype": tensor.datatype}


def _as_json(document: dict[str, Any]) -> Request:
    try:
        body = json.dumps(document, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise WorkloadError(
            f"an input cannot be written as JSON: {error}",
            remedy="NaN and infinity need binary=True; a whole request holds plain values",
        ) from error
    return Request(body=body, headers={"Content-Type": "application/json"})
