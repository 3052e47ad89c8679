"""Quantiles agree with scipy's, which is a development dependency only."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_costguard.stats.quantiles import normal_quantile, t_quantile, t_survival

stats = pytest.importorskip("scipy.stats")

PROBABILITIES = (
    *(1e-12, 1e-10, 1e-8, 1e-6, 1e-5, 1e-4, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3),
    *(0.4, 0.45, 0.49, 0.5, 0.51, 0.6, 0.75, 0.9, 0.95, 0.975, 0.99, 0.999, 1 - 1e-5, 1 - 1e-8),
)
DEGREES = (*range(1, 61), 80, 100, 333, 1000, 5000, 9999, 10_000, 10_001, 10**6, 10**9)


def test_the_normal_quantile_agrees_with_scipy():
    ours = [normal_quantile(p) for p in PROBABILITIES]

    assert ours == pytest.approx(stats.norm.ppf(PROBABILITIES), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("df", DEGREES)
def test_the_t_quantile_agrees_with_scipy(df):
    ours = [t_quantile(p, df) for p in PROBABILITIES]

    assert ours == pytest.approx(stats.t.ppf(PROBABILITIES, df), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize(
    ("p", "df", "known"),
    [(0.975, 7, 2.3646), (0.99, 7, 2.9980), (0.95, 5, 2.0150), (0.995, 1, 63.6567)],
)
def test_the_t_quantile_agrees_with_the_printed_tables(p, df, known):
    assert t_quantile(p, df) == pytest.approx(known, abs=1e-4)


def test_close_to_the_middle_it_follows_the_density():
    # scipy's own answer is off in the fourth digit here.
    assert t_quantile(0.5 - 1e-7, 4) == pytest.approx(-1e-7 / 0.375, rel=1e-6)


@given(p=st.floats(1e-9, 0.5, exclude_max=True), df=st.integers(1, 10**6))
def test_it_is_symmetric_to_what_the_probability_can_express(p, df):
    upper = t_quantile(1 - p, df)

    assert upper == pytest.approx(-t_quantile(1 - (1 - p), df), rel=1e-9, abs=1e-12)


@given(p=st.floats(0.5, 1 - 1e-9), df=st.integers(1, 2000))
def test_more_degrees_of_freedom_never_widen_it(p, df):
    assert t_quantile(p, df + 1) <= t_quantile(p, df) * (1 + 1e-12)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1, 1.1, math.nan])
@pytest.mark.parametrize("quantile", [normal_quantile, lambda p: t_quantile(p, 5)])
def test_a_probability_outside_0_to_1_is_refused(p, quantile):
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        quantile(p)


def test_no_degrees_of_freedom_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        t_quantile(0.9, 0)


@pytest.mark.parametrize("df", [1, 2, 4, 22, 500])
@pytest.mark.parametrize("p", [0.001, 0.3, 0.5, 0.9, 0.9999])
def test_the_survival_function_undoes_the_quantile(p, df):
    assert t_survival(t_quantile(p, df), df) == pytest.approx(1 - p, rel=1e-7)


def test_the_survival_function_at_its_ends():
    assert (t_survival(math.inf, 3), t_survival(-math.inf, 3), t_survival(0.0, 3)) == (0, 1, 0.5)
    with pytest.raises(ValueError, match="must be a number"):
        t_survival(math.nan, 3)
    with pytest.raises(ValueError, match="at least 1"):
        t_survival(1.0, 0)
