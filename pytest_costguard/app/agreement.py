"""Whether an output is the expected one: numbers within a tolerance, all else exactly."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Number
from typing import Any

from pytest_costguard.errors import WorkloadError


def agrees(output: Any, wanted: Any, *, tolerance: float) -> bool:
    """Return whether an output is the expected one.

    Several outputs, as a list or by name, agree if each of them does; what has another shape,
    another number of outputs or other names does not. A single output may come in a list.

    Raises:
        WorkloadError: they cannot be compared element by element.
    """
    ours, theirs = _alone(output, beside=wanted), _alone(wanted, beside=output)
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return ours.keys() == theirs.keys() and all(
            agrees(ours[name], theirs[name], tolerance=tolerance) for name in theirs
        )
    if _is_several(ours) and _is_several(theirs):
        return len(ours) == len(theirs) and all(
            agrees(one, other, tolerance=tolerance) for one, other in zip(ours, theirs, strict=True)
        )
    try:
        return _equal(ours, theirs, tolerance=tolerance)
    except (TypeError, ValueError) as error:
        raise WorkloadError(
            f"reference= cannot be compared with an output: a {type(wanted).__name__} with"
            f" a {type(output).__name__} ({error})",
            remedy="give expected outputs of the same structure, or a function: quality=",
        ) from error


def _equal(ours: Any, theirs: Any, *, tolerance: float) -> bool:
    import numpy

    ours, theirs = numpy.asarray(_on_the_host(ours)), numpy.asarray(_on_the_host(theirs))
    if ours.shape != theirs.shape:
        return False
    if all(numpy.issubdtype(array.dtype, numpy.number) for array in (ours, theirs)):
        return bool(numpy.allclose(ours, theirs, rtol=tolerance, atol=tolerance))
    return bool(numpy.all(ours == theirs))


def _is_several(value: Any) -> bool:
    """Whether these are outputs of their own, rather than the numbers or words of one."""
    return isinstance(value, list | tuple) and not all(
        isinstance(entry, Number | str | bytes) for entry in value
    )


def _alone(value: Any, *, beside: Any) -> Any:
    """A single output without the list that only one of the two has round it."""
    listed = isinstance(value, list | tuple) and not isinstance(beside, list | tuple)
    if listed and len(value) == 1 and (_is_several(value) or isinstance(beside, Number | str)):
        return _alone(value[0], beside=beside)
    return value


def _on_the_host(value: Any) -> Any:
    """A torch tensor of any device as an array."""
    detach = getattr(value, "detach", None)
    return detach().cpu().numpy() if detach is not None else value
