"""The report as GitHub Markdown: the pull request comment and report.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pytest_costguard.records import Report
from pytest_costguard.reports.escaping import COMMENT_LIMIT, cut
from pytest_costguard.reports.numbers import ABSENT
from pytest_costguard.reports.templates import compiled
from pytest_costguard.reports.view import ReportView, view_of

ROWS = 100
"""Rows of one table; a reader of more wants report.json."""
NOTICE = "**This report was cut** to fit into a comment. The whole of it is in report.json."
_TITLE = "### Inference latency, memory and cost"


def render(
    report: Report,
    *,
    limit: int = COMMENT_LIMIT,
    rows: int = ROWS,
    notes: Sequence[str] = (),
    commands: bool = True,
) -> str:
    """Return the report as Markdown in fewer than `limit` bytes.

    One sentence, one table of what needs action, the rest collapsed. Every text that comes
    from the repository under test is escaped.

    Args:
        report: of the run.
        limit: bytes.
        rows: of one table, at most.
        notes: what a reader must know beside it; they come before its own warnings.
        commands: whether there are commands to copy; none out of a stranger's report.
    """
    view = view_of(report, most_lines=rows)
    view = replace(view, warnings=(*notes, *view.warnings))
    if not commands:
        view = without_commands(view)
    text = f"{_TITLE}\n\n{sections(view, rows=rows)}"
    return cut(tidied(text), limit=limit, notice=NOTICE)


def without_commands(view: ReportView) -> ReportView:
    """Return a view that offers nothing to copy into a terminal."""
    baseline = replace(view.baseline, command="")
    return replace(view, baseline=baseline, reproduce=(), acceptable=(), accept=())


def sections(view: ReportView, *, rows: int = ROWS) -> str:
    """Return all of a report but its title."""
    return compiled("comment.md.j2").render(view=view, row_limit=rows, absent=ABSENT).strip()


def tidied(markdown: str) -> str:
    """Return Markdown with no more than one empty line at a place, and one line end at its end."""
    return re.sub(r"\n{3,}", "\n\n", markdown).strip() + "\n"
