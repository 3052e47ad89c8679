"""Reports of the same suite on several targets as one comment, with a column a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_costguard.records import Report, WorkloadId
from pytest_costguard.reports.escaping import COMMENT_LIMIT, cut
from pytest_costguard.reports.markdown import ROWS, notice, sections, tidied
from pytest_costguard.reports.numbers import ABSENT
from pytest_costguard.reports.rows import Row, labels_of
from pytest_costguard.reports.templates import compiled
from pytest_costguard.reports.view import ReportView, view_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One target: its outcome, and its whole report below the table."""

    label: str
    sign: str
    headline: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one target says of one metric of one workload."""

    sign: str = ""
    text: str = ABSENT
    fails: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """One metric of one workload that needs action on at least one target."""

    label: str
    metric: str
    cells: tuple[Cell, ...]


def render_targets(
    reports: Mapping[str, Report],
    *,
    limit: int = COMMENT_LIMIT,
    notes: Sequence[str] = (),
    foreign: bool = False,
    run_url: str = "",
) -> str:
    """Return several reports as one comment of fewer than `limit` bytes.

    Args:
        reports: by what tells them apart: the target, the leg of a matrix.
        limit: bytes.
        notes: what a reader must know of them all.
        foreign: as for `markdown.render`.
        run_url: as for `markdown.notice`.
    """
    views = {label: view_of(report, most_lines=ROWS) for label, report in reports.items()}
    text = compiled("targets.md.j2", foreign=foreign).render(
        columns=[
            Column(
                label=label,
                sign=view.sign,
                headline=view.headline,
                body=sections(view, foreign=foreign),
            )
            for label, view in views.items()
        ],
        rows=_rows(reports, views),
        notes=notes,
        row_limit=ROWS,
    )
    return cut(tidied(text), limit=limit, notice=notice(run_url))


def _rows(reports: Mapping[str, Report], views: Mapping[str, ReportView]) -> tuple[TargetRow, ...]:
    """What needs action anywhere, in the order of the target where it comes first."""
    workloads: list[WorkloadId] = []
    for report in reports.values():
        workloads += [verdict.workload for verdict in report.verdicts]
        workloads += [failure.workload for failure in report.run.failures]
        workloads += report.missing
    labels = labels_of(workloads)
    found = {
        label: {(row.workload, row.metric): row for row in reversed((*view.action, *view.quiet))}
        for label, view in views.items()
    }
    wanted = dict.fromkeys(
        (row.workload, row.metric) for view in views.values() for row in view.action
    )
    return tuple(
        TargetRow(
            label=labels[workload],
            metric=metric,
            cells=tuple(_cell(rows.get((workload, metric))) for rows in found.values()),
        )
        for workload, metric in wanted
    )


def _cell(row: Row | None) -> Cell:
    if row is None:
        return Cell()
    text = row.mark.word if row.change == ABSENT else row.change
    return Cell(sign=row.mark.sign, text=text, fails=row.fails)
