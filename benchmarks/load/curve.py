"""What waiting costs: latency over the rate, for one model served in three ways.

The model is four wide layers of torch whose 34 million weights come from memory for each request,
so that a batch of requests costs little more than one. It is served in this process one request at
a time, in adaptive batches of up to eight, and by two workers. Each rate has a window of its own,
with the same arrivals for all three. A window in which the generator was late is not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import torch

from benchmarks.load.drawing import Curve, Point
from pytest_costguard.measure.ports import Clock
from pytest_costguard.measure.stretch import Server
from pytest_costguard.measure.under_load import UnderLoad
from pytest_costguard.measure.windows import Window
from pytest_costguard.records import LATE_SHARE, Load
from pytest_costguard.stats.percentiles import percentile
from pytest_costguard.workloads.collating import joined_requests

WIDTH, LAYERS = 2912, 4
STEP = 10.0
"""Between the rates, in requests a second."""
MOST = 30
_GIVEN_UP_MS = 400.0
"""Of the median: a queue that has grown so far only grows."""
_TRIES = 3
WAYS = {
    "one at a time": Load(rate=1.0),
    "batches of up to 8": Load(rate=1.0, max_batch_size=8, max_batch_delay_seconds=0.002),
    "two workers": Load(rate=1.0, workers=2),
}


def curves(seconds: float) -> list[dict[str, Any]]:
    """Return for each way the percentiles at each rate, from windows of so many seconds."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers = [torch.nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS)]
    model = torch.nn.Sequential(*layers).eval()
    inputs = [torch.randn(1, WIDTH) for _ in range(16)]
    found = []
    with torch.inference_mode():
        for name, load in WAYS.items():
            under_load = _under_load(model, inputs=inputs, load=load)
            points = tuple(_points(under_load, seconds=seconds))
            found.append(Curve(name=name, points=points).as_json())
    return found


def _under_load(model: torch.nn.Module, *, inputs: list[torch.Tensor], load: Load) -> UnderLoad:
    server = Server(
        serve=model,
        synchronise=None,
        serving=torch.inference_mode
        if load.at_once > 1 or load.max_batch_size > 1
        else nullcontext,
        clock=Clock.system(),
    )
    return UnderLoad(
        server, inputs=inputs, items=[1] * len(inputs), load=load, collate=joined_requests
    )


def _points(under_load: UnderLoad, *, seconds: float) -> Iterator[Point]:
    for number in range(1, MOST + 1):
        rate = STEP * number
        window = _in_time(under_load, rate=rate, requests=round(rate * seconds), turn=number)
        if window is None:
            continue
        median = percentile(window.latency_seconds, 0.5) * 1e3
        if median > _GIVEN_UP_MS:
            return
        yield Point(rate=rate, p50=median, p99=percentile(window.latency_seconds, 0.99) * 1e3)


def _in_time(under_load: UnderLoad, *, rate: float, requests: int, turn: int) -> Window | None:
    for _ in range(_TRIES):
        window = under_load.window(rate=rate, requests=requests, turn=turn)
        late = percentile(window.open_loop.lateness_seconds, 0.99)
        if late <= LATE_SHARE * percentile(window.latency_seconds, 0.5):
            return window
    return None
