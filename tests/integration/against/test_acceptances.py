"""What a change itself accepts passes; what base has accepted accepts nothing more."""

from __future__ import annotations

import datetime as dt

import pytest
from factories.git_repositories import GitProject, report_of

SERVICE = "def serve(request):\n    return sum(range(request * {times}))\n"
TEST = """
from service import serve


def test_serving(costguard):
    costguard.measure(serve, inputs=[20_000])
"""
UNTIL = (dt.datetime.now(tz=dt.UTC) + dt.timedelta(days=30)).date().isoformat()
ENTRY = f"""\
accepted:
  - workload: "test_service.py::test_serving"
    metric: mean
    up_to: 500%
    reason: "three times the work"
    by: "Jo"
    until: {UNTIL}
"""
ACCEPTED = ".costguard/accepted.yaml"


@pytest.fixture
def project(tmp_path):
    made = GitProject(tmp_path)
    made.commit(
        {
            "pytest.ini": "[pytest]\npythonpath = .\n",
            "service.py": SERVICE.format(times=1),
            "test_service.py": TEST,
            ".gitignore": "out\n__pycache__\n",
        }
    )
    return made


def mean_of(project):
    (verdict,) = report_of(project.folder)["verdicts"]
    return next(one for one in verdict["comparisons"] if one["metric"] == "mean")


def test_what_the_change_itself_accepts_passes_and_is_shown(project):
    project.git("checkout", "-q", "-b", "change")
    project.commit({"service.py": SERVICE.format(times=3), ACCEPTED: ENTRY})
    code, printed = project.measure()
    assert code == 0, printed
    assert (mean_of(project)["verdict"], mean_of(project)["accepted"]) == ("regressed", True)
    assert "accepted by Jo" in printed


def test_what_base_has_accepted_is_not_accepted_once_more(project):
    project.commit({ACCEPTED: ENTRY})
    project.git("checkout", "-q", "-b", "change")
    project.commit({"service.py": SERVICE.format(times=3)})
    code, printed = project.measure()
    assert code == 1, printed
    assert mean_of(project)["accepted"] is False


def test_what_base_has_accepted_ahead_of_the_change_is(project):
    project.commit({ACCEPTED: f"{ENTRY}    ahead: true\n"})
    project.git("checkout", "-q", "-b", "change")
    project.commit({"service.py": SERVICE.format(times=3)})
    code, printed = project.measure()
    assert code == 0, printed
    assert mean_of(project)["accepted"] is True
