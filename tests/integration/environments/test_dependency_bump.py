"""A dependency that got slower is found, though no code of the project changed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from factories.git_repositories import (
    ENVIRON,
    ONE_UNIT,
    GitProject,
    plugin_environ,
    times_slower,
)
from factories.wheels import OWN_PACKAGES, BorrowingEnvironment, make_wheel

ROOT = Path(__file__).parents[3]
DEP = "def work(n):\n    return sum(range({factor} * n))\n"
TEST = """
import dep

def test_it(costguard):
    costguard.measure(dep.work, inputs=[20_000])
"""
BORROW = """
import pathlib, sys, sysconfig
site = pathlib.Path(sysconfig.get_path("purelib", vars={"base": sys.argv[1]}))
site.joinpath("borrowed.pth").write_text(sys.argv[2])
pathlib.Path(sys.argv[1], "made-in").write_text(str(pathlib.Path.cwd()))
"""
CONFIGURATION = """
[project]
name = "service"
version = "1"
[tool.costguard]
isolate = "suite"
base_environment = '''{command}'''
[tool.costguard.regression]
mean = {{ allow = "50%", catch = "150%" }}
peak_memory = "off"
"""


def clean():
    dropped = ("PYTHONPATH", "PYTEST_", "COSTGUARD_", "VIRTUAL_ENV")
    return {k: v for k, v in ENVIRON.items() if not k.startswith(dropped)}


def measure(project, python, *words):
    return project.measure(*words, python=python, environ=plugin_environ(clean()))


@pytest.fixture(scope="module")
def bumped(tmp_path_factory):
    """A repository whose head requires `dep` 2.0, and the interpreter that has it."""
    folder = tmp_path_factory.mktemp("bump")
    wheels = folder / "wheels"
    make_wheel(wheels, "dep", "1.0", DEP.format(factor=1))
    newer = make_wheel(wheels, "dep", "2.0", DEP.format(factor=5))
    command = (
        "{python} -m venv --without-pip {environment}"
        " && {python} -m pip --python {environment} install --no-index --no-deps"
        f" --find-links '{wheels}' -r requirements.txt"
        f" && {{python}} borrow.py {{environment}} '{OWN_PACKAGES}'"
    )
    project = GitProject(folder / "project")
    project.commit(
        {
            ".gitignore": "__pycache__\nout\n",
            "pyproject.toml": CONFIGURATION.format(command=command),
            "borrow.py": BORROW,
            "requirements.txt": "dep==1.0\n",
            "test_it.py": TEST,
        }
    )
    project.git("checkout", "-q", "-b", "change")
    project.commit({"requirements.txt": "dep==2.0\n"})
    head = BorrowingEnvironment(folder / "head", newer, paths=(ROOT,))
    return project, head.python


@pytest.fixture(scope="module")
def compared(bumped):
    project, python = bumped
    code, output = measure(project, python)
    report = json.loads((project.folder / "out" / "report.json").read_text())
    return project, python, (code, output, report)


def test_the_slower_dependency_is_a_regression(compared):
    *_, (code, output, report) = compared
    (comparison,) = report["verdicts"][0]["comparisons"][:1]

    assert code == 1, output
    assert comparison["verdict"] == "regressed", output


def test_the_report_names_the_packages_and_blames_the_environment(compared):
    *_, (_, output, report) = compared
    said = report["against"]["notes"]

    assert "base runs with dep 1.0; head with dep 2.0" in said, output
    assert any(
        note.startswith("neither side loaded any of the changed files as a module (req")
        and note.endswith("what differs is the environment")
        for note in said
    ), said
    assert "dep 1.0" in output


def test_the_waiting_is_explained(compared):
    *_, (_, output, _) = compared
    assert "making base's environment: {python} -m venv" in output


def test_the_environment_is_kept_out_of_gits_sight_and_made_once(compared):
    project, python, *_ = compared
    (note,) = (project.folder / ".costguard/cache/environments").glob("*/environment/made-in")
    made_in = note.read_text()
    assert Path(made_in).name == "base", "the command runs in base's root directory"
    assert project.git("status", "--porcelain", "--untracked-files=all") == ""

    _, output = measure(project, python, ONE_UNIT)

    assert "making base's environment" not in output
    assert note.read_text() == made_in


def test_a_command_that_fails_is_shown_with_what_it_said(compared):
    project, python, *_ = compared
    command = "{python} -c 'import sys; sys.exit(\"no such package: dep\")'"

    code, output = measure(project, python, f"--costguard-base-environment={command}")

    assert code == 4
    assert "ended with status 1\n" in output
    assert "    no such package: dep" in output
    assert "remedy: run it in a checkout of the base" in output


def test_an_environment_without_what_workers_need_is_refused_with_the_remedy(compared):
    project, python, *_ = compared
    command = "{python} -m venv --without-pip {environment}"

    code, output = measure(project, python, f"--costguard-base-environment={command}")

    assert code == 4
    assert "lacks what a worker needs: pytest does not import (ModuleNotFoundError" in output
    assert "{environment}/bin/python -m pip install pytest-costguard" in output


def test_an_interpreter_that_is_there_can_run_base(bumped, tmp_path):
    project, python = bumped
    wheel = make_wheel(tmp_path, "dep", "1.0", DEP.format(factor=1))
    base = BorrowingEnvironment(tmp_path / "base", wheel)
    own = subprocess.run([base.python, "-c", "import pytest_costguard"], cwd=tmp_path, env=clean())
    assert own.returncode, "this package is not there; the worker gets it all the same"

    _, output = measure(project, python, ONE_UNIT, f"--costguard-base-python={base.python}")

    assert times_slower(project.folder) > 2, output
    assert "base runs with dep 1.0; head with dep 2.0" in output
    assert "making base's environment" not in output
