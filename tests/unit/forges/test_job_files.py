"""Outputs that no value can add to, and a log in which foreign lines command nothing."""

from __future__ import annotations

import pytest

from pytest_costguard.errors import StoreError
from pytest_costguard.forges.job_files import add, outputs, room
from pytest_costguard.forges.job_log import Group


def test_a_value_of_several_lines_is_one_value():
    text = outputs({"a": "x\nb=y\nEOF", "b": ""}, delimiter="d" * 32)
    assert text == f"a<<{'d' * 32}\nx\nb=y\nEOF\n{'d' * 32}\nb<<{'d' * 32}\n\n{'d' * 32}\n"


def test_a_value_that_holds_the_delimiter_is_refused():
    with pytest.raises(ValueError, match="delimiter"):
        outputs({"a": "x d\n"}, delimiter="d")


def test_text_is_added_at_the_end(tmp_path):
    path = tmp_path / "summary"
    add(path, "one\n")
    add(path, "zwei ✗\n")
    assert path.read_text(encoding="utf-8") == "one\nzwei ✗\n"


def test_the_room_is_what_others_have_left(tmp_path):
    path = tmp_path / "summary"
    assert room(path, limit=100) == 100
    path.write_bytes(b"x" * 30)
    assert room(path, limit=100) == 70
    assert room(path, limit=10) == 0


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(StoreError, match="could not be written"):
        add(tmp_path / "none" / "summary", "x")


def test_on_github_foreign_output_commands_nothing():
    frame = Group(title="Measure", forge="github", token="t0k")
    inside = "::error::forged\n::endgroup::\nno line end"
    log = f"{frame.opening(now=0.0)}{inside}{frame.closing(now=1.0)}"
    lines = log.splitlines()
    assert lines[:2] == ["::group::Measure", "::stop-commands::t0k"]
    assert lines[-2:] == ["::t0k::", "::endgroup::"]
    assert lines.index("::stop-commands::t0k") < lines.index("::error::forged")


def test_on_gitlab_a_section_folds():
    frame = Group(title="Measure", forge="gitlab", token="t0k")
    assert frame.opening(now=12.9) == "\x1b[0Ksection_start:12:costguard_t0k\r\x1b[0KMeasure\n"
    assert "section_end:80:costguard_t0k" in frame.closing(now=80.1)


def test_elsewhere_there_is_a_title():
    assert Group(title="Measure", forge=None, token="t").opening(now=0.0) == "Measure\n"
