"""What a start imports: each session pays for it, and each unit and side for a worker's."""

from __future__ import annotations

import json
from importlib.util import find_spec

NEEDED_BY_FEW = {
    "pytest_costguard.app.declared_servers",
    "pytest_costguard.app.judging",
    "pytest_costguard.app.servers",
    "pytest_costguard.app.together",
    "pytest_costguard.config.gates",
    "pytest_costguard.engine.launch",
    "pytest_costguard.measure.under_load",
    "pytest_costguard.workloads.mixture",
}


def loaded(project, test):
    """Return what a worker and the user's own session have loaded when they end."""
    project.tests(f"""
        import atexit, json, sys
        import pytest

        def note():
            own = "pytest_costguard.plugin.coordinator" in sys.modules
            with open("session.json" if own else "worker.json", "w") as file:
                json.dump(sorted(sys.modules), file)

        atexit.register(note)

        {test}
    """)
    project.measure("--costguard-units=1").assert_outcomes(passed=1)
    worker, session = (
        set(json.loads((project.path / f"{name}.json").read_text()))
        for name in ("worker", "session")
    )
    return worker, session


def test_what_few_tests_need_is_called_what_it_is_called_here():
    assert all(map(find_spec, NEEDED_BY_FEW))


def test_a_closed_loop_with_limits_imports_nothing_that_only_others_need(project):
    worker, session = loaded(
        project,
        """@pytest.mark.costguard(threads=1, slo={"p99": "10s"})
        def test_it(costguard):
            costguard.measure(lambda value: value, inputs=[1])""",
    )
    assert "pytest_costguard.app.worker" in worker
    assert worker & NEEDED_BY_FEW == set()
    assert "pytest_costguard.app.judging" in session
    assert "numpy" not in session


def test_an_open_loop_imports_what_sends_it(project):
    worker, _ = loaded(
        project,
        """def test_it(costguard):
            costguard.measure(lambda value: value, inputs=[1], scenario="server", rate=200)""",
    )
    assert worker & NEEDED_BY_FEW == {"pytest_costguard.measure.under_load"}
