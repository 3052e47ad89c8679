"""What is promised about a runner holds on simulated runs with a known answer."""

from __future__ import annotations

import math
import random

import pytest

from pytest_costguard.records import Verdict, first_side
from pytest_costguard.stats.detectability import (
    bias_of,
    reach_side_by_side,
    reach_stored,
    run_spread,
    uncertainty_of_spread,
)
from pytest_costguard.stats.limits import Limits
from pytest_costguard.stats.paired import (
    DEEP_LOOKS,
    USUAL_LOOKS,
    Looks,
    PairedUnit,
    decide_paired,
    fit,
    shares,
)
from pytest_costguard.stats.stored import decide_stored

TRIALS = 400


def units(count: int, *, change: float, spread: float, rng: random.Random) -> list[PairedUnit]:
    """Units with a starting-order effect of 1 %, as real ones have."""
    return [
        PairedUnit(
            change=change + (0.01 if first_side(i) == "base" else -0.01) + rng.gauss(0, spread),
            first=first_side(i),
        )
        for i in range(count)
    ]


def share_of(
    verdict: Verdict, *, change: float, catch: float, spread: float, count: int, looks: Looks
) -> float:
    rng = random.Random(20_240_817)
    limits = Limits(allow=0.02, catch=catch)
    found = [
        decide_paired(
            units(count, change=math.log1p(change), spread=spread, rng=rng),
            limits=limits,
            looks=looks,
            final=True,
        ).verdict
        for _ in range(TRIALS)
    ]
    return found.count(verdict) / TRIALS


@pytest.mark.parametrize("spread", [0.003, 0.02, 0.1])
@pytest.mark.parametrize("seconds", [6, 10, 24, 60])
def test_the_smallest_change_is_called_regressed_as_often_as_promised(spread, seconds):
    reach = reach_side_by_side(spread, seconds=seconds, seconds_a_unit=1.0)
    assert reach is not None
    looks = DEEP_LOOKS if reach.deep else USUAL_LOOKS
    caught = share_of(
        Verdict.REGRESSED,
        change=reach.change,
        catch=reach.change,
        spread=spread,
        count=reach.units,
        looks=looks,
    )
    assert caught >= 0.93


def test_a_change_half_way_between_the_limits_is_not_promised():
    reach = reach_side_by_side(0.02, seconds=24, seconds_a_unit=1.0)
    assert reach is not None
    half = 0.02 + (reach.change - 0.02) / 2
    caught = share_of(
        Verdict.REGRESSED,
        change=half,
        catch=reach.change,
        spread=0.02,
        count=24,
        looks=USUAL_LOOKS,
    )
    assert caught < 0.8


def test_nothing_is_called_regressed_where_nothing_changed():
    reach = reach_side_by_side(0.02, seconds=24, seconds_a_unit=1.0)
    assert reach is not None
    settings = {"change": 0.0, "catch": reach.change, "spread": 0.02, "looks": USUAL_LOOKS}
    assert share_of(Verdict.REGRESSED, count=24, **settings) <= 0.015
    assert share_of(Verdict.UNCHANGED, count=24, **settings) >= 0.9


@pytest.mark.parametrize(
    ("seconds", "expected", "deep"),
    [(6, 6, False), (9.9, 6, False), (12, 10, False), (30, 24, False), (48, 48, True)],
)
def test_units_count_up_to_the_last_look_that_is_reached(seconds, expected, deep):
    reach = reach_side_by_side(0.01, seconds=seconds, seconds_a_unit=1.0)
    assert reach is not None
    assert (reach.units, reach.deep) == (expected, deep)


def test_more_gates_and_totals_take_a_larger_change():
    settings = {"seconds": 24, "seconds_a_unit": 1.0}
    alone = reach_side_by_side(0.02, **settings)
    beside = reach_side_by_side(0.02, hypotheses=10, **settings)
    halved = reach_side_by_side(0.02, hypotheses=5, totals=True, **settings)
    assert alone is not None
    assert beside is not None
    assert alone.change < beside.change
    assert halved == beside
    typical, with_totals = (shares(total=total, summed=True)["typical"] for total in (False, True))
    assert with_totals == typical / 2
    assert reach_stored(0.02) < reach_stored(0.02, hypotheses=10)


def test_a_time_below_the_first_look_decides_nothing():
    assert reach_side_by_side(0.01, seconds=5.9, seconds_a_unit=1.0) is None


def test_without_spread_all_that_is_above_the_allowed_is_seen():
    reach = reach_side_by_side(0.0, seconds=60, seconds_a_unit=1.0)
    assert reach is not None
    assert reach.change == pytest.approx(0.02)


def test_a_unit_that_takes_no_time_is_refused():
    with pytest.raises(ValueError, match="more than 0 s"):
        reach_side_by_side(0.01, seconds=10, seconds_a_unit=0.0)


def test_what_runs_share_is_told_from_what_is_each_units_own():
    rng = random.Random(7)
    logs = []
    for _ in range(2_000):
        shared = rng.gauss(0, 0.05)
        logs += [shared + rng.gauss(0, 0.02) for _ in range(3)]
    found = run_spread(logs)
    assert found.shared == pytest.approx(0.05, rel=0.1)
    assert found.own == pytest.approx(0.02, rel=0.1)
    assert found.of_run(4) == pytest.approx(math.sqrt(0.05**2 + 0.02**2 / 4), rel=0.1)


def test_units_that_share_nothing_average_out():
    rng = random.Random(8)
    found = run_spread([rng.gauss(0, 0.02) for _ in range(6_000)])
    assert found.of_run(100) < 0.006


@pytest.mark.parametrize(("count", "group"), [(5, 3), (0, 3), (4, 1)])
def test_fewer_than_two_groups_tell_nothing(count, group):
    with pytest.raises(ValueError, match="two groups"):
        run_spread([0.0] * count, group=group)


@pytest.mark.parametrize("declared", [False, True])
def test_the_smallest_stored_change_is_called_regressed_as_often_as_promised(declared):
    rng = random.Random(3)
    spread, runs = 0.01, 8 if not declared else 1
    change = reach_stored(spread, runs=runs, declared=declared)
    caught = 0
    for _ in range(TRIALS):
        series = [[rng.gauss(0, spread)] for _ in range(runs)]
        decision = decide_stored(
            [math.log1p(change) + rng.gauss(0, spread)],
            series,
            limits=Limits(allow=0.02, catch=change),
            runner_spread=spread if declared else None,
        )
        caught += decision.verdict is Verdict.REGRESSED
    assert 0.92 <= caught / TRIALS <= 0.995


def test_a_stored_baseline_of_few_runs_has_no_such_rule():
    with pytest.raises(ValueError, match="8 runs"):
        reach_stored(0.01, runs=3)


def test_equal_sides_are_not_called_wrong():
    rng = random.Random(5)
    wrong = sum(
        bias_of(fit(units(12, change=0.002, spread=0.02, rng=rng))).wrong for _ in range(TRIALS)
    )
    assert wrong <= 2


def test_sides_that_differ_surely_are_called_wrong():
    rng = random.Random(6)
    bias = bias_of(fit(units(12, change=0.05, spread=0.005, rng=rng)))
    assert bias.wrong
    assert bias.lower < 0.05 < bias.upper


def test_twelve_units_know_their_spread_to_about_a_quarter():
    assert uncertainty_of_spread(10) == pytest.approx(0.22, abs=0.01)
    with pytest.raises(ValueError, match="df"):
        uncertainty_of_spread(0)
