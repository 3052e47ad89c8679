"""Base's and head's real model servers, both up, sent the same load through one decision."""

from __future__ import annotations

from statistics import median
from typing import Any

import pytest
from factories.git_repositories import ONE_UNIT, GitProject, plugin_environ, report_of
from factories.model_servers import APPS, MODEL, program

SLOWER_SECONDS = 0.01
TESTS = """
import json
import os
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
IMAGES = [{{"image": np.zeros((1, 1, 16, 16), np.float32)}}]

def test_{name}(costguard, tmp_path):
    with costguard.server({command}, ready="http://127.0.0.1:{{port}}/v2/models/digits/ready",
                          env={env}) as server:
        costguard.measure(f"{{server.url}}/v2/models/digits/infer", inputs=IMAGES, {scenario})
"""
MLSERVER_ENV = """{
    "MLSERVER_HTTP_PORT": "{port}", "MLSERVER_GRPC_PORT": "0", "PYTHONPATH": str(HERE)}"""


@pytest.fixture(scope="module", params=["mlserver", "kserve"])
def report(request, tmp_path_factory) -> Any:
    project = GitProject(tmp_path_factory.mktemp("served") / "project")
    app = (APPS / f"digits_{request.param}.py").read_text(encoding="utf-8")
    settings = {
        "settings.json": '{"host": "127.0.0.1", "metrics_endpoint": null, "parallel_workers": 0}',
        "model-settings.json": '{"name": "digits", "implementation": "digits_mlserver.Digits",'
        f' "parameters": {{"uri": "{MODEL}"}}}}',
    }
    project.commit(
        {
            **(settings if request.param == "mlserver" else {}),
            f"digits_{request.param}.py": app,
            "test_it.py": source_of(request.param),
        }
    )
    slower = app.replace(
        "        try:\n", f"        __import__('time').sleep({SLOWER_SECONDS})\n        try:\n"
    )
    assert slower != app
    project.commit({f"digits_{request.param}.py": slower})
    status, output = project.measure(
        ONE_UNIT, "--costguard-fail-on=never", revision="HEAD^", environ=plugin_environ()
    )
    assert status == 0, output
    return report_of(project.folder)


def source_of(server: str) -> str:
    if server == "mlserver":
        return TESTS.format(
            name="mlserver",
            command=repr([program("mlserver", "mlserver"), "start"])[:-1] + ", str(HERE)]",
            env=MLSERVER_ENV,
            scenario='scenario="server", rate=60, slo={"p50": "2s"}, connections=8',
        )
    python = program("kserve", "python")
    words = f'["{python}", str(HERE / "digits_kserve.py"), "{MODEL}", "--http_port={{port}}",'
    return TESTS.format(
        name="kserve", command=f'{words} "--enable_grpc=false"]', env="{}", scenario=""
    )


def sides(report: Any) -> list[Any]:
    return [run["measurements"][0] for run in (report["against"]["run"], report["run"])]


def test_each_side_is_served_by_its_own_revision(report):
    base, head = (median(side["units"][0]["latency_seconds"]) for side in sides(report))
    # What head sleeps, and no clock of the machine shortens; a busy one may lengthen either.
    assert head >= SLOWER_SECONDS
    assert head > base + SLOWER_SECONDS / 2


def test_both_servers_were_up_and_took_turns(report):
    (how,) = report["against"]["pairings"].values()
    assert how["kind"] == "alternating"
    assert all(side["declaration"]["in_server"] for side in sides(report))
    assert report["run"].get("failures", []) == []


def test_both_were_sent_the_same_requests(report):
    base, head = (side["units"][0] for side in sides(report))
    assert len(base["latency_seconds"]) == len(head["latency_seconds"]) > 0
    for side in (base, head):
        loop = side.get("open_loop") or {"window_requests": [100, 100]}
        assert loop["window_requests"] == [100, 100]


def test_a_server_has_the_machine_for_itself_and_its_memory_is_compared(report):
    (verdict,) = report["verdicts"]
    assert any(one["metric"] == "peak_memory" for one in verdict["comparisons"])
