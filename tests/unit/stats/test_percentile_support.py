"""A percentile is the field's, and is refused where the samples do not reach it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_costguard.stats.percentiles import (
    percentile,
    samples_needed,
    support,
    unit_samples_needed,
)


@given(samples=st.lists(st.floats(1e-9, 1e3), min_size=1, max_size=60), q=st.floats(0.0, 1.0))
def test_it_agrees_with_numpy(samples, q):
    assert percentile(samples, q) == pytest.approx(float(np.quantile(samples, q)), rel=1e-9)


def test_percentiles_of_nothing_or_of_no_share_are_refused():
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        percentile([1.0], 1.5)


@pytest.mark.parametrize(
    ("q", "pooled", "each"),
    [(0.5, 6, 2), (0.9, 36, 10), (0.95, 72, 20), (0.99, 368, 100), (0.999, 3688, 1000)],
)
def test_the_counts_are_those_of_the_published_table(q, pooled, each):
    assert (samples_needed(q), unit_samples_needed(q)) == (pooled, each)


def test_too_few_samples_in_all_are_named_with_what_is_needed():
    assert support(0.99, (106, 106)) == "p99 not supported by 212 samples (368 needed)"


def test_too_few_samples_in_one_unit_are_named():
    said = support(0.99, (400, 99))

    assert said == "p99 not supported by 99 samples in a unit (100 needed)"


def test_enough_samples_are_supported():
    assert support(0.99, (184, 184)) == ""
