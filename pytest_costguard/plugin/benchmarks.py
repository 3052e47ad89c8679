"""Tests that use pytest-benchmark's `benchmark` fixture, guarded without being rewritten."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from pytest_costguard.app.authoring import Backend, Costguard
from pytest_costguard.errors import WorkloadError

FIXTURE = "benchmark"


def uses_benchmark(item: pytest.Item) -> bool:
    """Whether a test uses the fixture, and pytest-benchmark is there to provide it."""
    installed = hasattr(item.config, "_benchmarksession")
    return installed and FIXTURE in getattr(item, "fixturenames", ())


def guard_benchmark(fixture: Any, *, nodeid: str, backend: Backend) -> None:
    """Make a worker's `benchmark` fixture serve its callable to the coordinator.

    pytest-benchmark insists on an instance of its own class, so the object stays what it is and
    only its ways of being called change.
    """
    made = type(fixture)
    fixture.__class__ = type("GuardedBenchmark", (_Guarding, made), {})
    fixture.costguard = Costguard(nodeid=nodeid, backend=backend)


class _Guarding:
    """What replaces the measuring of pytest-benchmark's fixture in a worker."""

    name: str
    costguard: Costguard

    def __call__(self, function_to_benchmark: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Measure `function(*args, **kwargs)` and return what it returns."""
        if inspect.iscoroutinefunction(function_to_benchmark):
            raise WorkloadError(
                f"{self.name}: a coroutine function cannot be guarded through `benchmark`",
                remedy="write: await costguard.measure_async(…)",
            )
        last: list[Any] = [None]

        def serve(_: object) -> None:
            last[0] = function_to_benchmark(*args, **kwargs)

        self.costguard.measure(serve, inputs=[None])
        return last[0]

    def pedantic(
        self,
        target: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        setup: Callable[..., Any] | None = None,
        **_: Any,
    ) -> Any:
        """Measure `target(*args, **kwargs)`; rounds and iterations are the engine's to choose."""
        if setup is not None:
            raise WorkloadError(
                f"{self.name}: pedantic(setup=…) makes new state for each round, which a guarded"
                " workload cannot",
                remedy="measure a function that does not change its input, or leave this test out:"
                " -m 'not …'",
            )
        return self(target, *args, **(kwargs or {}))

    def weave(self, *_: Any, **__: Any) -> None:
        """Refuse: patched functions are measured inside other calls."""
        raise WorkloadError(
            f"{self.name}: benchmark.weave and patch cannot be guarded",
            remedy="call the function through benchmark(…)",
        )

    patch = weave
