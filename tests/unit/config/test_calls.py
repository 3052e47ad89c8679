from __future__ import annotations

import pytest

from pytest_costguard.config.calls import Call, parse_call


@pytest.mark.parametrize(
    ("written", "name", "number"),
    [
        ("poisson", "poisson", None),
        ("gamma(4)", "gamma", "4"),
        ("  zipf ( 1.1 )  ", "zipf", "1.1"),
        ("server( 120/s )", "server", "120/s"),
        ("concurrent()", "concurrent", ""),
    ],
)
def test_a_name_is_told_from_the_number_behind_it(written, name, number):
    assert parse_call(written) == Call(name=name, number=number)


@pytest.mark.parametrize(
    "written", ["", "gamma(4", "gamma 4", "gamma(4)(5)", "gamma((4))", "(4)", "a-b", 1.5]
)
def test_what_is_written_otherwise_is_none(written):
    assert parse_call(written) is None
