"""`costguard export`: one form at a time, and nothing left out in silence."""

from __future__ import annotations

import pytest
import yaml
from click.testing import CliRunner

from pytest_costguard.cli.main import main


def export(*words):
    return CliRunner().invoke(main, ["export", *map(str, words)])


def test_a_manifest_goes_to_the_terminal_or_to_a_file(report, tmp_path):
    words = ("hpa", report, "--traffic", "3M/day", "--deployment", "rerank")
    done = export(*words)
    assert done.exit_code == 0, done.output
    assert yaml.safe_load(done.stdout)["kind"] == "HorizontalPodAutoscaler"
    file = tmp_path / "hpa.yaml"
    assert export(*words, "--output", file).stdout == ""
    assert file.read_text(encoding="utf-8") == done.stdout


def test_keda_may_go_to_none_unless_told_otherwise(report):
    words = ("keda", report, "--traffic", "1/s", "--deployment", "r", "--query", "sum(x)")
    assert yaml.safe_load(export(*words).stdout)["spec"]["minReplicaCount"] == 0
    assert yaml.safe_load(export(*words, "--min", "2").stdout)["spec"]["minReplicaCount"] == 2


def test_the_month_of_a_forecast_is_the_next_one_or_the_one_that_is_named(report):
    text = export("focus", report, "--traffic", "1/s", "--month", "2027-12").stdout
    assert "2027-12-01T00:00:00Z" in text
    assert "2028-01-01T00:00:00Z" in text
    assert export("focus", report, "--traffic", "1/s").exit_code == 0


@pytest.mark.parametrize("form", ["alerts", "openmetrics"])
def test_what_needs_no_name_needs_none(report, form):
    done = export(form, report, "--traffic", "1/s")
    assert done.exit_code == 0, done.output
    assert "costguard" in done.stdout.lower()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("hpa", "--traffic", "1/s"), 2, "give --deployment"),
        (("focus", "--traffic", "1/s", "--month", "soon"), 11, "is no month"),
        (("focus", "--traffic", "1/s", "--month", "9999-12"), 11, "is no month"),
        (("focus",), 11, "how much it serves is not known"),
        (("alerts", "--traffic", "1/s", "--requests", "a b"), 11, "is no series"),
        (("nothing",), 2, "Invalid value"),
    ],
)
def test_what_is_not_understood_is_an_error(report, words, code, told):
    form, *rest = words
    done = export(form, report, *rest)
    assert done.exit_code == code, done.output
    assert told in done.output + done.stderr
