"""What people write for durations, money, sizes, percentages and plain figures.

Each parser takes what was written, `origin` (the file, marker or command line it stands in) and
`key` (its name there), and returns the number in one fixed unit. A number without a unit is refused
where the unit could be mistaken. All raise `ConfigError` with an example of what to write.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from pytest_costguard.config.words import nearest, refusal
from pytest_costguard.cost.traffic import HOURS_A_MONTH
from pytest_costguard.records import MOST_MONEY

_LONGEST = 64
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_BARE = re.compile(_NUMBER)
_QUANTITY = re.compile(rf"(?P<number>{_NUMBER})\s*(?P<unit>.*)", re.DOTALL)
_MONEY_BEFORE = re.compile(rf"(?P<currency>[$€£]|[A-Z]{{3}})\s*(?P<number>{_NUMBER})")
_MONEY_AFTER = re.compile(rf"(?P<number>{_NUMBER})\s*(?P<currency>[$€£]|[A-Z]{{3}})")
_SIGNS = {"$": "USD", "€": "EUR", "£": "GBP"}
_MOST_BYTES = 2**63 - 1
_MOST_COUNT = 1_000_000
_MOST_THREADS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    """Beyond which no figure is meant, in the base unit and in words."""

    figure: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """A kind of quantity: its units, each with its factor, and examples of how it is written."""

    noun: str
    factors: Mapping[str, Decimal]
    examples: str
    least: _Bound | None = None
    most: _Bound | None = None

    @property
    def remedy(self) -> str:
        if "" in self.factors:
            return f"write a number, like {self.examples}"
        units = ", ".join(self.factors)
        return f"write a number with its unit ({units}), like {self.examples}"


_DURATION = _Scale(
    noun="a duration",
    factors={
        "ns": Decimal("1e-9"),
        "us": Decimal("1e-6"),
        "µs": Decimal("1e-6"),
        "ms": Decimal("1e-3"),
        "s": Decimal(1),
        "min": Decimal(60),
        "h": Decimal(3600),
    },
    examples='"50ms", "1.5 s" or "2min"',
    least=_Bound(figure=1e-9, text="1ns"),
    most=_Bound(figure=366 * 86400.0, text="a year"),
)
_SIZE = _Scale(
    noun="a size",
    factors={
        "B": Decimal(1),
        "kB": Decimal(10**3),
        "KB": Decimal(10**3),
        "MB": Decimal(10**6),
        "GB": Decimal(10**9),
        "TB": Decimal(10**12),
        "KiB": Decimal(2**10),
        "MiB": Decimal(2**20),
        "GiB": Decimal(2**30),
        "TiB": Decimal(2**40),
    },
    examples='"1.5GiB" or "512 MB"',
)
_PERCENT = _Scale(
    noun="a percentage",
    factors={"%": Decimal("0.01")},
    examples='"5%" or "0.5 %"',
    most=_Bound(figure=100.0, text="10000%"),
)
_RATE = _Scale(noun="a rate", factors={"": Decimal(1), "/s": Decimal(1)}, examples='120 or "120/s"')
_ENERGY = _Scale(
    noun="an energy",
    factors={"": Decimal(1), "mJ": Decimal("1e-3"), "J": Decimal(1), "kJ": Decimal(10**3)},
    examples='3.5 or "3.5 J" (joules)',
)
_HOURS_A_MONTH = Decimal(HOURS_A_MONTH)
_HOURS: Mapping[str, Decimal] = {
    "s": 1 / Decimal(3600),
    "min": 1 / Decimal(60),
    "h": Decimal(1),
    "day": Decimal(24),
    "week": Decimal(7 * 24),
    "month": _HOURS_A_MONTH,
}
_LEAST_TRAFFIC = Decimal("1e-12")
_MOST_TRAFFIC = Decimal(10**12)
_THOUSANDS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_TRAFFIC = re.compile(
    rf"(?P<number>{_NUMBER})\s*(?P<prefix>[kMG]?)\s*/\s*(?P<time>{'|'.join(_HOURS)})"
)
_PLAIN = _Scale(noun="a plain number", factors={"": Decimal(1)}, examples="0.92")


def parse_duration(value: object, *, origin: str, key: str) -> float:
    """Return the seconds that `"50ms"`, `"1.5 s"`, `"200µs"`, `"2min"` or `"1h"` stand for.

    Raises:
        ConfigError: no unit, an unknown one, or less than a nanosecond or more than a year.
    """
    return _positive(value, _DURATION, origin=origin, key=key)


def parse_size(value: object, *, origin: str, key: str) -> int:
    """Return the bytes that `"1.5GiB"`, `"512 MB"` or `"300MiB"` stand for.

    Raises:
        ConfigError: no unit, an unknown one, or less than one byte or at least 2⁶³.
    """
    size = round(_exact(value, _SIZE, origin=origin, key=key))
    if not 0 < size <= _MOST_BYTES:
        raise refusal(value, "is no size a memory has", origin=origin, key=key, remedy=_SIZE.remedy)
    return size


def parse_percent(value: object, *, origin: str, key: str) -> float:
    """Return the fraction that `"5%"` stands for: 0.05. Zero is a percentage too.

    Raises:
        ConfigError: a bare number, which could mean 5 % as well as 500 %; negative; beyond 10000 %.
    """
    return _finite(value, _PERCENT, origin=origin, key=key)


def parse_share(value: object, *, origin: str, key: str) -> Decimal:
    """Return the exact fraction that a percentage from 0 % to 100 % stands for.

    Raises:
        ConfigError: as for `parse_percent`, or above 100 %.
    """
    share = _exact(value, _PERCENT, origin=origin, key=key)
    if share > 1:
        raise refusal(
            value, "is more than the whole", origin=origin, key=key, remedy="write at most 100%"
        )
    return share


def parse_rate(value: object, *, origin: str, key: str) -> float:
    """Return the items per second that `120` or `"120/s"` stands for.

    Raises:
        ConfigError: another unit, or a number that is not finite and above zero.
    """
    return _positive(value, _RATE, origin=origin, key=key)


def parse_traffic(value: object, *, origin: str, key: str) -> float:
    """Return the inferences a month that `"3M/day"`, `"120/s"` or `"2.5k/min"` stand for.

    A month has 730 hours, as in the clouds' own calculators.

    Raises:
        ConfigError: no unit of time, an unknown one, or a number that is not finite and above zero.
    """
    found = _TRAFFIC.fullmatch(value.strip()) if isinstance(value, str) else None
    amount = Decimal(0) if found is None else Decimal(found["number"])
    if found is None or not _LEAST_TRAFFIC <= amount < _MOST_TRAFFIC:
        raise refusal(
            value,
            "is no traffic",
            origin=origin,
            key=key,
            remedy='write inferences and a time, like "3M/day", "120/s" or "2.5k/min" (k, M, G; '
            f"{', '.join(_HOURS)})",
        )
    each = Decimal(_THOUSANDS[found["prefix"]]) * amount
    return float(each * _HOURS_A_MONTH / _HOURS[found["time"]])


def parse_energy(value: object, *, origin: str, key: str) -> float:
    """Return the joules that `3.5`, `"3.5 J"` or `"350 mJ"` stands for.

    Raises:
        ConfigError: another unit, or a number that is not finite and above zero.
    """
    return _positive(value, _ENERGY, origin=origin, key=key)


def parse_number(value: object, *, origin: str, key: str) -> float:
    """Return a plain number of at least zero.

    Raises:
        ConfigError: not a number, negative or not finite.
    """
    return _finite(value, _PLAIN, origin=origin, key=key)


def parse_factor(value: object, *, origin: str, key: str) -> Decimal:
    """Return a plain number above zero, exact: an exchange rate.

    Raises:
        ConfigError: not a number, or not above zero.
    """
    _positive(value, _PLAIN, origin=origin, key=key)
    return _exact(value, _PLAIN, origin=origin, key=key)


def parse_count(value: object, *, origin: str, key: str) -> int:
    """Return a whole number from one to a million.

    Raises:
        ConfigError: anything else.
    """
    count = value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value.strip()):
        count = int(value)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _MOST_COUNT:
        raise refusal(
            value,
            "is not a whole number above zero",
            origin=origin,
            key=key,
            remedy="write a whole number like 6",
        )
    return count


def parse_threads(value: object, *, origin: str, key: str) -> int:
    """Return a number of threads, from one to what the largest machines have.

    Raises:
        ConfigError: anything else.
    """
    threads = parse_count(value, origin=origin, key=key)
    if threads > _MOST_THREADS:
        raise refusal(
            value,
            "is more than any machine has",
            origin=origin,
            key=key,
            remedy=f"write at most {_MOST_THREADS}; more threads than cores wait for each other",
        )
    return threads


def parse_money(value: object, *, origin: str, key: str) -> tuple[Decimal, str]:
    """Return amount and currency code of `"$0.02"`, `"0.02 USD"`, `"€0.02"` or `"EUR 0.02"`.

    Raises:
        ConfigError: no currency, an unclear one such as ¥, or an amount that is not above zero.
    """
    text = value.strip() if isinstance(value, str) and len(value) <= _LONGEST else ""
    match = _MONEY_BEFORE.fullmatch(text) or _MONEY_AFTER.fullmatch(text)
    amount = Decimal(match["number"]) if match else Decimal(0)
    if match is None or not _priceable(amount):
        problem = f"is not an amount of money above zero, of at most {MOST_MONEY:g}"
        problem = "is negative" if text.startswith("-") else problem
        raise refusal(
            value,
            problem,
            origin=origin,
            key=key,
            remedy='write the amount with its currency, like "$0.02", "0.02 USD" or "€0.02"',
        )
    return amount, _SIGNS.get(match["currency"], match["currency"])


def parse_usd(value: object, *, origin: str, key: str) -> tuple[Decimal, str]:
    """Return amount and currency code, as `parse_money`; a bare number is in US dollars.

    For keys that have the currency in their name.

    Raises:
        ConfigError: as for `parse_money`.
    """
    plain = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    bare = isinstance(value, str) and _BARE.fullmatch(value.strip())
    return parse_money(f"{_text_of(value)} USD" if plain or bare else value, origin=origin, key=key)


def _priceable(amount: Decimal) -> bool:
    """Whether an amount survives the arithmetic of prices: above zero, also as a float."""
    return float(amount) > 0 and amount <= MOST_MONEY


def _text_of(value: object) -> str:
    """Return numbers and texts as text, anything else (booleans too) as none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return ""
    try:
        return str(value).strip()
    except ValueError:  # an integer of more digits than Python is willing to print
        return ""


def _exact(value: object, scale: _Scale, *, origin: str, key: str) -> Decimal:
    """Return `value` in the scale's base unit, exact and not negative."""
    text = _text_of(value)
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        problem = "is negative" if text.startswith("-") else f"is not {scale.noun}"
        raise refusal(value, problem, origin=origin, key=key, remedy=scale.remedy)
    unit = match["unit"].replace("\N{GREEK SMALL LETTER MU}", "\N{MICRO SIGN}")
    factor = scale.factors.get(unit)
    if factor is None:
        raise _unit_refusal(value, unit, scale, origin=origin, key=key)
    return Decimal(match["number"]) * factor


def _unit_refusal(value: object, unit: str, scale: _Scale, *, origin: str, key: str) -> Exception:
    """Return the error for a unit that is missing or unknown."""
    if not unit:
        problem, near = "has no unit", None
    else:
        problem, near = f"is not {scale.noun}", nearest(unit, filter(None, scale.factors))
    remedy = f"did you mean the unit {near!r}? {scale.remedy}" if near else scale.remedy
    return refusal(value, problem, origin=origin, key=key, remedy=remedy)


def _finite(value: object, scale: _Scale, *, origin: str, key: str) -> float:
    """Return `value` in the scale's base unit, finite and not negative."""
    number = float(_exact(value, scale, origin=origin, key=key))
    if not math.isfinite(number):
        raise refusal(value, "is too large", origin=origin, key=key, remedy=scale.remedy)
    if scale.most is not None and number > scale.most.figure:
        problem = f"is more than {scale.most.text}"
        raise refusal(value, problem, origin=origin, key=key, remedy=scale.remedy)
    return number


def _positive(value: object, scale: _Scale, *, origin: str, key: str) -> float:
    """Return `value` in the scale's base unit, finite and above zero."""
    number = _finite(value, scale, origin=origin, key=key)
    if not number > 0:
        raise refusal(value, "is not above zero", origin=origin, key=key, remedy=scale.remedy)
    if scale.least is not None and number < scale.least.figure:
        problem = f"is less than {scale.least.text}"
        raise refusal(value, problem, origin=origin, key=key, remedy=scale.remedy)
    return number
