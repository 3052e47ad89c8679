"""What git ignores is built in each tree: a compiled extension, a generated file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest
from factories.git_repositories import ONE_UNIT, GitProject, report_of, times_slower

CONFIGURATION = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "service"
version = "1"
[tool.setuptools]
packages = ["service"]
[tool.costguard]
isolate = "suite"
[tool.costguard.regression]
mean = { allow = "20%", catch = "60%" }
peak_memory = "off"
"""
GENERATE = """
import pathlib, sys
text = f"FACTOR = {FACTOR}\\nPYTHON = {sys.executable!r}\\n"
pathlib.Path("service/generated.py").write_text(text)
"""
GENERATED_TEST = """
import sys
from service import generated

def work(n):
    return sum(range(generated.FACTOR * n))

def test_it(costguard):
    assert generated.PYTHON == sys.executable
    costguard.measure(work, inputs=[20_000])
"""
SETUP = """
from setuptools import Extension, setup
setup(ext_modules=[Extension("service._speed", ["service/_speed.c"])])
"""
EXTENSION = """
#include <Python.h>
static PyObject *work(PyObject *self, PyObject *argument) {
    volatile long total = 0;
    long n = PyLong_AsLong(argument);
    for (long i = 0; i < FACTOR * n; i++) total += i;
    return PyLong_FromLong(total);
}
static PyMethodDef methods[] = {{"work", work, METH_O, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_speed", "", -1, methods};
PyMODINIT_FUNC PyInit__speed(void) { return PyModule_Create(&module); }
"""
COMPILED_TEST = """
import service._speed as _speed

def test_it(costguard):
    costguard.measure(_speed.work, inputs=[200_000])
"""


def comparison(project):
    report = report_of(project.folder)
    return report["verdicts"][0]["comparisons"][0]


def changed(folder, *, ignored, base, head):
    """A repository whose head changed from `base` to `head`, its ignored files not built yet."""
    project = GitProject(folder)
    kept = {".gitignore": f"__pycache__\nout\nbuild\n{ignored}\n", "pyproject.toml": CONFIGURATION}
    project.commit({**kept, "service/__init__.py": "", **base})
    project.git("checkout", "-q", "-b", "change")
    project.commit(head)
    return project


def in_checkout(project, *command):
    subprocess.run([sys.executable, *command], cwd=project.folder, check=True, capture_output=True)


def generator(factor):
    return GENERATE.replace("{FACTOR}", str(factor))


def test_a_generated_file_is_each_sides_own(tmp_path):
    project = changed(
        tmp_path / "project",
        ignored="service/generated.py",
        base={"generate.py": generator(1), "tests/test_it.py": GENERATED_TEST},
        head={"generate.py": generator(4)},
    )
    in_checkout(project, "generate.py")

    code, output = project.measure()
    assert code == 1
    assert "cannot import name 'generated' from 'service'" in output, "git ignores it"

    code, output = project.measure(ONE_UNIT, "--costguard-build={python} generate.py")
    assert times_slower(project.folder) > 2, output
    assert "building base: {python} generate.py" in output
    assert "building head: {python} generate.py" in output


def _compiler():
    declared = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    return shutil.which(declared) and Path(sysconfig.get_path("include"), "Python.h").exists()


@pytest.mark.skipif(not _compiler(), reason="no C compiler or no Python.h on this machine")
def test_a_compiled_extension_is_each_sides_own(tmp_path):
    project = changed(
        tmp_path / "project",
        ignored="*" + EXTENSION_SUFFIXES[-1],
        base={
            "setup.py": SETUP,
            "service/_speed.c": EXTENSION.replace("FACTOR", "1"),
            "tests/test_it.py": COMPILED_TEST,
        },
        head={"service/_speed.c": EXTENSION.replace("FACTOR", "4")},
    )
    in_checkout(project, "setup.py", "build_ext", "--inplace")
    assert list(project.folder.glob("service/_speed*")), "head's is built in the checkout"

    code, output = project.measure()
    assert code == 1
    refusal = "service._speed belongs to the project and is not in the tree of this revision"
    assert refusal in output, "the checkout's is not taken for either side"

    build = "--costguard-build={python} setup.py build_ext --inplace"
    code, output = project.measure(ONE_UNIT, build)
    assert times_slower(project.folder) > 2, output


def test_a_build_that_fails_names_the_side_and_measures_nothing(tmp_path):
    project = changed(
        tmp_path / "project",
        ignored="nothing",
        base={"generate.py": "raise SystemExit('no compiler')\n", "tests/test_it.py": ""},
        head={"generate.py": "", "tests/test_it.py": GENERATED_TEST.replace("generated", "os")},
    )
    project.put({"service/os.py": "import sys\nFACTOR = 1\nPYTHON = sys.executable\n"})

    code, output = project.measure("--costguard-build={python} generate.py")

    assert code == 4
    assert "--costguard-build, on base: `" in output
    assert "no compiler" in output
    assert len(project.git("worktree", "list").splitlines()) == 1
