"""Two neighbours that come and go: random phases of arithmetic, of streaming memory, and of rest.

They are pinned nowhere, so the scheduler puts them where it likes, as it does with a shared
runner's other tenants.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

BURNERS = 2
_SHORTEST, _LONGEST = 0.01, 1.0
_MEAN_SECONDS = 0.2
_STREAM_BYTES = 64 << 20
_KINDS = ("rest", "arithmetic", "memory")


def phases(seed: int) -> Iterator[tuple[str, float]]:
    """Yield what a burner does and for how many seconds, without end: exponential, 0.01 to 1 s."""
    source = random.Random(seed)
    while True:
        seconds = source.expovariate(1 / _MEAN_SECONDS)
        yield source.choice(_KINDS), min(_LONGEST, max(_SHORTEST, seconds))


def burn(seed: int) -> None:
    """Go through the phases until the process is ended, or whoever started it is gone."""
    parent = os.getppid()
    stream = bytearray(_STREAM_BYTES)
    half = memoryview(stream)[: _STREAM_BYTES // 2]
    other = memoryview(stream)[_STREAM_BYTES // 2 :]
    for kind, seconds in phases(seed):
        if os.getppid() != parent:
            return
        until = time.monotonic() + seconds
        if kind == "rest":
            time.sleep(seconds)
        while time.monotonic() < until:
            if kind == "memory":
                half[:] = other
            else:
                sum(range(2_000))


@contextmanager
def burning(*, seed: int = 0, count: int = BURNERS) -> Iterator[None]:
    """Keep `count` burners running; they end with the block, and with this process."""
    start = multiprocessing.get_context("spawn")
    processes = [
        start.Process(target=burn, args=(seed + number,), daemon=True) for number in range(count)
    ]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()
