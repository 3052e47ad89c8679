"""The example serves its classifier with MLServer, and plans a week on what it can take."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from factories.model_servers import CHECKOUT, program

TEST = "tests/test_serving.py"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".costguard", "reports")
    return Path(shutil.copytree(CHECKOUT / "example_repo", tmp_path / "example", ignore=ignored))


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COSTGUARD_", "COV_", "COVERAGE_", "MLSERVER"))
        and name != "CI"
    }
    extra = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_PLUGINS": "pytest_costguard.plugin",
        "PYTHONPATH": os.pathsep.join(["src", ".", str(CHECKOUT)]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=kept | extra | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_without_mlserver_it_is_skipped_and_says_what_is_missing(example):
    done = run(example, "-m", "pytest", "-q", TEST, MLSERVER="no-such-program")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 skipped" in done.stdout
    assert "MLServer is not installed" in done.stdout


def test_with_mlserver_both_ways_of_serving_answer_as_well_as_the_model(example):
    done = run(example, "-m", "pytest", "-q", TEST, MLSERVER=program("mlserver", "mlserver"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_what_a_replica_can_take_is_found_and_a_week_planned_on_it(example):
    # The tail is as long as this machine's neighbours make it; the median is the server's own.
    file = example / TEST
    file.write_text(file.read_text(encoding="utf-8").replace('"p99"', '"p50"'), encoding="utf-8")
    done = run(
        example,
        *("-m", "pytest", "-q", TEST, "-k", "batched", "--costguard", "--costguard-units=1"),
        *("--costguard-unit-time=50ms", "--costguard-report=reports", "--costguard-fail-on=never"),
        MLSERVER=program("mlserver", "mlserver"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((example / "reports" / "report.json").read_text(encoding="utf-8"))
    (verdict,) = report["verdicts"]
    assert verdict["figures"]["max_rate"]["estimate"] > 0
    assert report["run"]["measurements"][0]["units"][0]["memory"]["peak_bytes"] > 0
    planned = run(
        example,
        *("-c", "from pytest_costguard.cli.main import main; main()", "plan"),
        *("reports/report.json", "--traffic", "traffic/week.csv", "--slo", "p50=50ms"),
    )
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "160/s on average, 621/s at most" in planned.stdout
