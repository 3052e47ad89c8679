"""How long is measured: what is not decided ends with its time, and deep looks go further."""

from __future__ import annotations

import signal
import subprocess

import pytest
from factories.git_repositories import ONE_UNIT, GitProject, against, plugin_environ, report_of

CONFIGURATION = """
[project]
name = "service"
version = "1"
[tool.costguard.regression]
mean = { allow = "0.01%", catch = "0.02%" }
peak_memory = "off"
"""
TEST = """
import os

# Each process has a pace of its own, on both sides alike, so that nothing is ever sure.
PACE = 20_000 + 1_000 * (os.getpid() % 11)

def work(n):
    return sum(range(PACE))

def test_it(costguard):
    costguard.measure(work, inputs=[1])
"""
WAITS = """
import time

def test_waits(costguard):
    costguard.measure(time.sleep, inputs=[0.005])
"""


@pytest.fixture
def project(tmp_path):
    made = GitProject(tmp_path / "project")
    made.commit(
        {
            ".gitignore": "__pycache__\nout\n",
            "pyproject.toml": CONFIGURATION,
            "tests/test_it.py": TEST,
        }
    )
    made.git("checkout", "-q", "-b", "change")
    made.commit({"tests/other.py": "x = 1\n"})
    return made


def found(project, *words):
    code, output = project.measure(*words)
    assert code == 0, output
    report = report_of(project.folder)
    (verdict,) = report["verdicts"]
    (comparison,) = verdict["comparisons"]
    units = len(report["run"]["measurements"][0]["units"])
    return report, comparison, units


def test_what_is_not_decided_in_its_time_is_inconclusive_and_says_what_it_would_take(project):
    report, comparison, units = found(project, "--costguard-time=1s")
    assert comparison["verdict"] == "inconclusive"
    assert 6 <= units < report["against"]["looks"][-1]
    assert "changes can be seen from" in comparison["reason"]
    assert "would decide" in comparison["reason"]
    assert comparison["smallest_visible"] > 0


def test_each_side_gets_half_of_the_time_of_a_unit(project):
    project.commit({"tests/test_it.py": WAITS})  # waiting takes a busy machine hardly longer
    blocks = []
    for asked in ("100ms", "2s"):
        report, _, _ = found(project, f"--costguard-unit-time={asked}", ONE_UNIT)
        (unit,) = report["run"]["measurements"][0]["units"]
        blocks.append(len(unit["blocks"]))
    # 10 and 200 of 5 ms, planned by what a request took before: busy machines have fewer.
    assert 2 * blocks[0] < blocks[1]


def test_deep_looks_are_planned_up_to_48_units(project):
    report, _, _ = found(project, "--costguard-deep", "--costguard-suite-time=1s")
    assert tuple(report["against"]["looks"]) == (6, 10, 16, 24, 36, 48)


def test_the_log_says_about_how_long_it_takes_and_what_is_not_decided(project):
    running = subprocess.Popen(
        against("main"),
        cwd=project.folder,
        env=plugin_environ(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    said = []
    try:
        for line in running.stdout:
            said.append(line)
            if "not decided: tests/test_it.py::test_it: mean" in line:
                break
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
    output = "".join(said)
    assert "not decided: tests/test_it.py::test_it: mean" in said[-1], output
    assert "costguard: measuring 1 test in fresh processes, about" in output
    assert "to the next look" in output
