"""Figures of tokens, with known answers."""

from __future__ import annotations

import math

import msgspec
import pytest
from factories.judging import measurement, unit
from factories.loads import a_load
from factories.tokens import tokens, written, written_under_load

from pytest_costguard.records import BudgetVerdict, Probe, Tokens
from pytest_costguard.stats.open_loop import figures_under_load
from pytest_costguard.stats.samples import arrivals, told_series
from pytest_costguard.stats.slo import decide_slo
from pytest_costguard.stats.summary import Summary, estimates, figures, unit_metrics
from pytest_costguard.stats.unserved import least_ratio

GAPS = [[0.01, 0.03], [0.02, 0.02]]


def test_a_unit_tells_its_tokens():
    found = unit_metrics(written(ttft=[0.1, 0.2], gaps=GAPS))
    seconds = 0.14 + 0.24

    assert found["ttft_mean"] == pytest.approx(0.15)
    assert found["ttft_p50"] == pytest.approx(0.15)
    assert found["tpot_mean"] == pytest.approx(0.02)
    assert found["itl_mean"] == pytest.approx(0.02)
    assert found["itl_p50"] == pytest.approx(0.02)
    assert found["output_tokens_per_second"] == pytest.approx(6 / seconds)
    assert found["input_tokens_per_second"] == pytest.approx(200 / seconds)
    assert found["total_tokens_per_second"] == pytest.approx(206 / seconds)
    assert "ttft_p95" not in found


def test_time_per_token_goes_by_the_servers_count():
    found = unit_metrics(written(ttft=[0.1], gaps=[[0.03, 0.03]], output_tokens=(7,)))

    assert found["tpot_mean"] == pytest.approx(0.01)
    assert found["itl_mean"] == pytest.approx(0.03)


def test_what_was_not_told_is_absent():
    silent = msgspec.structs.replace(
        unit(count=2), tokens=Tokens(output_tokens=(3, 4), counted_by="usage")
    )
    found = unit_metrics(silent)

    assert "output_tokens_per_second" in found
    assert not [
        name for name in found if name.startswith(("ttft", "tpot", "itl", "input", "total"))
    ]
    assert told_series(measurement([silent])) == ["latency"]


def test_a_workload_without_tokens_has_no_word_of_them():
    plain = measurement([unit(count=3), unit(count=3)])

    assert not [name for name in Summary.of(plain).unsupported if "_p" in name]
    assert not [name for name in figures(plain) if "token" in name]


def test_percentiles_that_the_samples_do_not_support_say_so_by_name():
    few = measurement([written(ttft=[0.1] * 30, gaps=[[0.01] * 20] * 30) for _ in range(2)])
    missing = Summary.of(few).unsupported

    assert missing["ttft_p99"] == "ttft_p99 not supported by 60 samples (368 needed)"
    assert "itl_p99" not in missing
    assert figures(few)["itl_p99"].estimate == pytest.approx(0.01)
    assert "ttft_p99" not in figures(few)
    assert estimates(few)["ttft_p99"].estimate == 0.1


def test_a_request_without_an_answer_is_infinite_in_every_series():
    lost = written_under_load(ttft=[0.1, 0.2], gaps=[[0.01] * 3, [0.02] * 5], unanswered=(1,))

    assert arrivals(lost, "ttft") == [0.1, math.inf, 0.2]
    assert arrivals(lost, "itl") == [0.01] * 3 + [math.inf] * 4 + [0.02] * 5
    assert arrivals(lost, "tpot") == pytest.approx([0.01, math.inf, 0.02])
    assert "ttft_mean" not in unit_metrics(lost)


def loaded_units(*, first=0.1, lost=0, units=6, count=400):
    spread = [first * (1 + 0.1 * math.sin(k)) for k in range(count - lost)]
    unanswered = tuple(range(0, 4 * lost, 4))
    gaps = [[0.01, 0.012]] * (count - lost)
    return [written_under_load(ttft=spread, gaps=gaps, unanswered=unanswered) for _ in range(units)]


def test_percentiles_under_load_have_robust_intervals():
    told = figures_under_load(a_load(loaded_units()))
    found = told.bounded

    assert found["ttft_p99"].estimate == pytest.approx(0.11, rel=0.01)
    assert found["ttft_p99"].lower <= found["ttft_p99"].estimate <= found["ttft_p99"].upper
    assert found["itl_p99"].estimate == 0.012
    assert found["itl_p99"].n == 6 * 800
    assert not told.unsupported


@pytest.mark.parametrize(
    ("metric", "limit", "verdict"),
    [
        ("ttft_p99", 0.2, BudgetVerdict.WITHIN),
        ("ttft_p99", 0.05, BudgetVerdict.OVER),
        ("itl_p99", 0.02, BudgetVerdict.WITHIN),
        ("itl_p99", 0.005, BudgetVerdict.OVER),
        ("tpot_p95", 0.0111, BudgetVerdict.WITHIN),
    ],
)
def test_an_slo_on_tokens_is_judged_like_one_on_latency(metric, limit, verdict):
    decision = decide_slo(a_load(loaded_units()), metric, limit=limit, alpha=0.01)

    assert decision.verdict is verdict


@pytest.mark.parametrize("metric", ["ttft_p99", "tpot_p99", "itl_p99"])
def test_too_many_failures_break_every_slo(metric):
    decision = decide_slo(a_load(loaded_units(lost=40)), metric, limit=9.0, alpha=0.01)

    assert decision.verdict is BudgetVerdict.OVER
    assert math.isinf(decision.interval.estimate)


def test_there_is_nothing_to_say_where_nothing_streams():
    silent = a_load([msgspec.structs.replace(one, tokens=None) for one in loaded_units()])

    assert decide_slo(silent, "ttft_p99", limit=1.0, alpha=0.01) is None


def test_tokens_of_a_search_are_those_at_the_rate_that_it_found():
    probe = Probe(rate=50.0, requests=2, late=(0,), passed=True, seconds=1.0)
    found = unit_metrics(written_under_load(ttft=[0.1, 0.1], gaps=GAPS, rate=50.0, probes=(probe,)))

    assert found["output_tokens_per_second"] == pytest.approx(3 * 50)


def test_time_without_a_core_may_excuse_the_first_token():
    waited = msgspec.structs.replace(
        written(ttft=[0.1] * 8, gaps=[[0.01]] * 8),
        sensors=msgspec.structs.replace(unit().sensors, run_queue_wait_seconds=0.5),
    )

    assert least_ratio("ttft_mean", measurement([waited])) == pytest.approx(0.5)
    assert least_ratio("output_tokens_per_second", measurement([waited])) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "broken",
    [
        {"gaps": (1,)},
        {"gaps": (2, 1)},
        {"gap_seconds": (0.01, -0.01, 0.02, 0.02)},
        {"ttft_seconds": (0.0, 0.1)},
        {"output_tokens": (-1, 3)},
    ],
)
def test_tokens_that_cannot_be_are_refused(broken):
    sound = msgspec.structs.asdict(tokens(ttft=[0.1, 0.2], gaps=GAPS))
    with pytest.raises(ValueError, match=r"gap|ttft|tokens"):
        Tokens(**{**sound, **broken})
