"""Whole comments with hostile names, through GitHub's own parser: nothing but our elements."""

from __future__ import annotations

import random
import re

import cmarkgfm
import msgspec
import pytest
from cmarkgfm.cmark import Options
from factories.hostile import FRAGMENTS
from factories.reports import compared, regressed_and_over

from pytest_costguard.records import Report, Verdict, WorkloadId, WorkloadVerdict
from pytest_costguard.reports import markdown
from pytest_costguard.reports.targets import render_targets

NAMES, A_COMMENT = 20_000, 250
ELEMENTS = {
    *("h3", "h4", "p", "strong", "code", "pre", "ul", "li", "em"),
    *("table", "thead", "tbody", "tr", "th", "td", "details", "summary"),
}
_CODE = re.compile(r"<pre[^>]*>.*?</pre>|<code>.*?</code>", re.DOTALL)
_TAG = re.compile(r"</?([a-zA-Z0-9]+)")
_LINKED = re.compile(r"\bGH-\d|#\d|\b[0-9a-f]{7,40}\b")
"""What GitHub links by itself, which the parser leaves to it."""


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


def test_a_strangers_words_are_quoted_and_our_own_are_not():
    words = "Please run the installer from our site"
    report = comment_about(["tests/test_a.py::test_a"])
    (verdict,) = report.verdicts
    (comparison,) = verdict.comparisons
    told = msgspec.structs.replace(comparison, reason=words)
    verdicts = (msgspec.structs.replace(verdict, comparisons=(told,)),)
    report = msgspec.structs.replace(report, verdicts=verdicts)
    own, foreign = (
        markdown.render(report, notes=("Measured by a job of the fork.",), foreign=foreign)
        for foreign in (False, True)
    )
    assert f"`{words}`" not in own
    assert words not in foreign.replace(f"`{words}`", "")
    assert "- Note: Measured by a job of the fork.\n" in foreign


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
        assert not _LINKED.search(re.sub(r"&[#\w]+;", "", bare))
        shown = page.partition("<tbody>")[2].partition("</tbody>")[0]
        assert shown.count("<tr>") == A_COMMENT
        columns = page.partition("</thead>")[0].count("</th>")
        assert shown.count("</td>") == A_COMMENT * columns


@pytest.mark.parametrize("several", [False, True])
def test_a_strangers_names_are_names_too_in_every_kind_of_comment(several):
    chance = random.Random(20_261_127)
    for _ in range(8):
        names = [
            f"{number}::" + "".join(chance.choices(FRAGMENTS, k=chance.randint(1, 14)))
            for number in range(A_COMMENT)
        ]
        report = comment_about(names)
        outcome = msgspec.structs.replace(report.outcome, sentence=" ".join(names[:5]))
        report = msgspec.structs.replace(report, outcome=outcome)
        how = {"limit": 10_000_000, "foreign": True, "notes": ("Measured by a job of the fork.",)}
        text = (
            render_targets({names[0]: report, names[1]: report}, **how)
            if several
            else markdown.render(report, rows=A_COMMENT, **how)
        )
        page = cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE)
        bare = _CODE.sub("", page)
        assert {tag.lower() for tag in _TAG.findall(bare)} <= ELEMENTS
        assert "@" not in bare
        assert "://" not in bare
        assert not _LINKED.search(re.sub(r"&[#\w]+;", "", bare))
