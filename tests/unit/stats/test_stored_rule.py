"""The rule for stored baselines: known answers, its properties, and how often it is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_costguard.records import Verdict
from pytest_costguard.stats.limits import Limits
from pytest_costguard.stats.stored import decide_stored

LIMITS = Limits(allow=0.02, catch=0.05)
EIGHT = tuple(
    (0.0 + shift, 0.001 + shift) for shift in (-3e-3, -2e-3, -1e-3, 0, 0, 1e-3, 2e-3, 3e-3)
)


def decide(head, runs, *, limits=LIMITS, spread=None):
    return decide_stored(head, runs, limits=limits, runner_spread=spread)


def shifted(amount):
    return (0.0 + amount, 0.001 + amount)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (0.10, Verdict.REGRESSED),
        (0.03, Verdict.REGRESSED),
        (0.025, Verdict.UNCHANGED),
        (0.0, Verdict.UNCHANGED),
        (-0.01, Verdict.UNCHANGED),
        (-0.10, Verdict.IMPROVED),
    ],
)
def test_a_change_is_held_against_the_spread_of_eight_runs(change, verdict):
    assert decide(shifted(change), EIGHT).verdict is verdict


def test_the_bounds_worked_by_hand():
    # s = 0.002, sigma = s · sqrt(1 + 1/8); t on 7 degrees of freedom: 2.9980 and 1.8946
    decision = decide(shifted(0.01), EIGHT)

    sigma = 0.002 * math.sqrt(1.125)
    assert decision.change == pytest.approx(0.01)
    assert decision.lower == pytest.approx(0.01 - 2.99795 * sigma, abs=1e-7)
    assert decision.upper == pytest.approx(0.01 + 1.89458 * sigma, abs=1e-7)
    assert decision.smallest_visible == pytest.approx(math.log(1.02) + 2.99795 * sigma, abs=1e-7)
    assert (decision.missing_runs, decision.rule) == (0, "spread of runs")


def test_a_wide_spread_is_inconclusive_and_says_what_it_could_see():
    wide = [(40 * value for value in run) for run in EIGHT]

    decision = decide(shifted(0.03), [tuple(run) for run in wide])

    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.smallest_visible > math.log(1.2)


def test_where_both_limits_hold_regressed_wins():
    # surely above allow (2 %) and surely below catch (5 %)
    decision = decide(shifted(0.035), EIGHT)

    assert decision.upper < math.log(1.05)
    assert decision.verdict is Verdict.REGRESSED


def test_more_hypotheses_ask_for_more_evidence():
    many = Limits(allow=0.02, catch=0.05, hypotheses=500)

    assert decide(shifted(0.029), EIGHT).verdict is Verdict.REGRESSED
    assert decide(shifted(0.029), EIGHT, limits=many).verdict is not Verdict.REGRESSED


def test_runs_without_any_spread_decide_exactly():
    same = [(1.0, 1.0)] * 8

    assert decide((1.0 + math.log(1.021),) * 2, same).verdict is Verdict.REGRESSED
    assert decide((1.0 + math.log(1.019),) * 2, same).verdict is Verdict.UNCHANGED


class TestFewRuns:
    """Fewer than 8 runs, and no spread declared."""

    def test_only_what_no_spread_explains_is_a_change(self):
        runs = [(0.0, 0.1)] * 3

        assert decide((0.6, 0.7), runs).verdict is Verdict.REGRESSED
        assert decide((-0.6, -0.5), runs).verdict is Verdict.IMPROVED
        assert decide((0.3, 0.4), runs).verdict is Verdict.INCONCLUSIVE

    def test_one_unit_of_one_run_that_was_as_slow_forbids_a_verdict(self):
        runs = [(0.0, 0.0), (0.0, 0.75)]

        assert decide((0.7, 0.8), runs).verdict is Verdict.INCONCLUSIVE

    def test_it_says_how_many_runs_are_missing(self):
        decision = decide((0.0,), [(0.0,)] * 3)

        assert (decision.missing_runs, decision.rule) == (5, "few runs")
        assert decision.lower is decision.upper is None
        assert math.expm1(decision.smallest_visible) == pytest.approx(0.5)

    def test_what_the_user_allows_is_no_regression(self):
        doubled = Limits(allow=1.0, catch=2.0)

        assert decide((0.65, 0.66), [(0.0, 0.0)], limits=doubled).verdict is Verdict.INCONCLUSIVE


class TestDeclaredSpread:
    """A declared spread from run to run stands in where runs are few."""

    def test_one_run_is_then_enough(self):
        decision = decide((0.05, 0.051), [(0.0, 0.001)], spread=0.005)

        # 0.05 - 2.3263 · 0.005 · sqrt(2)
        assert decision.verdict is Verdict.REGRESSED
        assert decision.lower == pytest.approx(0.05 - 2.326348 * 0.005 * math.sqrt(2), abs=1e-7)
        assert (decision.rule, decision.missing_runs) == ("declared spread", 7)

    def test_eight_runs_speak_for_themselves(self):
        assert decide(shifted(0.0), EIGHT, spread=0.5).rule == "spread of runs"

    def test_units_that_refute_it_are_believed(self):
        decision = decide((0.0, 0.4, 0.1, 0.3), [(-0.2, 0.2, 0.0, 0.1)], spread=0.005)

        assert decision.rule == "few runs"
        assert decision.spread_disbelieved == pytest.approx(0.088, abs=0.005)


@pytest.mark.parametrize(("head", "runs"), [((), [(1.0,)]), ((1.0,), []), ((1.0,), [()])])
def test_nothing_to_compare_is_refused(head, runs):
    with pytest.raises(ValueError, match="at least one value"):
        decide(head, runs)


@pytest.mark.parametrize(("allow", "catch", "n"), [(0.05, 0.02, 1), (-0.1, 0.1, 1), (0.0, 0.1, 0)])
def test_limits_that_make_no_sense_are_refused(allow, catch, n):
    with pytest.raises(ValueError, match="must be"):
        Limits(allow=allow, catch=catch, hypotheses=n)


logs = st.floats(-2, 2)
units = st.lists(logs, min_size=1, max_size=5)
series = st.lists(units, min_size=1, max_size=10)
RANK = [Verdict.IMPROVED, Verdict.UNCHANGED, Verdict.REGRESSED]


@given(head=units, runs=series, slower=st.floats(0, 2), spread=st.none() | st.floats(0.001, 0.3))
def test_a_slower_head_never_looks_better(head, runs, slower, spread):
    before = decide(head, runs, spread=spread).verdict
    after = decide([value + slower for value in head], runs, spread=spread).verdict

    if before is Verdict.REGRESSED:
        assert after is Verdict.REGRESSED
    if Verdict.INCONCLUSIVE not in (before, after):
        assert RANK.index(after) >= RANK.index(before)


@given(head=units, runs=series, shift=st.integers(-4, 4))
def test_the_unit_of_measurement_does_not_matter(head, runs, shift):
    there = decide(
        [value + shift for value in head], [[value + shift for value in run] for run in runs]
    )

    assert there.change == pytest.approx(decide(head, runs).change, abs=1e-9)


@given(head=units, runs=series, order=st.randoms(use_true_random=False))
def test_the_order_of_the_runs_does_not_matter(head, runs, order):
    mixed = list(runs)
    order.shuffle(mixed)

    assert decide(head, mixed).change == pytest.approx(decide(head, runs).change, abs=1e-9)


def simulated(
    trials: int,
    *,
    runs: int,
    units: int,
    seed: int,
    between: float,
    process: float = 0.01,
    phi: float = 0.6,
    requests: int = 60,
    head_units: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return z of head (trials, units) and of the baseline (trials, runs, units).

    Each run has an effect of its own, each process another, and the requests in it are AR(1).
    """
    rng = np.random.default_rng(seed)
    shape = (trials, runs + 1, units)
    within = np.zeros((*shape, requests))
    shocks = rng.standard_normal((*shape, requests)) * math.sqrt(1 - phi**2)
    within[..., 0] = shocks[..., 0] / math.sqrt(1 - phi**2)
    for i in range(1, requests):
        within[..., i] = phi * within[..., i - 1] + shocks[..., i]
    seconds = np.exp(
        10 * process * within
        + process * rng.standard_normal(shape)[..., None]
        + between * rng.standard_normal(shape[:2])[..., None, None]
    )
    z = np.log(seconds.mean(axis=-1))
    return z[:, 0, : head_units or units], z[:, 1:]


def rate(verdict, head, runs, **options):
    verdicts = [
        decide(one, many, **options).verdict
        for one, many in zip(head.tolist(), runs.tolist(), strict=True)
    ]
    return verdicts.count(verdict) / len(verdicts)


def at_most(promise, trials):
    """Return the promise with four standard deviations of a binomial share."""
    return promise + 4 * math.sqrt(promise * (1 - promise) / trials)


@pytest.mark.parametrize("between", [0.0, 0.02, 0.3])
def test_false_alarms_at_exactly_what_is_allowed_are_as_rare_as_promised(between):
    head, runs = simulated(2500, runs=8, units=4, seed=51, between=between)

    alarms = rate(Verdict.REGRESSED, head + math.log(1.02), runs)

    assert alarms <= at_most(0.01, 2500)


@pytest.mark.parametrize("between", [0.0, 0.02])
def test_a_change_of_catch_is_seldom_called_unchanged(between):
    head, runs = simulated(2500, runs=8, units=4, seed=52, between=between)

    missed = rate(Verdict.UNCHANGED, head + math.log(1.05), runs)

    assert missed <= at_most(0.05, 2500)


def test_false_alarms_of_a_suite_share_one_percent():
    head, runs = simulated(4000, runs=9, units=3, seed=53, between=0.02, requests=20)
    limits = Limits(allow=0.02, catch=0.05, hypotheses=10)

    alarms = rate(Verdict.REGRESSED, head + math.log(1.02), runs, limits=limits)

    # ten hypotheses a suite
    assert 10 * alarms <= 10 * at_most(0.001, 4000)


def test_fewer_units_than_the_baseline_had_raise_no_more_false_alarms():
    head, runs = simulated(2500, runs=8, units=6, seed=54, between=0.002, head_units=1)

    alarms = rate(Verdict.REGRESSED, head + math.log(1.02), runs)

    assert alarms <= at_most(0.01, 2500)


def test_a_true_declared_spread_keeps_the_promise_with_one_run():
    head, runs = simulated(4000, runs=1, units=6, seed=55, between=0.02, requests=20)
    spread = float(np.std(runs.mean(axis=2)))

    alarms = rate(Verdict.REGRESSED, head + math.log(1.02), runs, spread=spread)

    assert alarms <= at_most(0.01, 4000)


@pytest.mark.parametrize("between", [0.02, 0.15])
def test_few_runs_without_a_declared_spread_hardly_ever_cry_wolf(between):
    head, runs = simulated(2500, runs=2, units=4, seed=56, between=between)

    alarms = rate(Verdict.REGRESSED, head + math.log(1.02), runs)

    assert alarms <= at_most(0.01, 2500)


def test_a_quiet_runner_sees_five_percent():
    head, runs = simulated(1000, runs=8, units=6, seed=57, between=0.002, process=0.004)

    assert rate(Verdict.REGRESSED, head + math.log(1.05), runs) > 0.9
    assert rate(Verdict.UNCHANGED, head, runs) > 0.95


def test_two_runs_see_a_doubling():
    head, runs = simulated(1000, runs=2, units=4, seed=58, between=0.02)

    assert rate(Verdict.REGRESSED, head + math.log(2), runs) > 0.99
