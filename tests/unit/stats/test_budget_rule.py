"""Budgets: over and within are said with the promised certainty, and otherwise not at all."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_costguard.records import BudgetVerdict
from pytest_costguard.stats.budgets import ONE_UNIT, decide_budget, decide_falling


def decide(values, limit, *, bound="at most", alpha=0.01, confidence=0.95):
    return decide_budget(values, limit=limit, bound=bound, alpha=alpha, confidence=confidence)


@pytest.mark.parametrize(
    ("values", "limit", "bound", "verdict"),
    [
        ([1.0, 1.1, 0.9], 2.0, "at most", BudgetVerdict.WITHIN),
        ([1.0, 1.1, 0.9], 0.2, "at most", BudgetVerdict.OVER),
        ([1.0, 1.1, 0.9], 1.05, "at most", BudgetVerdict.INCONCLUSIVE),
        ([1.0, 1.1, 0.9], 0.2, "at least", BudgetVerdict.WITHIN),
        ([1.0, 1.1, 0.9], 2.0, "at least", BudgetVerdict.OVER),
        ([1.0, 1.1, 0.9], 0.95, "at least", BudgetVerdict.INCONCLUSIVE),
    ],
)
def test_a_limit_is_held_from_either_side(values, limit, bound, verdict):
    assert decide(values, limit, bound=bound).verdict is verdict


@given(
    value=st.floats(1e-9, 1e9), n=st.integers(2, 9), bound=st.sampled_from(["at most", "at least"])
)
def test_a_deterministic_figure_that_meets_its_limit_exactly_is_within(bound, value, n):
    assert decide([value] * n, value, bound=bound).verdict is BudgetVerdict.WITHIN


@pytest.mark.parametrize("bound", ["at most", "at least"])
def test_two_equal_values_decide_directly(bound):
    limit = 0.9999999 if bound == "at most" else 1.0000001

    assert decide([1.0, 1.0], limit, bound=bound).verdict is BudgetVerdict.OVER


def test_one_unit_decides_nothing_and_says_so():
    decision = decide([1.0], 100.0)

    assert decision.verdict is BudgetVerdict.INCONCLUSIVE
    assert decision.reason == ONE_UNIT


def test_no_unit_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        decide([], 1.0)


def test_the_bounds_shown_are_the_bounds_that_decided():
    # t on 3 degrees of freedom: 4.541 at 99 %, 2.353 at 95 %; sd of the mean 0.6455
    interval = decide([1.0, 2.0, 3.0, 4.0], 9.0).interval

    assert interval.lower == pytest.approx(2.5 - 4.5407 * 0.645497, abs=1e-3)
    assert interval.upper == pytest.approx(2.5 + 2.3534 * 0.645497, abs=1e-3)
    assert interval.confidence == pytest.approx(0.94)


@pytest.mark.parametrize("bound", ["at most", "at least"])
def test_false_verdicts_at_the_limit_are_as_rare_as_promised(bound):
    rng = np.random.default_rng(41)
    trials = rng.normal(1.0, 0.05, (4000, 6)).tolist()

    verdicts = [decide(values, 1.0, bound=bound).verdict for values in trials]

    over, within = verdicts.count(BudgetVerdict.OVER), verdicts.count(BudgetVerdict.WITHIN)
    assert over <= 40 + 4 * math.sqrt(4000 * 0.01 * 0.99)
    assert within <= 200 + 4 * math.sqrt(4000 * 0.05 * 0.95)


@given(
    values=st.lists(st.floats(0.1, 10), min_size=2, max_size=8),
    limit=st.floats(0.1, 10),
    looser=st.floats(1.0, 3.0),
)
def test_a_looser_limit_is_never_worse(values, limit, looser):
    rank = [BudgetVerdict.OVER, BudgetVerdict.INCONCLUSIVE, BudgetVerdict.WITHIN]

    tight, loose = decide(values, limit).verdict, decide(values, limit * looser).verdict

    assert rank.index(loose) >= rank.index(tight)


def falling(values, limit, *, of=lambda value: 12 / value, alpha=0.01):
    return decide_falling(values, figure_at=of, limit=limit, alpha=alpha, confidence=0.95)


def test_bounds_of_the_values_become_those_of_a_figure_that_falls_with_them():
    # the mean of 1, 2, 3, 4 is below 2.5 + 4.5407 * 0.645497 and above 2.5 - 2.3534 * 0.645497
    interval = falling([1.0, 2.0, 3.0, 4.0], 9.0).interval

    assert interval.estimate == pytest.approx(12 / 2.5)
    assert interval.lower == pytest.approx(12 / 5.43101, rel=1e-4)
    assert interval.upper == pytest.approx(12 / 0.980888, rel=1e-4)


@pytest.mark.parametrize(
    ("limit", "verdict"), [(2.2, "over"), (2.3, "inconclusive"), (12.3, "within")]
)
def test_a_falling_figure_is_over_at_its_best_end_and_within_at_its_worst(limit, verdict):
    assert falling([1.0, 2.0, 3.0, 4.0], limit).verdict == verdict


def test_on_a_staircase_both_ends_may_be_on_one_step():
    steps = falling([99.0, 100.0, 101.0], 3.0, of=lambda value: float(math.ceil(280 / value)))

    assert steps.verdict is BudgetVerdict.WITHIN
    assert (steps.interval.lower, steps.interval.upper) == (3.0, 3.0)


def test_values_that_may_be_zero_leave_a_falling_figure_without_an_end():
    decision = falling([0.1, 5.0], 1e9)

    assert decision.verdict is BudgetVerdict.INCONCLUSIVE
    assert decision.interval.upper == math.inf


def test_one_value_decides_nothing_about_a_falling_figure_and_none_is_refused():
    assert falling([1.0], 100.0).reason == ONE_UNIT
    with pytest.raises(ValueError, match="at least one"):
        falling([], 1.0)


def test_false_verdicts_about_a_falling_figure_are_as_rare_as_promised():
    rng = np.random.default_rng(43)
    trials = rng.normal(1.0, 0.05, (4000, 6)).tolist()

    verdicts = [falling(values, 12.0).verdict for values in trials]

    over, within = verdicts.count(BudgetVerdict.OVER), verdicts.count(BudgetVerdict.WITHIN)
    assert over <= 40 + 4 * math.sqrt(4000 * 0.01 * 0.99)
    assert within <= 200 + 4 * math.sqrt(4000 * 0.05 * 0.95)
