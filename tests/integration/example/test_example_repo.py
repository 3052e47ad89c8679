"""The example repository does what its README says, its committed models included."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
EXAMPLE = CHECKOUT / "example_repo"
COMMITTED_ACCURACY = 0.994
"""What README.md says."""
LIKE = 0.02
"""Another processor may train a model that much better or worse."""


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of the example, so that nothing is written into the checkout."""
    ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".costguard", "reports")
    return Path(shutil.copytree(EXAMPLE, tmp_path / "example", ignore=ignored))


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COSTGUARD_", "COV_", "COVERAGE_"))
    }
    extra = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_PLUGINS": "pytest_costguard.plugin",
        "PYTHONPATH": os.pathsep.join(["src", ".", str(CHECKOUT)]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=kept | extra,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_its_tests_pass_without_being_measured(example: Path) -> None:
    done = run(example, "-m", "pytest", "-q")
    assert done.returncode == 0, done.stdout + done.stderr


def test_training_again_gives_models_like_the_committed_ones(example: Path) -> None:
    done = run(
        example,
        "-c",
        "import json, pathlib\n"
        "from training.train import HELD_OUT_SEED, accuracy, build, prepared, split\n"
        "_, held, _, labels = split()\n"
        "data = prepared(held, labels, seed=HELD_OUT_SEED)\n"
        "new = build(pathlib.Path('again'))\n"
        "old = {name: accuracy(pathlib.Path('models') / name, data) for name in new}\n"
        "print(json.dumps({'old': old, 'new': new}))",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert all(share >= COMMITTED_ACCURACY - 0.003 for share in found["old"].values())
    assert all(abs(share - found["old"][name]) <= LIKE for name, share in found["new"].items())
    assert structure(example / "again") == structure(example / "models")


def structure(models: Path) -> dict[str, list[str]]:
    onnx = pytest.importorskip("onnx")
    return {
        path.name: [node.op_type for node in onnx.load(path).graph.node]
        for path in sorted(models.glob("*.onnx"))
    }


def test_the_held_out_digits_are_those_that_training_never_sees(example: Path) -> None:
    done = run(
        example,
        "-c",
        "import numpy as np\n"
        "from training.train import split\n"
        "learn, held, _, labels = split()\n"
        "stored = np.load('tests/data/held_out.npz')\n"
        "assert (stored['digits'] == held).all() and (stored['labels'] == labels).all()\n"
        "assert len(learn) + len(held) == 1797",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_measuring_the_model_alone_ends_with_figures_and_a_cost(example: Path) -> None:
    done = run(
        example,
        *("-m", "pytest", "tests/test_digits.py::test_model_alone", "--costguard"),
        *("--costguard-units=2", "--costguard-unit-time=20ms", "--costguard-report=reports"),
        "--costguard-fail-on=never",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((example / "reports" / "report.json").read_text(encoding="utf-8"))
    (verdict,) = report["verdicts"]
    assert verdict["figures"]["mean"]["estimate"] > 0
    assert float(verdict["cost"]["usd_per_1k"]) > 0


def test_the_bad_change_of_the_demo_applies_and_no_test_sees_it(example: Path) -> None:
    applied = subprocess.run(
        ["git", "apply", "--verbose", "bad_change.patch"],
        cwd=example,
        env=os.environ | {"GIT_CEILING_DIRECTORIES": str(example.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert applied.returncode == 0, applied.stderr
    assert "enlarged" in (example / "src/digits_service/preprocess.py").read_text(encoding="utf-8")
    done = run(example, "-m", "pytest", "-q", "tests/test_digits.py")
    assert done.returncode == 0, done.stdout + done.stderr
