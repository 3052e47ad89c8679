"""A project in an empty folder, run with real worker processes but little measuring."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

PLUGINS = ("pytest_costguard.plugin",)
"""Only these are loaded: a start costs a third. The packaging test uses the entry points."""
SETTINGS = """
[pytest]
"""


class Project:
    """Writes tests and runs them in a pytest of their own."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        self.path: Path = pytester.path
        pytester.makefile(".ini", pytest=SETTINGS)

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "pytest", *(w for p in PLUGINS for w in ("-p", p))]

    def tests(self, text: str, *, name: str = "test_it.py") -> None:
        self.write(name, text)

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def run(self, *args: str, plugins: tuple[str, ...] = ()) -> pytest.RunResult:
        loaded = [word for plugin in (*PLUGINS, *plugins) for word in ("-p", plugin)]
        return self._pytester.runpytest_subprocess(*loaded, *args, timeout=120)

    def measure(self, *args: str, plugins: tuple[str, ...] = ()) -> pytest.RunResult:
        return self.run("--costguard", "--costguard-report=out", *args, plugins=plugins)

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.path / "out" / "report.json").read_text())

    def measured(self) -> set[str]:
        return {
            " ".join(filter(None, (m["workload"]["nodeid"], m["workload"].get("name", ""))))
            for m in self.report["run"]["measurements"]
        }


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("COSTGUARD_UNITS", "2")
    monkeypatch.setenv("COSTGUARD_UNIT_TIME", "10ms")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_XDIST_WORKER", "CI"):
        monkeypatch.delenv(name, raising=False)
    return Project(pytester)
