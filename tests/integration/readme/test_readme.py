"""The README is true: its test file and its commands are run as they stand."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from factories.git_repositories import GitProject

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(blocks("python")[0], tmp_path)


def written(code: str, folder: Path) -> Path:
    """Write a block to the file that its first line names."""
    name = code.splitlines()[0].removeprefix("# ")
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text(code, encoding="utf-8")
    return folder


def commands(*programs: str) -> list[list[str]]:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    found = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    return [command for command in found if command[0] in programs]


def test_the_commands_do_what_is_said_beside_them(folder, monkeypatch):
    monkeypatch.setenv("COSTGUARD_SUITE_TIME", "1s")  # no more than the first unit
    monkeypatch.setenv("COSTGUARD_UNITS", "2")
    monkeypatch.setenv("COSTGUARD_UNIT_TIME", "20ms")
    monkeypatch.setenv("COSTGUARD_FAIL_ON", "never")
    for _, assignment in commands("export"):
        monkeypatch.setenv(*assignment.split("="))
    typed = commands("pytest")
    assert len(typed) == 5
    GitProject(folder).commit({".gitignore": "__pycache__\n.costguard\n"})
    for command in typed:
        run = subprocess.run(
            [sys.executable, "-m", *command, "-p", "no:randomly"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
    assert (folder / ".costguard" / "baselines" / "main").is_dir()
    reports = folder / ".costguard" / "reports"
    assert (reports / "report.md").is_file()
    report = json.loads((reports / "report.json").read_text())
    assert report["baseline"]["name"] == "main"
    assert report["outcome"]["failed"] is False
    assert "not priced" not in (reports / "report.md").read_text(encoding="utf-8")


def test_the_load_of_the_example_is_sent(tmp_path, monkeypatch):
    monkeypatch.setenv("COSTGUARD_UNITS", "2")
    monkeypatch.setenv("COSTGUARD_UNIT_TIME", "20ms")
    monkeypatch.setenv("COSTGUARD_FAIL_ON", "never")
    (code,) = blocks("python")[1:]
    folder = written(code, tmp_path)
    for words in ((), ("--costguard", "--costguard-report=out")):
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:randomly", *words],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads((folder / "out" / "report.json").read_text())
    kinds = [one["declaration"]["scenario"]["kind"] for one in report["run"]["measurements"]]
    assert kinds == ["server", "max_rate"]


def test_every_link_leads_somewhere():
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for block in blocks("console"):
        for target in re.findall(r"^\$ make (\w+)", block, flags=re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
