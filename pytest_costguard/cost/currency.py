"""Money in the reader's currency: converted by the declared rate, written with its sign."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from pytest_costguard.records import Currency

SIGNS: Mapping[str, str] = MappingProxyType(
    {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩"}
)
"""Of the currencies whose sign is theirs alone in common use; others are named by code."""


def convert(usd: Decimal, currency: Currency) -> Decimal:
    """Return an amount of US dollars in another currency, exactly by its declared rate."""
    return usd * currency.per_usd


def format_money(usd: Decimal, currency: Currency | None = None, *, digits: int = 3) -> str:
    """Write an amount of US dollars in a currency: `$0.0201`, `€18.4`, `CHF 0.000310`.

    Args:
        usd: the amount in US dollars.
        currency: what to write it in; None for US dollars.
        digits: significant digits; whole units are never rounded away.
    """
    written = currency or Currency()
    amount = convert(usd, written)
    figure = significant(abs(amount), digits=digits)
    sign = SIGNS.get(written.code)
    minus = "\N{MINUS SIGN}" if amount < 0 else ""
    return f"{minus}{sign}{figure}" if sign else f"{minus}{written.code} {figure}"


def significant(value: Decimal, *, digits: int = 3) -> str:
    """Write a number with `digits` significant digits, thousands apart, never as an exponent."""
    if not value:
        return "0"
    places = max(digits - 1 - value.adjusted(), 0)
    # 9.996 is 10.0 in three digits, not 10.00: rounding may move the first digit.
    places = max(digits - 1 - round(value, places).adjusted(), 0)
    return f"{round(value, places):,.{places}f}"
