"""Templates are found however the package is installed, and an idle plugin costs next to nothing.

The wheel itself is proved in `test_wheel.py`.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCATE = """
import pytest_costguard
from pytest_costguard.reports.templates import locate
print(pytest_costguard.__file__)
print(locate("comment.md.j2"))
print(len(locate("comment.md.j2").read_text(encoding="utf-8")))
"""
SPY = """
import sys
HEAVY = ("numpy", "jinja2", "requests", "git", "yaml", "msgspec", "rich", "click", "torch",
         "onnxruntime")
def pytest_unconfigure():
    print("HEAVY", *[name for name in HEAVY if name in sys.modules])
    print("OURS", *sorted(name for name in sys.modules if name.startswith("pytest_costguard")))
"""


def python(*arguments: str, cwd: Path, **variables: str) -> list[str]:
    """Return the lines that a fresh interpreter prints, run away from the checkout."""
    dropped = ("PYTEST_", "COSTGUARD_", "COV_", "COVERAGE_", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=kept | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (0, 5), done.stdout + done.stderr
    return done.stdout.splitlines()


def test_an_editable_install_finds_its_templates_in_the_checkout(tmp_path: Path) -> None:
    distribution = importlib.metadata.distribution("pytest-costguard")
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        pytest.fail("pytest-costguard is not installed editable: run `make setup`", pytrace=False)
    _, found, characters = python("-c", LOCATE, cwd=tmp_path)
    assert Path(found) == ROOT / "templates" / "comment.md.j2"
    assert int(characters) > 1000


def test_a_plain_checkout_finds_its_templates_without_being_installed(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("pytest_costguard", "templates"):
        shutil.copytree(ROOT / folder, checkout / folder, ignore=ignored)
    package, found, characters = python("-c", LOCATE, cwd=tmp_path, PYTHONPATH=str(checkout))
    assert Path(package).is_relative_to(checkout)
    assert Path(found) == checkout / "templates" / "comment.md.j2"
    assert int(characters) > 1000


def test_collecting_with_an_idle_plugin_imports_only_its_table_of_options(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (tmp_path / "spy.py").write_text(SPY, encoding="utf-8")
    said = python(
        *("-m", "pytest", "--collect-only", "-p", "pytest_costguard.plugin", "-p", "spy"),
        cwd=tmp_path,
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
    )
    assert "HEAVY" in said
    assert next(line for line in said if line.startswith("OURS")).split()[1:] == [
        "pytest_costguard",
        "pytest_costguard.config",
        "pytest_costguard.config.options",
        "pytest_costguard.plugin",
    ]
