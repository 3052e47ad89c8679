"""`costguard accept`: entries at the end of a file that reviewers see."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from factories.judged import head, judged, series
from factories.judging import gates, regression

from pytest_costguard.cli.main import main
from pytest_costguard.config.acceptances import FILE, read_acceptances
from pytest_costguard.records import to_json

COMMAND = "from pytest_costguard.cli.main import main; main()"
SAID = ("--reason", "beam search: #412 | worth it", "--by", "Jo <jo@example.invalid>")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    report = judged(head(0.0011), series(0.001), gates=gates(regression()))
    (tmp_path / "report.json").write_bytes(to_json(report))
    return tmp_path


def accept(*words):
    return CliRunner().invoke(main, ["accept", *words])


def test_what_regressed_in_a_report_is_accepted_up_to_the_whole_per_cent_above(project):
    done = accept("report.json", *SAID, "--until", "2099-06-01")
    assert done.exit_code == 0, done.output
    (found,) = read_acceptances(project)
    assert (found.metric, found.up_to) == ("mean", 0.11)
    assert found.reason == "beam search: #412 | worth it"


def test_what_counts_already_is_not_written_twice(project):
    assert accept("report.json", *SAID, "--until", "2099-06-01").exit_code == 0
    once = read_acceptances(project)
    assert accept("report.json", *SAID, "--until", "2099-06-01").exit_code == 0
    assert read_acceptances(project) == once
    assert accept("report.json", *SAID, "--until", "2099-06-02").exit_code == 0
    assert len(read_acceptances(project)) == 2


def test_a_last_day_that_is_over_is_refused(project):
    done = accept("report.json", *SAID, "--until", "2026-01-01")
    assert done.exit_code == 11
    assert "--until 2026-01-01 is over" in done.output
    assert not (project / FILE).exists()


def test_a_second_entry_comes_after_the_first_and_comments_stay(project):
    one = ("--workload", "tests/test_a.py::test_a[x: 1]", "--up-to", "12%", *SAID)
    assert accept(*one).exit_code == 0
    path = project / FILE
    path.write_text(path.read_text(encoding="utf-8") + "  # mine\n", encoding="utf-8")
    assert accept(*one, "--metric", "p99").exit_code == 0
    assert [entry.metric for entry in read_acceptances(project)] == ["mean", "p99"]
    assert "# mine" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["a'b", 'a"b', "a\\b", "ünï", "😀", "a: b # c", "a\tb"])
def test_names_of_any_kind_come_back_as_they_were(project, name):
    nodeid = f"tests/test_a.py::test_a[{name}]"
    done = accept("--workload", nodeid, "--up-to", "12%", *SAID)
    if "\t" in name:
        assert done.exit_code == 11
    else:
        assert read_acceptances(project)[-1].nodeid == nodeid


def test_a_file_that_cannot_be_added_to_stays_as_it_is(project):
    path = project / FILE
    path.parent.mkdir()
    path.write_text("accepted: []\n", encoding="utf-8")
    done = accept("--workload", "x", "--up-to", "12%", *SAID)
    assert done.exit_code == 11
    assert path.read_text(encoding="utf-8") == "accepted: []\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("report.json", "--workload", "x"), 2),
        (("--workload", "x"), 2),
        (("--workload", "x", "--up-to", "12"), 11),
        (("--workload", "x", "--up-to", "12%", "--metric", "men"), 11),
    ],
)
def test_what_is_missing_or_wrong_is_said(project, words, code):
    done = accept(*words, *SAID)
    assert done.exit_code == code
    assert not (project / FILE).exists()


def test_nothing_that_regressed_is_nothing_to_accept(project):
    report = judged(head(0.001), series(0.001), gates=gates(regression()))
    (project / "report.json").write_bytes(to_json(report))
    done = accept("report.json", *SAID)
    assert done.exit_code == 11
    assert "nothing in it regressed" in done.stderr


def test_several_at_once_lose_no_entry(project):
    words = ("--workload", "t.py::x{}", "--up-to", "5%", *SAID)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", COMMAND, "accept", *(w.format(n) for w in words)],
            cwd=project,
            stdout=subprocess.DEVNULL,
        )
        for n in range(6)
    ]
    assert [one.wait(timeout=60) for one in running] == [0] * 6
    assert {one.nodeid for one in read_acceptances(project)} == {f"t.py::x{n}" for n in range(6)}


@pytest.mark.parametrize("name", ["\x7f", "\u2028", "\u202e"])
def test_what_cannot_be_seen_is_refused_by_its_name(project, name):
    done = accept("--workload", f"t.py::x[{name}]", "--up-to", "5%", *SAID)
    assert done.exit_code == 11, done.output
    assert "command line: accepted[0].workload" in done.stderr, done.stderr
    assert not (project / FILE).exists()


def test_a_report_whose_figures_nobody_has_measured_is_told(project):
    path = project / "report.json"
    edited = json.loads(path.read_text(encoding="utf-8"))
    for unit in edited["run"]["measurements"][0]["units"]:
        unit["latency_seconds"] = [1e308] * len(unit["latency_seconds"])
        for block in unit["blocks"]:
            block["wall_seconds"] = 1e308
    path.write_text(json.dumps(edited), encoding="utf-8")
    done = accept("report.json", *SAID)
    assert done.exit_code == 12, (done.output, done.exception)
    assert "wall_seconds must be from 1e-12 to 1e+09" in done.stderr
