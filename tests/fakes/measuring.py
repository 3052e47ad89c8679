"""A clock that stands still unless told, and a workload whose requests take what they say."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import Any

from pytest_costguard.measure.ports import Clock, Description


class FakeTime:
    """Wall and CPU time in nanoseconds; CPU time passes at half the pace of wall time."""

    def __init__(self, *, tick_ns: int = 0) -> None:
        self.wall_ns = 1_000_000
        self.cpu_ns = 500_000
        self.tick_ns = tick_ns
        self._lock = Lock()

    def advance(self, nanoseconds: int) -> None:
        with self._lock:
            self.wall_ns += nanoseconds
            self.cpu_ns += nanoseconds // 2

    def clock(self) -> Clock:
        return Clock(wall_ns=self._read_wall, cpu_ns=lambda: self.cpu_ns)

    def _read_wall(self) -> int:
        with self._lock:
            self.wall_ns += self.tick_ns
            return self.wall_ns


class FakeWorkload:
    """Serves inputs that are nanoseconds: each takes that long; a negative one raises."""

    kind = "fake"

    def __init__(
        self, time: FakeTime, *, is_async: bool = False, device_lag_ns: int | None = None
    ) -> None:
        self.time = time
        self.is_async = is_async
        self.device_lag_ns = device_lag_ns
        self.served: list[Any] = []
        self.entered = 0
        self.left = 0
        self.synchronised = 0
        self.collecting_while_served: set[bool] = set()
        self.before: Callable[[Any], object] = lambda value: None

    def load(self) -> None:
        """Nothing to load."""

    def function(self) -> Callable[[Any], Any]:
        return self._serve_async if self.is_async else self._serve

    def synchronise(self) -> Callable[[], None] | None:
        return None if self.device_lag_ns is None else self._wait

    @contextmanager
    def _serving(self) -> Iterator[None]:
        self.entered += 1
        try:
            yield
        finally:
            self.left += 1

    def serving(self) -> AbstractContextManager[object]:
        return self._serving()

    def describe(self) -> Description:
        return Description(details={"device": "none"})

    def device_peak_bytes(self) -> int | None:
        return None

    def reset_device_peak(self) -> None:
        """No device."""

    def _serve(self, value: int) -> int:
        self.before(value)
        self.collecting_while_served.add(gc.isenabled())
        if value < 0:
            raise ZeroDivisionError(value)
        self.served.append(value)
        self.time.advance(value)
        return value * 10

    async def _serve_async(self, value: int) -> int:
        import anyio

        await anyio.sleep(0)
        return self._serve(value)

    def _wait(self) -> None:
        assert self.device_lag_ns is not None
        self.synchronised += 1
        self.time.advance(self.device_lag_ns)
