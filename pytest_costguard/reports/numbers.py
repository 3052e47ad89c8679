"""How figures are written: three significant digits, one unit a column, intervals, money, times.

Everything here returns finished text. Where a number is not known it says so with `ABSENT`;
it never invents a zero.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from functools import lru_cache

from pytest_costguard.records import METRICS, Currency, Interval

ABSENT = "\N{EN DASH}"
"""Stands where there is no figure: an en dash, so that it cannot be read as a minus."""
_MINUS = "\N{MINUS SIGN}"
_PERCENT = Decimal(100)
_WIDE = Context(prec=700)
"""Room for every digit of any float, however large: a stored file may hold one."""
_LEAST_IN_WHOLE_MONEY = 0.001
_REMEMBERED = 1 << 15
"""Figures of a suite of some thousand workloads: the second report need not round them again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The unit that a column is written in: a value is divided by `divisor` and called `unit`."""

    unit: str
    divisor: Decimal

    def of(self, value: float | Decimal) -> Decimal | None:
        """Return `value` in this unit, or None where it is not finite."""
        exact = value if isinstance(value, Decimal) else _exact(value)
        return None if exact is None else exact / self.divisor


_SCALES: dict[str, tuple[Scale, ...]] = {
    "s": tuple(
        Scale(unit=unit, divisor=Decimal(divisor))
        for unit, divisor in (("µs", "1e-6"), ("ms", "1e-3"), ("s", "1"))
    ),
    "B": tuple(
        Scale(unit=unit, divisor=Decimal(1024) ** power)
        for unit, power in (("B", 0), ("KiB", 1), ("MiB", 2), ("GiB", 3), ("TiB", 4))
    ),
    "1/s": (Scale(unit="items/s", divisor=Decimal(1)),),
    "req/s": (Scale(unit="requests/s", divisor=Decimal(1)),),
    "tok/s": (Scale(unit="tokens/s", divisor=Decimal(1)),),
    "%": (Scale(unit="%", divisor=Decimal("0.01")),),
    "J": tuple(
        Scale(unit=unit, divisor=Decimal(divisor))
        for unit, divisor in (("mJ", "1e-3"), ("J", "1"), ("kJ", "1e3"))
    ),
    "replicas": (Scale(unit="", divisor=Decimal(1)),),
    "": (Scale(unit="", divisor=Decimal(1)),),
}


def scale_for(
    metric: str, values: Iterable[float | Decimal | None], *, currency: Currency | None = None
) -> Scale:
    """Choose the one unit in which all `values` of `metric` are written.

    The middle value decides, so that one giant does not turn its column into thousandths.
    Money is converted: its values are US dollars, its unit the currency's code, or millionths of
    it where the smallest value is below a thousandth.
    """
    kind = METRICS[metric].unit
    sizes = sorted(abs(float(value)) for value in values if value and math.isfinite(value))
    if kind == "USD":
        return _money_scale(currency or Currency(), smallest=sizes[0] if sizes else 1.0)
    scales = _SCALES[kind]
    if not sizes:
        return scales[min(1, len(scales) - 1)]
    middle = sizes[len(sizes) // 2]
    return next((scale for scale in reversed(scales) if middle >= float(scale.divisor)), scales[0])


def _money_scale(currency: Currency, *, smallest: float) -> Scale:
    """Zeros after the point are miscounted: 0.232 µUSD is read at a glance, 0.000000232 is not."""
    if smallest * float(currency.per_usd) >= _LEAST_IN_WHOLE_MONEY:
        return Scale(unit=currency.code, divisor=1 / currency.per_usd)
    return Scale(unit=f"µ{currency.code}", divisor=Decimal("1e-6") / currency.per_usd)


def significant(value: float | Decimal | None, *, digits: int = 3) -> str:
    """Write a number with `digits` significant digits, never in exponent form."""
    exact = _exact(value)
    if exact is None:
        return ABSENT
    return _fixed(exact, places=_places(exact, digits=digits))


def signed(value: float | Decimal | None, *, digits: int = 3) -> str:
    """Write a difference with `digits` significant digits and its sign: `+12.3`, `0`."""
    text = significant(value, digits=digits)
    return f"+{text}" if value is not None and value > 0 and text != ABSENT else text


@lru_cache(maxsize=_REMEMBERED)
def quantity(value: float | Decimal | None, scale: Scale) -> str:
    """Write a value in the unit of its column, without naming the unit."""
    return ABSENT if value is None else significant(scale.of(value))


def interval(
    estimate: float | Decimal | None,
    lower: float | Decimal | None,
    upper: float | Decimal | None,
    scale: Scale,
) -> str:
    """Write `12.3 ± 0.4`: the half-width is the wider side, rounded up, never understated."""
    middle = None if estimate is None else scale.of(estimate)
    if middle is None:
        return ABSENT
    half = _half_width(middle, _in(scale, lower), _in(scale, upper))
    places = _places_beside(middle, half)
    # Zero is told as that, whatever may be besides.
    text = _fixed(middle, places=places if middle else 0)
    return text if half is None else f"{text} ± {_rounded_up(half, places=places)}"


@lru_cache(maxsize=_REMEMBERED)
def figure(seen: Interval, scale: Scale) -> str:
    """Write a figure with its interval; one that nothing bounds has none, and never `± 0`."""
    known = seen.n > 1 and seen.confidence > 0
    return interval(
        seen.estimate, seen.lower if known else None, seen.upper if known else None, scale
    )


def with_ends(seen: Interval, scale: Scale) -> str:
    """Write a figure as `figure` does, with both ends where ± would misstate one of them."""
    short = figure(seen, scale)
    middle, low, high = (_in(scale, end) for end in (seen.estimate, seen.lower, seen.upper))
    if "±" not in short or middle is None or low is None or high is None:
        return short
    if not _lopsided(middle - low, high - middle):
        return short
    places = _places_beside(middle, max(abs(low), abs(high)))
    low_told, middle_told, high_told = (
        _fixed(end, places=places if end else 0) for end in (low, middle, high)
    )
    return f"{middle_told} ({low_told} to {high_told})"


def _lopsided(below: Decimal, above: Decimal) -> bool:
    return min(below, above) < 0 or abs(above - below) > max(below, above) / 5


@lru_cache(maxsize=_REMEMBERED)
def change(ratio: float | None, lower: float | None = None, upper: float | None = None) -> str:
    """Write a ratio as a signed percentage without its sign %: `+12.3 ± 1.1`.

    A lopsided interval is written with both ends, since ± would misstate one of them.
    """
    middle = _percent_change(ratio)
    if middle is None:
        return ABSENT
    low, high = _percent_change(lower), _percent_change(upper)
    if low is None or high is None:
        return _signed(middle, places=_percent_places(middle))
    below, above = middle - low, high - middle
    widest = max(abs(below), abs(above))
    # A tight interval earns a second decimal: "±0.0" would claim too much.
    places = 2 if 0 < widest < Decimal("0.1") else _percent_places(max(abs(middle), widest))
    text = _signed(middle, places=places)
    if _lopsided(below, above):
        return f"{text} ({_signed(low, places=places)} to {_signed(high, places=places)})"
    return f"{text} ± {_rounded_up(widest, places=places)}"


@lru_cache(maxsize=_REMEMBERED)
def percent(share: float | Decimal | None) -> str:
    """Write a share as a percentage with three significant digits at most: `2.5 %`."""
    exact = _exact(share)
    if exact is None:
        return ABSENT
    text = significant(exact * _PERCENT)
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def money(usd: Decimal | None, currency: Currency, *, digits: int = 3) -> str:
    """Write an amount with its currency: `USD 0.0201`."""
    if usd is None:
        return ABSENT
    return f"{currency.code} {significant(usd * currency.per_usd, digits=digits)}"


def day(moment: dt.date | dt.datetime | None) -> str:
    """Write a date as `2026-01-31`."""
    return "date not known" if moment is None else f"{moment:%Y-%m-%d}"


def minute(moment: dt.datetime) -> str:
    """Write a moment as `2026-01-31 14:05 UTC`."""
    if moment.tzinfo is None:
        return f"{moment:%Y-%m-%d %H:%M}"
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def counted(count: int, noun: str) -> str:
    """Write a count with its noun: `1 run`, `8 runs`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _exact(value: float | Decimal | None) -> Decimal | None:
    if value is None:
        return None
    exact = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    return exact if exact.is_finite() else None


def _in(scale: Scale, value: float | Decimal | None) -> Decimal | None:
    return None if value is None else scale.of(value)


def _places(value: Decimal, *, digits: int) -> int:
    """How many decimals show `digits` significant digits; negative above `digits` digits."""
    if not value:
        return 0
    places = digits - 1 - value.adjusted()
    # 9.996 becomes 10.0, not 10.00: rounding may have moved the first digit.
    rounded = _rounded(value, places=places)
    return digits - 1 - rounded.adjusted() if rounded else places


@lru_cache(maxsize=64)
def _places_beside(middle: Decimal, width: Decimal | None) -> int:
    """Return the decimals of a figure and its bounds: of zero those in which these can be seen."""
    if middle or not width:
        return _places(middle, digits=3)
    return _places(width, digits=2)


def _step(places: int) -> Decimal:
    """The last digit that is shown: 0.01 for two places."""
    return Decimal(1).scaleb(-places)


def _rounded(value: Decimal, *, places: int) -> Decimal:
    return value.quantize(_step(places), context=_WIDE)


def _fixed(value: Decimal, *, places: int) -> str:
    rounded = _rounded(value, places=places)
    text = f"{abs(rounded):,.{max(places, 0)}f}"
    return f"{_MINUS}{text}" if rounded < 0 else text


def _signed(value: Decimal, *, places: int) -> str:
    rounded = _rounded(value, places=places)
    if not rounded:
        return _fixed(abs(rounded), places=places)
    return _fixed(rounded, places=places) if rounded < 0 else f"+{_fixed(rounded, places=places)}"


def _percent_change(ratio: float | None) -> Decimal | None:
    exact = _exact(ratio)
    return None if exact is None else (exact - 1) * _PERCENT


def _percent_places(value: Decimal) -> int:
    return 1 if abs(value) < _PERCENT else 0


def _half_width(
    middle: Decimal | None, lower: Decimal | None, upper: Decimal | None
) -> Decimal | None:
    if middle is None or lower is None or upper is None:
        return None
    return max(middle - lower, upper - middle)


def _rounded_up(value: Decimal, *, places: int) -> str:
    up = value.quantize(_step(places), rounding=ROUND_CEILING, context=_WIDE)
    return _fixed(up, places=places)
