"""What a figure of `measure` tells of its bounds, and of what it rests on."""

from __future__ import annotations

from decimal import Decimal

import pytest
from factories.judging import WORKLOAD, measurement, unit

from pytest_costguard.app.result import Result
from pytest_costguard.records import Cost


def cost(estimate="0.02", **bounds):
    return Cost(
        state="priced",
        usd_per_1k=Decimal(estimate),
        **{name: Decimal(value) for name, value in bounds.items()},
    )


def figure(priced, *, units):
    measured = measurement([unit(index=index) for index in range(units)])
    return Result(WORKLOAD, measurement=measured, cost=priced).cost_per_1k


@pytest.mark.parametrize("units", [2, 6])
def test_a_cost_rests_on_as_many_units_as_its_throughput(units):
    assert figure(cost(lower="0.01", upper="0.03"), units=units).n == units


def test_a_lower_bound_of_nothing_is_a_bound():
    found = figure(cost(lower="0", upper="0.03"), units=6)

    assert (found.lower, found.upper) == (0.0, 0.03)


def test_a_cost_without_an_upper_bound_says_so_and_keeps_the_lower_one():
    found = figure(cost(lower="0.01"), units=6)

    assert (found.lower, found.upper) == (0.01, None)
    assert str(found) == "0.02 USD [0.01, ?]"


def test_a_single_unit_bounds_nothing():
    assert str(figure(cost(), units=1)) == "0.02 USD (one unit, no interval)"
