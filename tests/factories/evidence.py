"""Recorded units that were never measured, with noise and changes of a known size."""

from __future__ import annotations

import datetime as dt
import math
import random

import numpy as np

from benchmarks.verdicts.entries import (
    METHOD,
    Batch,
    Blocks,
    Cell,
    Change,
    Circumstances,
    Disturbance,
    LiveCase,
    LiveRun,
    PeerCase,
    PeerRun,
    Samples,
    StoredCase,
    StoredRun,
)
from pytest_costguard.records import Block, Fingerprint, Sensors, Unit, Warmup, first_side

NAMES = ("numpy_cache", "numpy_memory", "torch_mlp", "onnx_mlp", "torch_slow")
_NO_DISTURBANCE = Disturbance(cpu=1.0, run_queue_wait=0.0, steal=None, involuntary_switches=0)


def circumstances(*, cpu_model="AMD EPYC 7763", condition="quiet"):
    return Circumstances(
        machine=Fingerprint(
            cpu_model=cpu_model,
            cores=2,
            memory_bytes=8 << 30,
            python="CPython 3.11.7",
            packages={"numpy": "2.4.6"},
        ),
        system="Linux 6.8",
        commit="0123456789abcdef",
        recorded=dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC),
        condition=condition,
        load_average=0.1,
        method=METHOD,
    )


def unit(seconds, *, cpu_share=1.0):
    """A unit of one side whose blocks of one request took these seconds."""
    return Unit(
        index=0,
        blocks=tuple(
            Block(wall_seconds=s, cpu_seconds=cpu_share * s, requests=1, items=1) for s in seconds
        ),
        latency_seconds=tuple(seconds),
        warmup=Warmup(requests=20, seconds=0.01, settled=True),
        sensors=Sensors(wall_seconds=1.0, cpu_seconds=1.0),
    )


def batches(
    *,
    levels=(0, 2, 3, 5, 10),
    names=NAMES,
    units=240,
    deviation=0.005,
    order_effect=0.01,
    paired_seconds=0.6,
    opening_seconds=0.4,
    seed=0,
    condition="quiet",
    seldom=False,
):
    """Batches of four units each, with blocks at every level.

    With `seldom` a level is in the sum over all requests alone: what is typical does not change.
    """
    source = random.Random(seed)

    def cell(index, level):
        first = first_side(index)
        sign = 1 if first == "base" else -1
        added = math.log1p(level / 100)
        noise = order_effect * sign + source.gauss(0, deviation)
        change = noise if seldom else added + noise
        return Cell(
            level=level,
            first=first,
            core=(0,),
            changes={
                "mean": Change(
                    change=change,
                    total=change + source.gauss(0, deviation),
                    summed=added + noise if seldom else None,
                ),
                "p50": Change(change=change),
            },
            paired_seconds=paired_seconds,
            disturbances={"base": _NO_DISTURBANCE, "head": _NO_DISTURBANCE},
            blocks=Blocks.of(unit([0.003] * 16), unit([0.003 * math.exp(change)] * 16)),
        )

    return [
        Batch(
            about=circumstances(condition=condition),
            workload=name,
            number=number,
            opening_seconds=opening_seconds,
            run_seconds=4 * (opening_seconds + len(levels) * (paired_seconds + 0.1)),
            units=tuple(
                tuple(cell(4 * number + index, level) for level in levels) for index in range(4)
            ),
        )
        for number in range(units // 4)
        for name in names
    ]


def peer_case(base, head, *, workload="numpy_cache", level=0):
    base, head = np.array(base), np.array(head)
    return PeerCase(
        workload=workload,
        level=level,
        means=(float(base.mean()), float(head.mean())),
        failed=bool(head.mean() > 1.05 * base.mean()),
        samples=(Samples.of(base), Samples.of(head)),
        rounds=(len(base), len(head)),
    )


def peer_runs(*, runs=10, condition="quiet", seed=0):
    """Pairs of runs that differ by 5 % from run to run, whatever was changed."""
    source = np.random.default_rng(seed)

    def timings(level):
        return 0.001 * (1 + level / 100) * source.lognormal(source.normal(0, 0.05), 0.01, 200)

    return [
        PeerRun(
            about=circumstances(condition=condition),
            seconds=25.0,
            exit_status=0,
            cases=tuple(
                peer_case(timings(0), timings(level), workload=name, level=level)
                for name in NAMES
                for level in (0, 5)
            ),
        )
        for _ in range(runs)
    ]


def stored_run(*, machine=0.0, change=0.0, spread=(0.0, 0.0), condition="quiet"):
    """A plain run on a machine that is slower by `machine`, its kernel with it."""
    return StoredRun(
        about=circumstances(condition=condition),
        seconds=50.0,
        cases=tuple(
            StoredCase(
                workload=name,
                level=level,
                logs=tuple(-6.0 + machine + (change if level else 0.0) + one for one in spread),
                calibration=(-5.0 + machine,) * len(spread),
            )
            for name in NAMES
            for level in (0, 5)
        ),
    )


def live_run(*, level=0, verdict="unchanged", condition="quiet", workloads=NAMES):
    return LiveRun(
        about=circumstances(condition=condition),
        level=level,
        seconds=60.0,
        exit_status=int(verdict == "regressed"),
        cases=tuple(
            LiveCase(
                workload=name,
                verdict=verdict,
                memory_verdict="unchanged",
                units=6,
                seconds=8.0,
                paired_seconds=4.0,
                ratio=1 + level / 100,
            )
            for name in workloads
        ),
    )
