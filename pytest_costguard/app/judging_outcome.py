"""How a run ends: whether it fails, and one sentence that says why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_costguard.app.judging_month import told, total
from pytest_costguard.records import (
    METRICS,
    BudgetVerdict,
    Comparison,
    Currency,
    FailOn,
    Failure,
    Outcome,
    Run,
    Verdict,
    WorkloadId,
    WorkloadVerdict,
)
from pytest_costguard.reports.numbers import change, counted
from pytest_costguard.reports.rows import labels_of

_BUDGET = "budget "
_FAILED = "failed"
_EXPECTED = "expected failure"
_ACCEPTED = "accepted"
_MISSING = str(Verdict.MISSING)
_CHANGED = "changed"


def outcome_of(
    *,
    run: Run,
    verdicts: Sequence[WorkloadVerdict],
    missing: Sequence[WorkloadId],
    fail_on: Collection[FailOn],
    unjudged: str,
    code_unloaded: bool = False,
    currency: Currency | None = None,
    expected: Collection[str] = (),
) -> Outcome:
    """Say how the run ends.

    Args:
        run: with its failures, which always fail it.
        verdicts: of the workloads that were measured.
        missing: workloads that only the baseline has.
        fail_on: what fails a run.
        unjudged: why nothing was compared, or "" where there was a baseline to compare with.
        code_unloaded: whether code was changed, and none of it was loaded on either side.
        currency: in which money is told; None: US dollars.
        expected: node ids of the tests whose failing was expected; they fail no run.

    Returns:
        `counts` has comparisons by verdict, budgets as `budget over` and the like, and
        `failed`, `missing` and `changed` workloads, comparisons that are worse and `accepted`, and
        `expected failure` tests, whose workloads are in no other count; what did not occur is
        absent.
    """
    # As the reports below call them: a full node id in a sentence hides what it says.
    named = [*(one.workload for one in verdicts), *(one.workload for one in run.failures), *missing]
    verdicts = [one for one in verdicts if one.workload.nodeid not in expected]
    failures = [one for one in run.failures if one.workload.nodeid not in expected]
    counts = _counts(failures, verdicts, missing)
    if expected:
        counts[_EXPECTED] = len(expected)
    failed = bool(failures) or any(verdict.failing for verdict in verdicts)
    failed = failed or (bool(missing) and FailOn.MISSING in fail_on)
    monthly = total([one.monthly for one in verdicts])
    found = _Found(
        verdicts=verdicts,
        counts=counts,
        labels=labels_of(named),
        money="" if monthly is None else told(monthly, currency or Currency()),
    )
    clauses = _clauses(found, unjudged=unjudged, code_unloaded=code_unloaded)
    text = "; ".join(clauses) or "nothing was measured"
    return Outcome(
        failed=failed,
        sentence=f"{text[0].upper()}{text[1:]}.",
        counts=counts,
        monthly=monthly,
    )


def _counts(
    failures: Sequence[Failure],
    verdicts: Sequence[WorkloadVerdict],
    missing: Sequence[WorkloadId],
) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for verdict in verdicts:
        counts.update(
            _ACCEPTED if comparison.accepted else str(comparison.verdict)
            for comparison in verdict.comparisons
        )
        counts.update(f"{_BUDGET}{result.verdict}" for result in verdict.budgets)
    counts[_FAILED] += len(failures)
    counts[_MISSING] += len(missing)
    counts[_CHANGED] += sum(verdict.inputs_changed for verdict in verdicts)
    return {name: count for name, count in counts.items() if count}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What the sentence is made of."""

    verdicts: Sequence[WorkloadVerdict]
    counts: Mapping[str, int]
    labels: Mapping[str, str]
    money: str

    def changes(self, wanted: Verdict) -> list[str]:
        """Name the comparisons with a verdict, and by how much the metric changed."""
        return self._named(lambda one: one.verdict is wanted and not one.accepted)

    def accepted(self) -> list[str]:
        """Name the comparisons that are worse, and no worse than somebody has accepted."""
        return self._named(lambda one: one.accepted)

    def _named(self, wanted: Callable[[Comparison], bool]) -> list[str]:
        return [
            f"{self.labels[str(verdict.workload)]} {METRICS[comparison.metric].title}"
            f" {_percent(comparison.ratio)}".rstrip()
            for verdict in self.verdicts
            for comparison in verdict.comparisons
            if wanted(comparison)
        ]

    def over(self) -> list[str]:
        """Name the budgets that are over."""
        return [
            f"{self.labels[str(verdict.workload)]} {METRICS[result.budget.metric].title}"
            f" (limit {result.budget.text})"
            for verdict in self.verdicts
            for result in verdict.budgets
            if result.verdict is BudgetVerdict.OVER
        ]

    def without_reference(self) -> int:
        """Count the budgets whose limit is a share of a baseline's value that is not there."""
        return sum(
            result.budget.relative and result.limit is None
            for verdict in self.verdicts
            for result in verdict.budgets
            if result.verdict is BudgetVerdict.NOT_MEASURED
        )


def _clauses(found: _Found, *, unjudged: str, code_unloaded: bool) -> Iterator[str]:
    yield from _bad(found)
    if found.money:
        yield found.money
    yield from _unknown(found)
    if unjudged and found.verdicts:
        yield unjudged
    yield from _good(found)
    if code_unloaded and found.verdicts:
        yield "but none of the changed code was loaded"


def _bad(found: _Found) -> Iterator[str]:
    if found.counts.get(_FAILED):
        yield f"{counted(found.counts[_FAILED], 'workload')} could not be measured"
    if worse := found.changes(Verdict.REGRESSED):
        yield f"regressed: {worse[0]}{_more(len(worse))}"
    if over := found.over():
        yield f"over budget: {over[0]}{_more(len(over))}"
    if accepted := found.accepted():
        yield f"worse, and accepted: {accepted[0]}{_more(len(accepted))}"


def _unknown(found: _Found) -> Iterator[str]:
    for key, noun, said in (
        (_MISSING, "workload", "of the baseline missing"),
        (_CHANGED, "workload", "with other inputs than the baseline's"),
        (str(Verdict.NOT_COMPARABLE), "figure", "not comparable with the baseline"),
        (str(Verdict.INCONCLUSIVE), "comparison", "inconclusive"),
        (f"{_BUDGET}{BudgetVerdict.INCONCLUSIVE}", "budget", "inconclusive"),
        (f"{_BUDGET}{BudgetVerdict.NOT_PRICED}", "budget", "not priced"),
    ):
        if found.counts.get(key):
            yield f"{counted(found.counts[key], noun)} {said}"
    waiting = found.without_reference()
    if waiting:
        yield f"{counted(waiting, 'budget')} relative to a baseline not judged"
    unmeasured = found.counts.get(f"{_BUDGET}{BudgetVerdict.NOT_MEASURED}", 0) - waiting
    if unmeasured:
        yield f"{counted(unmeasured, 'budget')} not measured"


def _good(found: _Found) -> Iterator[str]:
    counts = found.counts
    if better := found.changes(Verdict.IMPROVED):
        yield f"improved: {better[0]}{_more(len(better))}"
    if counts.get(str(Verdict.UNCHANGED)):
        yield f"{counted(counts[str(Verdict.UNCHANGED)], 'comparison')} unchanged"
    if counts.get(str(Verdict.NEW)):
        yield f"{counted(counts[str(Verdict.NEW)], 'figure')} new"
    within = counts.get(f"{_BUDGET}{BudgetVerdict.WITHIN}")
    if within:
        yield f"{counted(within, 'budget')} kept"
    if counts.get(_EXPECTED):
        yield f"{counted(counts[_EXPECTED], 'test')} failed as expected"
    if found.verdicts and not counts:
        yield f"{counted(len(found.verdicts), 'workload')} measured"


def _percent(ratio: float | None) -> str:
    return "" if ratio is None else f"{change(ratio)} %"


def _more(count: int) -> str:
    return f" and {count - 1} more" if count > 1 else ""
