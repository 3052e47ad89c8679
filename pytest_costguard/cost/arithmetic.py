"""How a cost per 1k came about, line by line, so that a reader can do the sum again."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from pytest_costguard.cost.currency import format_money, significant
from pytest_costguard.cost.unit_cost import SECONDS_PER_HOUR, token_cost, usd_per_1k
from pytest_costguard.records import TOKEN_COSTS, Cost, Currency, Interval, Quote, Target

_MEANING = {
    "closed-loop throughput": "each caller waits for its answer; a best case, since every hour is"
    " taken to be full",
    "offline throughput": "all input at hand at once; a best case, since every hour is taken to be"
    " full",
    "throughput at the offered rate": "what was sent, though it may take more; the machine is paid"
    " in full",
    "goodput under the SLO": "the highest rate that meets the SLO; a best case, since every hour"
    " is taken to be full",
}


def explain(
    cost: Cost | None,
    *,
    target: Target | None,
    target_problem: str = "",
    throughput: Interval | None,
    figures: Mapping[str, Interval] = MappingProxyType({}),
) -> tuple[str, ...]:
    """Return the arithmetic of a cost, one step a line, or why there is none.

    Args:
        cost: as a report holds it; None where nothing was priced.
        target: what it was priced by.
        target_problem: why there is no target, or "".
        throughput: of the workload, items a second, over units.
        figures: by metric; tokens a second, where there are some, have costs too.
    """
    lines = _throughput(throughput)
    if target is not None:
        lines = [*_price(target), *lines]
    if cost is None:
        return (*lines, _line("cost per 1k", f"not priced: {target_problem or 'not measured'}"))
    if cost.state != "priced" or cost.usd_per_1k is None or target is None:
        return (*lines, _line("cost per 1k", f"{cost.state}: {cost.reason}"))
    lines += [
        _line("basis", f"{cost.basis}: {_MEANING[cost.basis]}"),
        _line("share", f"{figure(cost.share)} of the instance; {cost.share_reason}"),
    ]
    if throughput is not None:
        lines += _sums(cost, target=target, throughput=throughput)
    lines += _result(cost, currency=target.currency)
    lines += _of_tokens(cost, figures)
    return tuple(lines)


def figure(value: Decimal | float) -> str:
    """Write a factor of the sum: six significant digits, without zeros that say nothing."""
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    text = significant(exact, digits=6)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _line(label: str, text: str) -> str:
    return f"{label:<16}{text}"


def _price(target: Target) -> list[str]:
    quote = target.quote
    said = f"${figure(quote.usd_per_hour)} an hour for {quote.key or 'this machine'}"
    if quote.key:
        said += f", {quote.purchase_model}"
    since = f" as of {quote.as_of}" if quote.as_of else ", date not known"
    return [
        _line("target", f"{target.name}, from: {target.origin}"),
        _line("price", said),
        *_discount(quote),
        _line("source", f"{quote.source}{since}"),
    ]


def _discount(quote: Quote) -> list[str]:
    if not 0 < quote.discount < 1:
        return []
    full = quote.usd_per_hour / (1 - quote.discount)
    return [
        _line("", f"that is ${figure(full)} less a discount of {figure(quote.discount * 100)} %")
    ]


def _throughput(throughput: Interval | None) -> list[str]:
    if throughput is None:
        return [_line("throughput", "not measured")]
    said = f"{figure(throughput.estimate)} items/s"
    if throughput.n > 1:
        said += (
            f" ({figure(throughput.lower)} to {figure(throughput.upper)} at"
            f" {throughput.confidence * 100:g} %, {throughput.n} units)"
        )
    else:
        said += " (one unit, so without an interval)"
    return [_line("throughput", said)]


def _sums(cost: Cost, *, target: Target, throughput: Interval) -> list[str]:
    price, share = target.quote.usd_per_hour, cost.share
    rate = Decimal(repr(throughput.estimate))
    if not rate.is_finite() or rate <= 0:
        return []
    hourly, hour = price * share, rate * SECONDS_PER_HOUR
    again = usd_per_1k(usd_per_hour=price, share=share, items_per_second=throughput.estimate)
    lines = [
        _line("an hour costs", f"${figure(price)} x {figure(share)} = ${figure(hourly)}"),
        _line("an hour serves", f"{figure(rate)} items/s x 3,600 s = {figure(hour)} items"),
        _line("cost per 1k", f"${figure(hourly)} ÷ {figure(hour)} x 1,000 = ${figure(again)}"),
    ]
    stored = cost.usd_per_1k
    if stored is not None and abs(again - stored) > stored / 1_000_000:
        lines.append(
            _line("", f"the report says ${figure(stored)}: it was changed, or rests on other units")
        )
    return lines


def _of_tokens(cost: Cost, figures: Mapping[str, Interval]) -> list[str]:
    lines: list[str] = []
    for rate in TOKEN_COSTS.values():
        found = token_cost(cost, seen := figures.get(rate))
        if found is None or seen is None or cost.usd_per_hour is None:
            continue
        kind = rate.partition("_")[0]
        hourly, tokens = figure(cost.usd_per_hour), figure(seen.estimate)
        bounds = ""
        if found.confidence:
            bounds = f" (${figure(found.lower)} to ${figure(found.upper)})"
        lines.append(
            _line(
                f"1M {kind}",
                f"tokens: ${hourly} ÷ ({tokens} tokens/s x 3,600 s) x 1,000,000 ="
                f" ${figure(found.estimate)}{bounds}; the whole price",
            )
        )
    return lines


def _result(cost: Cost, *, currency: Currency) -> list[str]:
    lines = []
    if cost.lower is not None and cost.upper is not None:
        lines.append(
            _line(
                "interval",
                f"${figure(cost.lower)} to ${figure(cost.upper)}: the same sum at the bounds of"
                " the throughput",
            )
        )
    if currency.code != "USD" and cost.usd_per_1k is not None:
        since = f" as of {currency.as_of}" if currency.as_of else ", date not known"
        lines.append(
            _line(
                f"in {currency.code}",
                f"x {figure(currency.per_usd)} {currency.code} for $1{since}"
                f" = {format_money(cost.usd_per_1k, currency)}",
            )
        )
    if cost.warning:
        lines.append(_line("warning", cost.warning))
    return lines
