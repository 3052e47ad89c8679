from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_costguard.cost.currency import convert, format_money
from pytest_costguard.records import Currency

EUROS = Currency(code="EUR", per_usd=Decimal("0.92"))


def test_an_amount_is_converted_exactly():
    assert convert(Decimal("0.1"), EUROS) == Decimal("0.092")


@pytest.mark.parametrize(
    ("usd", "currency", "text"),
    [
        ("0.02", None, "$0.0200"),
        ("0.00003472", None, "$0.0000347"),
        ("0.9996", None, "$1.00"),
        ("9.996", None, "$10.0"),
        ("999.9", None, "$1,000"),
        ("1234567", None, "$1,234,567"),
        ("-18.44", None, "−$18.4"),
        ("1E+3", None, "$1,000"),
        ("1E-9", None, "$0.00000000100"),
        ("0", None, "$0"),
        ("0.1", EUROS, "€0.0920"),
        ("100", Currency(code="CHF", per_usd=Decimal("0.8")), "CHF 80.0"),
    ],
)
def test_money_is_written_with_three_significant_digits_and_its_sign(usd, currency, text):
    assert format_money(Decimal(usd), currency) == text


@settings(max_examples=150, deadline=None)
@given(st.decimals("1e-12", "1e12", allow_nan=False))
def test_written_money_is_within_half_a_percent_and_never_reads_as_nothing(usd):
    read = Decimal(format_money(usd).removeprefix("$").replace(",", ""))
    assert read > 0
    assert abs(read - usd) <= usd * Decimal("0.005")
