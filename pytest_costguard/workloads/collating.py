"""Several waiting requests made one, as an adaptive batcher of a server would."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from pytest_costguard.errors import WorkloadError


def joined_requests(requests: list[Any]) -> Any:
    """Return one request that holds all of them: arrays and tensors joined along their first axis.

    Mappings and tuples are joined entry by entry, lists put one after another.

    Raises:
        WorkloadError: they are of a kind that cannot be joined, or their shapes do not fit.
    """
    first = requests[0]
    if isinstance(first, Mapping):
        return {name: joined_requests([request[name] for request in requests]) for name in first}
    if isinstance(first, tuple):
        return tuple(joined_requests(list(parts)) for parts in zip(*requests, strict=True))
    if isinstance(first, list):
        return [item for request in requests for item in request]
    numpy: Any = sys.modules.get("numpy")  # an import would be a part of the first batch
    if numpy is not None and isinstance(first, numpy.ndarray):
        return _concatenated(requests)
    if type(first).__module__.partition(".")[0] == "torch":
        import torch

        return torch.cat(requests)
    raise WorkloadError(
        f"requests of the type {type(first).__qualname__} cannot be joined to a batch",
        remedy="give measure() collate=, a function that makes one request of a list of them",
    )


def _concatenated(arrays: list[Any]) -> Any:
    import numpy

    try:
        return numpy.concatenate(arrays)
    except ValueError as error:
        raise WorkloadError(
            f"requests cannot be joined to a batch: {error}",
            remedy="let all inputs have the same shape but for their first axis, or give"
            " measure() collate=",
        ) from error
