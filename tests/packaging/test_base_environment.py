"""Base's environment is made from its requirements, by pip, without a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from factories.git_repositories import ENVIRON, ONE_UNIT, GitProject

WHEELHOUSE = Path(__file__).parents[2] / ".wheelhouse"
TEST = """
import numpy

def test_it(costguard):
    costguard.measure(numpy.sum, inputs=[numpy.ones(64)])
"""
CONFIGURATION = """
[project]
name = "service"
version = "1"
[tool.costguard]
isolate = "suite"
base_environment = "COMMAND"
[tool.costguard.regression]
mean = { allow = "100%", catch = "400%" }
peak_memory = "off"
"""

COMMAND = (
    "{python} -m venv {environment} && {environment}/bin/python -m pip install --no-index"
    f" --find-links '{WHEELHOUSE.resolve()}' -r requirements.txt"
)


@pytest.mark.skipif(os.name == "nt", reason="the command names bin/python")
def test_an_environment_of_nothing_but_the_requirements_measures(tmp_path):
    if not (WHEELHOUSE / ".filled").exists():
        pytest.fail(f"{WHEELHOUSE.name}/ is not filled: run `make setup`", pytrace=False)
    project = GitProject(tmp_path / "project")
    project.commit(
        {
            ".gitignore": "__pycache__\nout\n",
            "pyproject.toml": CONFIGURATION.replace("COMMAND", COMMAND),
            "requirements.txt": "pytest\nnumpy\nmsgspec\n",
            "test_it.py": TEST,
        }
    )
    project.git("checkout", "-q", "-b", "change")
    project.commit({"requirements.txt": "pytest\nnumpy\nmsgspec\nrich\n"})
    kept = {k: v for k, v in ENVIRON.items() if not k.startswith(("PIP_", "PYTEST_", "COSTG"))}

    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider"),
            *("--costguard", "--costguard-report=out", "--costguard-against=main"),
            ONE_UNIT,
        ],
        cwd=project.folder,
        env={**kept, "PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((project.folder / "out" / "report.json").read_text())
    base, head = report["against"]["run"]["measurements"], report["run"]["measurements"]
    assert len(base) == len(head) == 1
    assert any(note.startswith("only head has ") for note in report["against"]["notes"])
