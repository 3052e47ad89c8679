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
_CUT = "**This report was cut** to fit in here. The whole of it is in {}."
_TITLE = "### Inference latency, memory and cost"


def notice(run_url: str) -> str:
    """Return what a report that was cut says: where the whole of it is.

    Args:
        run_url: the page of the run that measured, as the CI names it; "" where there is none.
    """
    return _CUT.format(f"report.json of [the run]({run_url})" if run_url else "report.json")


def render(
    report: Report,
    *,
    limit: int = COMMENT_LIMIT,
    rows: int = ROWS,
    notes: Sequence[str] = (),
    foreign: bool = False,
    run_url: str = "",
) -> str:
    """Return the report as Markdown in fewer than `limit` bytes.

    One sentence, one table of what needs action, the rest collapsed. Every text that comes
    from the repository under test is escaped.

    Args:
        report: of the run.
        limit: bytes.
        rows: of one table, at most.
        notes: what a reader must know beside it; they come before its own warnings.
        foreign: whether it is a stranger's: then there are no commands to copy, and what its
            project's code has a part in is quoted, not said.
        run_url: see `notice`.
    """
    view = view_of(report, most_lines=rows)
    text = f"{_TITLE}\n\n{sections(view, rows=rows, notes=notes, foreign=foreign)}"
    return cut(tidied(text), limit=limit, notice=notice(run_url))


def sections(
    view: ReportView, *, rows: int = ROWS, notes: Sequence[str] = (), foreign: bool = False
) -> str:
    """Return all of a report but its title; see `render`."""
    shown = _without_commands(view) if foreign else view
    template = compiled("comment.md.j2", foreign=foreign)
    return template.render(view=shown, row_limit=rows, notes=notes, absent=ABSENT).strip()


def _without_commands(view: ReportView) -> ReportView:
    """Return a view that offers nothing to copy into a terminal."""
    baseline = replace(view.baseline, command="")
    return replace(view, baseline=baseline, reproduce=(), acceptable=(), accept=())


def tidied(markdown: str) -> str:
    """Return Markdown with no more than one empty line at a place, and one line end at its end."""
    return re.sub(r"\n{3,}", "\n\n", markdown).strip() + "\n"
