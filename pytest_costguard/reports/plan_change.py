"""What changes from one plan to another, for one glance: each figure before and after, the sum."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from pytest_costguard.records import (
    BillChange,
    Currency,
    FigureChange,
    MonthChange,
    PlanChange,
    PlannedChange,
    Range,
)
from pytest_costguard.reports.escaping import plain
from pytest_costguard.reports.numbers import change, money, percent, signed, significant
from pytest_costguard.reports.plan import (
    WAYS,
    currency_of,
    labelled,
    table,
    unplanned,
    wrapped,
)

_TITLES = ("", "before", "after", "change")
_PERCENT = 100.0


def render_change(found: PlanChange, *, width: int = 100) -> str:
    """Return what changes as text; lines of prose are at most `width` columns long."""
    blocks = [[*_workload(one, found, width=width)] for one in found.workloads]
    blocks += [[*unplanned(one, width=width, missing="not compared")] for one in found.uncompared]
    blocks.append([*_totals(found)])
    blocks.append([line for note in found.notes for line in wrapped(f"note: {note}", width=width)])
    if not found.workloads and not found.uncompared:
        blocks.insert(0, ["no workload was measured in both: nothing can be compared"])
    return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"


def _workload(one: PlannedChange, found: PlanChange, *, width: int) -> Iterator[str]:
    yield plain(str(one.workload))
    objective = f" for {one.objective}" if one.objective else ""
    yield from labelled("traffic", f"{plain(one.traffic)}{objective}", width=width)
    ratio = change(one.ratio.estimate, one.ratio.lower, one.ratio.upper)
    how = "by pairs of both sides" if one.paired else "each measured by itself"
    yield from labelled("one replica", f"serves {ratio} %, {how}", width=width)
    yield ""
    yield from table(_rows(one, found, currency=currency_of(found)))
    for note in one.notes:
        yield from wrapped(f"note: {note}", width=width, indent="  ")


def _rows(
    one: PlannedChange, found: PlanChange, *, currency: Currency
) -> Iterator[tuple[str, ...]]:
    yield _TITLES
    yield "replicas at the peak", *_counts(one.replicas)
    yield "before rounding", *_figures(one.exact)
    for name, words in WAYS.items():
        month: MonthChange | None = getattr(one, name)
        if month is None:
            continue
        by = f"{words} ({found.scaler})" if name == "autoscaled" else words
        yield f"{by}:", "", "", ""
        yield f"  {currency.code} a month", *_amounts(month.bill, currency)
        yield f"  {currency.code} per 1k", *_amounts(month.usd_per_1k, currency)
        if name == "autoscaled":
            yield "  replicas on average", *_figures(month.replicas)
        yield "  full", *_shares(month.utilisation)


def _counts(figure: FigureChange) -> tuple[str, str, str]:
    moved = figure.change
    text = _whole(moved.estimate)
    if moved.lower is not None and moved.upper is not None and moved.lower != moved.upper:
        text = f"{text} ({_whole(moved.lower)} to {_whole(moved.upper)})"
    return f"{figure.before:,.0f}", f"{figure.after:,.0f}", text


def _whole(difference: float) -> str:
    # Of a whole number no digit is left to be shown after the point.
    return signed(difference, digits=max(1, len(f"{abs(difference):.0f}")))


def _figures(figure: FigureChange) -> tuple[str, str, str]:
    return (
        significant(figure.before),
        significant(figure.after),
        _bounded(figure.change, digits=3),
    )


def _shares(figure: FigureChange) -> tuple[str, str, str]:
    """Write shares in per cent, and their difference in points: 2 % more could be of either."""
    points = Range(
        estimate=_PERCENT * figure.change.estimate,
        lower=None if figure.change.lower is None else _PERCENT * figure.change.lower,
        upper=None if figure.change.upper is None else _PERCENT * figure.change.upper,
    )
    before, after = (percent(round(one, 3)) for one in (figure.before, figure.after))
    return before, after, f"{_bounded(points, digits=2)} points"


def _amounts(amount: BillChange, currency: Currency) -> tuple[str, str, str]:
    def written(usd: Decimal) -> str:
        return significant(usd * currency.per_usd)

    moved = amount.change
    text = signed(moved.usd * currency.per_usd)
    if moved.lower is not None and moved.upper is not None and moved.lower < moved.upper:
        low, high = (signed(one * currency.per_usd) for one in (moved.lower, moved.upper))
        text = f"{text} ({low} to {high})"
    return written(amount.before), written(amount.after), text


def _bounded(figure: Range, *, digits: int) -> str:
    text = signed(figure.estimate, digits=digits)
    if figure.lower is None or figure.upper is None or figure.lower == figure.upper:
        return text
    low, high = (signed(one, digits=digits) for one in (figure.lower, figure.upper))
    return f"{text} ({low} to {high})"


def _totals(found: PlanChange) -> Iterator[str]:
    every = len(found.workloads) + len(found.uncompared)
    if every < 2:
        return
    currency = currency_of(found)
    of = f" ({len(found.workloads)} of {every} workloads)" if found.uncompared else ""
    for name, words in WAYS.items():
        total: BillChange | None = getattr(found, name)
        if total is None:
            continue
        before, after = (money(one, currency) for one in (total.before, total.after))
        moved = _amounts(total, currency)[2]
        yield f"all together{of}, {words}: {before} to {after} a month, {moved}"
