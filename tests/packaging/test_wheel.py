"""The wheel, installed into an empty environment without a network, measures through it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WHEELHOUSE = ROOT / ".wheelhouse"
TEST = """
import numpy

def test_it(costguard):
    result = costguard.measure(numpy.sum, inputs=[numpy.ones(64)])
    if result.measured:
        assert result.latency.mean < 1
"""


def run(*command: object, cwd: Path) -> str:
    """Run without a network, a configured index, or anything of the outer environment's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTEST_", "COSTG"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**kept, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(
        *(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"),
        *("--wheel-dir", folder, ROOT),
        cwd=folder,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (WHEELHOUSE / ".filled").exists():
        pytest.fail(f"{WHEELHOUSE.name}/ is not filled: run `make setup`", pytrace=False)
    folder = tmp_path_factory.mktemp("empty") / "venv"
    venv.create(folder, with_pip=True)
    interpreter = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(interpreter, "-m", "pip", "install", "--find-links", WHEELHOUSE, wheel, cwd=folder)
    return interpreter


def test_the_wheel_holds_what_is_needed_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in ("_templates/comment.md.j2", "_data/list_prices.csv", "py.typed"):
        assert f"pytest_costguard/{needed}" in names
    packages = {name.split("/")[0] for name in names}
    assert {name for name in packages if not name.endswith(".dist-info")} == {"pytest_costguard"}


def test_the_checkout_can_be_installed_editable_as_set_up_does(tmp_path):
    build = "import sys; from hatchling.build import build_editable; build_editable(sys.argv[1])"
    run(sys.executable, "-c", build, tmp_path, cwd=ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    archive = zipfile.ZipFile(wheel)
    (path,) = (name for name in archive.namelist() if name.endswith(".pth"))
    assert Path(archive.read(path).decode().strip()).samefile(ROOT)


def test_a_measured_run_from_the_wheel_writes_its_reports(python, tmp_path):
    (tmp_path / "test_it.py").write_text(TEST)
    run(
        *(python, "-m", "pytest", "--costguard", "--costguard-units=2"),
        *("--costguard-unit-time=20ms", "--costguard-report=out"),
        cwd=tmp_path,
    )
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(report["run"]["measurements"][0]["units"]) == 2
    assert "test_it" in (tmp_path / "out" / "report.md").read_text()


def test_the_command_line_is_installed(python, tmp_path):
    command = python.with_name("costguard" + python.suffix)
    assert "0.1.0" in run(command, "--version", cwd=tmp_path)
    run(command, "init", cwd=tmp_path)
    run(python, "-m", "pytest", cwd=tmp_path)


def test_an_idle_plugin_imports_nothing_but_itself(python, tmp_path):
    (tmp_path / "spy.py").write_text("""
import sys
HEAVY = {"numpy", "jinja2", "requests", "git", "yaml", "msgspec", "rich", "click"}
def pytest_unconfigure():
    print("LOADED", sorted(HEAVY & set(sys.modules)))
    print("OURS", sorted(name for name in sys.modules if name.startswith("pytest_costguard")))
""")
    said = run(python, "-m", "pytest", "--collect-only", "--help", "-p", "spy", cwd=tmp_path)
    assert "LOADED []" in said
    assert "pytest_costguard.config.options" in said
    assert "pytest_costguard.records" not in said
