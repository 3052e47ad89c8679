"""The report as GitHub Markdown: the pull request comment and report.md."""

from __future__ import annotations

import re

from pytest_costguard.records import Report
from pytest_costguard.reports.escaping import COMMENT_LIMIT, cut
from pytest_costguard.reports.numbers import ABSENT
from pytest_costguard.reports.templates import compiled
from pytest_costguard.reports.view import ReportView, view_of

ROWS = 100
"""Rows of one table; a reader of more wants report.json."""
NOTICE = "**This report was cut** to fit into a comment. The whole of it is in report.json."
_TITLE = "### Inference latency, memory and cost"


def render(report: Report, *, limit: int = COMMENT_LIMIT) -> str:
    """Return the report as Markdown in fewer than `limit` bytes.

    One sentence, one table of what needs action, the rest collapsed. Every text that comes
    from the repository under test is escaped.
    """
    text = f"{_TITLE}\n\n{sections(view_of(report, most_lines=ROWS))}"
    return cut(tidied(text), limit=limit, notice=NOTICE)


def sections(view: ReportView) -> str:
    """Return all of a report but its title."""
    return compiled("comment.md.j2").render(view=view, row_limit=ROWS, absent=ABSENT).strip()


def tidied(markdown: str) -> str:
    """Return Markdown with no more than one empty line at a place, and one line end at its end."""
    return re.sub(r"\n{3,}", "\n\n", markdown).strip() + "\n"
