"""One call of `measure`, as a test wrote it: what a backend serves, measures or looks up."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

from pytest_costguard.app.adapters import adapter_for, is_address
from pytest_costguard.app.agreement import agrees
from pytest_costguard.errors import ConfigError, WorkloadError
from pytest_costguard.measure.ports import Workload
from pytest_costguard.records import MOST_QUALITY, Scenario, WorkloadId
from pytest_costguard.workloads.answers import read
from pytest_costguard.workloads.inputs import InputSet

if TYPE_CHECKING:
    from pytest_costguard.app.servers import StartedServer

Quality = Callable[[Sequence[Any]], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureCall:
    """One call of `measure`, as the test wrote it; nothing is loaded or consumed yet."""

    workload: WorkloadId
    thing: Any
    load: Callable[[], Any] | None
    inputs: Any
    batch_size: int | Callable[[Any], int] | None
    quality: Quality | None
    scenario: Scenario
    options: Mapping[str, Any]
    """For the adapter."""
    collate: Callable[[list[Any]], Any] | None = None
    """Makes one request of several, where an open loop serves in batches."""
    server: StartedServer | None = None
    """The server of the test that answers; None where the workload serves in this process, or a
    server does that the test has not started."""
    parts_elsewhere: bool = False
    """Whether it is a mixture of which other processes answer every part."""

    @property
    def loads(self) -> bool:
        """Whether loading is part of the measurement, so that there is a cold start."""
        is_path = isinstance(self.thing, str | PathLike) and not is_address(self.thing)
        return self.load is not None or is_path

    @property
    def is_elsewhere(self) -> bool:
        """Whether another process answers: a server, of the test or not."""
        return self.parts_elsewhere or self.server is not None or is_address(self.thing)

    def answering(self) -> AbstractContextManager[None]:
        """Return what blames the server for errors meanwhile, where it has ended by itself."""
        return nullcontext() if self.server is None else self.server.answering()

    def input_set(self) -> InputSet:
        """The representative inputs, consumed once and kept."""
        return InputSet.of(self.inputs)

    def quality_of(self, outputs: Sequence[Any]) -> float | None:
        """Return the quality of the outputs, or None where none is declared.

        Raises:
            WorkloadError: the metric is not one finite number, or one beyond `MOST_QUALITY`.
        """
        if self.quality is None:
            return None
        value: Any = self.quality([read(output) for output in outputs])
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not abs(number) <= MOST_QUALITY:
            raise WorkloadError(
                f"{self.workload}: quality= returned {value!r}",
                remedy="return one number for the list of outputs, higher is better, from"
                f" {-MOST_QUALITY:g} to {MOST_QUALITY:g}",
            )
        return number

    def adapter(self, *, threads: int) -> Workload:
        """Return what makes the workload measurable, not loaded yet.

        A `load` function is called here, so that its time is part of the cold start.

        Raises:
            ConfigError: `load` has returned an address, of which nothing could be known before.
        """
        thing = self.thing if self.load is None else self.load()
        if self.load is not None and is_address(thing):
            raise ConfigError(
                f"{self.workload}: load= returned an address",
                remedy="give measure() the address itself, and start its server with"
                " costguard.server(…): what that takes is its cold start",
            )
        return adapter_for(thing, threads=threads, options=self.options)


def refuse_coroutine(call: MeasureCall, adapter: Workload) -> None:
    """Raise unless `measure` can serve this workload without an event loop."""
    if adapter.is_async and call.scenario.load is not None:
        raise WorkloadError(
            f"{call.workload}: open-loop load is served by plain functions, in threads, and this"
            " is a coroutine function",
            remedy="give a plain function or an address",
        )
    if adapter.is_async:
        raise WorkloadError(
            f"{call.workload}: a coroutine function needs an event loop",
            remedy="make the test async and write: await costguard.measure_async(…)",
        )


def declared_quality(
    quality: Quality | None, reference: Sequence[Any] | None, tolerance: float
) -> Quality | None:
    """Return the function of the outputs that a test's arguments make; None where there is none.

    Raises:
        ConfigError: it is no function, or both it and a reference are given.
    """
    if reference is None:
        if quality is not None and not callable(quality):
            raise ConfigError(
                f"quality={quality!r} is not a function",
                remedy="give a function of the list of outputs that returns one number",
            )
        return quality
    if quality is not None:
        raise ConfigError(
            "measure() got quality= and reference=",
            remedy="give one of them: reference= makes its own quality",
        )
    expected = list(reference)
    return lambda outputs: _share_within(outputs, expected, tolerance)


def _share_within(outputs: Sequence[Any], expected: Sequence[Any], tolerance: float) -> float:
    """The share of outputs that agree with the expected ones, element by element."""
    if len(outputs) != len(expected):
        raise WorkloadError(
            f"reference= has {len(expected)} outputs, the workload gave {len(outputs)}",
            remedy="give one expected output for each input",
        )
    pairs = zip(outputs, expected, strict=True)
    agreeing = sum(agrees(output, wanted, tolerance=tolerance) for output, wanted in pairs)
    return agreeing / len(expected)
