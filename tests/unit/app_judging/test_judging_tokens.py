"""Verdicts on tokens: budgets, SLOs, costs, changes, and what a reader is told."""

from __future__ import annotations

import math

import msgspec
import pytest
from factories.judged import judged, only
from factories.judging import (
    baseline,
    budget,
    gates,
    measurement,
    regression,
    run,
    stored_run,
    stored_workload,
)
from factories.loads import a_load
from factories.reports import TARGET
from factories.tokens import written, written_under_load

from pytest_costguard.cost.unit_cost import cost_of
from pytest_costguard.records import BudgetVerdict, Verdict
from pytest_costguard.reports.terminal import render

SERVING = msgspec.structs.replace(TARGET, stands_for=True)
WOBBLE = (0.99, 1.0, 1.01, 1.0, 0.995, 1.005)


def writing(*, slower=1.0, **changes):
    """A run whose answers have 4 tokens, 100 ms before the first and 10 ms between them."""
    units = [
        msgspec.structs.replace(
            written(
                ttft=[0.1 * slower * share] * 4, gaps=[[0.01 * slower * share] * 3] * 4, **changes
            ),
            index=index,
        )
        for index, share in enumerate(WOBBLE)
    ]
    return run(measurement(units, adapter="openai"))


def loaded(*, ttft=0.1, units=6):
    spread = [ttft * (1 + 0.1 * math.sin(k)) for k in range(400)]
    answers = [written_under_load(ttft=spread, gaps=[[0.01, 0.012]] * 400) for _ in range(units)]
    return run(a_load(answers))


def held(now, *limits, **options):
    return only(judged(now, gates=gates(*limits), **options)).budgets


@pytest.mark.parametrize(
    ("metric", "limit", "bound", "verdict"),
    [
        ("ttft_mean", 0.2, "at most", BudgetVerdict.WITHIN),
        ("ttft_p50", 0.05, "at most", BudgetVerdict.OVER),
        ("tpot_mean", 0.02, "at most", BudgetVerdict.WITHIN),
        ("itl_mean", 0.005, "at most", BudgetVerdict.OVER),
        ("output_tokens_per_second", 20.0, "at least", BudgetVerdict.WITHIN),
        ("output_tokens_per_second", 50.0, "at least", BudgetVerdict.OVER),
        ("ttft_p99", 0.2, "at most", BudgetVerdict.INCONCLUSIVE),
    ],
)
def test_budgets_of_tokens(metric, limit, bound, verdict):
    (result,) = held(writing(), budget(metric, limit, bound=bound))

    assert result.verdict is verdict


@pytest.mark.parametrize(
    ("metric", "limit", "verdict"),
    [
        ("ttft_p99", 0.3, BudgetVerdict.WITHIN),
        ("ttft_p99", 0.05, BudgetVerdict.OVER),
        ("itl_p99", 0.05, BudgetVerdict.WITHIN),
        ("tpot_p95", 0.001, BudgetVerdict.OVER),
    ],
)
def test_slos_of_tokens_under_load(metric, limit, verdict):
    (result,) = held(loaded(), budget(metric, limit, kind="slo"))

    assert result.verdict is verdict


def test_a_limit_on_tokens_of_a_workload_without_any_is_not_measured():
    plain = run(measurement([msgspec.structs.replace(written(ttft=[0.1], gaps=[[]]), tokens=None)]))
    (result,) = held(plain, budget("ttft_mean", 0.2))

    assert result.verdict is BudgetVerdict.NOT_MEASURED
    assert "mean TTFT is measured of answers that are streamed" in result.reason


def test_a_million_tokens_cost_the_whole_price_of_the_time_they_take():
    figures = only(judged(writing(), target=SERVING, pricer=cost_of)).figures
    hourly = float(SERVING.quote.usd_per_hour) / 4  # one thread of four cores

    for kind in ("output", "input", "total"):
        rate = figures[f"{kind}_tokens_per_second"]
        cost = figures[f"cost_per_1m_{kind}_tokens"]
        assert cost.estimate == pytest.approx(hourly / (rate.estimate * 3600) * 1e6)
        assert cost.lower == pytest.approx(hourly / (rate.upper * 3600) * 1e6)
        assert cost.upper == pytest.approx(hourly / (rate.lower * 3600) * 1e6)


def test_budgets_of_what_tokens_cost():
    limits = [budget("cost_per_1m_output_tokens", usd) for usd in (1.0, 0.1)]
    within, over = held(writing(), *limits, target=SERVING, pricer=cost_of)

    assert (within.verdict, over.verdict) == (BudgetVerdict.WITHIN, BudgetVerdict.OVER)


def test_without_a_price_tokens_have_no_cost():
    verdict = only(
        judged(writing(), gates=gates(budget("cost_per_1m_output_tokens", 1.0)), pricer=cost_of)
    )

    assert verdict.budgets[0].verdict is BudgetVerdict.NOT_PRICED
    assert "cost_per_1m_output_tokens" not in verdict.figures


def test_a_slower_first_token_than_the_baselines_is_a_regression():
    earlier = baseline(
        *(
            stored_run(
                stored_workload({"ttft_mean": [0.1 * share for share in WOBBLE]}, adapter="openai"),
                day=day,
            )
            for day in range(8)
        )
    )
    rule = gates(regression("ttft_mean", 0.05, 0.1))

    (slower,) = only(judged(writing(slower=1.5), earlier, gates=rule)).comparisons
    (same,) = only(judged(writing(), earlier, gates=rule)).comparisons

    assert slower.verdict is Verdict.REGRESSED
    assert same.verdict is Verdict.UNCHANGED


def test_a_reader_is_told_who_counted_and_what_a_gap_is():
    by_events = only(judged(writing(counted_by="events")))
    in_pairs = only(judged(writing(output_tokens=(8,) * 4)))

    assert "counted by the events" in by_events.warnings[0]
    assert "an event holds 2 tokens" in in_pairs.warnings[0]
    assert only(judged(writing())).warnings == ()


def test_the_report_shows_tokens_beside_the_mean():
    report = judged(writing(), target=SERVING, pricer=cost_of)
    brief, everything = render(report, width=120), render(report, width=120, verbosity=1)

    assert "TTFT" in brief
    assert "tokens/s" in brief
    assert "tokens by the server's usage" in everything
    for title in ("mean TTFT", "p50 ITL", "output token throughput", "cost per 1M output tokens"):
        assert title in everything
