from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_costguard.config.files import NO_FILE, read_configuration
from pytest_costguard.errors import ConfigError


def test_without_a_file_there_is_no_configuration(tmp_path):
    assert read_configuration(tmp_path) is NO_FILE


def test_a_pyproject_of_someone_else_is_no_configuration(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.other]\nunits = 3\n")

    assert read_configuration(tmp_path) is NO_FILE


def test_the_table_of_a_pyproject_is_read(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.costguard]\nunits = 3\n")

    file = read_configuration(tmp_path)

    assert file.table == {"units": 3}
    assert file.place("units") == "pyproject.toml [tool.costguard] units"


def test_a_yaml_file_is_read(tmp_path):
    (tmp_path / "costguard.yaml").write_text("units: 3\nbudget: {p99: 50ms}\n")

    file = read_configuration(tmp_path)

    assert file.table == {"units": 3, "budget": {"p99": "50ms"}}
    assert file.place("units") == "costguard.yaml units"


def test_an_empty_yaml_file_is_an_empty_configuration(tmp_path):
    (tmp_path / "costguard.yaml").write_text("# nothing yet\n")

    assert read_configuration(tmp_path).table == {}


def test_yaml_anchors_and_merges_work(tmp_path):
    (tmp_path / "costguard.yaml").write_text(
        "budget: &b {p99: 50ms, mean: 9ms}\nslo:\n  <<: *b\n  mean: 8ms\n"
    )

    assert read_configuration(tmp_path).table["slo"] == {"p99": "50ms", "mean": "8ms"}


def test_two_files_are_refused(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.costguard]\n")
    (tmp_path / "costguard.yaml").write_text("units: 3\n")

    with pytest.raises(ConfigError, match=r"there is a costguard\.yaml too") as error:
        read_configuration(tmp_path)

    assert error.value.remedy == "keep one of the two"


@pytest.mark.parametrize("name", ["costguard.yml", ".costguard.yaml", "costguard.toml"])
def test_a_file_that_would_silently_not_be_read_is_refused(tmp_path, name):
    (tmp_path / name).write_text("")

    with pytest.raises(ConfigError, match="not a name that is read"):
        read_configuration(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("pyproject.toml", b"[tool.costguard]\nunits = \n", "not valid TOML: .*line 2"),
        ("pyproject.toml", b"[tool.costguard]\nunits = 1\nunits = 2\n", "not valid TOML"),
        ("pyproject.toml", b"x = " + b"[" * 100_000, "not valid TOML: nested too deeply"),
        ("pyproject.toml", b"x = " + b"9" * 5000, "not valid TOML"),
        ("pyproject.toml", b"\n\n\xff\xfe", "line 3 is not UTF-8"),
        ("pyproject.toml", b"[tool]\ncostguard = 3\n", "tool.costguard = 3 is not a table"),
        ("pyproject.toml", b"#" * 1_000_001, "at most 1000000"),
        ("costguard.yaml", b"units: [3\nfoo: }\n", "not valid YAML: .*line 2"),
        ("costguard.yaml", b"units: 3\nunits: 4\n", "'units' is there twice .*line 2"),
        ("costguard.yaml", b"x: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
        ("costguard.yaml", b"x: !!timestamp never\n", "not valid YAML"),
        ("costguard.yaml", b"x: 2026-99-99\n", "not valid YAML"),
        ("costguard.yaml", b"x: !!bool maybe\n", "not valid YAML"),
        ("costguard.yaml", b"[" * 1_200, "not valid YAML: nested too deeply"),
        ("costguard.yaml", b"- a\n- b\n", "is not a table"),
        ("costguard.yaml", b"just words", "is not a table"),
        ("costguard.yaml", b"a: 1\n---\nb: 2\n", "not valid YAML"),
    ],
)
def test_a_broken_file_is_named_with_the_place(tmp_path, name, content, problem):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ConfigError, match=problem) as error:
        read_configuration(tmp_path)

    assert name in error.value.message


def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    (tmp_path / "costguard.yaml").mkdir()

    with pytest.raises(ConfigError, match="cannot be read"):
        read_configuration(tmp_path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=60)
    | st.text(alphabet="ab:-[]{}&*!<#|>%@'\"\n 0129.eT+_=?~", max_size=40).map(str.encode),
    name=st.sampled_from(["pyproject.toml", "costguard.yaml"]),
)
@example(content=b"&a [*a]", name="costguard.yaml")
@example(content=b"? [a]\n: b", name="costguard.yaml")
@example(content=b"x: =", name="costguard.yaml")
@example(content=b"x: 0001-01-01T00:00:00+23:59", name="costguard.yaml")
def test_whatever_a_file_holds_only_a_config_error_comes_out(tmp_path: Path, content, name):
    folder = tmp_path / name.replace(".", "-")
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    with contextlib.suppress(ConfigError):
        read_configuration(folder)
