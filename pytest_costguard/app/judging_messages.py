"""What fails the run, in messages that say what, how much, how sure, and who set the limit."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pytest_costguard.app.judging_history import History
from pytest_costguard.app.judging_subject import Subject
from pytest_costguard.records import (
    METRICS,
    QUANTILES,
    BudgetResult,
    BudgetVerdict,
    Comparison,
    Currency,
    FailOn,
    Verdict,
)
from pytest_costguard.reports.numbers import change, counted, percent, scale_for, significant
from pytest_costguard.stats.open_loop import under_load

_COMPARISON_FAILS = {
    Verdict.REGRESSED: FailOn.REGRESSION,
    Verdict.INCONCLUSIVE: FailOn.INCONCLUSIVE,
    Verdict.NOT_COMPARABLE: FailOn.NOT_COMPARABLE,
}
_OF_REQUESTS = frozenset({*QUANTILES, "error_rate"})
"""What rests on requests under load, and not on units."""
_DIGITS = (3, 4, 5, 6)
"""Three significant digits, or as many as tell a limit from the interval that it lies in."""


def failing_messages(
    *,
    subject: Subject,
    history: History | None,
    beside: History | None,
    changed: History | None,
    comparisons: Collection[Comparison],
    budgets: Collection[BudgetResult],
    fail_on: Collection[FailOn],
) -> tuple[str, ...]:
    """Return one message of several lines for each thing that fails the run.

    Args:
        subject: what was measured.
        history: what it was compared with.
        beside: what it was measured again side by side with; None where it was not.
        changed: what it was compared with and had other inputs; None where nothing had.
        comparisons: decided about it.
        budgets: decided about it.
        fail_on: what fails the run.
    """
    return tuple(_messages(subject, (history, beside), changed, comparisons, budgets, fail_on))


def _messages(
    subject: Subject,
    references: tuple[History | None, History | None],
    changed: History | None,
    comparisons: Collection[Comparison],
    budgets: Collection[BudgetResult],
    fail_on: Collection[FailOn],
) -> Iterator[str]:
    for comparison in comparisons:
        fails_on = None if comparison.accepted else _COMPARISON_FAILS.get(comparison.verdict)
        if fails_on in fail_on:
            history = references[comparison.escalated_from is not None]
            name = history.name if history is not None else ""
            yield _comparison_message(comparison, name=name, currency=subject.currency)
    for result in budgets:
        if result.cause in fail_on:
            loaded = under_load(subject.measurement) and result.budget.metric in _OF_REQUESTS
            counts = "requests" if loaded else "units"
            yield _budget_message(result, currency=subject.currency, counts=counts)
    if changed is not None and FailOn.CHANGED in fail_on:
        yield (f"the inputs are not those of {changed.name}\n  {_digests(subject, changed)}")


def _comparison_message(comparison: Comparison, *, name: str, currency: Currency) -> str:
    metric = METRICS[comparison.metric]
    # The number first: pytest's short summary shows no more than the beginning.
    change_first = "" if comparison.ratio is None else f"{_signed(comparison.ratio)} "
    head = f"{change_first}{metric.title} {comparison.verdict}"
    bounds = _bounds(comparison)
    if bounds:
        head += f" ({bounds})"
    lines = [head]
    if comparison.head is not None and comparison.base is not None:
        pair = comparison.head, comparison.base
        now, then = _values(comparison.metric, *pair, currency=currency)
        units, runs = counted(comparison.units, "unit"), counted(comparison.runs, "run")
        lines.append(f"  head:     {now}; {name}: {then}, {units if comparison.units else runs}")
    lines.append(f"  reason:   {comparison.reason}")
    regression = comparison.regression
    if regression is not None:
        limits = f"{percent(regression.allow)} worse; {percent(regression.catch)} must be caught"
        lines += [f"  allowed:  {limits}", f"  set in:   {regression.origin}"]
    return "\n".join(lines)


def _bounds(comparison: Comparison) -> str:
    if comparison.lower is None or comparison.upper is None:
        return ""
    return f"{_signed(comparison.lower)} to {_signed(comparison.upper)}"


def _budget_message(result: BudgetResult, *, currency: Currency, counts: str) -> str:
    budget, interval = result.budget, result.interval
    metric = METRICS[budget.metric]
    word = "SLO" if budget.kind == "slo" else "budget"
    if result.verdict is BudgetVerdict.OVER:
        side = "over" if budget.bound == "at most" else "below"
        head = f"{metric.title} is {side} its {word} of {budget.text}"
    else:
        head = f"{metric.title}: {word} of {budget.text} is {result.verdict}"
    limit = () if result.limit is None else (result.limit,)
    if interval is not None:
        figures = (interval.estimate, interval.lower, interval.upper, *limit)
        estimate, low, high, *written = _values(budget.metric, *figures, currency=currency)
        between = f"{low} to {high}, {interval.n:,} {counts}"
        if not interval.confidence:
            between = f"{interval.n:,} {counts} do not bound it on both sides"
        if interval.n < 2:
            between = "one unit, an estimate only"
        lines = [f"{estimate} {head}", f"  measured: {estimate} ({between})"]
    else:
        written = [*_values(budget.metric, *limit, currency=currency)]
        lines = [head]
    lines += [f"  limit:    {budget.bound} {text}" for text in written]
    return "\n".join([*lines, f"  reason:   {result.reason}", f"  set in:   {budget.origin}"])


def _values(metric: str, *values: float, currency: Currency) -> tuple[str, ...]:
    """Write values of one metric in one unit, so that they can be compared at a glance."""
    scale = scale_for(metric, values, currency=currency)
    texts: tuple[str, ...] = ()
    for digits in _DIGITS:
        texts = tuple(significant(scale.of(value), digits=digits) for value in values)
        if len(set(texts)) == len(set(values)):
            break
    return tuple(f"{text} {scale.unit}".strip() for text in texts)


def _signed(ratio: float) -> str:
    return f"{change(ratio)} %"


def _digests(subject: Subject, history: History) -> str:
    ours = subject.measurement.declaration.input_digest
    theirs = sorted({entry.declaration.input_digest for entry in history.entries})
    return f"digest here {ours}, in the baseline {', '.join(theirs)}"
