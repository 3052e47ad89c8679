"""What a figure of `measure` tells of its bounds, and of what it rests on."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from factories.judging import WORKLOAD, measurement, unit
from factories.tokens import written

from pytest_costguard.app.result import Result
from pytest_costguard.errors import NotMeasured
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


def writing(priced=None, *, answers=8):
    units = [written(ttft=[0.1] * answers, gaps=[[0.01] * 9] * answers) for _ in range(2)]
    return Result(WORKLOAD, measurement=measurement(units), cost=priced)


def test_what_is_said_of_tokens():
    found = writing()

    assert found.ttft.mean == found.ttft.p50 == pytest.approx(0.1)
    assert found.itl.mean == found.itl.p50 == pytest.approx(0.01)
    assert found.tpot.mean == found.tpot.p50 == pytest.approx(0.01)
    assert found.tokens_per_second == pytest.approx(10 / 0.19)
    assert found.itl.p95 == pytest.approx(0.01)
    with pytest.raises(NotMeasured, match="ttft_p99 not supported by 16 samples"):
        _ = found.ttft.p99
    with pytest.raises(NotMeasured, match="ttft_mean was not measured"):
        _ = Result(WORKLOAD, measurement=measurement([unit()])).ttft.mean


def test_what_a_million_tokens_cost():
    hourly = msgspec.structs.replace(cost(), usd_per_hour=Decimal("0.36"))
    found = writing(hourly)

    assert found.cost_per_1m_output_tokens == pytest.approx(0.0001 / (10 / 0.19) * 1e6)
    assert found.cost_per_1m_input_tokens == pytest.approx(0.0001 / (100 / 0.19) * 1e6)
    assert found.cost_per_1m_total_tokens == pytest.approx(0.0001 / (110 / 0.19) * 1e6)
    assert str(found.cost_per_1m_output_tokens).startswith("1.9 USD [")
    with pytest.raises(NotMeasured, match="no target is declared"):
        _ = writing().cost_per_1m_output_tokens
    with pytest.raises(NotMeasured, match="cost_per_1m_output_tokens"):
        _ = Result(
            WORKLOAD, measurement=measurement([unit()]), cost=hourly
        ).cost_per_1m_output_tokens
