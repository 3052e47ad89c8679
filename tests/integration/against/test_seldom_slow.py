"""A head whose requests are seldom slow, on a real repository: never passed, and told as such."""

from __future__ import annotations

import pytest
from factories.git_repositories import GitProject, report_of

CONFIGURATION = """
[project]
name = "service"
version = "1"
[tool.pytest.ini_options]
testpaths = ["tests"]
[tool.costguard.regression]
mean = { allow = "20%", catch = "50%" }
peak_memory = "off"
"""
SERVICE = """
import time

SELDOM = 100
served = 0

def works(n):
    '''One request in a hundred does as much as two hundred others.'''
    global served
    served += 1
    return sum(range(n * ({more} if served % SELDOM == 0 else 1)))

def waits(n):
    '''One request in a hundred waits for as long as about two hundred others take.'''
    global served
    served += 1
    if served % SELDOM == 0:
        time.sleep({seconds})
    return sum(range(n))
"""
TESTS = """
import service

def test_works(costguard):
    costguard.measure(service.works, inputs=[10_000])

def test_waits(costguard):
    costguard.measure(service.waits, inputs=[10_000])
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    project = GitProject(tmp_path_factory.mktemp("seldom") / "project")
    project.commit(
        {
            ".gitignore": "__pycache__\nout\n",
            "pyproject.toml": CONFIGURATION,
            "service.py": SERVICE.format(more=1, seconds=0),
            "tests/test_it.py": TESTS,
        }
    )
    project.git("checkout", "-q", "-b", "change")
    project.commit({"service.py": SERVICE.format(more=200, seconds=0.04)})
    code, output = project.measure("--costguard-time=20s")
    assert code in (0, 1), output
    return report_of(project.folder)


def mean(report, test):
    (verdict,) = [
        one for one in report["verdicts"] if one["workload"]["nodeid"].endswith(f"::{test}")
    ]
    (found,) = [one for one in verdict["comparisons"] if one["metric"] == "mean"]
    return found


def test_work_that_is_seldom_is_seen_in_the_sum_over_all_requests(report):
    found = mean(report, "test_works")
    assert found["verdict"] in ("regressed", "inconclusive"), found
    assert "all of them together" in found["reason"], found


def test_waiting_that_is_seldom_is_never_passed(report):
    found = mean(report, "test_waits")
    assert found["verdict"] in ("regressed", "inconclusive"), found
