"""How a run ends: whether it fails, and one sentence that says why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from pytest_costguard.records import (
    METRICS,
    BudgetVerdict,
    FailOn,
    Outcome,
    Run,
    Verdict,
    WorkloadId,
    WorkloadVerdict,
)
from pytest_costguard.reports.numbers import change, counted

_BUDGET = "budget "
_FAILED = "failed"
_MISSING = str(Verdict.MISSING)
_CHANGED = "changed"


def outcome_of(
    *,
    run: Run,
    verdicts: Sequence[WorkloadVerdict],
    missing: Sequence[WorkloadId],
    fail_on: Collection[FailOn],
    unjudged: str,
) -> Outcome:
    """Say how the run ends.

    Args:
        run: with its failures, which always fail it.
        verdicts: of the workloads that were measured.
        missing: workloads that only the baseline has.
        fail_on: what fails a run.
        unjudged: why nothing was compared, or "" where there was a baseline to compare with.

    Returns:
        `counts` has comparisons by verdict, budgets as `budget over` and the like, and
        `failed`, `missing` and `changed` workloads; what did not occur is absent.
    """
    counts = _counts(run, verdicts, missing)
    failed = bool(run.failures) or any(verdict.failing for verdict in verdicts)
    failed = failed or (bool(missing) and FailOn.MISSING in fail_on)
    text = "; ".join(_clauses(verdicts, counts, unjudged=unjudged)) or "nothing was measured"
    return Outcome(failed=failed, sentence=f"{text[0].upper()}{text[1:]}.", counts=counts)


def _counts(
    run: Run, verdicts: Sequence[WorkloadVerdict], missing: Sequence[WorkloadId]
) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for verdict in verdicts:
        counts.update(str(comparison.verdict) for comparison in verdict.comparisons)
        counts.update(f"{_BUDGET}{result.verdict}" for result in verdict.budgets)
    counts[_FAILED] += len(run.failures)
    counts[_MISSING] += len(missing)
    counts[_CHANGED] += sum(verdict.inputs_changed for verdict in verdicts)
    return {name: count for name, count in counts.items() if count}


def _clauses(
    verdicts: Sequence[WorkloadVerdict], counts: dict[str, int], *, unjudged: str
) -> Iterator[str]:
    yield from _bad(verdicts, counts)
    yield from _unknown(counts)
    if unjudged and verdicts:
        yield unjudged
    yield from _good(verdicts, counts)


def _bad(verdicts: Sequence[WorkloadVerdict], counts: dict[str, int]) -> Iterator[str]:
    if counts.get(_FAILED):
        yield f"{counted(counts[_FAILED], 'workload')} could not be measured"
    worse = [
        f"{verdict.workload} {METRICS[comparison.metric].title} {_percent(comparison.ratio)}"
        for verdict in verdicts
        for comparison in verdict.comparisons
        if comparison.verdict is Verdict.REGRESSED
    ]
    if worse:
        yield f"regressed: {worse[0].strip()}{_more(len(worse))}"
    over = [
        f"{verdict.workload} {METRICS[result.budget.metric].title} (limit {result.budget.text})"
        for verdict in verdicts
        for result in verdict.budgets
        if result.verdict is BudgetVerdict.OVER
    ]
    if over:
        yield f"over budget: {over[0]}{_more(len(over))}"


def _unknown(counts: dict[str, int]) -> Iterator[str]:
    for key, noun, said in (
        (_MISSING, "workload", "of the baseline missing"),
        (_CHANGED, "workload", "with other inputs than the baseline's"),
        (str(Verdict.NOT_COMPARABLE), "figure", "not comparable with the baseline"),
        (str(Verdict.INCONCLUSIVE), "comparison", "inconclusive"),
        (f"{_BUDGET}{BudgetVerdict.INCONCLUSIVE}", "budget", "inconclusive"),
        (f"{_BUDGET}{BudgetVerdict.NOT_PRICED}", "budget", "not priced"),
        (f"{_BUDGET}{BudgetVerdict.NOT_MEASURED}", "budget", "not measured"),
    ):
        if counts.get(key):
            yield f"{counted(counts[key], noun)} {said}"


def _good(verdicts: Sequence[WorkloadVerdict], counts: dict[str, int]) -> Iterator[str]:
    better = [
        f"{verdict.workload} {METRICS[comparison.metric].title} {_percent(comparison.ratio)}"
        for verdict in verdicts
        for comparison in verdict.comparisons
        if comparison.verdict is Verdict.IMPROVED
    ]
    if better:
        yield f"improved: {better[0].strip()}{_more(len(better))}"
    if counts.get(str(Verdict.UNCHANGED)):
        yield f"{counted(counts[str(Verdict.UNCHANGED)], 'comparison')} unchanged"
    if counts.get(str(Verdict.NEW)):
        yield f"{counted(counts[str(Verdict.NEW)], 'figure')} new"
    within = counts.get(f"{_BUDGET}{BudgetVerdict.WITHIN}")
    if within:
        yield f"{counted(within, 'budget')} kept"
    if verdicts and not counts:
        yield f"{counted(len(verdicts), 'workload')} measured"


def _percent(ratio: float | None) -> str:
    return "" if ratio is None else f"{change(ratio)} %"


def _more(count: int) -> str:
    return f" and {count - 1} more" if count > 1 else ""
