"""A plan for one glance: what each workload needs, what a month costs, and the sum of all."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from decimal import Decimal

from pytest_costguard.records import (
    Bill,
    Currency,
    Interval,
    Month,
    Plan,
    PlanChange,
    PlannedMixture,
    PlannedWorkload,
    Range,
    SharedOrSeparate,
    Unplanned,
)
from pytest_costguard.reports.escaping import plain
from pytest_costguard.reports.numbers import ABSENT, day, money, percent, significant

_ROUNDING = 1e-6
_LATE_TOLD = 1e-5
"""Below it a share of late requests is no longer told apart."""
_LABEL, _GAP = 14, "  "
_TITLES = ("", "a month", "per 1k", "replicas", "most", "full", "late")
WAYS = {"static": "peak's replicas", "autoscaled": "autoscaled"}


def render(plan: Plan, *, width: int = 100) -> str:
    """Return a plan as text; lines of prose are at most `width` columns long."""
    shared = _shared(plan)
    blocks = [[*_header(plan, width=width)]]
    blocks += [[*_workload(one, plan, width=width, known=shared)] for one in plan.workloads]
    blocks += [[*_mixture(one, plan)] for one in plan.mixtures]
    blocks += [[*unplanned(one, width=width)] for one in plan.unplanned]
    if len(plan.workloads) + len(plan.unplanned) > 1:
        blocks.append([*_totals(plan)])
    blocks.append(
        [
            line
            for note, count in shared.items()
            for line in wrapped(f"note: {note} ({count} workloads)", width=width)
        ]
    )
    if not plan.workloads and not plan.unplanned:
        blocks.append(["no workload was measured: there is nothing to plan"])
    return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"


def _shared(plan: Plan) -> dict[str, int]:
    """Return the notes of more than one workload, which are told once, with how many have each."""
    counts = Counter(note for one in plan.workloads for note in dict.fromkeys(one.notes))
    return {note: count for note, count in counts.items() if count > 1}


def total(plan: Plan, *, autoscaled: bool) -> Bill | None:
    """Return the bill of all workloads that are paid for; None where one of them has none.

    Bounds add up at the same end of each, and so are wider than they had to be.
    """
    months = [one.autoscaled if autoscaled else one.static for one in plan.paid_for]
    bills = [month.bill for month in months if month is not None]
    if not bills or len(bills) < len(months):
        return None
    bounded = all(bill.lower is not None and bill.upper is not None for bill in bills)
    return Bill(
        usd=sum((bill.usd for bill in bills), Decimal(0)),
        lower=sum((bill.lower or Decimal(0) for bill in bills), Decimal(0)) if bounded else None,
        upper=sum((bill.upper or Decimal(0) for bill in bills), Decimal(0)) if bounded else None,
    )


def _header(plan: Plan, *, width: int) -> Iterator[str]:
    if plan.target is None:
        return
    quote, currency = plan.target.quote, plan.target.currency
    since = f" as of {day(quote.as_of)}" if quote.as_of else ", date not known"
    told = (
        f"Plan on {plan.target.name}: {money(quote.usd_per_hour, currency)} an hour"
        f" ({quote.source}{since}); a month has 730 hours"
    )
    yield from wrapped(told, width=width)


def _workload(
    one: PlannedWorkload, plan: Plan, *, width: int, known: Container[str]
) -> Iterator[str]:
    currency = currency_of(plan)
    yield plain(str(one.workload))
    steady = one.peak_per_second == one.average_per_second
    rates = f"{_rate(one.average_per_second)} all the time"
    if not steady:
        rates = f"{_rate(one.average_per_second)} on average, {_rate(one.peak_per_second)} at most"
    yield from labelled("traffic", f"{plain(one.traffic)}: {rates}", width=width)
    yield from labelled(
        "one replica",
        f"serves {_goodput(one.goodput)}, costs {money(one.usd_per_hour, currency)} an hour,"
        f" {_starts(one.startup_seconds)}",
        width=width,
    )
    # Where fewer may run than are needed, the objective is not kept, and a note says so.
    kept = bool(one.objective) and one.replicas >= one.exact.estimate - _ROUNDING
    objective = f" for {one.objective}" if kept else ""
    yield from labelled(
        "replicas",
        f"{one.replicas} at the peak{objective} ({_exact(one.exact)} before rounding)",
        width=width,
    )
    yield ""
    yield from table(_months(one, plan=plan, currency=currency))
    for note in one.notes:
        if note not in known:
            yield from wrapped(f"note: {note}", width=width, indent="  ")


def _mixture(one: PlannedMixture, plan: Plan) -> Iterator[str]:
    """Say what a mixture's shared replicas cost, against replicas of each part's own."""
    currency = currency_of(plan)
    yield f"{plain(str(one.workload))}: shared, or each part on its own"
    rows = [("", "shared", "replicas", "separate", "replicas", "shared is")]
    for name, words in WAYS.items():
        bills: SharedOrSeparate | None = getattr(one, name)
        if bills is not None:
            rows.append(
                (
                    f"{words} ({plan.scaler})" if name == "autoscaled" else words,
                    _bill(bills.shared, currency),
                    significant(bills.shared_replicas),
                    _bill(bills.separate, currency),
                    significant(bills.separate_replicas),
                    _cheaper(bills, currency),
                )
            )
    yield from table(rows)


def _cheaper(bills: SharedOrSeparate, currency: Currency) -> str:
    """Say by how much shared replicas are cheaper, and whether the bills' intervals tell."""
    difference = bills.shared.usd - bills.separate.usd
    if not difference:
        return "as dear"
    less, more = bills.shared, bills.separate
    if difference > 0:
        less, more = more, less
    sure = less.upper is not None and more.lower is not None and less.upper < more.lower
    word = "cheaper" if difference < 0 else "dearer"
    return f"{money(abs(difference), currency)} {word}{'' if sure else ', not surely'}"


def _months(one: PlannedWorkload, *, plan: Plan, currency: Currency) -> Iterator[tuple[str, ...]]:
    yield _TITLES
    for name, words in WAYS.items():
        month: Month | None = getattr(one, name)
        if month is None:
            continue
        by = f"{words} ({plan.scaler})" if name == "autoscaled" else words
        yield (
            by,
            _bill(month.bill, currency),
            money(month.usd_per_1k, currency),
            significant(month.replicas),
            str(month.most),
            percent(round(month.utilisation, 3)),
            _late(month.late_share),
        )


def _late(share: float | None) -> str:
    if share is None:
        return ABSENT
    return f"< {percent(_LATE_TOLD)}" if 0 < share < _LATE_TOLD else percent(share)


def table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Return lines in columns: the first to the left, figures to the right."""
    cells = [*rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        first, *rest = row
        figures = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        yield "  " + _GAP.join((first.ljust(widths[0]), *figures)).rstrip()


def unplanned(one: Unplanned, *, width: int, missing: str = "no plan") -> Iterator[str]:
    """Say what a workload is missing, why, and what to do."""
    yield plain(str(one.workload))
    yield from wrapped(f"{missing}: {one.reason}", width=width, indent="  ")
    yield from wrapped(f"remedy: {one.remedy}", width=width, indent="  ")


def _totals(plan: Plan) -> Iterator[str]:
    currency = currency_of(plan)
    every = len(plan.workloads) + len(plan.unplanned)
    of = "" if not plan.unplanned else f" ({len(plan.workloads)} of {every} workloads)"
    for name, words in WAYS.items():
        bill = total(plan, autoscaled=name == "autoscaled")
        if bill is not None:
            yield f"all together{of}, {words}: {_bill(bill, currency)} a month"


def _bill(bill: Bill, currency: Currency) -> str:
    text = money(bill.usd, currency)
    if bill.lower is None or bill.upper is None or bill.lower == bill.upper:
        return text
    low, high = (significant(one * currency.per_usd) for one in (bill.lower, bill.upper))
    return f"{text} ({low} to {high})"


def _exact(found: Range) -> str:
    if found.lower is None or found.upper is None or found.lower == found.upper:
        return significant(found.estimate)
    ends = f"{significant(found.lower)} to {significant(found.upper)}"
    return f"{significant(found.estimate)}, {ends}"


def _goodput(found: Interval) -> str:
    text = _rate(found.estimate)
    if found.n < 2:
        return text
    return f"{text} ({significant(found.lower)} to {significant(found.upper)})"


def _starts(seconds: float | None) -> str:
    return "start-up not measured" if seconds is None else f"starts in {significant(seconds)} s"


def _rate(items_per_second: float) -> str:
    return f"{significant(items_per_second)}/s"


def currency_of(plan: Plan | PlanChange) -> Currency:
    """Return what money of a plan is told in."""
    return Currency() if plan.target is None else plan.target.currency


def labelled(label: str, words: str, *, width: int) -> list[str]:
    """Return words with a label in a column of its own, in lines of at most `width` columns."""
    first = f"  {label:<{_LABEL}}"
    return textwrap.wrap(
        words,
        width,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


def wrapped(words: str, *, width: int, indent: str = "") -> list[str]:
    """Return prose in lines of at most `width` columns."""
    return textwrap.wrap(
        plain(words, limit=2_000), width, initial_indent=indent, subsequent_indent=indent + "  "
    )
