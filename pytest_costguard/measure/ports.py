"""What measuring needs from outside: a clock, and something that serves requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The two clocks, both in whole nanoseconds from an arbitrary zero."""

    wall_ns: Callable[[], int]
    """Monotonic wall time, as a caller feels it."""
    cpu_ns: Callable[[], int]
    """CPU time of this process, all of its threads together."""
    sleep: Callable[[float], object] = time.sleep
    """Waits for so many seconds, or a little longer."""

    @classmethod
    def system(cls) -> Clock:
        """The clocks of this machine."""
        return cls(wall_ns=time.perf_counter_ns, cpu_ns=time.process_time_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a workload says of itself; it goes into the declaration and is compared there."""

    details: dict[str, str] = field(default_factory=dict)
    """What a comparison depends on: device, providers, precision."""
    model_digest: str | None = None
    """Digest of the model's weights and graph; None where there is no model to digest."""


@runtime_checkable
class Workload(Protocol):
    """Something that serves requests. Implementations do not inherit from it.

    Every implementation passes the contract suite in `tests/contracts/workload.py`. One that
    answers with text of a language model may have a property `streams` beside these: where it is
    true, `function()` answers with a `measure.streamed.Streamed`, and tokens are measured too.
    """

    @property
    def kind(self) -> str:
        """The adapter's name: `callable`, `torch`, `onnxruntime`."""

    @property
    def is_async(self) -> bool:
        """Whether `function()` answers with an awaitable."""

    def load(self) -> None:
        """Get from the declaration to ready to serve. A second call does nothing."""

    def function(self) -> Callable[[Any], Any]:
        """Return what serves one request: called bare, thousands of times, in the timed loop.

        Call `load` first.
        """

    def synchronise(self) -> Callable[[], None] | None:
        """Return what waits until the device has finished; None where calls are synchronous."""

    def serving(self) -> AbstractContextManager[object]:
        """Return a fresh context, entered once round each stretch in each calling thread.

        For inference mode, autocast and the like, which cost time and are set per thread.
        """

    def describe(self) -> Description:
        """Say what the workload is. Call `load` first."""

    def device_peak_bytes(self) -> int | None:
        """Return the device's peak memory in bytes since `reset_device_peak`; None on a CPU."""

    def reset_device_peak(self) -> None:
        """Start anew to look for the device's peak memory. On a CPU this does nothing."""


@runtime_checkable
class Prepares(Protocol):
    """A workload that makes something of its inputs before any of them is served."""

    def prepare(self, inputs: Sequence[Any]) -> None:
        """Make what can be made beforehand, so that no request's time holds it.

        It is called after `load`, once, with every input.
        """


@runtime_checkable
class Confined(Protocol):
    """A workload whose serving context would change what others serve in the same thread.

    Where it is one of several, `holding` is entered round the stretch, and `serving` round each of
    its own requests.
    """

    def holding(self) -> AbstractContextManager[object]:
        """Return a fresh context of what `serving` sets that no other workload notices."""
