"""Whole comments with hostile names, through GitHub's own parser: nothing but our elements."""

from __future__ import annotations

import random
import re

import cmarkgfm
import msgspec
from cmarkgfm.cmark import Options
from factories.hostile import FRAGMENTS
from factories.reports import compared, regressed_and_over

from pytest_costguard.records import Report, Verdict, WorkloadId, WorkloadVerdict
from pytest_costguard.reports import markdown

NAMES, A_COMMENT = 20_000, 250
ELEMENTS = {
    *("h3", "h4", "p", "strong", "code", "pre", "ul", "li", "em"),
    *("table", "thead", "tbody", "tr", "th", "td", "details", "summary"),
}
_CODE = re.compile(r"<pre[^>]*>.*?</pre>|<code>.*?</code>", re.DOTALL)
_TAG = re.compile(r"</?([a-zA-Z0-9]+)")


def comment_about(names: list[str]) -> Report:
    report = regressed_and_over()
    verdicts = tuple(
        WorkloadVerdict(
            workload=WorkloadId(nodeid=name),
            comparisons=(compared("mean", Verdict.REGRESSED, base=0.001, ratio=1.1, reason=name),),
        )
        for name in names
    )
    return msgspec.structs.replace(report, verdicts=verdicts)


def test_twenty_thousand_names_are_names_and_nothing_else():
    chance = random.Random(20_260_309)
    for start in range(0, NAMES, A_COMMENT):
        names = [
            f"{number}::" + "".join(chance.choices(FRAGMENTS, k=chance.randint(1, 14)))
            for number in range(start, start + A_COMMENT)
        ]
        text = markdown.render(comment_about(names), limit=10_000_000, rows=A_COMMENT)
        page = cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE)
        bare = _CODE.sub("", page)
        assert {tag.lower() for tag in _TAG.findall(bare)} <= ELEMENTS
        assert "@" not in bare
        assert "://" not in bare
        assert "#" not in re.sub(r"&#\d+;", "", bare)
        shown = page.partition("<tbody>")[2].partition("</tbody>")[0]
        assert shown.count("<tr>") == A_COMMENT
