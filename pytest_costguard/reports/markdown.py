"""The report as GitHub Markdown: the pull request comment and report.md."""

from __future__ import annotations

import re

from pytest_costguard.records import Report
from pytest_costguard.reports.escaping import COMMENT_LIMIT, cut
from pytest_costguard.reports.numbers import ABSENT
from pytest_costguard.reports.templates import compiled
from pytest_costguard.reports.view import view_of

_ROWS = 100
"""Rows of one table; a reader of more wants report.json."""
_NOTICE = "**This report was cut** to fit into a comment. The whole of it is in report.json."


def render(report: Report, *, limit: int = COMMENT_LIMIT) -> str:
    """Return the report as Markdown in fewer than `limit` bytes.

    One sentence, one table of what needs action, the rest collapsed. Every text that comes
    from the repository under test is escaped.
    """
    view = view_of(report, most_lines=_ROWS)
    text = compiled("comment.md.j2").render(view=view, row_limit=_ROWS, absent=ABSENT)
    tidy = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
    return cut(tidy, limit=limit, notice=_NOTICE)
