"""What a person says of the sides of an experiment, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_costguard.app.carrying import SIDE_VARIABLE, Carried, refuse_in_worker, write
from pytest_costguard.app.experiment import Wish
from pytest_costguard.app.experimenting import Asked, experiment, variables_of
from pytest_costguard.app.variants import Selection, Variant
from pytest_costguard.errors import ConfigError
from pytest_costguard.revisions.pytest_paths import pythonpath_of


def ignore(_):
    pass


def run(asked, folder):
    return experiment(asked, Wish(), folder=folder, progress=ignore, starting=ignore)


def test_words_are_told_from_options():
    found = Selection.of(["tests/a.py::test_b", "-k", "int8", "--model=x", "-q"])

    assert found.words == ("tests/a.py::test_b",)
    assert found.options == ("-k", "int8", "--model=x", "-q")


@pytest.mark.parametrize("option", ["-n", "-n4", "--cov=x", "--costguard", "--rootdir=/", "--pdb"])
def test_an_option_that_would_disturb_is_refused(option):
    with pytest.raises(ConfigError, match=option):
        Selection.of([option])


def test_variables_that_ask_for_threads_are_understood():
    asked = {"ORT_THREADS": "4", "OMP_NUM_THREADS": "2", "MODE": "8", "X_THREADS": "many"}

    assert Variant(folder=Path(), variables=asked).threads_asked == 4
    assert Variant(folder=Path()).threads_asked == 0


@pytest.mark.parametrize("text", ["NAME", "=x", ""])
def test_a_variable_without_name_or_value_is_refused(text):
    with pytest.raises(ConfigError, match="--env"):
        variables_of([text], option="--env")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(), "nothing differs"),
        (Asked(words=("one",)), "nothing differs"),
        (Asked(words=("gone", ".")), "A: there is no folder"),
        (Asked(words=(".", "gone")), "B: there is no folder"),
        (Asked(words=(".", "a_file")), "B: .*a_file is no folder"),
        (Asked(words=("inner", ".")), "inside the other"),
        (Asked(words=(".", ".")), "the same folder"),
        (Asked(b_python="/gone/python"), "no interpreter"),
        (Asked(words=("gone.py",), b_variables={"A": "1"}), "there is no gone.py"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_remedy(tmp_path, asked, said):
    (tmp_path / "inner").mkdir()
    (tmp_path / "a_file").write_text("")
    with pytest.raises(ConfigError, match=said) as caught:
        run(asked, tmp_path)
    assert caught.value.remedy


@pytest.mark.parametrize("wish", [{"precision": 0.0}, {"seconds": -1.0}, {"metric": "speed"}])
def test_a_wish_that_is_none_is_refused(wish):
    with pytest.raises(ConfigError):
        Wish(**wish)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest.ini", "[pytest]\npythonpath = lib src\n"),
        ("pyproject.toml", '[tool.pytest.ini_options]\npythonpath = ["lib", "src"]\n'),
        ("setup.cfg", "[tool:pytest]\npythonpath = lib src\n"),
    ],
)
def test_pytests_own_setting_tells_where_modules_are(tmp_path, name, text):
    (tmp_path / name).write_text(text)

    assert pythonpath_of(tmp_path) == ("lib", "src")
    assert pythonpath_of(tmp_path / "other") == ()


def test_a_lambda_is_refused_where_cloudpickle_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(ConfigError, match="lambda") as caught:
        write({tmp_path / "a": Carried(thing=lambda x: x, inputs=[1])})
    assert "cloudpickle" in caught.value.remedy
    assert not list(tmp_path.iterdir())


def test_what_is_carried_can_be_read_by_its_owner_alone(tmp_path):
    write({tmp_path / "a": Carried(thing=len, inputs=["ab"])})

    assert (tmp_path / "a").stat().st_mode & 0o077 == 0


def test_a_script_that_calls_itself_again_is_told_so(monkeypatch):
    monkeypatch.setenv(SIDE_VARIABLE, "/somewhere")
    with pytest.raises(ConfigError) as caught:
        refuse_in_worker()
    assert "__main__" in caught.value.remedy


def test_importing_the_package_loads_nothing_until_ab_is_asked_for():
    script = (
        "import sys, pytest_costguard; print(any(m.startswith('pytest_costguard.') for m in"
        " sys.modules), 'typing' in sys.modules and 'numpy' in sys.modules);"
        "from pytest_costguard import ab; print(callable(ab))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.stdout.split("\n")[:2] == ["False False", "True"], done.stderr
