"""`costguard baseline record` with real pytest sessions, real workers and next to no measuring."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_costguard.app.stores import store_of

ROOT = Path(__file__).parents[3]
MEASURES = """
def test_it(costguard):
    costguard.measure(abs, inputs=[1])
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(MEASURES)
    return tmp_path


def recorded(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    dropped = ("PYTEST_", "COSTGUARD_", "COV_", "COVERAGE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    few = {"COSTGUARD_UNITS": "2", "COSTGUARD_UNIT_TIME": "10ms"}
    plugins = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_PLUGINS": "pytest_costguard.plugin",
        "PYTHONPATH": str(ROOT),
    }
    command = "from pytest_costguard.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", command, "baseline", "record", *arguments],
        cwd=folder,
        env=kept | few | plugins,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_each_session_leaves_a_run_with_its_units(project):
    done = recorded(project, "--runs", "2", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    runs = store_of(project).series("main")
    assert len({run.run_id for run in runs}) == 2
    assert {len(run.workloads[0].metrics["mean"]) for run in runs} == {2}
    assert "Recorded 2 runs of 2 in baseline 'main'." in done.stdout
    assert "session 2 of 2" in done.stderr


def test_a_folder_of_the_project_and_a_budget_that_is_over_do_not_hinder_it(project):
    (project / "costguard.yaml").write_text("budget: {peak_memory: 1MiB}\n")
    done = recorded(project / "tests", "--runs", "1", "--name", "pr-7", "-q", "-k", "test_it")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(store_of(project).series("pr-7")) == 1


def test_a_test_that_fails_stops_it_and_what_was_saved_is_counted(project):
    (project / "tests" / "test_other.py").write_text("def test_other(): assert False\n")
    done = recorded(project, "--runs", "3", "-q")
    assert done.returncode == 1
    assert len(store_of(project).series("main")) == 1
    assert "Recorded 1 run of 3 in baseline 'main'." in done.stdout
    assert "session 1 ended with exit code 1" in done.stderr
