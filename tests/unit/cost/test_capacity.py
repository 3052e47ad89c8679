"""Replicas of a rate and their bill."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_costguard.cost.capacity import (
    FleetLimits,
    Replica,
    hours_a_month,
    monthly_usd,
    needed,
    static_hours,
    usd_per_1k_effective,
)
from pytest_costguard.cost.queueing import Objective, ServiceTimes


def replica(**changes):
    values = {
        "items_per_second": 100.0,
        "items_per_request": 10.0,
        "usd_per_hour": Decimal("0.5"),
        **changes,
    }
    return Replica(**values)


def need(rate, *, limits=None, objective=None, **of_replica):
    return needed(
        rate, replica=replica(**of_replica), limits=limits or FleetLimits(), objective=objective
    )


@pytest.mark.parametrize(("rate", "replicas"), [(1.0, 1), (70.0, 1), (70.1, 2), (700.0, 10)])
def test_a_rate_needs_its_share_of_the_goodput_at_the_utilisation_aimed_at(rate, replicas):
    found = need(rate)
    assert (found.replicas, found.sizing) == (replicas, "utilisation")
    assert found.exact == pytest.approx(rate / 70)


def test_spare_ones_come_on_top_and_limits_hold():
    assert need(140.0, limits=FleetLimits(spare=1)).replicas == 3
    assert need(1.0, limits=FleetLimits(minimum=3)).replicas == 3
    short = need(700.0, limits=FleetLimits(maximum=4))
    assert (short.replicas, short.short) == (4, True)


TENTH = ServiceTimes(mean=0.1, samples=np.array([0.1]))


def test_a_batch_of_items_is_one_request():
    # 10 requests a second of 100 ms each are one Erlang, whatever a request holds.
    objective = Objective(quantile=0.95, seconds=0.2)
    found = need(100.0, service=TENTH, objective=objective)
    single = need(10.0, service=TENTH, objective=objective, items_per_request=1.0)
    assert found.sizing == "Erlang C"
    assert found.replicas == single.replicas


def test_no_number_of_replicas_makes_single_requests_quicker():
    slow = ServiceTimes(mean=0.3, samples=np.array([0.3]))
    assert need(1.0, service=slow, objective=Objective(quantile=0.9, seconds=0.2)) is None


def test_more_replicas_than_anybody_counts_are_an_error():
    with pytest.raises(ValueError, match=r"more than 10,000 replicas"):
        need(1e9)


def test_any_rate_needs_a_replica_and_none_needs_none():
    nobody = FleetLimits(minimum=0)
    assert need(1e-12, limits=nobody).replicas == 1
    assert need(0.0, limits=nobody).replicas == 0


def test_a_replica_that_is_faster_serves_more_and_each_request_sooner():
    found = replica(service=TENTH).faster(2.0)
    assert (found.items_per_second, found.requests_per_second) == (200.0, 20.0)
    assert found.service.samples.tolist() == [0.05]


@pytest.mark.parametrize(
    "changes",
    [{"items_per_second": 0.0}, {"items_per_request": -1.0}, {"usd_per_hour": Decimal(0)}],
)
def test_what_is_no_replica_is_refused(changes):
    with pytest.raises(ValueError, match="no replica"):
        replica(**changes)


@pytest.mark.parametrize("changes", [{"utilisation": 0.0}, {"spare": -1}, {"maximum": -1}])
def test_what_are_no_limits_is_refused(changes):
    with pytest.raises(ValueError, match="no fleet"):
        FleetLimits(**changes)


def test_the_bill_is_hours_times_price_over_all_inferences():
    hours = static_hours(4)
    bill = monthly_usd(hours, replica=replica())
    assert (hours, bill) == (Decimal(2920), Decimal(1460))
    assert usd_per_1k_effective(bill, served_a_month=1_460_000.0) == Decimal(1)
    assert hours_a_month(43_200.0, of_seconds=86_400.0) == Decimal(365)


@settings(deadline=None)
@given(
    rate=st.floats(0.1, 5000.0),
    samples=st.lists(st.floats(0.001, 0.2), min_size=1, max_size=5),
    quantile=st.sampled_from([0.5, 0.95, 0.99]),
    within=st.floats(0.01, 0.5),
    steps=st.lists(st.floats(0.8, 1.25), min_size=2, max_size=6),
)
def test_what_serves_more_never_needs_more_replicas(rate, samples, quantile, within, steps):
    # Budgets carry the bounds of the throughput over to replicas and bills by this.
    service = ServiceTimes(mean=sum(samples) / len(samples), samples=np.array(samples))
    objectives = (None, Objective(quantile=quantile, seconds=within))
    for objective in objectives:
        found = [
            needed(
                rate,
                replica=replica(service=service, items_per_request=1.0).faster(factor),
                limits=FleetLimits(),
                objective=objective,
            )
            for factor in sorted(steps)
        ]
        known = [one for one in found if one is not None]
        assert found[len(found) - len(known) :] == known
        for slower, faster in pairwise(known):
            assert faster.replicas <= slower.replicas
            assert faster.exact <= slower.exact * (1 + 1e-9)


def test_what_has_no_price_has_no_bill():
    with pytest.raises(ValueError, match="no price"):
        monthly_usd(static_hours(1), replica=replica(usd_per_hour=None))
