"""Baseline runs, runs and reports for the tests of the store, with every optional field said."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from pytest_costguard.records import (
    Baseline,
    BaselineRun,
    BaselineWorkload,
    Block,
    Budget,
    BudgetResult,
    BudgetVerdict,
    ColdStart,
    Commit,
    Comparison,
    Cost,
    Currency,
    Declaration,
    Energy,
    FailOn,
    Failure,
    Fingerprint,
    Gates,
    Interval,
    Measurement,
    Memory,
    Outcome,
    Quote,
    Regression,
    Report,
    Run,
    Scenario,
    Sensors,
    Target,
    Unit,
    Verdict,
    Warmup,
    WorkloadId,
    WorkloadVerdict,
)

NOON = dt.datetime(2025, 3, 1, 12, 0, tzinfo=dt.UTC)
EPYC = Fingerprint(
    cpu_model="AMD EPYC 7763",
    cores=4,
    memory_bytes=16 * 2**30,
    gpus=("NVIDIA L4",),
    driver="550.54",
    os="Linux 6.8",
    container_limits="cpu 4",
    python="3.12.3",
    packages={"numpy": "2.1.0", "onnxruntime": "1.20.0"},
)
XEON = Fingerprint(cpu_model="Intel Xeon 8370C", cores=2, memory_bytes=8 * 2**30)
RERANK = WorkloadId(nodeid="tests/test_rerank.py::test_rerank[int8]", name="short")
EMBED = WorkloadId(nodeid="tests/test_embed.py::test_embed")
DECLARATION = Declaration(
    adapter="onnxruntime",
    scenario=Scenario(kind="concurrent", n=4),
    threads=2,
    input_count=16,
    input_digest="9f2c",
    model_digest="77ab",
    details={"precision": "int8"},
    labels={"team": "search"},
)


def stored(
    workload: WorkloadId = RERANK, *, mean: tuple[float, ...] = (0.004, 0.0041)
) -> BaselineWorkload:
    return BaselineWorkload(
        workload=workload,
        declaration=DECLARATION,
        metrics={"mean": mean, "throughput": tuple(1 / value for value in mean)},
        calibration=(0.001, 0.0011),
    )


def baseline_run(
    run_id: str = "r1",
    *,
    hours: float = 0,
    fingerprint: Fingerprint = EPYC,
    workloads: tuple[BaselineWorkload, ...] | None = None,
) -> BaselineRun:
    return BaselineRun(
        run_id=run_id,
        created=NOON + dt.timedelta(hours=hours),
        tool_version="0.1.0",
        fingerprint=fingerprint,
        commit=Commit(sha="0123456789abcdef", dirty=True, branch="main"),
        lock_digest="l0ck",
        config_digest="c0nf",
        workloads=(stored(),) if workloads is None else workloads,
    )


def measurement(workload: WorkloadId = RERANK) -> Measurement:
    block = Block(wall_seconds=0.04, cpu_seconds=0.039, requests=10, items=80)
    unit = Unit(
        index=0,
        blocks=(block,),
        latency_seconds=(0.004,) * 10,
        calibration_seconds=(0.001, 0.0012),
        warmup=Warmup(requests=20, seconds=0.1, settled=True),
        sensors=Sensors(
            wall_seconds=0.05,
            cpu_seconds=0.04,
            run_queue_wait_seconds=0.001,
            involuntary_switches=3,
            steal_seconds=0.0,
            throttled_seconds=0.0,
            load_average=0.5,
        ),
        memory=Memory(peak_bytes=2**27, method="smaps", device_peak_bytes=2**26, alone=True),
        cold_start=ColdStart(load_seconds=0.5, first_call_seconds=0.1),
        energy=Energy(joules=1.5, items=80, source="RAPL"),
        quality=0.93,
    )
    return Measurement(
        workload=workload, declaration=DECLARATION, units=(unit,), notes=("two threads",)
    )


def run(
    *measurements: Measurement, failures: tuple[Failure, ...] = (), complete: bool = True
) -> Run:
    return Run(
        run_id="run-7",
        created=NOON,
        tool_version="0.1.0",
        fingerprint=EPYC,
        commit=Commit(sha="0123456789abcdef", dirty=False, branch="main"),
        lock_digest="l0ck",
        config_digest="c0nf",
        price_digest="pr1ce",
        complete=complete,
        measurements=measurements,
        failures=failures,
    )


def failure(workload: WorkloadId = EMBED) -> Failure:
    return Failure(
        workload=workload, reason="the model is gone", remedy="fetch it", details="Traceback"
    )


def report() -> Report:
    budget = Budget(
        metric="p99", limit=0.05, kind="slo", origin="marker of test_rerank", text="50ms"
    )
    rule = Regression(metric="mean", allow=0.02, catch=0.05, origin="default")
    seen = Interval(estimate=0.004, lower=0.0039, upper=0.0041, confidence=0.95, n=6)
    verdict = WorkloadVerdict(
        workload=RERANK,
        comparisons=(
            Comparison(
                metric="mean",
                verdict=Verdict.REGRESSED,
                head=0.0044,
                base=0.004,
                ratio=1.1,
                lower=1.08,
                upper=1.12,
                smallest_visible=0.03,
                regression=rule,
                reason="surely above 2 %",
                runs=8,
            ),
        ),
        budgets=(
            BudgetResult(
                budget=budget,
                verdict=BudgetVerdict.WITHIN,
                interval=seen,
                limit=0.05,
                reason="surely below",
            ),
        ),
        figures={"mean": seen},
        unsupported={"p99": "not supported by 60 samples"},
        cost=Cost(
            state="priced",
            usd_per_1k=Decimal("0.0021"),
            lower=Decimal("0.0020"),
            upper=Decimal("0.0022"),
            share=Decimal("0.5"),
            share_reason="2 of 4 cores",
            warning="the quote is a year old",
        ),
        inputs_changed=True,
        failing=("mean latency regressed by 10 %",),
        warnings=("made on one day",),
    )
    target = Target(
        name="serving",
        origin="configuration",
        quote=Quote(
            usd_per_hour=Decimal("0.17"),
            source="a price list",
            as_of=dt.date(2025, 2, 1),
            provider="aws",
            instance="c7i.xlarge",
            region="eu-central-1",
            vcpu=4,
            memory_gib=Decimal(8),
            accelerator="NVIDIA L4",
            accelerator_count=1,
            discount=Decimal("0.1"),
        ),
        currency=Currency(code="EUR", per_usd=Decimal("0.92"), as_of=dt.date(2025, 2, 1)),
        cpu_model="EPYC",
        cores=4,
        gpu="L4",
        instance_share=Decimal("0.5"),
        workers_per_instance=2,
    )
    return Report(
        run=run(measurement(), failures=(failure(),)),
        baseline=Baseline(
            name="main", location="here", runs=(baseline_run(),), other_series=("1 run on Xeon",)
        ),
        baseline_requested="main",
        target=target,
        fail_on=(FailOn.REGRESSION,),
        runner_spread=0.005,
        gates={str(RERANK): Gates(budgets=(budget,), regressions=(rule,))},
        verdicts=(verdict,),
        missing=(EMBED,),
        outcome=Outcome(failed=True, sentence="one workload regressed", counts={"regressed": 1}),
    )
