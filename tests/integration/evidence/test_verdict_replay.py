"""Replaying rules over units whose truth is known: how often they may be wrong, and are."""

from __future__ import annotations

import dataclasses
import math
import random

import msgspec
import numpy as np
import pytest
from factories import evidence
from scipy import integrate
from scipy import stats as reference

from benchmarks.verdicts.always_valid import decide_always_valid, log_bayes_factor
from benchmarks.verdicts.entries import Blocks
from benchmarks.verdicts.figures import (
    CAUGHT,
    SMALLER,
    UNCHANGED,
    all_of,
    replayed,
    spread,
    suite_alarms,
    summed,
)
from benchmarks.verdicts.goals import at_least, at_most, goals, quickly_started
from benchmarks.verdicts.live import SUITE_OF_TEN
from benchmarks.verdicts.proportions import Proportion
from benchmarks.verdicts.replay import consecutive, consecutive_suites, failed_suite, suites
from benchmarks.verdicts.rules import (
    BY_NAME,
    PLUGIN,
    RULES,
    cpu_time,
    first_part,
    merged,
    quick_blocks,
    sums,
)
from benchmarks.verdicts.series import series
from benchmarks.verdicts.trials import table
from pytest_costguard.records import Verdict
from pytest_costguard.stats.limits import Limits
from pytest_costguard.stats.paired import Fit, PairedUnit

NOISY = 0.012
"""A unit's standard deviation that makes some verdicts late, and some inconclusive."""


@pytest.fixture(scope="module")
def recorded():
    return series(evidence.batches(deviation=NOISY))


# Intervals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hits", "trials", "lower", "upper"),
    [
        (0, 100, 0.0, 0.0362),
        (1, 100, 0.0003, 0.0545),
        (10, 10, 0.6915, 1.0),
        (5, 20, 0.0866, 0.491),
    ],
)
def test_the_binomial_interval_is_the_tables(hits, trials, lower, upper):
    """Clopper and Pearson's, as in the common tables."""
    found = Proportion(hits=hits, trials=trials)
    assert (found.lower, found.upper) == (
        pytest.approx(lower, abs=1e-4),
        pytest.approx(upper, abs=1e-4),
    )


def test_a_goal_is_reached_missed_or_not_sure():
    assert at_most(Proportion(hits=0, trials=1000), 0.01) is True
    assert at_most(Proportion(hits=0, trials=10), 0.01) is None
    assert at_most(Proportion(hits=5, trials=10), 0.01) is False
    assert at_least(Proportion(hits=300, trials=300), 0.95) is True
    assert at_least(Proportion(hits=20, trials=20), 0.95) is None
    assert at_least(Proportion(hits=2, trials=20), 0.95) is False
    assert at_most(Proportion(hits=0, trials=0), 0.01) is None


# False alarms and power --------------------------------------------------------------------------


def test_where_nothing_changed_suites_fail_no_more_often_than_promised(recorded):
    for found in suite_alarms(recorded, repeats=300):
        assert found.drawn.trials == 300
        assert found.consecutive.trials >= 10
        assert at_most(found.drawn, 0.01) is not False, found
        assert at_most(found.consecutive, 0.01) is not False, found


def test_a_change_of_what_is_allowed_fails_no_more_often_than_promised():
    still = series(evidence.batches(levels=(2,), deviation=NOISY, units=480))
    by_workload = {name: units for (name, _), units in still.items()}
    found = consecutive_suites(by_workload, PLUGIN, size=5)
    assert at_most(found, 0.01) is not False, found


def test_a_change_far_beyond_what_is_allowed_fails_nearly_every_suite(recorded):
    changed = {name: units for (name, level), units in recorded.items() if level == 10}
    assert suites(changed, PLUGIN, size=5, repeats=50).share == 1.0


def test_five_percent_is_caught_and_an_unchanged_workload_passed_where_units_are_quiet():
    quiet = series(evidence.batches(deviation=0.005))
    caught = summed(all_of(replayed(quiet, CAUGHT)), within=12.0)
    passed = summed(all_of(replayed(quiet, UNCHANGED)), within=12.0)
    smaller = summed(all_of(replayed(quiet, SMALLER)), within=26.0)

    assert at_least(caught.in_time, 0.95) is True
    assert at_least(passed.passed, 0.95) is True
    assert at_least(smaller.in_time, 0.95) is not False
    assert passed.median_and_worst[0] == pytest.approx(6 * 0.6)


def test_the_noisier_the_units_the_later_and_the_fewer_the_verdicts():
    noisy = summed(all_of(replayed(series(evidence.batches(deviation=0.03)), CAUGHT)), within=12.0)
    assert noisy.in_time.share < 0.5
    assert noisy.passed.share < 0.1
    assert noisy.inconclusive.hits > 0


# What a verdict costs ----------------------------------------------------------------------------


def test_consecutive_verdicts_use_each_unit_once_and_count_its_seconds(recorded):
    units = recorded["numpy_cache", 0]
    trials = consecutive(units, PLUGIN, hypotheses=10)

    assert sum(trial.units for trial in trials) <= len(units)
    for trial in trials:
        assert trial.paired_seconds == pytest.approx(0.6 * trial.units)
        # The start, and a fifth of what a unit of five levels takes beyond start and measuring.
        assert trial.wall_seconds == pytest.approx((0.6 + 0.4 + 0.1) * trial.units)


def test_slow_requests_get_more_time_and_no_more_than_their_third_look():
    slow = series(evidence.batches(levels=(0,), deviation=0.05, paired_seconds=11.0))
    trials = consecutive(slow["torch_slow", 0], PLUGIN, hypotheses=10)

    assert 6 < max(trial.units for trial in trials) <= 16


def test_the_time_limit_ends_a_workload_once_six_units_are_measured():
    slow = series(evidence.batches(levels=(0,), deviation=0.05, paired_seconds=40.0))
    trials = consecutive(slow["torch_slow", 0], PLUGIN, hypotheses=10)

    assert {trial.units for trial in trials} == {6}
    assert Verdict.INCONCLUSIVE in {trial.verdict for trial in trials}


def test_units_that_end_before_a_verdict_make_no_trial():
    few = series(evidence.batches(levels=(0,), units=8, deviation=0.05))
    assert consecutive(few["numpy_cache", 0], PLUGIN, hypotheses=10) == []
    assert consecutive(few["numpy_cache", 0][:4], PLUGIN, hypotheses=10) == []


def test_holms_procedure_counts_as_a_failure_of_the_suite(recorded):
    (trial, *_) = consecutive(recorded["numpy_cache", 0], PLUGIN, hypotheses=10)
    undecided = dataclasses.replace(
        trial,
        verdict=Verdict.INCONCLUSIVE,
        decision=dataclasses.replace(
            trial.decision, verdict=Verdict.INCONCLUSIVE, p_regressed=0.0001
        ),
    )
    assert not failed_suite([trial] * 5)
    assert failed_suite([trial] * 4 + [undecided])


def test_what_units_say_is_described_with_its_spread_and_its_memory(recorded):
    found = spread(("torch_mlp", 5), recorded["torch_mlp", 5])

    assert found.units == 240
    assert found.deviation == pytest.approx(NOISY, rel=0.15)
    assert abs(found.autocorrelation) < 3 / math.sqrt(240)
    assert found.estimate.lower < math.log(1.05) < found.estimate.upper


# Variants ----------------------------------------------------------------------------------------


def test_every_variant_has_its_row(recorded):
    few = {key: units[:60] for key, units in recorded.items()}
    lines = table(few, repeats=5).strip().splitlines()

    assert [line.split("|")[1].strip() for line in lines[2:]] == [rule.name for rule in RULES]
    assert len({line.count("|") for line in lines}) == 1


def test_variants_of_a_unit_do_with_its_blocks_what_they_say():
    source = np.random.default_rng(0)
    walls = 0.003 * source.lognormal(0, 0.1, (2, 40))
    walls[1, 20:] *= 1.5
    blocks = Blocks.of(*(evidence.unit(side.tolist(), cpu_share=0.5) for side in walls))
    ratios = np.log(walls[1] / walls[0])

    assert merged(blocks, pairs=1) == pytest.approx(np.median(ratios), abs=1e-3)
    assert cpu_time(blocks) == pytest.approx(np.median(ratios), abs=2e-3)
    assert first_part(blocks, share=0.5) == pytest.approx(np.median(ratios[:20]), abs=1e-3)
    assert first_part(blocks, share=0.01) == pytest.approx(np.median(ratios[:8]), abs=1e-3)
    halves = np.log(walls[1].reshape(4, 10).sum(axis=1) / walls[0].reshape(4, 10).sum(axis=1))
    assert sums(blocks) == pytest.approx(np.log(walls[1].sum() / walls[0].sum()), abs=1e-3)
    quartiles = np.quantile(walls, 0.25, axis=1)
    assert quick_blocks(blocks) == pytest.approx(np.log(quartiles[1] / quartiles[0]), abs=1e-3)
    assert merged(blocks, pairs=10) == pytest.approx(np.median(halves), abs=1e-3)


def test_a_control_takes_the_error_away_that_it_shares(recorded):
    unit = recorded["numpy_cache", 5][0]
    control = recorded["numpy_cache", 0][0]
    said = BY_NAME["less a control"].reduction(unit).change
    expected = unit.cell.changes["mean"].change - control.cell.changes["mean"].change

    assert said == pytest.approx(expected)
    assert BY_NAME["less a control"].reduction(control) is None


# The bound that is always valid ------------------------------------------------------------------


def test_the_bayes_factor_is_the_integral_over_its_prior():
    """Against numerical integration of the noncentral t density, for 10 units of both orders."""
    units, g = 10, 2.5
    fitted = Fit(change=0.03, order_effect=0.0, standard_error=0.01, spread=0.01 * 10**0.5, df=8)
    t = (0.03 - 0.01) / 0.01

    def weighed(effect):
        density = reference.nct.pdf(t, fitted.df, effect * math.sqrt(units))
        return density * reference.norm.pdf(effect, scale=math.sqrt(g))

    expected = integrate.quad(weighed, -12, 12, limit=200)[0] / reference.t.pdf(t, fitted.df)
    assert log_bayes_factor(fitted, 0.01, prior_variance=g) == pytest.approx(
        math.log(expected), rel=1e-5
    )


@pytest.mark.parametrize("g", [1.0, 9.0])
def test_looking_after_every_unit_costs_no_more_than_is_promised(g):
    """2,000 sequences of 24 units whose true change is exactly what is allowed."""
    source = random.Random(3)
    limits = Limits(allow=0.02, catch=0.05)

    def sequence(change):
        return [
            PairedUnit(change=change + source.gauss(0, 0.01), first="head" if i % 2 else "base")
            for i in range(24)
        ]

    def said(change, count):
        return [
            decide_always_valid(sequence(change), limits=limits, prior_variance=g)[0]
            for _ in range(count)
        ]

    allowed = said(math.log(1.02), 2000)
    alarms = Proportion(hits=allowed.count(Verdict.REGRESSED), trials=2000)
    caught = said(math.log(1.05), 500)
    misses = Proportion(hits=caught.count(Verdict.UNCHANGED), trials=500)
    assert at_most(alarms, limits.alpha) is not False, alarms
    assert at_most(misses, 0.05) is not False, misses
    assert caught.count(Verdict.REGRESSED) > 450
    assert Verdict.REGRESSED not in said(math.log(0.9), 50)


# Goals -------------------------------------------------------------------------------------------


def test_goals_are_held_against_what_was_recorded():
    batches = evidence.batches(deviation=0.004, opening_seconds=0.4)
    found = goals(series(batches), batches, condition="quiet", repeats=100)

    assert len(found) == 5
    assert all(goal.promise.startswith("quiet: ") for goal in found)
    # That a user waits no longer, only whole runs can tell.
    assert [goal.reached for goal in found[1:]] == [True, True, None, None]
    assert not any("not recorded" in goal.measured for goal in found)
    assert found[0].reached is not False
    assert not any(goal.in_the_way for goal in found if goal.reached)
    others = evidence.live_run()  # of workloads that start more slowly: not the suite meant
    whole = [others, *(evidence.live_run(workloads=SUITE_OF_TEN * 5) for _ in range(3))]
    of_suites = goals(series(batches), batches, condition="quiet", repeats=100, suites=whole)[-1]
    assert of_suites.reached is True
    assert of_suites.measured.startswith("60 s, the median of 3 whole runs of pytest; 60 s the")
    assert of_suites.measured.endswith("0 false alarms among 30 tests")
    slow = [msgspec.structs.replace(run, seconds=100.0) for run in whole]
    late = goals(series(batches), batches, condition="quiet", repeats=100, suites=slow)[-1]
    assert late.reached is False
    assert late.in_the_way.startswith("+10 s: of 8.0 s a test 4.0 s are measuring (medians), ")
    runs = [evidence.live_run(), evidence.live_run(level=5, verdict="regressed")]
    live = goals(series(batches), batches, condition="quiet", repeats=100, live=runs)[-2]
    assert live.measured.startswith("8.0 s, the median of tests in whole runs of pytest; one")
    assert (live.reached, live.in_the_way[:7]) == (False, "+1.00 s")
    undecided = [evidence.live_run(verdict="inconclusive")]
    never = goals(series(batches), batches, condition="quiet", repeats=100, live=undecided)[-2]
    assert never.measured.startswith("never, the median of tests in whole runs")
    assert (never.reached, never.in_the_way) == (False, "most of them stay undecided")
    cases = tuple(msgspec.structs.replace(one, seconds=6.0) for one in runs[0].cases)
    quick = [msgspec.structs.replace(runs[0], cases=cases)]
    kept = goals(series(batches), batches, condition="quiet", repeats=100, live=quick)[-2]
    assert (kept.reached, kept.in_the_way) == (True, "")
    few = evidence.batches(names=("numpy_cache", "onnx_mlp"), deviation=0.004)
    some = goals(series(few), few, condition="quiet", repeats=100)[1]
    assert some.measured.endswith("; not recorded: numpy_memory, torch_mlp, torch_slow")
    noisy = evidence.batches(deviation=0.05, opening_seconds=0.4)
    caught = goals(series(noisy), noisy, condition="quiet", repeats=100)[1]
    assert caught.reached is not True
    assert " units (medians)" in caught.in_the_way
    assert quickly_started(evidence.batches(units=4, opening_seconds=0.7)) == frozenset()
