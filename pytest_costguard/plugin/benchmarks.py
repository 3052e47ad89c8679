"""Tests that use pytest-benchmark's `benchmark` fixture, guarded without being rewritten."""

from __future__ import annotations

import asyncio
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


def guarded_benchmark(*, nodeid: str, backend: Backend) -> GuardedBenchmark:
    """Return what a worker gives to a test in place of the fixture."""
    return GuardedBenchmark(Costguard(nodeid=nodeid, backend=backend))


class GuardedBenchmark:
    """Stands in for `benchmark` in a worker: serves its callable to the coordinator."""

    def __init__(self, costguard: Costguard) -> None:
        self._costguard = costguard
        self.extra_info: dict[str, Any] = {}
        self.group: str | None = None
        self.name = costguard.nodeid
        self.stats = None
        self.disabled = False
        self.enabled = True
        self.skipped = False
        self.params: dict[str, Any] | None = None

    def __call__(self, function_to_benchmark: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Measure `function(*args, **kwargs)` and return what it returns."""
        if asyncio.iscoroutinefunction(function_to_benchmark):
            raise WorkloadError(
                f"{self.name}: a coroutine function cannot be guarded through `benchmark`",
                remedy="write: await costguard.measure_async(…)",
            )
        last: list[Any] = [None]

        def serve(_: object) -> None:
            last[0] = function_to_benchmark(*args, **kwargs)

        self._costguard.measure(serve, inputs=[None])
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
