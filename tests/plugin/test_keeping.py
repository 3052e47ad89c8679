"""What cannot be stored: the report is shown all the same, and whatever can be kept is kept."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

MEASURES = """
    def test_it(costguard):
        costguard.measure(abs, inputs=[1])
"""
SHOWN = ["*= costguard =*", "*test_it*measured*"]


def saved(project):
    return list((project.path / ".costguard" / "baselines" / "main").glob("*.json"))


def test_a_report_folder_that_cannot_be_made_keeps_the_baseline_from_nothing(project):
    project.tests(MEASURES)
    (project.path / "taken").write_text("a file")
    result = project.run("--costguard", "--costguard-save=main", "--costguard-report=taken/out")
    assert result.ret == 13
    result.stdout.fnmatch_lines(
        [*SHOWN, "costguard: saved this run to baseline 'main': *", "*could not be written*"]
    )
    assert len(saved(project)) == 1


def test_a_store_that_cannot_be_written_keeps_the_reports_from_nothing(project):
    project.tests(MEASURES)
    (project.path / ".costguard").mkdir()
    (project.path / ".costguard" / "baselines").write_text("a file")
    result = project.measure("--costguard-save=main", "--costguard-baseline=none")
    assert result.ret == 13
    result.stdout.fnmatch_lines(
        [*SHOWN, "costguard: wrote *report.json", "*baselines*could not be written*"]
    )
    assert project.measured() == {"test_it.py::test_it"}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits on a file's size")
def test_on_a_full_disk_the_report_is_shown_and_nothing_half_written_is_left(project):
    project.tests(MEASURES)
    # Python ignores SIGXFSZ, so that a limit on a file's size acts as a full disk.
    limited = (
        "import resource, sys, pytest;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512));"
        "sys.exit(pytest.main(sys.argv[1:]))"
    )
    plugins = ("-p", "pytest_costguard.plugin", "-p", "no:cacheprovider")
    options = ("--costguard", "--costguard-save=main", "--costguard-report=out")
    done = subprocess.run(
        [sys.executable, "-B", "-c", limited, *plugins, *options],
        cwd=project.path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 13, done.stdout + done.stderr
    assert "test_it" in done.stdout.partition("= costguard =")[2]
    assert done.stdout.count("could not be written: File too large") == 2
    kept = [path.name for path in (project.path / ".costguard").rglob("*") if path.is_file()]
    assert kept == [".gitignore"]


def test_a_corrupt_baseline_is_told_before_anything_is_measured(project):
    project.tests(MEASURES)
    folder = project.path / ".costguard" / "baselines" / "main"
    folder.mkdir(parents=True)
    (folder / "broken.json").write_text("{")
    result = project.measure("--costguard-save=main")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*broken.json: not sound JSON*", "*prune main --corrupt*"])
    assert not (project.path / "out").exists()


def test_a_run_is_saved_beside_a_corrupt_one_that_it_is_not_compared_with(project):
    project.tests(MEASURES)
    folder = project.path / ".costguard" / "baselines" / "main"
    folder.mkdir(parents=True)
    (folder / "broken.json").write_text("{")
    result = project.measure("--costguard-save=main", "--costguard-baseline=none")
    assert result.ret == 0
    assert (folder / "broken.json").read_text() == "{"
    (other,) = (path for path in saved(project) if path.name != "broken.json")
    assert json.loads(other.read_text())["kind"] == "baseline"


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ((), ""),
        (("--costguard-store=numbers",), "numbers"),
        (("--costguard-store=file://{}/kept",), ""),
    ],
    ids=["the default", "a folder", "an address, which may hold a password"],
)
def test_a_report_says_which_store_its_baseline_is_found_in_again(project, options, kept):
    project.tests(MEASURES)
    options = [one.format(project.path) for one in options]
    project.run("--costguard", "--costguard-save=main", *options)
    project.measure("--costguard-units=1", *options)
    assert project.report["baseline"].get("store", "") == kept
