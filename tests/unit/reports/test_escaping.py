"""Foreign text in Markdown, rendered by GitHub's own parser: nothing but text may come out."""

from __future__ import annotations

import html
import random
import re

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from factories.hostile import FRAGMENTS
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_costguard.reports.escaping import code, cut, fenced, plain, prose, unbroken

NASTY = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=8)), max_size=14).map(
    "".join
)

FUZZED = settings(max_examples=120, deadline=None)


def rendered(markdown: str) -> str:
    return cmarkgfm.github_flavored_markdown_to_html(
        markdown, options=Options.CMARK_OPT_UNSAFE
    ).strip()


def outside_of_code(page: str) -> str:
    return re.sub(r"<code>.*?</code>", "", page, flags=re.DOTALL)


def shown_in_code(page: str) -> str:
    found = re.fullmatch(r"<p><code>(.*)</code></p>", page, flags=re.DOTALL)
    assert found, page
    return html.unescape(found[1])


@FUZZED
@given(NASTY)
def test_a_code_span_shows_its_text_and_nothing_else(text: str) -> None:
    if not plain(text):
        assert code(text) == "(empty)"
        return
    assert shown_in_code(rendered(code(text, table=False))) == plain(text)


@FUZZED
@given(NASTY)
def test_neither_span_nor_prose_breaks_out_of_a_table_cell(text: str) -> None:
    assert_held(text)


def test_thousands_of_random_mixtures_stay_in_their_cells() -> None:
    chance = random.Random(20_260_309)
    for _ in range(5_000):
        assert_held("".join(chance.choices(FRAGMENTS, k=chance.randint(1, 14))))


def assert_held(text: str) -> None:
    """The text stays in its cell, and outside of code only words and numbers are left."""
    cells = (code(text), prose(text), unbroken(text), "end")
    page = rendered(f"| a | b | c | d |\n|:--|--:|--:|--:|\n| {' | '.join(cells)} |")
    assert page.count("<tr>") == 2, page
    assert page.count('<td align="right">end</td>') == 1, page
    assert outside_of_code(page).count("<td") == 4, page
    assert_only(page, {"table", "thead", "tbody", "tr", "th", "td"})


def assert_only(page: str, allowed: set[str]) -> None:
    """Every element outside of code is one that our own table or list made."""
    found = set(re.findall(r"</?([a-z0-9]+)", outside_of_code(page)))
    assert found <= allowed, page


@FUZZED
@given(st.lists(NASTY, min_size=1, max_size=3))
def test_no_line_closes_a_fence(lines: list[str]) -> None:
    page = rendered(fenced(tuple(lines)) + "\n\nafter")
    assert page.count("<pre") == 1
    assert page.endswith("</code></pre>\n<p>after</p>")


@given(st.lists(NASTY, max_size=60), st.integers(min_value=400, max_value=3_000))
@settings(max_examples=40, deadline=None)
def test_what_is_cut_is_short_enough_and_closes_what_it_opened(
    texts: list[str], limit: int
) -> None:
    body = ["before"]
    for text in texts:
        body += ["<details>", "<summary>1</summary>", "", fenced((text, text)), "", "</details>"]
    whole = "\n".join(body)

    short = cut(whole, limit=limit, notice="**cut**")

    assert len(short.encode()) < limit or len(whole.encode()) < limit
    if short != whole:
        page = rendered(short)
        assert page.endswith("<p><strong>cut</strong></p>")
        assert outside_of_code(page).count("<details") == outside_of_code(page).count("</details")


def test_plain_drops_what_cannot_be_seen_and_caps_the_length() -> None:
    assert plain("a\u202eb\u200bc\x07\n\td") == "abc d"
    assert plain("x" * 500, limit=10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mean latency is 12.5 % higher (+11 to +13).", None),
        ("see tests/a.py::test_b, then", "see `tests/a.py::test_b`, then"),
        ("c6a.xlarge (aws, us-east-1), on-demand", "`c6a.xlarge` (aws, `us-east-1`), on-demand"),
        ("it costs $0.02", "it costs `$0.02`"),
        ("1. first", "`1`. first"),
        ("as of 2026-02-01 14:05", None),
    ],
)
def test_prose_leaves_plain_sentences_readable(text: str, expected: str | None) -> None:
    assert prose(text) == (expected or text)
