"""How long a large suite waits for its verdicts: 1,000 workloads against 20 baseline runs.

Run it as `python -m benchmarks.scale --json scale.json`. Made-up records are written to a temporary
folder; then a fresh process, several times, does what `costguard compare` does: finds and reads the
baseline, reads the run, judges it, and renders the report for the terminal and as Markdown.

- *whole process* is the wall time from starting the interpreter to its end, imports included.
- *peak memory* is that process's highest resident memory (VmHWM).

Goals: below 2 s and below 300 MB (10^6 bytes), both at their worst of the repeats.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

GOAL_SECONDS = 2.0
GOAL_BYTES = 300_000_000
_FIRST_DAY = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
_REGRESSED_EVERY = 50
"""So that the report has something to say about: 2 % of the workloads got 30 % slower."""
_MACHINE_SPREAD = 0.01
_UNIT_SPREAD = 0.003


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much there is to read."""

    workloads: int = 1000
    baseline_runs: int = 20
    units: int = 6
    blocks: int = 10
    requests: int = 100
    """Requests a unit, each with its latency: half a second of a model that takes 5 ms."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One fresh process: wall seconds of the whole and of each stage, and its peak memory."""

    whole_seconds: float
    stage_seconds: dict[str, float]
    peak_bytes: int


def write_records(folder: Path, size: Size) -> tuple[Path, int]:
    """Write the baseline and the run; return the run's file and the bytes of all files."""
    from pytest_costguard.app.baselines import save
    from pytest_costguard.app.stores import store_of
    from pytest_costguard.baselines.files import write_atomically
    from pytest_costguard.records import to_json

    (folder / "pytest.ini").write_text("", encoding="utf-8")
    dice = random.Random(20260301)
    for number in range(size.baseline_runs):
        save(_run(number, size=size, dice=dice), "main", store=store_of(folder))
    head = folder / "run.json"
    write_atomically(head, to_json(_run(size.baseline_runs, size=size, dice=dice, head=True)))
    return head, sum(path.stat().st_size for path in folder.rglob("*.json"))


def _run(number: int, *, size: Size, dice: random.Random, head: bool = False) -> Any:
    from pytest_costguard.records import Fingerprint, Run

    machine = dice.gauss(1.0, _MACHINE_SPREAD)
    return Run(
        run_id=f"run-{number:02}",
        created=_FIRST_DAY + dt.timedelta(days=number),
        tool_version="0.1.0",
        fingerprint=Fingerprint(
            cpu_model="AMD EPYC 7763",
            cores=4,
            memory_bytes=16 * 2**30,
            packages={"numpy": "2.1.0", "onnxruntime": "1.20.0"},
        ),
        measurements=tuple(
            _measurement(
                place,
                speed=machine * (1.3 if head and place % _REGRESSED_EVERY == 0 else 1.0),
                size=size,
                dice=dice,
            )
            for place in range(size.workloads)
        ),
    )


def _measurement(place: int, *, speed: float, size: Size, dice: random.Random) -> Any:
    from pytest_costguard.records import Declaration, Measurement, WorkloadId

    return Measurement(
        workload=WorkloadId(
            nodeid=f"tests/inference/test_model_{place // 20}.py::test_latency[variant-{place}]"
        ),
        declaration=Declaration(adapter="onnxruntime", input_count=16, input_digest="9f2c77ab"),
        units=tuple(_unit(index, speed=speed, size=size, dice=dice) for index in range(size.units)),
    )


def _unit(index: int, *, speed: float, size: Size, dice: random.Random) -> Any:
    from pytest_costguard.records import Block, ColdStart, Memory, Sensors, Unit, Warmup

    typical = 0.005 * speed * dice.gauss(1.0, _UNIT_SPREAD)
    latencies = tuple(typical * (1 + 0.1 * dice.random()) for _ in range(size.requests))
    each = size.requests // size.blocks
    walls = [sum(latencies[start : start + each]) for start in range(0, each * size.blocks, each)]
    return Unit(
        index=index,
        blocks=tuple(
            Block(wall_seconds=wall, cpu_seconds=wall, requests=each, items=each) for wall in walls
        ),
        latency_seconds=latencies,
        calibration_seconds=tuple(0.001 * dice.gauss(1.0, _UNIT_SPREAD) for _ in range(12)),
        warmup=Warmup(requests=20, seconds=0.1, settled=True),
        sensors=Sensors(wall_seconds=sum(walls), cpu_seconds=sum(walls), steal_seconds=0.0),
        memory=Memory(peak_bytes=2**27 + 4096 * dice.randrange(100), method="VmHWM"),
        cold_start=ColdStart(load_seconds=0.5, first_call_seconds=0.1),
    )


def run_stages(head: Path) -> dict[str, float]:
    """Do what a comparison does, in this process; return the wall seconds of each stage."""
    seconds: dict[str, float] = {}
    last = time.perf_counter()

    def stage_ends(name: str) -> None:
        nonlocal last
        now = time.perf_counter()
        seconds[name] = now - last
        last = now

    from pytest_costguard.app.baselines import locate
    from pytest_costguard.app.judging import judge
    from pytest_costguard.app.stores import store_of
    from pytest_costguard.baselines.reading import read_record
    from pytest_costguard.config.gates import DEFAULT_GATES
    from pytest_costguard.records import FailOn, Gates, Quote, Run, Target
    from pytest_costguard.reports import markdown, terminal

    stage_ends("imports")
    run = read_record(head, Run)
    stage_ends("read the run")
    baseline, problem = locate(
        "main",
        store=store_of(head.parent),
        rootdir=head.parent,
        fingerprint=run.fingerprint,
    )
    stage_ends("read the baseline")
    rules = tuple(rule for rule in DEFAULT_GATES.regressions.values() if rule is not None)
    report = judge(
        run=run,
        baseline=baseline,
        gates={str(one.workload): Gates(regressions=rules) for one in run.measurements},
        target=Target(
            name="this machine",
            origin="price",
            quote=Quote(usd_per_hour=Decimal("0.17"), source="made up for this benchmark"),
        ),
        target_problem="",
        fail_on=(FailOn.REGRESSION, FailOn.BUDGET),
        runner_spread=None,
        baseline_requested="main",
        baseline_problem=problem,
        whole_suite=True,
        now=run.created.date(),
    )
    stage_ends("judge")
    shown = terminal.render(report, width=100, verbosity=0)
    stage_ends("render for the terminal")
    text = markdown.render(report)
    stage_ends("render as Markdown")
    assert report.outcome.failed, report.outcome.sentence
    assert len(report.verdicts) == len(run.measurements)
    assert "regressed" in shown
    assert "regressed" in text
    return seconds


def _peak_bytes() -> int:
    """Return the highest resident memory of this process.

    VmHWM starts anew with the program; the figure of getrusage may be that of the parent.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        # No Linux. macOS counts bytes, the others kibibytes.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def passes(head: Path, *, repeats: int) -> Iterator[Pass]:
    """Start a fresh process for each repeat; one before the first compiles, as pip would."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    bytecode = {"PYTHONPYCACHEPREFIX": str(head.parent / "bytecode")}
    for number in range(-1, repeats):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.scale", "--only-stages", str(head)],
            env=kept | bytecode,
            stdout=subprocess.PIPE,
            text=True,
            timeout=120,
            check=True,
        )
        whole = time.perf_counter() - start
        found = json.loads(done.stdout)
        if number >= 0:
            yield Pass(whole_seconds=whole, **found)


def summary(size: Size, read_bytes: int, found: list[Pass]) -> dict[str, Any]:
    """Return what is written as JSON: medians of times, and the worst of both goals."""
    worst_seconds = max(one.whole_seconds for one in found)
    worst_bytes = max(one.peak_bytes for one in found)
    return {
        "size": asdict(size),
        "read_bytes": read_bytes,
        "repeats": len(found),
        "whole_seconds": statistics.median(one.whole_seconds for one in found),
        "worst_seconds": worst_seconds,
        "peak_bytes": worst_bytes,
        "stage_seconds": {
            stage: statistics.median(one.stage_seconds[stage] for one in found)
            for stage in found[0].stage_seconds
        },
        "goal_seconds": GOAL_SECONDS,
        "goal_bytes": GOAL_BYTES,
        "reached": worst_seconds < GOAL_SECONDS and worst_bytes < GOAL_BYTES,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="What 1,000 workloads take to judge and show.")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--requests", type=int, default=Size.requests, help="requests a unit")
    parser.add_argument("--workloads", type=int, default=Size.workloads)
    parser.add_argument("--baseline-runs", type=int, default=Size.baseline_runs, help="at least 8")
    parser.add_argument("--only-stages", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only_stages:
        stages = run_stages(arguments.only_stages)
        print(json.dumps({"stage_seconds": stages, "peak_bytes": _peak_bytes()}))
        return 0
    size = Size(
        workloads=arguments.workloads,
        baseline_runs=arguments.baseline_runs,
        requests=arguments.requests,
    )
    with tempfile.TemporaryDirectory() as folder:
        head, read_bytes = write_records(Path(folder), size)
        result = summary(size, read_bytes, list(passes(head, repeats=arguments.repeats)))
    for stage, seconds in result["stage_seconds"].items():
        print(f"{stage:<24}{seconds:7.3f} s")
    print(f"{'whole process':<24}{result['whole_seconds']:7.3f} s")
    print(f"worst {result['worst_seconds']:.2f} s, peak {result['peak_bytes'] / 1e6:.0f} MB")
    print(f"goal: below 2 s and 300 MB: {'yes' if result['reached'] else 'NO'}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0 if result["reached"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
