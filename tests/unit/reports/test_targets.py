"""Several targets in one comment: a column each, what needs action anywhere, and all the rest."""

from __future__ import annotations

import cmarkgfm
from factories.reports import (
    all_unchanged,
    failures,
    hostile_names,
    inconclusive,
    regressed_and_over,
)

from pytest_costguard.reports.targets import render_targets


def table(text):
    lines = [line for line in text.splitlines() if line.startswith("|")]
    end = next((k for k, line in enumerate(lines[2:], 2) if line.startswith("| Verdict")), None)
    return lines[:end]


def test_each_target_has_a_column_and_a_line_of_its_own():
    text = render_targets({"cpu-small": all_unchanged(), "gpu": regressed_and_over()})

    assert "on 2 targets" in text
    assert "- ✓ `cpu-small`: " in text
    assert "- ✗ `gpu`: " in text
    head, _, *rows = table(text)
    assert head.endswith("| `cpu-small` (%) | `gpu` (%) |")
    assert any("**" in row.split("|")[4] and "**" not in row.split("|")[3] for row in rows)


def test_where_nothing_needs_action_there_is_no_table_above_the_targets():
    text = render_targets({"a": all_unchanged(), "b": all_unchanged()})
    assert not text.partition("<details>")[0].count("|")


def test_what_one_target_has_not_is_a_dash_there():
    text = render_targets({"a": failures(), "b": inconclusive()})
    assert any(" – |" in row for row in table(text))


def test_the_whole_of_each_target_is_below_and_collapsed():
    text = render_targets({"a": regressed_and_over(), "b": inconclusive()})
    assert text.count("<summary>Target ") == 2
    assert text.count("Reproduce locally") == 2
    assert text.count("<details>") == text.count("</details>")


def test_a_comment_is_cut_to_what_the_forge_takes():
    reports = {f"target {number}": regressed_and_over() for number in range(40)}
    text = render_targets(reports, limit=20_000)
    assert len(text.encode()) < 20_000
    assert text.count("<details>") == text.count("</details>")
    assert "This report was cut" in text


def test_hostile_targets_stay_text():
    page = cmarkgfm.github_flavored_markdown_to_html(
        render_targets({"`x` | @octocat <img src=x>": hostile_names(), "b": all_unchanged()})
    )
    assert "<img" not in page
    assert "<a href" not in page
