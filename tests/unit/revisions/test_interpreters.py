"""Interpreters for base: found, asked, and refused where a worker could not run in them."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path

import pytest

from pytest_costguard.errors import RevisionError
from pytest_costguard.revisions.interpreters import (
    NEEDED,
    OLDEST,
    Interpreter,
    ask,
    located,
    require_measurable,
)
from pytest_costguard.revisions.own_package import bring_own_package, plugins_for

ROOT = Path(__file__).parents[3]


def program(folder, text, mode=0o755):
    path = folder / "program"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def asked(python, tmp_path):
    return ask(python, environ=os.environ, folder=tmp_path)


def test_this_interpreter_answers_for_itself(tmp_path):
    answer = asked(sys.executable, tmp_path)

    assert answer.version == sys.version_info[:3]
    assert answer.prefix == sys.prefix
    assert answer.broken == {}
    assert answer.packages.keys() >= NEEDED.keys()


def test_what_an_interpreter_prints_at_its_start_does_not_disturb(tmp_path):
    noisy = program(
        tmp_path, f"#!/bin/sh\necho hello\n{sys.executable} \"$@\"\necho '@costguards'\n"
    )

    assert asked(noisy, tmp_path).version == sys.version_info[:3]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("#!/bin/sh\necho not today >&2\nexit 1\n", "does not answer as Python does: not today"),
        ("#!/bin/sh\n", "does not answer as Python does"),
        ("#!/bin/sh\necho '@costguard {}'\n", "does not answer as Python does"),
        ("\0\0 no program", "could not be started"),
        ("#!/bin/sh\necho '@costguard {\"version\": [2, 7, 18]}'\n", "is Python 2.7.18, and"),
        ("#!/bin/sh\necho '@costguard {\"version\": [3, 10, 4]}'\n", "needs 3.11 or newer"),
    ],
)
def test_what_is_no_usable_python_is_refused(tmp_path, text, problem):
    with pytest.raises(RevisionError, match=re.escape(problem)) as caught:
        asked(program(tmp_path, text), tmp_path)

    assert caught.value.remedy


def test_an_interpreter_is_a_path_or_a_name_on_the_path(tmp_path):
    path = program(tmp_path, "#!/bin/sh\n")

    assert located(path, environ={}) == path
    assert located("program", environ={"PATH": str(tmp_path)}) == path


def test_the_link_of_a_virtual_environment_is_not_followed(tmp_path):
    link = tmp_path / "python"
    link.symlink_to(sys.executable)

    assert located(str(link), environ={}) == str(link)


def test_what_cannot_be_run_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(RevisionError, match="is not there"):
        located(str(tmp_path / "no"), environ={})
    with pytest.raises(RevisionError, match="is not there"):
        located("python9.9", environ={"PATH": str(tmp_path)})
    with pytest.raises(RevisionError, match="is a folder") as caught:
        located(str(tmp_path), environ={})
    assert f"{tmp_path}/bin/python" in caught.value.remedy
    with pytest.raises(RevisionError, match="may not be executed"):
        located(program(tmp_path, "", mode=0o644), environ={})


def interpreter(**changes):
    versions = {"pytest": "8.0", "NumPy": "1.26.4", "msgspec": "0.19.0rc1"}
    return Interpreter(**{"version": (3, 11, 9), "distributions": versions, **changes})


def test_an_interpreter_with_everything_is_accepted():
    require_measurable(interpreter(), "python", remedy="")
    require_measurable(interpreter(distributions={}), "python", remedy="")  # importable is enough


def test_what_is_missing_broken_or_old_is_named_together():
    lacking = interpreter(
        distributions={"pytest": "7.4.4", "numpy": "2.0"},
        broken={"numpy": "ImportError: no libblas", "msgspec": "ModuleNotFoundError: No module"},
    )
    with pytest.raises(RevisionError) as caught:
        require_measurable(lacking, "/old/python", remedy="install it")

    assert caught.value.message == (
        "base's interpreter /old/python lacks what a worker needs: pytest 7.4.4 is older than 8.0;"
        " numpy 2.0 does not import (ImportError: no libblas);"
        " msgspec does not import (ModuleNotFoundError: No module)"
    )


def test_what_is_needed_is_what_the_package_declares():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = dict(entry.split(">=") for entry in project["dependencies"])

    assert project["requires-python"] == f">={'.'.join(map(str, OLDEST))}"
    for name, oldest in NEEDED.items():
        assert declared[name] == ".".join(map(str, oldest))


def test_only_this_package_is_brought_along(tmp_path):
    folder = bring_own_package(tmp_path / "tool")

    assert [path.name for path in folder.iterdir()] == ["pytest_costguard"]
    assert (folder / "pytest_costguard/app/worker_process.py").exists()


@pytest.mark.parametrize(
    ("installed", "autoload", "given", "loaded"),
    [
        ({"pytest-costguard"}, True, (), ()),
        ({"pytest-costguard"}, True, ("costguard", "x"), ("x",)),
        ({"pytest-costguard"}, False, ("pytest_costguard.plugin", "x"), None),
        (set(), True, ("x",), None),
        (set(), True, ("costguard", "x"), None),
    ],
)
def test_the_plugin_is_loaded_exactly_once(installed, autoload, given, loaded):
    found = plugins_for(given, installed=frozenset(installed), autoload=autoload)

    assert found == (("pytest_costguard.plugin", "x") if loaded is None else loaded)
