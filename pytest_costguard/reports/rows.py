"""One row for each thing that was decided: what, before, now, change, limit, verdict, why."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from pytest_costguard.records import (
    METRICS,
    BudgetResult,
    Comparison,
    Currency,
    FailOn,
    Regression,
    Report,
    Verdict,
    WorkloadId,
    WorkloadVerdict,
)
from pytest_costguard.records.metrics import Direction
from pytest_costguard.reports import marks
from pytest_costguard.reports.marks import Mark
from pytest_costguard.reports.numbers import (
    ABSENT,
    change,
    percent,
    quantity,
    scale_for,
    with_ends,
)

_SAME_FOR_ALL_METRICS = (Verdict.NOT_COMPARABLE, Verdict.NEW, Verdict.MISSING)
_CORRECTED = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One finding, finished text throughout; `unit` is that of `base`, `head` and `limit`."""

    mark: Mark
    fails: bool
    workload: str
    label: str
    metric: str
    unit: str = ""
    base: str = ABSENT
    head: str = ABSENT
    change: str = ABSENT
    limit: str = ABSENT
    reason: str = ""
    origin: str = ""
    """Where the limit is set."""
    severity: float = 0.0
    """How much worse than its reference or its limit, as a share; the order of equals."""
    corrected: bool = False
    """Whether the change visibly differs from head ÷ base, corrected for the machine's speed."""

    @property
    def needs_action(self) -> bool:
        """Whether the row belongs into the table that is always shown."""
        return self.fails or self.mark.urgency < marks.EVERYTHING_ELSE


def labels_of(workloads: Iterable[WorkloadId]) -> dict[str, str]:
    """Return the shortest unique label of each workload: its test, with its file, or in full."""
    names = list(dict.fromkeys(str(workload) for workload in workloads))
    labels: dict[str, str] = {}
    for shorten in (_test_alone, _without_folders, str):
        short = {name: shorten(name) for name in names if name not in labels}
        seen = Counter(short.values())
        labels |= {name: label for name, label in short.items() if seen[label] == 1}
    return labels


def rows_of(report: Report, labels: Mapping[str, str]) -> tuple[Row, ...]:
    """Return every finding of a report, what needs action first, a workload's rows together."""
    currency = report.target.currency if report.target else Currency()
    fail_on = frozenset(report.fail_on)
    rows = [*_of_failures(report, labels), *_of_missing(report, labels, fail_on)]
    for verdict in report.verdicts:
        label = labels[str(verdict.workload)]
        rows += _of_workload(verdict, label=label, fail_on=fail_on, currency=currency)
    return _in_order(_excused(rows, report))


def _excused(rows: list[Row], report: Report) -> list[Row]:
    """Let nothing fail of a test that was expected to, and say so where it would have."""
    if not report.expected_failures:
        return rows
    workloads = [
        *(verdict.workload for verdict in report.verdicts),
        *(failure.workload for failure in report.run.failures),
    ]
    reasons = {str(one): report.expected_failures.get(one.nodeid) for one in workloads}
    return [
        row
        if not row.fails or (reason := reasons.get(row.workload)) is None
        else dataclasses.replace(
            row, fails=False, reason=f"{row.reason}; expected to fail: {reason or 'xfail'}"
        )
        for row in rows
    ]


def _test_alone(name: str) -> str:
    return name.partition("::")[2] or name


def _without_folders(name: str) -> str:
    path, separator, rest = name.partition("::")
    return f"{path.rsplit('/', 1)[-1]}{separator}{rest}"


def _of_failures(report: Report, labels: Mapping[str, str]) -> Iterator[Row]:
    for failure in report.run.failures:
        yield Row(
            mark=marks.FAILED,
            fails=True,
            workload=str(failure.workload),
            label=labels[str(failure.workload)],
            metric="measurement",
            severity=math.inf,
            reason=f"{_first_line(failure.reason).rstrip('.')}. Remedy: {failure.remedy}",
        )


def _first_line(text: str) -> str:
    """The sentence; the worker's last output below it is shown with the test."""
    return text.partition("\n")[0]


def _of_missing(
    report: Report, labels: Mapping[str, str], fail_on: frozenset[FailOn]
) -> Iterator[Row]:
    for workload in report.missing:
        yield Row(
            mark=marks.MISSING,
            fails=FailOn.MISSING in fail_on,
            workload=str(workload),
            label=labels[str(workload)],
            metric="all metrics",
            reason="the baseline has this workload and this run does not",
        )


def _of_workload(
    verdict: WorkloadVerdict, *, label: str, fail_on: frozenset[FailOn], currency: Currency
) -> Iterator[Row]:
    name = str(verdict.workload)
    if verdict.inputs_changed:
        yield Row(
            mark=marks.CHANGED,
            fails=FailOn.CHANGED in fail_on,
            workload=name,
            label=label,
            metric="inputs",
            reason="the representative inputs differ from those of the baseline",
        )
    for comparison in _merged(verdict.comparisons):
        yield _of_comparison(comparison, name=name, label=label, fail_on=fail_on, currency=currency)
    for budget in verdict.budgets:
        yield _of_budget(budget, name=name, label=label, fail_on=fail_on, currency=currency)


def _merged(comparisons: tuple[Comparison, ...]) -> Iterator[tuple[Comparison, bool]]:
    """Yield each comparison, and once only those that say the same of every metric."""
    verdicts = {(comparison.verdict, comparison.reason) for comparison in comparisons}
    if len(verdicts) == 1 and comparisons[0].verdict in _SAME_FOR_ALL_METRICS:
        yield comparisons[0], True
        return
    for comparison in comparisons:
        yield comparison, False


def _of_comparison(
    merged: tuple[Comparison, bool],
    *,
    name: str,
    label: str,
    fail_on: frozenset[FailOn],
    currency: Currency,
) -> Row:
    comparison, for_all = merged
    mark = marks.ACCEPTED if comparison.accepted else marks.OF_VERDICT[comparison.verdict]
    scale = scale_for(comparison.metric, (comparison.base, comparison.head), currency=currency)
    rule = None if for_all else comparison.regression
    return Row(
        mark=mark,
        fails=mark.fails_on in fail_on,
        workload=name,
        label=label,
        metric="all metrics" if for_all else METRICS[comparison.metric].title,
        unit="" if for_all else scale.unit,
        base=ABSENT if for_all else quantity(comparison.base, scale),
        head=ABSENT if for_all else quantity(comparison.head, scale),
        change=change(comparison.ratio, comparison.lower, comparison.upper),
        limit=_allowed(rule) if rule else ABSENT,
        reason=comparison.reason,
        origin=rule.origin if rule else "",
        severity=0.0 if for_all else _worse(comparison.ratio, METRICS[comparison.metric].better),
        corrected=not for_all and _corrected(comparison),
    )


def _corrected(comparison: Comparison) -> bool:
    head, base, ratio = comparison.head, comparison.base, comparison.ratio
    if not (head and base and ratio):
        return False
    return abs(head / base / ratio - 1) > _CORRECTED


def _allowed(rule: Regression) -> str:
    """The limit as a change, in the direction that is worse: a plus for latency."""
    sign = "+" if METRICS[rule.metric].better == "lower" else "\N{MINUS SIGN}"
    return f"{sign}{percent(rule.allow)}"


def _of_budget(
    result: BudgetResult,
    *,
    name: str,
    label: str,
    fail_on: frozenset[FailOn],
    currency: Currency,
) -> Row:
    budget, seen = result.budget, result.interval
    mark = marks.OF_BUDGET[result.verdict]
    if mark is marks.NOT_MEASURED and budget.relative and result.limit is None and seen:
        mark = marks.NOT_JUDGED
    estimate = seen.estimate if seen else None
    # A limit far away must not turn the figure into thousandths.
    sized = result.limit if estimate is None else estimate
    scale = scale_for(budget.metric, (sized,), currency=currency)
    sign = "≤" if budget.bound == "at most" else "≥"
    title = METRICS[budget.metric].title
    return Row(
        mark=mark,
        fails=result.cause in fail_on,
        workload=name,
        label=label,
        metric=f"{title} SLO" if budget.kind == "slo" else title,
        unit=scale.unit,
        head=with_ends(seen, scale) if seen else ABSENT,
        limit=ABSENT if result.limit is None else f"{sign} {quantity(result.limit, scale)}",
        reason=result.reason,
        origin=budget.origin,
        severity=_worse(
            estimate / result.limit if estimate is not None and result.limit else None,
            "lower" if budget.bound == "at most" else "higher",
        ),
    )


def _worse(ratio: float | None, better: Direction) -> float:
    """Return by which share a ratio is on the wrong side; 0 where it is not, or not known."""
    if ratio is None or not ratio > 0:
        return 0.0
    return max(0.0, (ratio if better == "lower" else 1 / ratio) - 1)


def _in_order(rows: list[Row]) -> tuple[Row, ...]:
    """Return what needs action first, the worst of a kind first, a workload's rows together."""
    urgency: dict[str, tuple[bool, int, float]] = {}
    for row in rows:
        urgency[row.workload] = min(urgency.get(row.workload, _urgency(row)), _urgency(row))
    ordered = sorted(rows, key=lambda row: (urgency[row.workload], row.workload))
    return tuple(
        row
        for _, group in groupby(ordered, key=lambda row: row.workload)
        for row in sorted(group, key=_urgency)
    )


def _urgency(row: Row) -> tuple[bool, int, float]:
    return not row.fails, row.mark.urgency, -row.severity
