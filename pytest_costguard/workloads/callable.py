"""Any callable of one input as a workload: a function, a method, an object, a coroutine."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from pytest_costguard.errors import WorkloadError
from pytest_costguard.measure.ports import Description
from pytest_costguard.workloads import accelerators
from pytest_costguard.workloads.options import require_known


class CallableWorkload:
    """Serves a request by calling the callable with it, and nothing around the call.

    A coroutine function, or an object whose `__call__` is one, answers with an awaitable. Where
    the callable's own code has put torch to work on CUDA, `synchronise` waits for it and the
    device's peak is read: else only the launch of its kernels would be timed.

    Args:
        thing: what to call with each input.
        threads: not used: a callable's threads are set by the process's environment.
        options: must be empty.

    Raises:
        ConfigError: an option is given.
        WorkloadError: `thing` cannot be called, is a class, or is a generator function.
    """

    def __init__(
        self, thing: object, *, threads: int = 1, options: Mapping[str, Any] | None = None
    ) -> None:
        del threads
        require_known(options or {}, known=(), adapter="callable")
        self._function = _checked(thing)
        self._is_async = _returns_awaitable(thing)

    @property
    def kind(self) -> str:
        """`callable`."""
        return "callable"

    @property
    def is_async(self) -> bool:
        """Whether calling it gives an awaitable."""
        return self._is_async

    def load(self) -> None:
        """Do nothing: a callable is ready as it is."""

    def function(self) -> Callable[[Any], Any]:
        """Return the callable itself."""
        return self._function

    def synchronise(self) -> Callable[[], None] | None:
        """Return what waits for CUDA where torch is loaded and was built for it; else None.

        The devices are looked for when it waits: the first request may be the one to use them.
        """
        torch: Any = sys.modules.get("torch")
        # Not is_available(), which initialises the driver and spoils later forks.
        if torch is None or not torch.backends.cuda.is_built():
            return None
        return accelerators.CudaWaiter()

    def serving(self) -> AbstractContextManager[object]:
        """Return a context that does nothing."""
        return nullcontext()

    def describe(self) -> Description:
        """Say nothing: a callable's name may change without its work changing."""
        return Description()

    def device_peak_bytes(self) -> int | None:
        """Return the peak of the CUDA devices in use, in bytes; None where there are none."""
        return accelerators.peak_bytes_of(accelerators.cuda_in_use())

    def reset_device_peak(self) -> None:
        """Start anew on every CUDA device in use."""
        for accelerator in accelerators.cuda_in_use():
            accelerator.reset_peak()


def _checked(thing: object) -> Callable[[Any], Any]:
    if isinstance(thing, type):
        raise WorkloadError(
            f"{thing.__qualname__} is a class: only making its instances would be measured",
            remedy=f"pass an instance, {thing.__qualname__}(…), or one of its methods",
        )
    if not callable(thing):
        raise WorkloadError(
            f"{_shown(thing)} cannot be called",
            remedy="pass a function of one input, or an object with __call__",
        )
    if _is_any(thing, inspect.isgeneratorfunction) or _is_any(thing, inspect.isasyncgenfunction):
        raise WorkloadError(
            f"{_name(thing)} is a generator function: calling it does none of its work",
            remedy="pass a function that consumes it: lambda request: list(stream(request))",
        )
    return thing


def _returns_awaitable(thing: object) -> bool:
    return _is_any(thing, inspect.iscoroutinefunction)


def _is_any(thing: object, test: Callable[[object], bool]) -> bool:
    """Whether a function, what a partial binds, or an object's `__call__` passes the test."""
    while isinstance(thing, partial):
        thing = thing.func
    return test(thing) or test(getattr(type(thing), "__call__", None))  # noqa: B004  # the method itself is wanted


def _name(thing: object) -> str:
    return getattr(thing, "__qualname__", None) or type(thing).__qualname__


def _shown(thing: object) -> str:
    text = repr(thing)
    return f"{text[:80]}{'…' if len(text) > 80 else ''} (a {type(thing).__qualname__})"
