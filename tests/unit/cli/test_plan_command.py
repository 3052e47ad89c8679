"""`costguard plan`: the report in, text, JSON and a picture out; nothing is guessed."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import msgspec
import pytest
from click.testing import CliRunner

from pytest_costguard.cli.main import main
from pytest_costguard.records import Plan, PlanChange
from pytest_costguard.reports.plan import render


def plan(*words):
    return CliRunner().invoke(main, ["plan", *map(str, words)])


def test_it_says_replicas_and_bill(report):
    done = plan(report, "--traffic", "3M/day", "--slo", "p95=50ms")
    assert done.exit_code == 0, done.output
    assert "replicas" in done.stdout
    assert "a month" in done.stdout
    assert "p95 within 50 ms" in done.stdout


def test_lines_fit_a_narrow_terminal(report, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = plan(report, "--traffic", "peak=120/s,average=30/s", "--slo", "p95=50ms")
    assert done.exit_code == 0, done.output
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "< 0.001 %" in done.stdout  # of the requests are late: 10 to the minus 20 is no figure


def test_a_note_of_several_workloads_is_told_once(report):
    done = plan(report, "--traffic", "3M/day", "--json")
    found = msgspec.json.decode(done.stdout, type=Plan)
    (one,) = found.workloads
    other = msgspec.structs.replace(one, notes=(*one.notes[:1], "of its own"))

    text = render(msgspec.structs.replace(found, workloads=(one, other)))

    shared, *own = one.notes
    told = " ".join(text.split())
    assert told.count(f"note: {shared} (2 workloads)") == told.count(shared) == 1
    assert all(told.count(note) == 1 for note in (*own, "of its own"))


def test_json_is_one_record_of_the_schema(report):
    done = plan(report, "--traffic", "3M/day", "--json")
    found = msgspec.json.decode(done.stdout, type=Plan)
    assert (found.scaler, len(found.workloads)) == ("HPA", 1)
    assert json.loads(done.stdout)["kind"] == "plan"


def test_a_picture_is_sound_xml(report, tmp_path):
    path = tmp_path / "plan.svg"
    traffic = ("--traffic", "peak=9k/s,average=3k/s", "--startup", "30s")
    done = plan(report, *traffic, "--plot", path)
    assert done.exit_code == 0, done.output
    assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_two_reports_are_compared(report):
    done = plan(report, "--traffic", "3M/day", "--compare", report)
    assert done.exit_code == 0, done.output
    assert f"from {report} to {report}:" in done.stdout
    assert "replicas at the peak" in done.stdout
    assert "measured each by itself" in " ".join(done.stdout.split())


def test_what_changes_is_one_record_of_the_schema(report):
    done = plan(report, "--traffic", "3M/day", "--compare", report, "--json")
    found = msgspec.json.decode(done.stdout, type=PlanChange)
    (one,) = found.workloads
    assert (one.paired, one.ratio.estimate, one.replicas.change.estimate) == (False, 1.0, 0.0)
    assert json.loads(done.stdout)["kind"] == "plan_change"


def test_a_report_without_a_base_says_how_to_get_one(report):
    done = plan(report, "--traffic", "3M/day", "--compare", "base")
    assert done.exit_code == 11
    assert "holds no base" in done.stderr
    assert "--costguard-against=REV" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--traffic", "lots"), 11, "is no traffic"),
        (("--slo", "p95"), 11, "--slo p95"),
        (("--slo", "p42=1s"), 11, "--slo"),
        (("--utilisation", "0%"), 2, "above 0%"),
        (("--utilisation", "120%"), 11, "more than the whole"),
        (("--min", "3", "--max", "2"), 2, "--max is below --min"),
        (("--traffic", "1/s", "--compare", "gone.json"), 13, "gone.json"),
        (("--traffic", "gone.csv"), 11, "gone.csv: could not be read"),
        (("test_another",), 11, "no workload is called"),
        (("--startup", "soon"), 11, "--startup"),
    ],
)
def test_what_is_not_understood_is_an_error(report, words, code, told):
    done = plan(report, *words)
    assert done.exit_code == code, done.output
    assert told in done.output + done.stderr


def test_without_traffic_it_says_what_to_do(report):
    done = plan(report)
    assert done.exit_code == 11
    assert "how much it serves is not known" in done.stderr
    assert "--traffic" in done.stderr
