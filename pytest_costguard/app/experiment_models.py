"""Experiments on two ONNX model files: inputs for both, and whether their outputs agree."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_costguard.app.carrying import Carried
from pytest_costguard.app.declared_scenarios import parse_scenario
from pytest_costguard.app.experiment import Contrast
from pytest_costguard.app.experiment_things import contrast_of
from pytest_costguard.app.model_inputs import Feed, feeds_of_file, random_feeds, shared_inputs
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import SIDES
from pytest_costguard.workloads.onnx_feeds import ModelInput
from pytest_costguard.workloads.onnx_file import SUFFIXES

_COMPARED_REQUESTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPair:
    """Two model files, and how they are served."""

    a: Path
    b: Path
    inputs: Path | None = None
    """An `.npz` file; None: random ones."""
    each: bool = False
    """Whether the first axis of its arrays counts requests."""
    dims: Mapping[str, int] = field(default_factory=dict)
    batch_size: int | None = None
    scenario: str = "single_stream"


@contextmanager
def two_models(pair: ModelPair, *, threads: int) -> Iterator[Contrast]:
    """Return the contrast of two models, once both have answered here and their outputs compared.

    Raises:
        ConfigError: they do not take the same inputs, or those that were given do not fit.
        WorkloadError: a model cannot be loaded or does not serve the inputs.
    """
    parse_scenario(pair.scenario, nodeid="costguard ab --models")
    names = str(pair.a), str(pair.b)
    models = [_Model.loaded(path, threads=threads) for path in (pair.a, pair.b)]
    shared = shared_inputs(models[0].inputs, models[1].inputs, names=names)
    if pair.inputs is None:
        feeds = random_feeds(shared, dims=pair.dims)
        notes = [
            (
                f"the inputs are random ({len(feeds)} requests, {_shapes(feeds[0])}): give"
                " representative ones by --inputs FILE.npz"
            )
        ]
    else:
        _refuse_dims(pair)
        feeds, notes = feeds_of_file(pair.inputs, shared, each=pair.each), []
    outputs = [[model.serve(feed) for feed in feeds[:_COMPARED_REQUESTS]] for model in models]
    notes.append(agreement(outputs[0], outputs[1], names=models[0].output_names))
    models.clear()  # what they hold is not to be there while the workers measure
    carried = {
        side: Carried(
            thing=os.fspath(path.resolve()),
            inputs=feeds,
            batch_size=pair.batch_size,
            scenario=pair.scenario,
        )
        for side, path in zip(SIDES, (pair.a, pair.b), strict=True)
    }
    labels = dict(zip(SIDES, names, strict=True))
    with contrast_of(carried, labels=labels, threads=threads, notes=tuple(notes)) as contrast:
        yield contrast


def agreement(
    a: Sequence[Sequence[Any]], b: Sequence[Sequence[Any]], *, names: Sequence[str]
) -> str:
    """Say how far the outputs of two models agree: a faster wrong model is no gain.

    Args:
        a: of each request, the first model's output arrays.
        b: of the same requests, the second's.
        names: of the outputs.
    """
    import numpy

    if any(len(one) != len(other) for one, other in zip(a, b, strict=True)):
        return f"outputs cannot be compared: A gives {len(a[0])} arrays, B gives {len(b[0])}"
    told = []
    for place, name in enumerate(names):
        pairs = [
            (numpy.asarray(one[place]), numpy.asarray(other[place]))
            for one, other in zip(a, b, strict=True)
        ]
        told.append(f"{name} {_compared(pairs)}")
    return f"outputs of A and B over {len(a)} requests: {'; '.join(told)}"


def _compared(pairs: Sequence[tuple[Any, Any]]) -> str:
    import numpy

    if any(one.shape != other.shape for one, other in pairs):
        one, other = next(pair for pair in pairs if pair[0].shape != pair[1].shape)
        return f"has different shapes, {one.shape} and {other.shape}"
    numbers = all(
        array.dtype == bool or numpy.issubdtype(array.dtype, numpy.number)
        for pair in pairs
        for array in pair
    )
    if not numbers:
        same = sum(bool(numpy.array_equal(one, other)) for one, other in pairs)
        return f"equal in {same} of {len(pairs)}"
    wide = [(one.astype("f8"), other.astype("f8")) for one, other in pairs]
    largest = max(
        (float(numpy.max(numpy.abs(one - other))) for one, other in wide if one.size), default=0.0
    )
    if not numpy.isfinite(largest):
        return "holds values that are not finite"
    said = "equal" if largest == 0 else f"differs by at most {largest:.3g}"
    if all(one.ndim == 2 and one.shape[1] > 1 for one, _ in wide):
        equal = [numpy.argmax(one, axis=1) == numpy.argmax(other, axis=1) for one, other in wide]
        said += f", same argmax in {100 * float(numpy.mean(numpy.concatenate(equal))):.4g} %"
    return said


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    inputs: tuple[ModelInput, ...]
    output_names: tuple[str, ...]
    serve: Any

    @classmethod
    def loaded(cls, path: Path, *, threads: int) -> _Model:
        if path.suffix.lower() not in SUFFIXES:
            raise ConfigError(
                f"{path} is not the path of a model",
                remedy=f"--models takes two files that end in {' or '.join(SUFFIXES)}; compare"
                " other things by a test or by pytest_costguard.ab",
            )
        from pytest_costguard.workloads.onnxruntime_session import OnnxRuntimeSession

        adapter = OnnxRuntimeSession(path, threads=threads, options={})
        adapter.load()
        return cls(
            inputs=adapter.inputs,
            output_names=adapter.output_names,
            serve=adapter.function(),
        )


def _refuse_dims(pair: ModelPair) -> None:
    if pair.dims:
        raise ConfigError(
            "--dim is for random inputs, and --inputs gives a file",
            remedy="leave one of them out",
        )


def _shapes(feed: Feed) -> str:
    return ", ".join(f"{name} {array.dtype}{[*array.shape]}" for name, array in feed.items())
