from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_costguard.records import METRICS, Currency, Interval
from pytest_costguard.reports.numbers import (
    ABSENT,
    change,
    counted,
    figure,
    interval,
    minute,
    money,
    percent,
    quantity,
    scale_for,
    significant,
    with_ends,
)

FINITE = st.floats(allow_nan=False, allow_subnormal=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0123456, "0.0123"),
        (12.3456, "12.3"),
        (9.996, "10.0"),
        (999.6, "1,000"),
        (123_456, "123,000"),
        (-0.5, "−0.500"),
        (0, "0"),
        (Decimal("0.00000348"), "0.00000348"),
        (1e-12, "0.00000000000100"),
        (None, ABSENT),
        (float("inf"), ABSENT),
        (float("nan"), ABSENT),
    ],
)
def test_numbers_have_three_significant_digits(
    value: float | Decimal | None, expected: str
) -> None:
    assert significant(value) == expected


@given(FINITE)
@settings(max_examples=200, deadline=None)
def test_a_number_is_never_written_further_off_than_half_its_last_digit(value: float) -> None:
    read = Decimal(significant(value).replace(",", "").replace("−", "-"))

    assert abs(read - Decimal(value)) <= abs(Decimal(value)) * Decimal("0.005")


@pytest.mark.parametrize(
    ("metric", "values", "unit"),
    [
        ("mean", [0.012, 0.015], "ms"),
        ("mean", [0.000_012, 0.9e-6, 4.0], "µs"),
        ("p99", [2.0, 3.0, 0.5], "s"),
        ("peak_memory", [512 * 1024.0**2, None], "MiB"),
        ("peak_memory", [3 * 1024.0**3], "GiB"),
        ("throughput", [120.0], "items/s"),
        ("energy_per_1k", [0.2], "mJ"),
        ("quality", [0.92], ""),
        ("mean", [], "ms"),
    ],
)
def test_a_column_has_one_unit(metric: str, values: list[float | None], unit: str) -> None:
    assert scale_for(metric, values).unit == unit


def test_money_is_converted_by_the_declared_rate() -> None:
    euros = Currency(code="EUR", per_usd=Decimal("0.5"))

    assert scale_for("cost_per_1k", [], currency=euros).unit == "EUR"
    assert quantity(0.02, scale_for("cost_per_1k", [], currency=euros)) == "0.0100"
    assert money(Decimal("0.1734"), euros) == "EUR 0.0867"
    assert money(None, euros) == ABSENT


def test_an_interval_names_its_wider_side_rounded_up() -> None:
    scale = scale_for("mean", [0.0123])

    assert interval(0.0123, 0.0121, 0.01261, scale) == "12.3 ± 0.4"


def test_a_lopsided_interval_is_written_with_both_ends_where_there_is_room() -> None:
    scale = scale_for("p99", (0.01,))
    seen = Interval(estimate=0.01, lower=0.0095, upper=0.014, confidence=0.95, n=600)
    even = Interval(estimate=0.01, lower=0.0095, upper=0.0105, confidence=0.95, n=600)
    alone = Interval(estimate=0.01, lower=0.01, upper=0.01, confidence=0.0, n=600)

    assert with_ends(seen, scale) == "10.0 (9.5 to 14.0)"
    assert with_ends(even, scale) == "10.0 ± 0.5"
    assert with_ends(alone, scale) == "10.0"


def test_what_may_be_beside_nothing_is_seen() -> None:
    scale = scale_for("error_rate", (0.0,))
    none = Interval(estimate=0.0, lower=0.0, upper=0.00102, confidence=0.95, n=3600)

    assert figure(none, scale) == "0 ± 0.11"
    assert with_ends(none, scale) == "0 (0 to 0.10)"


def test_one_unit_alone_has_no_interval() -> None:
    alone = Interval(estimate=0.0123, lower=0.0123, upper=0.0123, confidence=0.95, n=1)

    assert figure(alone, scale_for("mean", [0.0123])) == "12.3"


@pytest.mark.parametrize(
    ("ratio", "lower", "upper", "expected"),
    [
        (1.123, 1.112, 1.134, "+12.3 ± 1.1"),
        (0.7, 0.68, 0.72, "−30.0 ± 2.0"),
        (1.0001, 1.0, 1.0002, "+0.01 ± 0.01"),
        (1.5, 1.1, 2.9, "+50 (+10 to +190)"),
        (1.02, None, None, "+2.0"),
        (None, None, None, ABSENT),
        (float("inf"), None, None, ABSENT),
    ],
)
def test_a_change_is_signed_and_shows_its_interval(
    ratio: float | None, lower: float | None, upper: float | None, expected: str
) -> None:
    assert change(ratio, lower, upper) == expected


@given(FINITE, FINITE, FINITE, st.sampled_from(sorted(METRICS)))
@settings(max_examples=200, deadline=None)
def test_no_figure_is_ever_written_as_infinity_or_in_exponent_form(
    one: float, two: float, three: float, metric: str
) -> None:
    scale = scale_for(metric, [one, two])
    texts = [interval(one, two, three, scale), change(one, two, three), percent(one)]

    assert not any(re.search("inf|nan|[eE]|∞", text) for text in texts), texts


def test_shares_counts_and_moments_read_as_people_write_them() -> None:
    assert [percent(0.02), percent(0.025), percent(Decimal("0.15"))] == ["2 %", "2.5 %", "15 %"]
    assert [counted(1, "run"), counted(8, "run")] == ["1 run", "8 runs"]
    two_hours_east = dt.timezone(dt.timedelta(hours=2))
    moment = dt.datetime(2026, 3, 9, 14, 5, tzinfo=two_hours_east)
    assert minute(moment) == "2026-03-09 12:05 UTC"


def test_small_money_is_written_in_millionths_for_a_whole_column() -> None:
    scale = scale_for("cost_per_1k", [0.02, 2.32e-7])

    assert scale.unit == "µUSD"
    assert [quantity(value, scale) for value in (2.32e-7, 0.02)] == ["0.232", "20,000"]
    assert scale_for("cost_per_1k", [0.02, 0.00125]).unit == "USD"
