"""Use cases of reports: write them, and make them and their verdict again from a record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pytest_costguard.app.judging import expecting, judge
from pytest_costguard.baselines.files import write_atomically
from pytest_costguard.baselines.reading import read_record
from pytest_costguard.errors import RecordError
from pytest_costguard.records import Report, WorkloadVerdict, to_json
from pytest_costguard.reports.markdown import render


def write_reports(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write report.json and report.md into `folder`, which is made where it is missing.

    Raises:
        StoreError: a file could not be written; the one that was there is untouched.
    """
    written = []
    for name, data in (
        ("report.json", to_json(report)),
        ("report.md", render(report).encode()),
    ):
        write_atomically(folder / name, data)
        written.append(folder / name)
    return tuple(written)


def remake(report: Report, *, origin: str = "the report") -> Report:
    """Return the report with every verdict decided again, from the measurements in it alone.

    Today's prices, configuration and baselines play no part: what counts is what was stored.

    Args:
        report: as it was stored.
        origin: names it in errors.

    Raises:
        RecordError: its figures contradict each other.
    """
    with consistent(origin):
        return _remade(report)


def read_remade(path: Path) -> Report:
    """Read a report for its figures: what was measured counts, not what the file says of it.

    Raises:
        RecordError: it is no report, or its figures contradict each other.
    """
    return remake(read_record(path, Report), origin=str(path))


@contextmanager
def consistent(origin: str) -> Iterator[None]:
    """Tell whatever figures raise that nobody has measured as an error of their record.

    Raises:
        RecordError: they contradict each other; it names `origin`.
    """
    try:
        yield
    except (
        ArithmeticError,
        AssertionError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise RecordError(
            f"{origin}: its figures contradict each other ({type(error).__name__})",
            remedy="measure again; a report that was edited is not one",
        ) from error


def _remade(report: Report) -> Report:
    remade = judge(
        run=report.run,
        baseline=report.baseline,
        gates=report.gates,
        target=report.target,
        target_problem=report.target_problem,
        fail_on=report.fail_on,
        runner_spread=report.runner_spread,
        baseline_requested=report.baseline_requested,
        baseline_problem=report.baseline_problem,
        # Only a whole suite can find anything missing, so what was missing tells.
        whole_suite=report.run.whole_suite and report.run.complete,
        now=report.run.created.date(),
        against=report.against,
        escalation=report.escalation,
    )
    remade = msgspec.structs.replace(remade, other_failures=report.other_failures)
    return expecting(remade, report.expected_failures) if report.expected_failures else remade


def disagreements(stored: Report, remade: Report) -> tuple[str, ...]:
    """Name each verdict that came out differently when it was decided again.

    There is none unless the file was edited or another version of pytest-costguard decided.
    """
    found = []
    if stored.outcome.failed is not remade.outcome.failed:
        words = {True: "failed", False: "passed"}
        found.append(
            f"the run is stored as {words[stored.outcome.failed]}"
            f" and is {words[remade.outcome.failed]} when decided again"
        )
    before = {str(one.workload): _decided(one) for one in stored.verdicts}
    after = {str(one.workload): _decided(one) for one in remade.verdicts}
    for workload in dict.fromkeys((*before, *after)):
        first, second = before.get(workload, {}), after.get(workload, {})
        found += [
            f"{workload}: {what} is stored as {first.get(what, 'absent')}"
            f" and is {second.get(what, 'absent')} when decided again"
            for what in dict.fromkeys((*first, *second))
            if first.get(what) != second.get(what)
        ]
    return tuple(found)


def _decided(verdict: WorkloadVerdict) -> dict[str, str]:
    decided = {one.metric: str(one.verdict) for one in verdict.comparisons}
    for result in verdict.budgets:
        budget = result.budget
        decided[f"{budget.kind} {budget.metric} {budget.text}"] = str(result.verdict)
    return decided
