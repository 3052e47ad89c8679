"""From the records to what is shown: all arithmetic and rounding of a report happens here."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from pytest_costguard.records import OF_CAPACITY, Report
from pytest_costguard.reports import marks
from pytest_costguard.reports.acceptable import acceptance_commands
from pytest_costguard.reports.circumstances import (
    BaselineView,
    Fact,
    accept_commands,
    assumptions_of,
    baseline_of,
    machine_of,
    reproduce_commands,
)
from pytest_costguard.reports.figures import FigureTable, figure_table
from pytest_costguard.reports.numbers import counted, percent
from pytest_costguard.reports.rows import Row, labels_of, rows_of
from pytest_costguard.reports.together import parts_of_mixtures, together_told
from pytest_costguard.stats.unserved import unserved_share

_CORRECTION = (
    "Corrected for the machine's speed by a calibration kernel that ran beside the workloads, so it"
    " differs from the quotient of the two figures."
)
_UNSERVED_WORTH_NAMING = 0.05
_SIGNS: dict[str, str] = {"failed": "✗", "passed": "✓"}
_UNDECIDED = "passed, not all decided"
_PARAMETERS = re.compile(r"\[.*\]")

Status = Literal["failed", "passed", "interrupted", "no verdict"]
"""How a run ended; `no verdict`: nothing was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """Everything that a report shows, as finished text; templates only place it.

    Texts may hold names from the repository under test: every format escapes them for itself.
    """

    failed: bool
    status: Status
    sign: str
    ended: str
    """The status for a person, who is told where a run that passed left something open."""
    headline: str
    action: tuple[Row, ...]
    quiet: tuple[Row, ...]
    figures: FigureTable
    tally: str
    """How many findings of each kind: `1 regressed, 3 unchanged`."""
    baseline: BaselineView
    assumptions: tuple[Fact, ...]
    machine: tuple[Fact, ...]
    warnings: tuple[str, ...]
    reproduce: tuple[str, ...]
    acceptable: tuple[str, ...]
    """The commands that write down, for reviewers, that what regressed is accepted."""
    accept: tuple[str, ...]
    """The commands that accept this level as the new baseline; none where that mends nothing."""
    correction: str
    """What the mark `*` beside a change says; "" where there is none."""
    together: tuple[str, ...] = ()
    """What workloads that were measured together do to each other."""


def view_of(report: Report, *, most_lines: int | None = None) -> ReportView:
    """Return what every format of the report shows, with at most so many lines of figures."""
    labels = labels_of(
        [
            *(verdict.workload for verdict in report.verdicts),
            *(failure.workload for failure in report.run.failures),
            *report.missing,
        ]
    )
    rows = rows_of(report, labels)
    action = tuple(row for row in rows if row.needs_action)
    status = status_of(report)
    undecided = status == "passed" and any(row.mark in marks.UNDECIDED for row in action)
    return ReportView(
        failed=report.outcome.failed,
        status=status,
        sign="!" if undecided else _SIGNS.get(status, "!"),
        ended=_UNDECIDED if undecided else status,
        headline=report.outcome.sentence,
        action=action,
        quiet=tuple(row for row in rows if not row.needs_action),
        figures=figure_table(report, rows, labels, most=most_lines),
        tally=_tally(rows),
        baseline=baseline_of(report),
        assumptions=assumptions_of(report, labels),
        machine=machine_of(report),
        warnings=_warnings(report, labels),
        reproduce=reproduce_commands(report, action),
        acceptable=acceptance_commands(report),
        accept=accept_commands(report),
        correction=_CORRECTION if any(row.corrected for row in rows) else "",
        together=together_told(report, labels),
    )


def status_of(report: Report) -> Status:
    """Return in a word or two how a run ended."""
    if report.outcome.failed:
        return "failed"
    if not report.run.complete:
        return "interrupted"
    return "passed" if report.verdicts else "no verdict"


def _unserved(report: Report, labels: dict[str, str]) -> list[str]:
    """Say once that absolute figures hold time without a core, by the workload with most of it."""
    shares = {str(one.workload): unserved_share(one) for one in report.run.measurements}
    waited = {
        name: share
        for name, share in shares.items()
        if share > _UNSERVED_WORTH_NAMING and name in labels
    }
    if not waited:
        return []
    most = max(waited, key=lambda name: waited[name])
    share = percent(round(waited[most], 2))
    more = f", {counted(len(waited) - 1, 'more workload')} less often" * (len(waited) > 1)
    text = (
        f"{labels[most]} had no core {share} of the time{more}: latency and cost are higher"
        " than on a quiet machine"
    )
    pairing = report.against.pairings.get(most) if report.against else None
    if pairing is not None and pairing.clock == "cpu":
        text += "; the change of mean, throughput and cost is by CPU time, without the waiting"
    return [text]


def _shared_traffic(report: Report) -> list[str]:
    """Say that one declared traffic counts several times in what is said of a month."""
    told = any(
        result.budget.metric in OF_CAPACITY
        for verdict in report.verdicts
        for result in verdict.budgets
    )
    if report.outcome.monthly is None and not told:
        return []
    # The parameters of a test are part of its marker's origin.
    parts = parts_of_mixtures(report)
    declared = Counter(
        (held.traffic.text, _PARAMETERS.sub("", held.traffic.origin))
        for name, held in report.gates.items()
        if held.traffic is not None and name not in parts
    )
    return [
        f"traffic {text} ({origin}) counts in full for each of {counted(times, 'workload')}: where"
        " they share it, declare each one's part"
        for (text, origin), times in declared.items()
        if times > 1
    ]


def _tally(rows: tuple[Row, ...]) -> str:
    counts = Counter(row.mark.word for row in rows)
    return ", ".join(f"{count:,} {word}" for word, count in counts.items())


def _warnings(report: Report, labels: dict[str, str]) -> tuple[str, ...]:
    """Every warning once; one that several workloads share names how many."""
    found: dict[str, list[str]] = {}
    for verdict in report.verdicts:
        texts = [*verdict.warnings]
        if verdict.cost is not None and verdict.cost.warning:
            texts.append(verdict.cost.warning)
        for text in dict.fromkeys(texts):
            found.setdefault(text, []).append(labels[str(verdict.workload)])
    warnings = [
        f"{where[0]}: {text}" if len(where) == 1 else f"{text} ({counted(len(where), 'workload')})"
        for text, where in found.items()
    ]
    warnings += _unserved(report, labels)
    warnings += _shared_traffic(report)
    if report.other_failures:
        failed = counted(report.other_failures, "test")
        warnings.insert(0, f"{failed} failed by themselves: the session fails for that as well.")
    if report.against is not None and report.against.unloaded:
        warnings.insert(0, _unloaded(report.against.unloaded))
    if not report.run.complete:
        warnings.insert(0, "The run was interrupted: what is here is valid, but not everything.")
    return tuple(warnings)


def _unloaded(names: tuple[str, ...]) -> str:
    listed = ", ".join(names[:3]) + " and others" * (len(names) > 3)
    return (
        f"None of the changed code was loaded by what was measured ({listed}), so both sides may"
        " have run the same code. Only what a workload starts itself is not seen. If this code is"
        " meant to be measured, import it by its name from the checkout."
    )
