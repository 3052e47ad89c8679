"""Our own load generator in a process of its own, to be compared with others.

`python -m benchmarks.load.our_client URL RATE SECONDS` prints what it sent as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
from contextlib import nullcontext

import numpy as np

from pytest_costguard.measure.ports import Clock
from pytest_costguard.measure.stretch import Server
from pytest_costguard.measure.under_load import UnderLoad
from pytest_costguard.records import Load
from pytest_costguard.workloads.endpoint import Endpoint

_INPUT = {"x": np.ones((1, 8), dtype=np.float32)}


def main(url: str, rate: float, seconds: float) -> dict[str, float]:
    endpoint = Endpoint(url, options={"protocol": "template", "body": {"x": [1.0] * 8}})
    server = Server(
        serve=endpoint.function(), synchronise=None, serving=nullcontext, clock=Clock.system()
    )
    load = Load(rate=rate, connections=64)
    inputs, items = [_INPUT], [1]
    sender = UnderLoad(server, inputs=inputs, items=items, load=load, collate=None)
    before = resource.getrusage(resource.RUSAGE_SELF)
    window = sender.window(rate=rate, requests=max(100, round(rate * seconds)), turn=0)
    used = resource.getrusage(resource.RUSAGE_SELF)
    loop = window.open_loop
    latency = np.asarray(window.latency_seconds)
    sent = loop.requests + max(20, -(-loop.requests // 10))
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return {
        "rate": loop.dispatched_rate,
        "answered_rate": window.block.requests / window.block.wall_seconds,
        "p50": float(np.quantile(latency, 0.5)),
        "p99": float(np.quantile(latency, 0.99)),
        "late_p99": float(np.quantile(loop.lateness_seconds, 0.99)),
        "error_rate": loop.error_rate,
        "cpu_per_request": cpu / sent,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))))
