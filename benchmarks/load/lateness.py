"""How late requests are sent at 500 a second: by the dispatcher, and by what others do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from pytest_costguard.measure.arrivals import schedule
from pytest_costguard.measure.open_loop import open_loop
from pytest_costguard.measure.ports import Clock
from pytest_costguard.measure.stretch import Server
from pytest_costguard.records import Arrivals, Load

RATE = 500.0
GOAL_P50, GOAL_P99 = 5e-6, 100e-6


def latenesses(seconds: float) -> dict[str, Any]:
    """Return p50 and p99 in seconds, and the share of a core, of each way to send in time."""
    count = round(RATE * seconds)
    plan = schedule(Arrivals(), rate=RATE, requests=count, inputs=1, window=0)
    ways: dict[str, Callable[[tuple[int, ...]], Any]] = {
        "costguard": _dispatched,
        "time.sleep": _slept,
        "asyncio.sleep": lambda offsets: asyncio.run(_awaited(offsets)),
    }
    return {name: _figures(way, plan.offset_ns) for name, way in ways.items()}


def _figures(way: Callable[[tuple[int, ...]], Any], offsets: tuple[int, ...]) -> dict[str, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    late = np.asarray(way(offsets), dtype=float) / 1e9
    share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    return {
        "p50": float(np.quantile(late, 0.5)),
        "p99": float(np.quantile(late, 0.99)),
        "largest": float(late.max()),
        "core_share": share,
    }


def _dispatched(offsets: tuple[int, ...]) -> list[int]:
    from pytest_costguard.measure.arrivals import Schedule

    sent = open_loop(
        Server(
            serve=lambda value: value, synchronise=None, serving=nullcontext, clock=Clock.system()
        ),
        load=Load(rate=RATE),
        schedule=Schedule(offset_ns=offsets, inputs=(0,) * len(offsets)),
        inputs=(0,),
    )
    return [at - due for at, due in zip(sent.sent_ns, sent.due_ns, strict=True)]


def _slept(offsets: tuple[int, ...]) -> list[int]:
    late = []
    start = time.perf_counter_ns() + 5_000_000
    for offset in offsets:
        remaining = start + offset - time.perf_counter_ns()
        if remaining > 0:
            time.sleep(remaining / 1e9)
        late.append(time.perf_counter_ns() - start - offset)
    return late


async def _awaited(offsets: tuple[int, ...]) -> list[int]:
    late = []
    start = time.perf_counter_ns() + 5_000_000
    for offset in offsets:
        remaining = start + offset - time.perf_counter_ns()
        if remaining > 0:
            await asyncio.sleep(remaining / 1e9)
        late.append(time.perf_counter_ns() - start - offset)
    return late
