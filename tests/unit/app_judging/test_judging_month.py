"""A change of cost as money a month: only what is sure, priced and declared."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from factories.judged import head, judged, only, series
from factories.judging import gates, regression
from fakes.pricing import dollar_an_hour

from pytest_costguard.app.judging_month import monthly_change, told, total
from pytest_costguard.records import (
    Comparison,
    Cost,
    Currency,
    MonthlyChange,
    Quote,
    Target,
    Traffic,
    Verdict,
)

MILLION = Traffic(items_per_month=1_000_000.0, text="1M/month", origin="x")
COST = Cost(state="priced", usd_per_1k=Decimal("1.10"))


def comparison(metric="mean", verdict=Verdict.REGRESSED, ratio=1.1, lower=1.05, upper=1.2):
    return Comparison(
        metric=metric, verdict=verdict, ratio=ratio, lower=lower, upper=upper, reason="x"
    )


def change(*comparisons, cost=COST, traffic=MILLION):
    return monthly_change(comparisons, cost=cost, traffic=traffic)


def test_ten_per_cent_of_a_thousand_dollars_are_a_hundred():
    found = change(comparison())
    assert found.usd == Decimal("100.00")
    assert found.lower == Decimal("52.3810")
    assert found.upper == Decimal("183.333")


def test_cheaper_is_below_zero():
    found = change(comparison(verdict=Verdict.IMPROVED, ratio=0.5, lower=0.45, upper=0.55))
    assert found.usd == Decimal("-1100.00")
    assert found.lower < found.usd < found.upper < 0


def test_throughput_says_the_same_the_other_way_round():
    found = change(comparison("throughput", ratio=1 / 1.1, lower=1 / 1.2, upper=1 / 1.05))
    assert found.usd == Decimal("100.00")
    assert (found.lower, found.upper) == (Decimal("52.3810"), Decimal("183.333"))


def test_at_the_highest_rate_the_rate_is_what_cost_follows():
    cost = msgspec.structs.replace(COST, basis="goodput under the SLO")
    fewer = comparison("max_rate", ratio=1 / 1.1, lower=1 / 1.2, upper=1 / 1.05)

    found = change(comparison("mean", ratio=3.0, lower=2.9, upper=3.1), fewer, cost=cost)

    assert found.usd == Decimal("100.00")


@pytest.mark.parametrize("metric", ["mean", "throughput"])
def test_at_an_offered_rate_a_slower_answer_costs_no_more(metric):
    cost = msgspec.structs.replace(COST, basis="throughput at the offered rate")

    assert change(comparison(metric, ratio=3.0, lower=2.9, upper=3.1), cost=cost) is None


@pytest.mark.parametrize("verdict", [Verdict.UNCHANGED, Verdict.INCONCLUSIVE, Verdict.NEW])
def test_what_is_not_sure_is_no_money(verdict):
    assert change(comparison(verdict=verdict)) is None


@pytest.mark.parametrize(
    ("how", "one"),
    [
        ({"traffic": None}, comparison()),
        ({"cost": None}, comparison()),
        ({"cost": Cost(state="not priced")}, comparison()),
        ({}, comparison("peak_memory")),
        ({}, comparison(lower=None, upper=None)),
    ],
)
def test_without_a_price_a_traffic_or_bounds_there_is_none(how, one):
    assert change(one, **how) is None


def test_several_changes_add_up_and_so_do_their_bounds():
    one = MonthlyChange(usd=Decimal(10), lower=Decimal(5), upper=Decimal(20))
    assert total([one, None, one]) == MonthlyChange(
        usd=Decimal(20), lower=Decimal(10), upper=Decimal(40)
    )
    assert total([None]) is None


@pytest.mark.parametrize(
    ("usd", "said"),
    [
        (
            ("310", "250", "370"),
            "USD 310 a month more at the declared traffic (USD 250 to USD 370)",
        ),
        (
            ("-310", "-370", "-250"),
            "USD 310 a month less at the declared traffic (USD 250 to USD 370)",
        ),
    ],
)
def test_it_is_told_in_words(usd, said):
    value, lower, upper = map(Decimal, usd)
    assert told(MonthlyChange(usd=value, lower=lower, upper=upper), Currency()) == said


def test_the_headline_tells_the_money_right_after_what_regressed():
    target = Target(
        name="prod",
        origin="configuration",
        quote=Quote(usd_per_hour=Decimal(1), source="x", as_of=None),
    )
    held = {
        name: msgspec.structs.replace(one, traffic=MILLION)
        for name, one in gates(regression()).items()
    }
    report = judged(head(0.0012), series(0.001), gates=held, target=target, pricer=dollar_an_hour)
    assert only(report).monthly is not None
    regressed, money = report.outcome.sentence.split("; ")[:2]
    assert regressed.startswith("Regressed: ")
    assert "a month more at the declared traffic (" in money
    assert report.outcome.monthly == only(report).monthly
