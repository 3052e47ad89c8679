from __future__ import annotations

import pytest

from pytest_costguard.stats.proportions import at_most, proportion_lower, proportion_upper


def test_no_hit_in_three_thousand_leaves_one_in_a_thousand_open():
    # 1 - 0.05^(1/3000)
    assert proportion_upper(0, 3000, 0.95) == pytest.approx(0.000998079, rel=1e-5)


def test_bounds_worked_by_hand():
    # Clopper and Pearson for 5 of 50 at 95 % on each side: 4.02 % and 19.9 %.
    assert proportion_lower(5, 50, 0.95) == pytest.approx(0.0402366, abs=1e-6)
    assert proportion_upper(5, 50, 0.95) == pytest.approx(0.1988330, abs=1e-6)


def test_ends():
    assert proportion_lower(0, 10, 0.99) == 0.0
    assert proportion_upper(10, 10, 0.99) == 1.0
    assert at_most(3, 10, 0.0) == 1.0
    assert at_most(3, 10, 1.0) == 0.0
    assert at_most(10, 10, 1.0) == 1.0


def test_a_fair_coin_is_at_most_half_as_often_as_it_should_be():
    # C(4, 0..2) / 16 = 11/16
    assert at_most(2, 4, 0.5) == pytest.approx(11 / 16)
