"""What leads base to head's code or files is an error, is set right, or is said in the report."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories.git_repositories import (
    ONE_UNIT,
    GitProject,
    plugin_environ,
    report_of,
    times_slower,
)
from factories.wheels import BorrowingEnvironment

ROOT = Path(__file__).parents[3]

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

    code, printed = project.measure(ONE_UNIT)

    assert code == 0, printed
    assert times_slower(project.folder) > 5


BUILT_BY_SETUPTOOLS = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
"""
MAPPED = """
[tool.setuptools]
packages = ["mapped"]
package-dir = { mapped = "pysrc" }
"""
LIBRARY = "from setuptools import setup\nsetup(name='acme-lib', version='1', {what})\n"
SERVE = "def serve(n):\n    return sum(range({times} * n))\n"


@pytest.fixture
def measured_with_head_installed(project, tmp_path):
    """Measure a commit that slows `file`, in an environment that head is installed in."""

    def measured(files, *, module, file, install):
        ignored = {".gitignore": "out/\n__pycache__/\nbuild/\n*.egg-info/\nmade.py\n"}
        test = {"tests/test_it.py": TEST.replace("service", module)}
        project.commit({**files, **ignored, **test, file: SERVE.format(times=1)})
        project.git("branch", "-f", "main")
        project.commit({file: SERVE.format(times=50)})
        environment = BorrowingEnvironment(tmp_path / "environment", paths=(ROOT,))
        environment.install(project.folder / install)
        return project.measure(ONE_UNIT, python=environment.python)

    return measured


@pytest.mark.parametrize(
    ("files", "module", "file", "install"),
    [
        pytest.param(
            {"pyproject.toml": CONFIGURATION + BUILT_BY_SETUPTOOLS + MAPPED},
            *("mapped", "pysrc/__init__.py", "."),
            id="mapped by package-dir",
        ),
        pytest.param(
            {"lib/setup.py": LIBRARY.format(what="**dict(py_modules=['made'])")},
            *("made", "lib/made.py", "lib"),
            id="generated",
        ),
    ],
)
def test_what_only_head_has_installed_is_refused(
    measured_with_head_installed, files, module, file, install
):
    code, printed = measured_with_head_installed(files, module=module, file=file, install=install)

    assert code == 1, printed
    told = " ".join(printed.split())
    assert f"{module} belongs to the project and is not in the tree of this revision" in told
    assert "--costguard-build=COMMAND" in told


def test_an_installed_project_with_a_setup_py_alone_is_taken_from_each_tree(
    measured_with_head_installed, project
):
    code, printed = measured_with_head_installed(
        {"lib/setup.py": LIBRARY.format(what="packages=['acme']")},
        module="acme",
        file="lib/acme/__init__.py",
        install="lib",
    )

    assert code == 0, printed
    assert times_slower(project.folder) > 5


def test_changed_code_that_nobody_loads_is_said_beside_the_verdict(project):
    project.commit({"elsewhere/__init__.py": ""})

    code, printed = project.measure(ONE_UNIT)

    assert code == 0, printed
    report = report_of(project.folder)
    assert "none of the changed code was loaded" in report["outcome"]["sentence"]
    comment = (project.folder / "out" / "report.md").read_text()
    for text in (" ".join(printed.split()), comment):
        assert "None of the changed code was loaded by what was measured" in text


def test_a_change_of_no_code_passes_without_a_warning(project):
    project.commit({"README.md": "Nothing to load.\n"})

    code, printed = project.measure(ONE_UNIT)

    assert code == 0, printed
    assert "none of the changed code" not in printed
    [note] = report_of(project.folder)["against"]["notes"]
    assert note.startswith("neither side loaded any of the changed files as a module (README.md)")


def test_a_revision_compared_with_itself_and_what_both_trees_lack_are_said(project, tmp_path):
    library = GitProject(tmp_path / "library")
    library.commit({"code.txt": "x"})
    project.git("submodule", "add", "-q", str(library.folder), "vendored")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d7a' * 16}\nsize 12345\n"
    project.commit({".gitattributes": "*.bin filter=lfs\n", "weights.bin": pointer})
    project.git("submodule", "deinit", "-q", "-f", "vendored")

    code, printed = project.measure(ONE_UNIT, revision="HEAD")

    assert code == 0, printed
    notes = report_of(project.folder)["against"]["notes"]
    assert any(note.startswith("base and head are the same code") for note in notes)
    assert "this compares a revision with itself" in notes[0]
    for side in ("base", "head"):
        assert any(f"on {side}, Git LFS files are pointers only" in note for note in notes)
        assert any(f"on {side}, submodules are empty" in note for note in notes)


READS_ITS_FILES = """
import os
from pathlib import Path

def serve(n):
    return sum(range(n))

def test_it(costguard, request):
    assert os.environ["PWD"] == os.getcwd()
    project, model = Path(os.environ["PROJECT"]), Path(request.config.getoption("--model"))
    assert project == model.parent == Path(os.getcwd())
    assert Path(os.environ["WEIGHTS"]).read_text() == "everyone's"
    costguard.measure(serve, inputs=[20_000 * int(model.read_text())])
"""


def test_paths_of_the_checkout_name_each_sides_own_tree(project):
    options = "def pytest_addoption(parser):\n    parser.addoption('--model')\n"
    project.commit({"tests/test_it.py": READS_ITS_FILES, "conftest.py": options, "factor.txt": "1"})
    project.git("branch", "-f", "main")
    project.commit({"factor.txt": "50"})
    project.put({"ignored/weights": "everyone's"})
    folder = project.folder
    environ = plugin_environ(PROJECT=str(folder), WEIGHTS=str(folder / "ignored/weights"))

    _, printed = project.measure(ONE_UNIT, f"--model={folder / 'factor.txt'}", environ=environ)

    report = report_of(folder)
    [verdict] = report["verdicts"]
    assert verdict["inputs_changed"], printed
    assert times_slower(folder) > 5
    assert "WEIGHTS names the checkout; both sides read what is there" in report["against"]["notes"]
    assert not any("PROJECT" in note for note in report["against"]["notes"])
