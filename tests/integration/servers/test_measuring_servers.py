"""A server's address measured by `costguard.measure`, in a closed and in an open loop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories.model_servers import RunningServer

TESTS = """
import os

import numpy as np
import pytest

with np.load("inputs.npz") as stored:
    INPUTS = [{"image": image} for image in stored["images"]]
    EXPECTED = [{"logits": logits} for logits in stored["logits"]]


@pytest.mark.parametrize("protocol", ["HTTP", "GRPC"])
def test_one_after_another(costguard, protocol):
    result = costguard.measure(os.environ[protocol], inputs=INPUTS, reference=EXPECTED)
    assert result.quality == 1.0


def test_under_load(costguard):
    result = costguard.measure(
        os.environ["HTTP"],
        inputs=INPUTS,
        reference=EXPECTED,
        scenario="server",
        rate=40,
        slo={"p50": "2s"},
        connections=8,
        timeout="5s",
    )
    assert result.quality == 1.0
"""


@pytest.fixture
def project(tmp_path, images, logits) -> Path:
    np.savez(tmp_path / "inputs.npz", images=np.stack(images), logits=np.stack(logits))
    (tmp_path / "test_server.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def run(project: Path, server: RunningServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COSTGUARD_", "COV_", "COVERAGE_")) and name != "CI"
    }
    extra = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "HTTP": server.infer,
        "GRPC": server.grpc_model,
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "pytest_costguard.plugin", *arguments],
        cwd=project,
        env=kept | extra,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def measured(project: Path) -> dict[str, Any]:
    report = json.loads((project / "out" / "report.json").read_text())
    return {m["workload"]["nodeid"].split("::")[-1]: m for m in report["run"]["measurements"]}


def test_without_being_measured_every_input_is_answered_once(project, server):
    done = run(project, server)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_measured_it_has_figures_in_closed_and_in_open_loops(project, server):
    done = run(
        project,
        server,
        "--costguard",
        "--costguard-units=2",
        "--costguard-unit-time=50ms",
        "--costguard-report=out",
        "--costguard-fail-on=never",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = measured(project)
    assert found.keys() == {
        "test_one_after_another[HTTP]",
        "test_one_after_another[GRPC]",
        "test_under_load",
    }
    units = [unit for measurement in found.values() for unit in measurement["units"]]
    assert len(units) == 2 * 3
    assert not any(unit.get("memory") for unit in units)
    declared = found["test_under_load"]["declaration"]
    assert declared["adapter"] == "v2"
    assert declared["details"]["path"] == "/v2/models/digits/infer"
    assert found["test_one_after_another[GRPC]"]["declaration"]["adapter"] == "v2-grpc"
    load = found["test_under_load"]["units"][0]["open_loop"]
    assert load["rate"] == 40
    assert not load.get("failures")
