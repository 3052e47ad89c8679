"""What leads base to head's code or files is an error, is set right, or is said in the report."""

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
mean = { allow = "50%", catch = "300%" }
peak_memory = "off"
"""
TEST = """
import service

def test_it(costguard):
    costguard.measure(service.serve, inputs=[20_000])
"""


@pytest.fixture
def project(tmp_path):
    """`main` has one test of one service; what a test commits later is head."""
    project = GitProject(tmp_path.resolve() / "project")
    project.commit(
        {
            "pyproject.toml": CONFIGURATION,
            ".gitignore": "out/\nignored/\n__pycache__/\n",
            "tests/test_it.py": TEST,
            "service/__init__.py": "def serve(n):\n    return sum(range(n))\n",
        }
    )
    project.git("checkout", "-q", "-b", "feature")
    return project


def loaded_past_the_guard(project):
    return {
        "conftest.py": "import sys\nfrom importlib.machinery import PathFinder\n"
        "class Finder:\n    find_spec = PathFinder.find_spec\n"
        "sys.meta_path = [Finder()] + sys.meta_path\n"
        f"sys.path.insert(0, {str(project.folder)!r})\n"
    }


def test_code_that_a_conftest_loads_past_the_guard_is_an_error(project):
    loads = loaded_past_the_guard(project)
    loads["conftest.py"] += "import service\n"
    project.commit(loads)
    project.git("branch", "-f", "main")
    project.commit({"service/__init__.py": "def serve(n):\n    return sum(range(50 * n))\n"})

    code, printed = project.measure()

    assert code == 1, printed
    assert "code was imported that is not this revision's own" in printed


def test_what_is_collected_is_guarded_again(project):
    project.commit(loaded_past_the_guard(project))
    project.git("branch", "-f", "main")
    project.commit({"service/__init__.py": "def serve(n):\n    return sum(range(50 * n))\n"})

    code, printed = project.measure()

    assert code == 1, printed
    [verdict] = report_of(project.folder)["verdicts"]
    assert verdict["comparisons"][0]["verdict"] == "regressed"
