"""The rule that goes on to a wished precision: known answers, and how often it is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_costguard.stats.paired import PairedUnit, as_seen
from pytest_costguard.stats.precision import LOOKS, change_at, precise_change
from pytest_costguard.stats.quantiles import t_quantile


def units(changes, *, order=0.0):
    return [
        PairedUnit(change=float(c) + (order, -order)[i % 2], first=("base", "head")[i % 2])
        for i, c in enumerate(changes)
    ]


def noisy(change, *, spread, count=LOOKS[-1], seed=0, order=0.0):
    return units(np.random.default_rng(seed).normal(change, spread, count), order=order)


def test_the_interval_worked_by_hand():
    # residuals +-0.01 in pairs: the order effect is 0, spread = sqrt(6 * 0.0001 / 4)
    found = precise_change(units([0.06, 0.06, 0.04, 0.04, 0.05, 0.05]), precision=1.0)
    spread = math.sqrt(4 * 0.0001 / 4)
    reach = t_quantile(1 - 0.05 / 8 / 2, 4) * spread / math.sqrt(6)

    assert found.change == pytest.approx(0.05)
    assert (found.lower, found.upper) == pytest.approx((0.05 - reach, 0.05 + reach))
    assert found.half_width == pytest.approx(math.exp(reach) - 1)
    assert found.precise
    assert found.direction == "worse"


@pytest.mark.parametrize("change", [0.0, math.log(1.05)])
@pytest.mark.parametrize("spread", [0.005, 0.02])
def test_the_interval_that_is_shown_holds_the_truth_in_95_percent(change, spread):
    rounds = 1500
    held = 0
    for seed in range(rounds):
        found = precise_change(noisy(change, spread=spread, seed=seed, order=0.02), precision=0.01)
        held += found.lower <= change <= found.upper

    # a Monte Carlo error of three standard deviations below 95 %
    assert held / rounds >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / rounds)


def test_where_it_is_quiet_the_first_look_is_enough_and_later_units_change_nothing():
    quiet = noisy(0.03, spread=0.001)

    assert precise_change(quiet[:6], precision=0.01).units == 6
    assert precise_change(quiet, precision=0.01) == precise_change(quiet[:6], precision=0.01)


def test_a_large_sure_change_is_no_reason_to_stop():
    found = precise_change(noisy(math.log(3), spread=0.05, count=10), precision=0.01)

    assert not found.precise
    assert found.direction == "worse"
    assert found.next_look == 16


def test_what_is_not_precise_yet_tells_how_many_units_would_be():
    found = precise_change(noisy(0.0, spread=0.03, count=24), precision=0.01)
    reach = t_quantile(1 - 0.05 / 8 / 2, found.units_needed - 2) * found.spread

    assert found.units_needed > 24
    assert reach / math.sqrt(found.units_needed) <= math.log1p(0.01)
    assert reach / math.sqrt(found.units_needed - 2) > math.log1p(0.01) * 0.97


def test_hopeless_noise_is_out_of_reach():
    assert precise_change(noisy(0.0, spread=20.0, count=24), precision=1e-6).units_needed is None


def test_a_difference_that_may_be_the_methods_own_is_no_direction():
    found = precise_change(noisy(-0.003, spread=0.0001, count=6), precision=0.01)

    assert found.upper < 0
    assert found.direction == "no difference seen"
    assert precise_change(noisy(-0.02, spread=0.0001, count=6), precision=0.01).direction == (
        "better"
    )


@pytest.mark.parametrize("few", [units([0.1] * 3), [PairedUnit(change=0.1, first="base")] * 8])
def test_too_few_units_or_one_order_alone_say_nothing(few):
    assert precise_change(few, precision=0.01) is None
    assert change_at(few, count=len(few)) is None


def test_a_precision_of_zero_is_refused():
    with pytest.raises(ValueError, match="above zero"):
        precise_change(noisy(0.0, spread=0.1), precision=0.0)


def test_the_total_stands_for_the_unit_where_inputs_differ():
    mixed = [
        PairedUnit(change=0.1, first="base", total=0.4),
        PairedUnit(change=0.2, first="head"),
    ]

    assert [unit.change for unit in as_seen(mixed, "total")] == [0.4, 0.2]
