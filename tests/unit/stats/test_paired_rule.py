"""The rule for two sides measured together: known answers, properties, and how often it errs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_costguard.records import Verdict, first_side
from pytest_costguard.stats.limits import SUITE_ALPHA, Limits
from pytest_costguard.stats.paired import (
    DEEP_LOOKS,
    USUAL_LOOKS,
    Looks,
    PairedUnit,
    decide_paired,
    fit,
    holm,
)
from pytest_costguard.stats.paired import shares as alpha_shares

LIMITS = Limits(allow=0.02, catch=0.05)
FIVE_PERCENT = math.log(1.05)
changes = st.floats(-0.5, 0.5)


def units(*changes):
    """Units of which base was started first in the first, third, fifth …"""
    return tuple(
        PairedUnit(change=change, first="head" if position % 2 else "base")
        for position, change in enumerate(changes)
    )


def even(change, *, spread, count):
    """Units round `change` whose residuals are exactly plus and minus `spread` in turn."""
    return units(*(change + (spread, spread, -spread, -spread)[i % 4] for i in range(count)))


def noisy(change, *, spread, count, seed=1, order=0.0):
    noise = np.random.default_rng(seed).normal(change, spread, count)
    return units(*(float(v) + (order, -order)[i % 2] for i, v in enumerate(noise)))


def test_the_fit_worked_by_hand():
    # base first: 1, 3; head first: 2, 6. Means 2 and 4: change 3, order effect -1;
    # residuals -1, 1, -2, 2: squares 10 on 2 degrees of freedom
    fitted = fit(units(1.0, 2.0, 3.0, 6.0))

    assert (fitted.change, fitted.order_effect, fitted.df) == (3.0, -1.0, 2)
    assert fitted.spread == pytest.approx(math.sqrt(5))
    assert fitted.standard_error == pytest.approx(math.sqrt(5) / 2)


def test_the_fit_agrees_with_least_squares_where_a_unit_was_lost():
    known = [*units(0.01, 0.05, 0.02, 0.04, 0.00), PairedUnit(change=0.03, first="base")]
    signs = np.array([1.0 if unit.first == "base" else -1.0 for unit in known])
    design = np.column_stack([np.ones(len(known)), signs])
    solution, squares, *_ = np.linalg.lstsq(design, [unit.change for unit in known], rcond=None)
    covariance = squares[0] / (len(known) - 2) * np.linalg.inv(design.T @ design)

    fitted = fit(known)

    assert (fitted.change, fitted.order_effect) == pytest.approx(tuple(solution))
    assert fitted.standard_error == pytest.approx(math.sqrt(covariance[0, 0]))


@given(st.lists(changes, min_size=6, max_size=24), st.floats(-0.3, 0.3))
def test_who_is_started_first_does_not_move_the_change(values, order):
    values = values[: len(values) // 2 * 2]
    shifted = [value + (order, -order)[i % 2] for i, value in enumerate(values)]

    assert fit(units(*shifted)).change == pytest.approx(fit(units(*values)).change, abs=1e-9)


@pytest.mark.parametrize("missing", [(), (0.1, 0.1, 0.1)])
def test_too_few_units_are_refused(missing):
    with pytest.raises(ValueError, match="at least 4"):
        fit(units(*missing))


def test_one_starting_order_alone_is_refused():
    with pytest.raises(ValueError, match="both starting orders"):
        fit([PairedUnit(change=0.01 * i, first="base") for i in range(6)])


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (0.10, Verdict.REGRESSED),
        (0.04, Verdict.REGRESSED),
        (0.0, Verdict.UNCHANGED),
        (-0.01, Verdict.UNCHANGED),
        (-0.10, Verdict.IMPROVED),
    ],
)
def test_a_clear_change_is_decided_at_the_first_look(change, verdict):
    decision = decide_paired(noisy(change, spread=0.001, count=24), limits=LIMITS)

    assert (decision.verdict, decision.units) == (verdict, 6)


def test_where_both_limits_hold_regressed_wins():
    # surely above allow (2 %) and surely below catch (5 %)
    decision = decide_paired(noisy(0.035, spread=0.0002, count=6), limits=LIMITS)

    assert decision.upper < FIVE_PERCENT
    assert decision.verdict is Verdict.REGRESSED


def test_between_the_limits_it_goes_on_and_ends_inconclusive():
    midway = even(0.033, spread=0.04, count=24)

    assert decide_paired(midway[:6], limits=LIMITS).verdict is None
    assert decide_paired(midway[:16], limits=LIMITS).verdict is None
    ended = decide_paired(midway, limits=LIMITS)
    assert (ended.verdict, ended.units) == (Verdict.INCONCLUSIVE, 24)
    assert ended.units_needed > 24


def test_a_run_out_of_time_between_looks_is_inconclusive_with_all_its_units():
    decision = decide_paired(noisy(0.0, spread=0.001, count=5), limits=LIMITS, final=True)

    assert (decision.verdict, decision.units) == (Verdict.INCONCLUSIVE, 5)


def test_units_without_any_spread_decide_exactly():
    assert decide_paired(units(*[0.0] * 6), limits=LIMITS).verdict is Verdict.UNCHANGED
    assert decide_paired(units(*[0.03] * 6), limits=LIMITS).verdict is Verdict.REGRESSED


def test_deep_mode_decides_what_the_usual_looks_cannot():
    hard = even(0.0, spread=0.105, count=48)

    assert decide_paired(hard, limits=LIMITS).verdict is Verdict.INCONCLUSIVE
    assert decide_paired(hard, limits=LIMITS, looks=DEEP_LOOKS).verdict is Verdict.UNCHANGED


def test_the_units_that_it_would_take_worked_by_hand():
    # ((3.3257 + 2.5096)·sd ÷ (log 1.05 - log 1.02))²: t on 14 degrees at 0.01/4 and 0.05/4, and
    # sd = 0.04·sqrt(16/14), since the model takes two degrees of 16
    decision = decide_paired(even(0.033, spread=0.04, count=16), limits=LIMITS, final=True)

    assert decision.units_needed == 75


@given(st.lists(changes, min_size=6, max_size=30), st.integers(6, 30))
def test_more_units_never_take_back_a_verdict(values, earlier):
    known = units(*values)
    first = decide_paired(known[:earlier], limits=LIMITS)

    if first.verdict not in (None, Verdict.INCONCLUSIVE):
        assert decide_paired(known, limits=LIMITS) == first


@given(st.lists(changes, min_size=6, max_size=24), st.floats(0.001, 0.3))
def test_a_worse_head_is_never_judged_better(values, harm):
    rank = {Verdict.IMPROVED: 0, Verdict.UNCHANGED: 1, None: 2, Verdict.INCONCLUSIVE: 2}
    looks = Looks(units=(len(values) // 2 * 2,))
    better = decide_paired(units(*values), limits=LIMITS, looks=looks)
    worse = decide_paired(units(*(v + harm for v in values)), limits=LIMITS, looks=looks)

    assert rank.get(worse.verdict, 3) >= rank.get(better.verdict, 3)


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"units": ()}, "begin at 4"),
        ({"units": (2, 6)}, "begin at 4"),
        ({"units": (6, 6)}, "must grow"),
        ({"units": (6, 10), "alpha_shares": (0.9, 0.2)}, "sum to at most 1"),
        ({"units": (6, 10), "beta_shares": (1.0,)}, "one a look"),
        ({"units": (6, 10), "alpha_shares": (1.0, 0.0)}, "positive"),
    ],
)
def test_looks_that_would_spend_too_much_are_refused(keywords, words):
    with pytest.raises(ValueError, match=words):
        Looks(**keywords)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["change", "total", "summed", "waited"])
def test_a_change_that_is_no_number_is_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} must be finite"):
        PairedUnit(**({"change": 0.0} | {field: value}), first="base")


# Holm -------------------------------------------------------------------------------------------


def test_holm_turns_an_inconclusive_into_a_regressed_once_the_others_are_out_of_the_way():
    many = Limits(allow=0.02, catch=0.05, hypotheses=2)
    close = next(
        decision
        for seed in range(1000)
        if (decision := decide_paired(noisy(0.045, spread=0.022, count=24, seed=seed), limits=many))
        and decision.verdict is Verdict.INCONCLUSIVE
        and SUITE_ALPHA / 2 < decision.p_regressed < SUITE_ALPHA
    )
    clear = decide_paired(noisy(0.2, spread=0.002, count=24), limits=many)
    calm = decide_paired(noisy(0.0, spread=0.002, count=24), limits=many)

    assert holm({"close": close, "clear": clear}) == {"close"}
    assert holm({"close": close, "calm": calm}) == frozenset()
    # Budgets beside them keep their share of the error.
    assert holm({"close": close, "clear": clear}, hypotheses=8) == frozenset()


def test_holm_of_nothing_is_nothing():
    assert holm({}) == frozenset()


# How often it is wrong --------------------------------------------------------------------------


def shares(change, *, spread, trials=4000, limits=LIMITS, looks=USUAL_LOOKS, order=0.01):
    """The share of each verdict over simulated workloads, with an order effect and heavy tails."""
    random = np.random.default_rng(20260101)
    noise = random.standard_t(5, (trials, looks.most)) * math.sqrt(3 / 5) * spread
    noise += change + order * np.where(np.arange(looks.most) % 2, -1, 1)
    found = [decide_paired(units(*row), limits=limits, looks=looks).verdict for row in noise]
    return {verdict: found.count(verdict) / trials for verdict in set(found)}


@pytest.mark.parametrize("spread", [0.003, 0.01, 0.03])
@pytest.mark.parametrize("change", [0.0, math.log(1.02)])
def test_what_is_allowed_fails_in_no_more_than_one_in_a_hundred(change, spread):
    # 1 % of 4,000 with three standard errors of a share
    assert shares(change, spread=spread).get(Verdict.REGRESSED, 0.0) <= 0.01 + 0.0048


@pytest.mark.parametrize("spread", [0.003, 0.01, 0.03])
def test_what_must_be_caught_passes_in_no_more_than_five_in_a_hundred(spread):
    found = shares(FIVE_PERCENT, spread=spread)

    assert found.get(Verdict.UNCHANGED, 0.0) + found.get(Verdict.IMPROVED, 0.0) <= 0.05 + 0.0104


def test_a_five_percent_slowdown_is_caught_on_the_spread_that_was_measured():
    # prototypes: the spread of a unit is 0.35 to 0.57 % where blocks alternate
    assert shares(FIVE_PERCENT, spread=0.0057)[Verdict.REGRESSED] >= 0.99


def test_nothing_changed_is_said_on_the_spread_that_was_measured():
    assert shares(0.0, spread=0.0057)[Verdict.UNCHANGED] >= 0.99


@pytest.mark.parametrize("looks", [USUAL_LOOKS, DEEP_LOOKS])
def test_many_hypotheses_together_keep_the_promise_for_the_suite(looks):
    twenty = Limits(allow=0.02, catch=0.05, hypotheses=20)
    found = shares(math.log(1.02), spread=0.01, limits=twenty, looks=looks, trials=6000)

    # 1 % ÷ 20 is 3 of 6,000; 12 would come by chance once in 14,000
    assert found.get(Verdict.REGRESSED, 0.0) * 6000 <= 12


def parts(typical, totals):
    return [
        PairedUnit(change=change, total=total, first=first_side(index))
        for index, (change, total) in enumerate(zip(typical, totals, strict=True))
    ]


NOISE = [0.001, -0.001, 0.002, -0.002, 0.0005, -0.0005]


def test_a_part_of_the_inputs_that_got_worse_is_a_regression_by_the_total():
    units = parts(NOISE, [0.10 + noise for noise in NOISE])
    decision = decide_paired(units, limits=Limits(allow=0.02, catch=0.05))
    assert decision.verdict is Verdict.REGRESSED
    assert decision.view == "total"
    assert decision.change == pytest.approx(0.10, abs=0.01)


def test_nothing_is_unchanged_whose_total_is_not():
    noisy = [0.3, -0.2, 0.25, -0.15, 0.2, -0.01]
    units = parts(NOISE, [0.10 + noise for noise in noisy])
    decision = decide_paired(units, limits=Limits(allow=0.02, catch=0.05), final=True)
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.kept_back.view == "total"
    assert decision.kept_back.change == pytest.approx(0.195, abs=0.1)


def test_a_disturbed_total_does_not_keep_what_is_unchanged_from_being_called_so():
    units = parts(NOISE, [0.003, 0.017, 0.022, -0.198, -0.036, 0.0])
    decision = decide_paired(units, limits=Limits(allow=0.02, catch=0.05))
    assert decision.verdict is Verdict.UNCHANGED


def test_a_unit_that_served_all_inputs_in_every_pair_counts_with_what_is_typical():
    totals = [0.10 + noise for noise in NOISE]
    units = [*parts(NOISE, totals)[:5], PairedUnit(change=NOISE[5], first="head")]
    decision = decide_paired(units, limits=Limits(allow=0.02, catch=0.05), final=True)
    assert decision.verdict is not Verdict.UNCHANGED


def test_what_holm_calls_regressed_by_the_total_shows_the_total():
    noisy = [0.11, 0.03, 0.10, 0.035, 0.12, 0.04]
    decision = decide_paired(parts(NOISE, noisy), limits=Limits(allow=0.02, catch=0.05))
    assert decision.worst is not None
    assert (decision.worst.view, decision.worst.change) == ("total", pytest.approx(sum(noisy) / 6))
    clear = decide_paired(parts(NOISE, NOISE), limits=Limits(allow=0.02, catch=0.05))
    assert clear.worst is None


# What few requests do ---------------------------------------------------------------------------


def seldom(typical, sums, *, total=None):
    totals = [None] * len(typical) if total is None else total
    return [
        PairedUnit(change=change, total=whole, summed=summed, first=first_side(index))
        for index, (change, whole, summed) in enumerate(zip(typical, totals, sums, strict=True))
    ]


def test_few_requests_that_got_much_slower_are_a_regression_by_the_sum_of_all():
    decision = decide_paired(seldom(NOISE, [0.10 + noise for noise in NOISE]), limits=LIMITS)
    assert (decision.verdict, decision.view) == (Verdict.REGRESSED, "summed")
    assert decision.change == pytest.approx(0.10, abs=0.01)
    assert decision.lower > math.log(1.02)


@pytest.mark.parametrize("verdict", [Verdict.UNCHANGED, Verdict.IMPROVED])
def test_nothing_is_passed_whose_sum_over_all_requests_is_not(verdict):
    shift = 0.0 if verdict is Verdict.UNCHANGED else -0.2
    typical = [shift + noise for noise in NOISE]
    assert decide_paired(units(*typical), limits=LIMITS).verdict is verdict
    # every third unit has a request that takes half of its time
    now_and_then = [noise + (0.4 if i % 3 == 0 else 0.0) for i, noise in enumerate(NOISE)]
    decision = decide_paired(seldom(typical, now_and_then), limits=LIMITS, final=True)
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.kept_back.view == "summed"
    assert decision.kept_back.change == pytest.approx(0.4 / 3, abs=0.01)


def test_a_sum_that_cost_less_than_must_be_caught_keeps_nothing_back():
    noisy_sums = [0.04 + 10 * noise for noise in NOISE]
    decision = decide_paired(seldom(NOISE, noisy_sums), limits=LIMITS)
    assert (decision.verdict, decision.view) == (Verdict.UNCHANGED, "typical")


@pytest.mark.parametrize("total", [False, True])
@pytest.mark.parametrize("summed", [False, True])
def test_what_each_view_may_spend_sums_to_the_whole_error(total, summed):
    found = alpha_shares(total=total, summed=summed)
    assert math.fsum(found.values()) == pytest.approx(1.0)
    assert ("total" in found, "summed" in found) == (total, summed)


def test_a_sum_takes_little_of_the_power_of_what_is_typical():
    decided = decide_paired(even(0.03, spread=0.004, count=6), limits=LIMITS, final=True)
    beside = [
        PairedUnit(change=unit.change, summed=0.0, first=unit.first)
        for unit in even(0.03, spread=0.004, count=6)
    ]
    with_sum = decide_paired(beside, limits=LIMITS, final=True)
    width = (with_sum.change - with_sum.lower) / (decided.change - decided.lower)
    assert 1.0 < width < 1.03


def test_the_p_value_of_a_sum_pays_for_its_share_of_the_error_and_for_the_looks():
    sums = [0.40, 0.03, 0.30, 0.035, 0.35, 0.04]
    decision = decide_paired(seldom(NOISE, sums), limits=LIMITS)
    alone = fit(units(*sums)).p_above(math.log(1.02))
    assert decision.p_regressed == pytest.approx(alone * 10 * len(USUAL_LOOKS.units))


def test_a_sum_that_one_unit_lacks_is_not_looked_at():
    known = seldom(NOISE, [0.10 + noise for noise in NOISE])
    known[2] = PairedUnit(change=NOISE[2], first=known[2].first)
    assert decide_paired(known, limits=LIMITS).verdict is Verdict.UNCHANGED


@pytest.mark.parametrize(
    ("total", "summed", "verdict", "view"),
    [
        (0.0, 0.0, Verdict.UNCHANGED, "typical"),
        (0.1, 0.1, Verdict.REGRESSED, "total"),
        (0.0, 0.1, Verdict.REGRESSED, "summed"),
    ],
)
def test_all_three_views_are_looked_at_in_their_order(total, summed, verdict, view):
    totals, sums = ([at + noise for noise in NOISE] for at in (total, summed))
    decision = decide_paired(seldom(NOISE, sums, total=totals), limits=LIMITS)
    assert (decision.verdict, decision.view) == (verdict, view)


def waiting(typical, sums, waits):
    return [
        PairedUnit(change=change, summed=summed, waited=waited, first=first_side(index))
        for index, (change, summed, waited) in enumerate(zip(typical, sums, waits, strict=True))
    ]


@pytest.mark.parametrize("shift", [0.0, -0.2])
def test_what_waits_now_and_then_is_neither_passed_nor_called_regressed(shift):
    typical = [shift + noise for noise in NOISE]
    waits = [0.20 + noise for noise in NOISE]
    decision = decide_paired(waiting(typical, typical, waits), limits=LIMITS, final=True)
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.kept_back.view == "waited"
    assert decision.kept_back.change == pytest.approx(0.20, abs=0.01)
    assert decision.worst is None


def test_what_waits_on_both_sides_alike_takes_no_error_and_no_verdict():
    known = waiting(NOISE, NOISE, [10 * noise for noise in NOISE])
    with_waits = decide_paired(known, limits=LIMITS)
    without = decide_paired(seldom(NOISE, NOISE), limits=LIMITS)
    assert with_waits == without
    assert with_waits.verdict is Verdict.UNCHANGED


def test_a_total_that_one_disturbed_unit_moves_keeps_nothing_back_but_its_sum_may():
    # Where each slice is served once a unit, both are one number, and a disturbance is in both.
    moved = [noise + (0.25 if i == 3 else 0.0) for i, noise in enumerate(NOISE)]
    decision = decide_paired(seldom(NOISE, moved, total=moved), limits=LIMITS)
    assert decision.verdict is Verdict.UNCHANGED
    moved[3] = 0.35
    decision = decide_paired(seldom(NOISE, moved, total=moved), limits=LIMITS)
    assert (decision.verdict, decision.kept_back.view) == (None, "summed")


@pytest.mark.parametrize("spread", [0.003, 0.05])
def test_what_is_allowed_fails_in_no_more_than_one_in_a_hundred_by_sum_and_typical(spread):
    random = np.random.default_rng(20261129)
    noise = random.standard_t(3, (4000, 2, USUAL_LOOKS.most)) * spread + math.log(1.02)
    found = [
        decide_paired(seldom(typical, summed), limits=LIMITS).verdict for typical, summed in noise
    ]
    # 1 % of 4,000 with three standard errors of a share
    assert found.count(Verdict.REGRESSED) / len(found) <= 0.01 + 0.0048


def test_what_holm_calls_regressed_by_the_sum_shows_the_sum():
    noisy = [0.40, 0.03, 0.30, 0.035, 0.35, 0.04]
    decision = decide_paired(seldom(NOISE, noisy), limits=LIMITS)
    assert decision.worst is not None
    assert (decision.worst.view, decision.worst.change) == ("summed", pytest.approx(sum(noisy) / 6))
