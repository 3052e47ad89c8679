"""Declared commands: split as a shell would, and nothing that would need one."""

from __future__ import annotations

import pytest

from pytest_costguard.config.cascade import resolve
from pytest_costguard.config.commands import parse_commands
from pytest_costguard.errors import ConfigError


def parsed(text):
    names = ("environment", "tree", "python")
    return parse_commands(text, origin="pyproject.toml", key="build", placeholders=names)


def test_commands_are_split_at_and_and_into_words():
    assert parsed("{python} -m venv {environment} && pip install -r 'my file.txt'") == (
        ("{python}", "-m", "venv", "{environment}"),
        ("pip", "install", "-r", "my file.txt"),
    )


def test_braces_that_are_no_placeholder_stay():
    assert parsed("""echo '{"a": 1}' '{}' '{x}'""") == (("echo", '{"a": 1}', "{}", "{x}"),)


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("a && && b", "has an empty command", "before and after each &&"),
        ("a &&", "has an empty command", "before and after each &&"),
        ("make | tee log", "holds '|', and no shell reads it", "script"),
        ("make > log", "holds '>'", "script"),
        ("make ; make install", "holds ';'", "script"),
        ("CC=clang make", "begins with the assignment 'CC=clang'", "env CC=clang"),
        ("make 'all", "cannot be split into words", "close the quote"),
        ("make {enviroment}", "holds {enviroment}", "did you mean {environment}?"),
        ("{nosuch} -m venv", "starts {nosuch}", "one of {environment}, {tree}, {python}"),
        ("make && {a}/bin/b", "starts {a}", "one of {environment}, {tree}, {python}"),
        ("", "is not a text", "plain text"),
        (["make"], "is not a text", "plain text"),
    ],
)
def test_what_is_not_understood_is_refused_with_the_place_and_the_remedy(text, problem, remedy):
    with pytest.raises(ConfigError) as caught:
        parsed(text)

    assert caught.value.message.startswith("pyproject.toml: build = ")
    assert problem in caught.value.message
    assert remedy in caught.value.remedy


def settings(tmp_path, text="", environ=None, **cli):
    (tmp_path / "pyproject.toml").write_text(f"[tool.costguard]\n{text}", encoding="utf-8")
    return resolve(cli=cli, environ=environ or {}, rootdir=tmp_path)


def test_the_file_and_the_flags_say_what_base_runs_in(tmp_path):
    found = settings(tmp_path, "base_environment = 'uv sync'\nbuild = 'make -C {tree}'")

    assert found.base_environment == (("uv", "sync"),)
    assert found.build == (("make", "-C", "{tree}"),)
    assert found.base_python is None


def test_an_interpreter_of_the_file_is_found_from_there_and_a_name_is_looked_for(tmp_path):
    assert settings(tmp_path, "base_python = 'old/bin/python'").base_python == str(
        tmp_path / "old/bin/python"
    )
    assert settings(tmp_path, "base_python = 'python3.12'").base_python == "python3.12"
    assert settings(tmp_path, base_python="old/bin/python").base_python == "old/bin/python"


def test_an_interpreter_and_an_environment_from_one_place_exclude_each_other(tmp_path):
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, "base_python = 'python3.12'\nbase_environment = 'uv sync'")

    assert "tool.costguard.base_python" in caught.value.message
    assert "tool.costguard.base_environment" in caught.value.message
    assert "keep one" in caught.value.remedy


def test_the_command_line_wins_over_the_other_way_of_the_file(tmp_path):
    found = settings(tmp_path, "base_environment = 'uv sync'", base_python="python3.12")
    assert (found.base_python, found.base_environment) == ("python3.12", None)

    found = settings(tmp_path, "base_python = 'python3.12'", base_environment="uv sync")
    assert (found.base_python, found.base_environment) == (None, (("uv", "sync"),))


def test_what_runs_base_changes_no_figure_of_head(tmp_path):
    plain = settings(tmp_path).digest

    assert settings(tmp_path, base_environment="uv sync").digest == plain
    assert settings(tmp_path, base_python="python3.12").digest == plain
    assert settings(tmp_path, build="make").digest != plain
