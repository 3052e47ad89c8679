"""A report says of a mixture what its parts do to each other, and judges nothing by it."""

from __future__ import annotations

import msgspec
import pytest
from factories.judged import judged
from factories.judging import baseline, regression, run, stored_run, stored_workload
from factories.mixtures import SHARES, TOGETHER, alone, named, together

from pytest_costguard.app.judging_together import mixtures_of
from pytest_costguard.records import FailOn, Gates, Traffic, Verdict, WorkloadId

ROUND = (0, 0, 1, 0)
SLO = {"p99": 0.05}


def of(*measurements):
    return mixtures_of(measurements)[TOGETHER]


def parts_alone(**fields):
    return [
        alone("reranker", lambda _: [0.01] * 300, **fields),
        alone("embedder", lambda _: [0.004] * 100, **fields),
    ]


def mixed(**fields):
    return together(lambda _: [0.018, 0.018, 0.006, 0.018] * 100, ROUND * 100, **fields)


def test_each_part_is_held_against_itself_alone():
    reranker, embedder = of(*parts_alone(), mixed()).parts
    assert (reranker.name, reranker.share, reranker.requests) == ("reranker", 0.75, 1800)
    assert reranker.longer["p99"].estimate == pytest.approx(1.8)
    assert embedder.longer["p50"].estimate == pytest.approx(1.5)
    assert reranker.figures["p50"].estimate == pytest.approx(0.018)
    assert reranker.reason == ""


def test_a_part_that_was_not_measured_alone_is_held_against_nothing():
    reranker, embedder = of(parts_alone()[0], mixed()).parts
    assert reranker.longer
    assert not embedder.longer
    assert embedder.reason == "it was not measured alone"
    assert embedder.figures["p50"].estimate == pytest.approx(0.006)


def test_load_that_does_not_count_is_no_comparison():
    reranker, _ = of(*parts_alone(), mixed(backlog=tuple(range(0, 400, 20)))).parts
    assert not reranker.longer
    assert "beside the others, requests piled up" in reranker.reason
    assert reranker.served_longer is None


def test_a_generator_that_is_late_for_the_fast_part_alone_is_told_of_that_part():
    # 0.1 ms late is nothing to 18 ms, and too much for 6 ms.
    slow, fast = of(*parts_alone(), mixed(lateness=0.0001)).parts
    assert slow.longer
    assert "load generator was late" in fast.reason


def test_a_generator_that_is_rarely_late_leaves_the_median_of_a_part_to_be_compared():
    # 0.4 ms is too much for 6 ms, but it was 4 % of that part alone.
    late = [0.0004 if place % 50 == 2 else 0.0 for place in range(400)]
    usual = [0.018, 0.018, 0.006, 0.018] * 100
    felt = [seconds + more for seconds, more in zip(usual, late, strict=True)]
    sound = together(lambda _: felt, ROUND * 100)
    loops = [msgspec.structs.replace(u.open_loop, lateness_seconds=late) for u in sound.units]
    units = [
        msgspec.structs.replace(unit, open_loop=loop)
        for unit, loop in zip(sound.units, loops, strict=True)
    ]
    _, fast = of(*parts_alone(), msgspec.structs.replace(sound, units=tuple(units))).parts
    assert fast.longer["p50"].estimate == pytest.approx(1.5)
    assert "p99" not in fast.longer
    assert fast.reason == ""


def test_highest_rates_are_told_as_capacity_and_not_as_latency():
    found = of(*parts_alone(slo=SLO, rate=80.0), mixed(slo=SLO, rate=60.0))
    assert found.capacity.ratio.estimate == pytest.approx(0.75)
    assert all("highest rate of its own" in part.reason for part in found.parts)
    assert not any(part.longer for part in found.parts)


def test_memory_together_is_held_against_the_sum():
    first, second = parts_alone(mebibytes=300)
    found = of(first, second, mixed(mebibytes=400))
    peaks = found.peaks["peak_memory"]
    assert (peaks.together_bytes, peaks.apart_bytes) == (400 * 2**20, 600 * 2**20)


def test_memory_that_one_part_lacks_is_not_summed():
    first, second = parts_alone()[0], parts_alone(mebibytes=300)[1]
    assert of(first, second, mixed(mebibytes=400)).peaks == {}


def test_failures_of_one_part_are_its_own():
    lost = tuple(range(2, 400, 4))
    found = of(*parts_alone(), together(lambda _: [0.018] * 300, ROUND * 100, unanswered=lost))
    reranker, embedder = found.parts
    assert reranker.figures["error_rate"].estimate == 0.0
    assert embedder.figures["error_rate"].estimate == 1.0


def test_a_mixture_with_a_name_finds_its_own_parts():
    def renamed(measurement):
        name = f"gpu {measurement.workload.name}"
        return named(measurement, WorkloadId(nodeid=TOGETHER.nodeid, name=name))

    found = mixtures_of([renamed(one) for one in (*parts_alone(), mixed())])
    ((workload, one),) = found.items()
    assert workload.name == "gpu together"
    assert all(part.longer for part in one.parts)


def test_an_ordinary_run_has_no_mixture():
    assert mixtures_of(parts_alone()) == {}


def test_a_report_holds_it_and_no_verdict_rests_on_it():
    report = judged(run(*parts_alone(), mixed()), fail_on=frozenset(FailOn))
    *parts, mixture = report.verdicts
    assert mixture.together.parts[0].longer["p99"].estimate == pytest.approx(1.8)
    assert all(one.together is None for one in parts)
    assert not report.outcome.failed


def test_the_parts_alone_count_for_no_month():
    traffic = Traffic(items_per_month=1e6, text="1M/month", origin="marker")
    held = {str(TOGETHER.alone(name)): Gates(traffic=traffic) for name in SHARES}
    report = judged(run(*parts_alone(), mixed()), gates=held)
    assert all(one.monthly is None for one in report.verdicts)


def test_with_other_shares_a_mixture_is_not_compared_with_the_old_one():
    now = mixed()
    before = mixed(shares={"reranker": 0.5, "embedder": 0.5})
    stored = stored_workload(
        {"mean": [0.015] * 6}, workload=TOGETHER, scenario=before.declaration.scenario
    )
    rule = Gates(regressions=(regression("mean"),))
    report = judged(run(now), baseline(stored_run(stored)), gates={str(TOGETHER): rule})
    (comparison,) = report.verdicts[0].comparisons
    assert comparison.verdict is Verdict.NOT_COMPARABLE
    assert "reranker 75 %, embedder 25 %" in comparison.reason
    assert "reranker 50 %, embedder 50 %" in comparison.reason


def test_with_the_same_shares_it_is_compared_like_any_workload():
    now = mixed()
    stored = stored_workload(
        {"mean": [0.015] * 6}, workload=TOGETHER, scenario=now.declaration.scenario
    )
    rule = Gates(regressions=(regression("mean"),))
    report = judged(run(now), baseline(stored_run(stored)), gates={str(TOGETHER): rule})
    assert report.verdicts[0].comparisons[0].verdict is not Verdict.NOT_COMPARABLE
