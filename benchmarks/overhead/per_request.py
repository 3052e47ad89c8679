"""What measuring itself costs a request, side by side with pytest-benchmark and torch's Timer.

Run it as `python benchmarks/overhead/per_request.py --json per_request.json`. All contenders
serve the same callables in one process, in an order that is rotated from repeat to repeat;
figures are medians over the repeats, and *±* is one standard error of such a median
(0.93 of the interquartile range over the square root of the repeats, for normal noise).

- *reported* is what a contender says that one request took. A callable that does nothing shows
  its error most plainly.
- *beyond two clock reads* is reported, less the callable in a bare loop, less two readings of
  the clock, all three from the same repeat. Goal for ours: below 100 ns. It can be negative: our
  requests share their readings, so that each pays for one.
- *whole* is the contender's own wall time over its requests, timed stretch or not: what the
  user waits for.

Only contenders marked *each* know the time of each request; the others know the mean of all.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pytest_costguard.measure.ports import Clock
from pytest_costguard.measure.served import Served
from pytest_costguard.records import Scenario
from pytest_costguard.workloads.callable import CallableWorkload

GOAL_NS = 100
Run = Callable[[Callable[[Any], Any], Any, int], float]
"""Serves an input n times and returns the reported nanoseconds of one request."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One contender on one callable; nanoseconds a request."""

    callable: str
    contender: str
    tells_each_request: bool
    reported_ns: float
    reported_error_ns: float
    beyond_two_reads_ns: float
    beyond_error_ns: float
    whole_ns: float
    ratio_to_bare: float


def costguard(function: Callable[[Any], Any], value: Any, n: int) -> float:
    served = Served(
        workload=CallableWorkload(function),
        inputs=[value],
        items=[1],
        scenario=Scenario(),
        clock=Clock.system(),
    )
    block, _ = served.block(first=0, requests=n, discard=1)
    return block.wall_seconds / n * 1e9


def pedantic(iterations: int | None) -> Run:
    """Return pytest-benchmark's own loop, with n rounds of 1 or one round of n iterations."""
    from pytest_benchmark.fixture import BenchmarkFixture
    from pytest_benchmark.timers import default_timer
    from pytest_benchmark.utils import NameWrapper

    def run(function: Callable[[Any], Any], value: Any, n: int) -> float:
        fixture = BenchmarkFixture(
            node=SimpleNamespace(name="overhead", nodeid="overhead"),
            disable_gc=True,
            timer=NameWrapper(default_timer),
            min_rounds=1,
            min_time=0,
            max_time=0,
            precision=None,
            confidence=None,
            warmup=False,
            warmup_iterations=0,
            calibration_precision=10,
            add_stats=lambda _stats: None,
            logger=None,
            warner=None,
            disabled=False,
            cprofile=False,
            cprofile_loops=None,
            cprofile_dump=None,
        )
        rounds = n if iterations == 1 else 1
        fixture.pedantic(
            function, args=(value,), rounds=rounds, iterations=iterations or n, warmup_rounds=1
        )
        return statistics.fmean(fixture.stats.stats.data) * 1e9

    return run


def torch_timer() -> Run:
    from torch.utils.benchmark import Timer

    def run(function: Callable[[Any], Any], value: Any, n: int) -> float:
        timer = Timer("f(x)", globals={"f": function, "x": value})
        return float(timer.timeit(n).mean * 1e9)

    return run


def bare_loop(function: Callable[[Any], Any], value: Any, n: int) -> float:
    """Return what the callable takes in a loop that does nothing else."""
    values, now = [value] * n, time.perf_counter_ns
    gc.disable()
    start = now()
    for each in values:
        function(each)
    end = now()
    gc.enable()
    return (end - start) / n


def two_reads(_function: Callable[[Any], Any], value: Any, n: int) -> float:
    """Return what two readings of the clock take, the loop round them taken off."""
    values, now = [value] * n, time.perf_counter_ns
    gc.disable()
    start = now()
    for _ in values:
        now()
        now()
    middle = now()
    for _ in values:
        pass
    end = now()
    gc.enable()
    return ((middle - start) - (end - middle)) / n


def contenders() -> dict[str, tuple[Run, bool]]:
    found: dict[str, tuple[Run, bool]] = {"pytest-costguard": (costguard, True)}
    try:
        found["pytest-benchmark pedantic, rounds"] = (pedantic(1), True)
        found["pytest-benchmark pedantic, iterations"] = (pedantic(None), False)
    except ImportError:
        print("pytest-benchmark is not installed: left out")
    try:
        found["torch.utils.benchmark.Timer"] = (torch_timer(), False)
    except ImportError:
        print("torch is not installed: left out")
    return found


def callables() -> dict[str, tuple[Callable[[Any], Any], Any]]:
    import numpy as np

    matrix = np.ones((32, 32), dtype=np.float32)

    def nothing(_value: Any) -> None:
        return None

    def product(value: Any) -> Any:
        return np.matmul(matrix, value)

    return {"nothing": (nothing, None), "32x32 product": (product, matrix)}


def measure(*, repeats: int, requests: int) -> list[Row]:
    runs: dict[str, tuple[Run, bool]] = {
        "bare": (bare_loop, False),
        "two reads": (two_reads, False),
        **contenders(),
    }
    gc.collect()
    gc.freeze()  # else torch's objects are gone through again and again between repeats
    rows: list[Row] = []
    for label, (function, value) in callables().items():
        reported, whole = _alternate(runs, function, value, repeats=repeats, requests=requests)
        reads = statistics.median(reported["two reads"])
        rows += [
            _row(label, name, each=each, reported=reported, whole=whole)
            for name, (_, each) in runs.items()
            if name != "two reads"
        ]
        print(f"{label}: two clock reads take {reads:.0f} ns")
    return rows


def _row(
    label: str,
    name: str,
    *,
    each: bool,
    reported: dict[str, list[float]],
    whole: dict[str, list[float]],
) -> Row:
    beyond = [
        figure - bare - reads
        for figure, bare, reads in zip(
            reported[name], reported["bare"], reported["two reads"], strict=True
        )
    ]
    figure, figure_error = _median(reported[name])
    excess, excess_error = _median(beyond)
    return Row(
        callable=label,
        contender=name,
        tells_each_request=each,
        reported_ns=figure,
        reported_error_ns=figure_error,
        beyond_two_reads_ns=excess,
        beyond_error_ns=excess_error,
        whole_ns=statistics.median(whole[name]),
        ratio_to_bare=figure / statistics.median(reported["bare"]),
    )


def _median(values: list[float]) -> tuple[float, float]:
    """Return the median and its standard error."""
    quarter, middle, three_quarters = statistics.quantiles(values, n=4)
    return middle, 0.93 * (three_quarters - quarter) / len(values) ** 0.5


def _alternate(
    runs: dict[str, tuple[Run, bool]],
    function: Callable[[Any], Any],
    value: Any,
    *,
    repeats: int,
    requests: int,
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    names = list(runs)
    reported: dict[str, list[float]] = {name: [] for name in names}
    whole: dict[str, list[float]] = {name: [] for name in names}
    for repeat in range(-2, repeats):
        turn = repeat % len(names)
        for name in names[turn:] + names[:turn]:
            gc.collect(1)
            start = time.perf_counter_ns()
            figure = runs[name][0](function, value, requests)
            took = time.perf_counter_ns() - start
            if repeat >= 0:
                reported[name].append(figure)
                whole[name].append(took / requests)
    return reported, whole


def table(rows: Sequence[Row]) -> str:
    head = ("callable", "contender", "times", "reported", "±", "beyond", "±", "whole", "ratio")
    lines = [head] + [
        (
            row.callable,
            row.contender,
            "each" if row.tells_each_request else "mean",
            f"{row.reported_ns:.0f}",
            f"{row.reported_error_ns:.1f}",
            f"{row.beyond_two_reads_ns:.0f}",
            f"{row.beyond_error_ns:.1f}",
            f"{row.whole_ns:.0f}",
            f"{row.ratio_to_bare:.2f}",
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 3 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in ("numpy", "pytest-benchmark", "torch"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="What measuring itself costs a request.")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--requests", type=int, default=2000, help="requests in a repeat")
    arguments = parser.parse_args()
    rows = measure(repeats=arguments.repeats, requests=arguments.requests)
    print("nanoseconds a request; beyond: beyond the bare callable and two clock reads")
    print(table(rows))
    ours = next(row for row in rows if row.contender == "pytest-costguard")
    reached = ours.beyond_two_reads_ns < GOAL_NS
    print(f"goal: below {GOAL_NS} ns beyond two clock reads: {'yes' if reached else 'NO'}")
    if arguments.json:
        document = {
            "versions": versions(),
            "repeats": arguments.repeats,
            "requests": arguments.requests,
            "goal_ns": GOAL_NS,
            "rows": [asdict(row) for row in rows],
        }
        arguments.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0 if reached else 1


if __name__ == "__main__":
    raise SystemExit(main())
