"""`costguard init`: a configuration that is understood, a test that runs, nothing replaced."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pytest_costguard.app.starting import EXAMPLE_TEST
from pytest_costguard.cli.main import main
from pytest_costguard.config.cascade import resolve


def init(rootdir: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["init", "--rootdir", str(rootdir), *options])


def contents(rootdir: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(rootdir)): path.read_bytes()
        for path in rootdir.rglob("*")
        if path.is_file()
    }


def test_an_empty_project_gets_a_configuration_that_is_understood(tmp_path: Path) -> None:
    result = init(tmp_path)

    assert result.exit_code == 0, result.output
    assert resolve(cli={}, environ={}, rootdir=tmp_path).threads == 1
    assert set(contents(tmp_path)) == {"costguard.yaml", str(EXAMPLE_TEST)}
    assert "pytest tests/test_inference_cost.py --costguard" in result.output


def test_a_folder_of_a_project_is_told_where_the_files_went_and_why(tmp_path, monkeypatch) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    folder = tmp_path / "src" / "models"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)

    result = CliRunner().invoke(main, ["init"])

    assert set(contents(tmp_path)) == {"pytest.ini", "costguard.yaml", str(EXAMPLE_TEST)}
    first, second, *_ = result.output.splitlines()
    assert first == (
        f"the project is {tmp_path.resolve()}: the nearest folder from here upwards"
        " with a pytest.ini"
    )
    assert "--rootdir ." in second
    assert f"  cd {tmp_path.resolve()}\n  pytest tests/" in result.output


def test_a_folder_of_a_project_can_have_its_own_on_request(tmp_path, monkeypatch) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    folder = tmp_path / "service"
    folder.mkdir()
    monkeypatch.chdir(folder)

    result = CliRunner().invoke(main, ["init", "--rootdir", "."])

    assert set(contents(folder)) == {"costguard.yaml", str(EXAMPLE_TEST)}
    assert "  cd " not in result.output


@pytest.mark.parametrize(
    "before", [b"", b'[project]\nname = "a"', b'# caf\xc3\xa9\r\n[project]\r\nname = "a"\r\n']
)
def test_a_pyproject_gets_a_table_at_its_end(tmp_path: Path, before: bytes) -> None:
    (tmp_path / "pyproject.toml").write_bytes(before)

    init(tmp_path)

    after = (tmp_path / "pyproject.toml").read_bytes()
    assert after.startswith(before)
    assert tomllib.loads(after.decode())["tool"]["costguard"]["threads"] == 1
    assert (b"\r\n" in before) is (b"\r\n" in after)
    assert not (b"\r\n" in after and after.count(b"\n") != after.count(b"\r\n"))
    assert resolve(cli={}, environ={}, rootdir=tmp_path).origins["threads"].source == "file"


@pytest.mark.parametrize("before", [None, b'[project]\nname = "a"\n'])
def test_doing_it_twice_changes_nothing(tmp_path: Path, before: bytes | None) -> None:
    if before is not None:
        (tmp_path / "pyproject.toml").write_bytes(before)
    init(tmp_path)
    once = contents(tmp_path)

    result = init(tmp_path)

    assert contents(tmp_path) == once
    assert result.output.count("kept:") == 2


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / EXAMPLE_TEST).write_text("mine", encoding="utf-8")
    (tmp_path / "costguard.yaml").write_text("threads: 3\n", encoding="utf-8")

    init(tmp_path)

    assert (tmp_path / EXAMPLE_TEST).read_text(encoding="utf-8") == "mine"
    assert resolve(cli={}, environ={}, rootdir=tmp_path).threads == 3


def test_force_writes_the_example_anew_and_no_configuration(tmp_path: Path) -> None:
    init(tmp_path)
    fresh = (tmp_path / EXAMPLE_TEST).read_bytes()
    (tmp_path / EXAMPLE_TEST).write_bytes(b"mine")
    (tmp_path / "costguard.yaml").write_bytes(b"threads: 3\n")

    init(tmp_path, "--force")

    assert (tmp_path / EXAMPLE_TEST).read_bytes() == fresh
    assert (tmp_path / "costguard.yaml").read_bytes() == b"threads: 3\n"


def test_a_file_that_no_table_can_be_added_to_is_left_as_it_is(tmp_path: Path) -> None:
    before = b"tool = {}\n"
    (tmp_path / "pyproject.toml").write_bytes(before)

    result = init(tmp_path)

    assert result.exit_code == 11
    assert "by hand" in result.stderr
    assert contents(tmp_path) == {"pyproject.toml": before}


def test_the_example_passes_as_a_plain_test(tmp_path: Path) -> None:
    init(tmp_path)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(EXAMPLE_TEST), "-q", "-p", "no:asyncio"],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
