"""Whole reports against files that a person has looked at.

Refresh them with COSTGUARD_REFRESH_GOLDEN=1, and look at what changed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from factories.reports import EXAMPLES, three_targets

from pytest_costguard.reports import markdown, terminal
from pytest_costguard.reports.targets import render_targets

GOLDEN = Path(__file__).parents[2] / "golden"


def assert_golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("COSTGUARD_REFRESH_GOLDEN"):
        path.write_text(text, encoding="utf-8", newline="\n")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_comment_is_as_it_was_looked_at(name: str) -> None:
    assert_golden(f"{name}.md", markdown.render(EXAMPLES[name]()))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_terminal_report_is_as_it_was_looked_at(name: str) -> None:
    assert_golden(f"{name}.txt", terminal.render(EXAMPLES[name](), width=80))


def test_the_comment_about_several_targets_is_as_it_was_looked_at() -> None:
    assert_golden("three_targets.md", render_targets(three_targets()))


@pytest.mark.parametrize("verbosity", [-1, 1])
def test_quiet_and_verbose_reports_are_as_they_were_looked_at(verbosity: int) -> None:
    text = terminal.render(EXAMPLES["regressed_and_over"](), width=80, verbosity=verbosity)

    assert_golden({-1: "quiet.txt", 1: "verbose.txt"}[verbosity], text)


def test_every_golden_file_belongs_to_an_example() -> None:
    expected = {f"{name}.{form}" for name in EXAMPLES for form in ("md", "txt")}

    others = {"quiet.txt", "verbose.txt", "three_targets.md"}
    assert {path.name for path in GOLDEN.iterdir()} == expected | others
