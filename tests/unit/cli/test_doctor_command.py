"""`costguard doctor` without measuring: what it prints, and what it exits with."""

from __future__ import annotations

import json

import msgspec
import pytest
from click.testing import CliRunner, Result
from factories.doctor import doctor_report, finding, same_twice

from pytest_costguard.app import doctor
from pytest_costguard.cli.main import main
from pytest_costguard.records import DoctorReport


@pytest.fixture
def asked(monkeypatch) -> list[dict[str, object]]:
    """What the use case was asked; it answers with a report that sees 3.4 % in 30 s."""
    calls: list[dict[str, object]] = []

    def examine(**arguments: object) -> DoctorReport:
        calls.append(arguments)
        return doctor_report(workloads=(same_twice(spread=0.01),), findings=(finding(),))

    monkeypatch.setattr(doctor, "examine", examine)
    return calls


def costguard(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *arguments])


def test_it_measures_the_kernel_in_twelve_units(asked):
    result = costguard()
    assert result.exit_code == 0
    assert "What to mend first" in result.stdout
    assert (asked[0]["units"], asked[0]["suite"]) == (12, None)


def test_quick_halves_the_units(asked):
    assert costguard("--quick").exit_code == 0
    assert asked[0]["units"] == 6


def test_a_suite_is_handed_on(asked):
    assert costguard("--suite", "tests/a.py", "b.py::test_c").exit_code == 0
    assert asked[0]["suite"] == ("tests/a.py", "b.py::test_c")


def test_json_is_one_object_that_is_read_back(asked):
    result = costguard("--json")
    assert json.loads(result.stdout)["schema_version"] == 1
    read = msgspec.json.decode(result.stdout, type=DoctorReport)
    assert read == doctor_report(workloads=(same_twice(spread=0.01),), findings=(finding(),))


@pytest.mark.parametrize(("limit", "code"), [("2.5%", 1), ("20%", 0)])
def test_it_fails_above_what_is_asked_for(asked, limit, code):
    assert costguard("--fail-above", limit).exit_code == code


def test_a_time_that_is_too_short_counts_as_above(monkeypatch):
    slow = doctor_report(workloads=(same_twice(seconds_a_unit=20.0),))
    monkeypatch.setattr(doctor, "examine", lambda **_: slow)
    assert costguard("--fail-above", "100%").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("tests/a.py",), "add --suite"),
        (("--quick", "--units", "8"), "exclude each other"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(asked, arguments, words):
    result = costguard(*arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert not asked


def test_a_limit_that_is_no_percentage_is_refused_before_anything_is_measured(asked):
    result = costguard("--fail-above", "much")
    assert result.exit_code == 11
    assert "--fail-above" in result.output
    assert not asked


def test_too_few_units_are_refused_with_the_remedy():
    result = costguard("--units", "3")
    assert result.exit_code == 11
    assert "at least 4" in result.output


def test_a_suite_that_is_not_there_is_refused(tmp_path, monkeypatch):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(tmp_path)
    result = costguard("--suite", "tests/nowhere.py")
    assert result.exit_code == 11
    assert "nowhere.py" in result.output
