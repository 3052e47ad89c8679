"""Inputs that two ONNX models can both serve: from a file, or random by the shapes they declare."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_costguard.errors import ConfigError
from pytest_costguard.workloads.onnx_feeds import ModelInput

RANDOM_REQUESTS = 8
_SEED = 0
_SAME = "compare models that take the same inputs; convert with input types kept (keep_io_types)"
Feed = dict[str, Any]


def shared_inputs(
    a: Sequence[ModelInput], b: Sequence[ModelInput], *, names: tuple[str, str]
) -> tuple[ModelInput, ...]:
    """Return what both models take, with the sizes that either of them fixes.

    Args:
        a: what the first model takes.
        b: what the second model takes.
        names: of the models, for the error.

    Raises:
        ConfigError: they do not take the same names, types and shapes.
    """
    first, second = ({each.name: each for each in one} for one in (a, b))
    if first.keys() != second.keys():
        told = (", ".join(sorted(one)) for one in (first, second))
        raise ConfigError(
            "the models take different inputs: {} takes {}, {} takes {}".format(
                *(word for pair in zip(names, told, strict=True) for word in pair)
            ),
            remedy=_SAME,
        )
    return tuple(_merged(first[name], second[name], names=names) for name in first)


def random_feeds(
    inputs: Sequence[ModelInput], *, dims: Mapping[str, int], requests: int = RANDOM_REQUESTS
) -> list[Feed]:
    """Return random requests with a fixed seed: normal numbers, and 0 or 1 for whole numbers.

    Args:
        inputs: what both models take.
        dims: sizes of dimensions that have a name; others that are not fixed have size 1.
        requests: how many.

    Raises:
        ConfigError: a dimension of that name is not there, or a type has no random values.
    """
    import numpy

    known = {size for each in inputs for size in each.shape if isinstance(size, str)}
    for name in dims:
        if name not in known:
            raise ConfigError(
                f"--dim {name}: no input has a dimension of that name",
                remedy=f"the names are: {', '.join(sorted(known)) or 'none, all sizes are fixed'}",
            )
    generator = numpy.random.default_rng(_SEED)
    return [
        {each.name: _random(each, dims=dims, generator=generator) for each in inputs}
        for _ in range(requests)
    ]


def feeds_of_file(path: Path, inputs: Sequence[ModelInput], *, each: bool) -> list[Feed]:
    """Return the requests in an `.npz` file: one array for each of the models' inputs.

    Args:
        path: the file.
        inputs: what both models take.
        each: whether the first axis of the arrays counts requests; else the file is one request.

    Raises:
        ConfigError: the file is missing or no `.npz`, or its arrays do not fit.
    """
    arrays = _arrays(path)
    wanted = [one.name for one in inputs]
    if set(arrays) != set(wanted):
        raise ConfigError(
            f"{path} holds {', '.join(sorted(arrays)) or 'nothing'}, the models take"
            f" {', '.join(sorted(wanted))}",
            remedy="save one array for each input: numpy.savez(path, name=array)",
        )
    feeds = [dict(arrays)] if not each else _apart(arrays, inputs, path=path)
    for one in inputs:
        complaint = one.complaint(feeds[0][one.name])
        if complaint is not None:
            hint = "" if each else "; --each if the first axis counts requests"
            raise ConfigError(f"{path}: {complaint[0]}", remedy=f"{complaint[1]}{hint}")
    return feeds


def _merged(a: ModelInput, b: ModelInput, *, names: tuple[str, str]) -> ModelInput:
    sizes = tuple(
        ours if isinstance(ours, int) else theirs
        for ours, theirs in zip(a.shape, b.shape, strict=False)
    )
    merged = ModelInput(name=a.name, type=a.type, shape=sizes)
    fits = len(a.shape) == len(b.shape) and all(
        not (isinstance(ours, int) and isinstance(theirs, int)) or ours == theirs
        for ours, theirs in zip(a.shape, b.shape, strict=False)
    )
    if a.type != b.type or not fits:
        raise ConfigError(
            f"the models take different inputs: {a.name} is {a.element_type}{_listed(a)} for"
            f" {names[0]}, {b.element_type}{_listed(b)} for {names[1]}",
            remedy=_SAME,
        )
    return merged


def _listed(one: ModelInput) -> str:
    return str([size if size is not None else "?" for size in one.shape])


def _random(one: ModelInput, *, dims: Mapping[str, int], generator: Any) -> Any:
    import numpy

    shape = tuple(
        size if isinstance(size, int) else dims.get(size, 1) if size else 1 for size in one.shape
    )
    if one.element_type == "str":
        return numpy.full(shape, "a", dtype=object)
    try:
        dtype = numpy.dtype(one.element_type)
    except TypeError as error:
        raise ConfigError(
            f"input {one.name} is {one.element_type}, of which there are no random values",
            remedy="give inputs: --inputs FILE.npz",
        ) from error
    if numpy.issubdtype(dtype, numpy.floating):
        return generator.standard_normal(shape).astype(dtype)
    return generator.integers(0, 2, shape).astype(dtype)


def _arrays(path: Path) -> Feed:
    import numpy

    try:
        with numpy.load(path, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (OSError, ValueError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"{path}: no arrays could be read: {reason}",
            remedy="give a file that numpy.savez(path, name=array) has written",
        ) from error


def _apart(arrays: Feed, inputs: Sequence[ModelInput], *, path: Path) -> list[Feed]:
    """One request for each entry of the first axis, kept as an axis of 1 where the model has it."""
    if any(array.ndim == 0 for array in arrays.values()):
        raise ConfigError(f"{path}: an array has no axis", remedy="leave --each out")
    counts = {len(array) for array in arrays.values()}
    if len(counts) != 1 or 0 in counts:
        raise ConfigError(
            f"{path}: --each needs as many entries in each array, and at least one; here are"
            f" {', '.join(f'{name}: {len(array)}' for name, array in arrays.items())}",
            remedy="stack one entry for each request along the first axis of every array",
        )
    ranks = {one.name: len(one.shape) for one in inputs}

    def entry(name: str, index: int) -> Any:
        array = arrays[name]
        return array[index : index + 1] if array.ndim == ranks[name] else array[index]

    return [{name: entry(name, index) for name in arrays} for index in range(counts.pop())]
