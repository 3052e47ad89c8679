"""Reports on streams that cannot write every character."""

from __future__ import annotations

import pytest
from factories.reports import EXAMPLES

from pytest_costguard.reports import terminal
from pytest_costguard.reports.encodings import encodable


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_ascii_stream_gets_every_line_with_marks_that_it_can_write(name: str) -> None:
    text = terminal.render(EXAMPLES[name]())

    shown = encodable(text, "ascii")

    assert shown.isascii()
    assert len(shown.splitlines()) == len(text.splitlines())


def test_columns_stay_in_line() -> None:
    shown = encodable("=  a  2.31 ± 0.05  ≤ 20.0\n★  b  12.3 ± 0.3   ≥ 1", "ascii")

    assert shown == "=  a  2.31 +-0.05  <=20.0\n*  b  12.3 +-0.3   >=1"


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", None, "not-an-encoding"])
def test_what_a_stream_can_write_is_left_as_it_is(encoding: str | None) -> None:
    assert encodable("✓ 1.0 ± 0.1 µs", encoding) == "✓ 1.0 ± 0.1 µs"


def test_a_stream_of_latin_letters_keeps_the_signs_that_it_has() -> None:
    assert encodable("✗ 1.0 ± 0.1 µs", "latin-1") == "x 1.0 ± 0.1 µs"
