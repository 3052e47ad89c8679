"""The action's script installs this very version, from hashes where it says so; no network."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
SCRIPT = "action/install.sh"
LOCKED = (ROOT / "action" / "locked.txt").read_text(encoding="utf-8")
PINS = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", LOCKED, re.MULTILINE))

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="bash is not everywhere there")


def test_the_lock_holds_all_that_we_need_and_a_hash_for_each():
    ours = importlib.metadata.requires("pytest-costguard") or []
    for text in ours:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": "ci"}):
            continue
        name = next(pin for pin in PINS if pin.lower() == wanted.name.lower())
        assert Version(PINS[name]) in wanted.specifier, text
    assert "hatchling" in PINS
    for block in re.split(r"\n(?=[a-z])", LOCKED, flags=re.IGNORECASE):
        if "==" in block:
            assert "--hash=sha256:" in block, block
    assert "http" not in LOCKED


def test_the_lock_is_of_the_versions_that_are_tested():
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    tested = dict(re.findall(r"^([^=\s]+)==(\S+)", constraints, re.MULTILINE))
    tested = {name.lower().replace("_", "-"): version for name, version in tested.items()}
    for name, version in PINS.items():
        assert tested.get(name.lower().replace("_", "-"), version) == version


@pytest.fixture
def action(tmp_path):
    """A copy of what a runner has of the action, in a folder whose name needs care."""
    folder = tmp_path / "an action @ v1"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("action", "pytest_costguard", "templates"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def empty_environment(tmp_path_factory):
    """For those that install nothing, and to be copied by the others: pip takes long to put in."""
    folder = tmp_path_factory.mktemp("empty") / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return folder


@pytest.fixture
def environment(empty_environment, tmp_path):
    return shutil.copytree(empty_environment, tmp_path / "environment", symlinks=True)


def installed(action, environment, tmp_path, *words):
    """Run the script in a virtual environment; return how it ended and its command."""
    binaries = environment / "bin"
    done = subprocess.run(
        ["bash", str(action / SCRIPT), *words],
        env={
            "PATH": f"{binaries}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(ROOT / ".wheelhouse"),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done, binaries / "costguard"


@pytest.mark.parametrize("words", [("action",), ("action", "locked")])
def test_the_actions_own_version_is_installed(action, environment, tmp_path, words):
    (tmp_path / "pip.py").write_text("raise SystemExit('an earlier job has left this')\n")
    done, command = installed(action, environment, tmp_path, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    told = subprocess.run(
        [command, "comment", "--help"], capture_output=True, text=True, check=True
    )
    assert "--artifact" in told.stdout


def test_a_package_that_is_not_the_locked_one_is_refused(action, environment, tmp_path):
    lock = action / "action" / "locked.txt"
    text = lock.read_text(encoding="utf-8")
    lock.write_text(re.sub(r"sha256:[0-9a-f]{4}", "sha256:0000", text), encoding="utf-8")
    done, command = installed(action, environment, tmp_path, "action", "locked")
    assert done.returncode != 0
    assert "hash" in (done.stdout + done.stderr).lower()
    assert not command.exists()


@pytest.mark.parametrize("which", ["", "latest", "1.0; rm -rf /", "-r evil.txt"])
def test_what_is_no_version_is_refused(action, empty_environment, tmp_path, which):
    done, command = installed(action, empty_environment, tmp_path, which)
    assert done.returncode == 11
    assert "neither action, none nor a version" in done.stderr
    assert not command.exists()
