"""`--costguard-against` on a real repository: real regressions, and two sides that differ."""

from __future__ import annotations

import subprocess
import sys

import pytest
from factories.git_repositories import GitProject, report_of

CONFIGURATION = """
[project]
name = "service"
version = "1"
[tool.pytest.ini_options]
testpaths = ["tests"]
[tool.costguard]
isolate = "suite"
[tool.costguard.regression]
mean = {{ allow = "50%", catch = "150%" }}
peak_memory = "off"
"""
SERVICE = """
READY = {factor} > 1
def same(n):
    return sum(range(n))
def changed(n):
    return sum(range({factor} * n))
"""
SHARED = """
import pytest, service

def test_same(costguard):
    costguard.measure(service.same, inputs=[20_000])

def test_slower(costguard):
    costguard.measure(service.changed, inputs=[20_000])

def test_inputs(costguard):
    costguard.measure(service.same, inputs=[{size}])

def test_not_yet(costguard):
    def serve(n):
        if not service.READY:
            pytest.skip("this revision cannot")
        return service.same(n)
    costguard.measure(serve, inputs=[20_000])

def test_several(costguard):
{added}
    costguard.measure(service.same, inputs=[20_000], name="old")
"""
ONLY_BASE = """
import service

def test_gone(costguard):
    costguard.measure(service.same, inputs=[10_000])
"""
ONLY_HEAD = """
import service

def test_new(costguard):
    costguard.measure(service.same, inputs=[10_000])
"""
COMMAND = "from pytest_costguard.cli.main import main; main()"
ADDED = '    costguard.measure(service.same, inputs=[20_000], name="added")'
BREAKS = """
import service

def test_breaks(costguard):
    def serve(n):
        if service.__file__.endswith("{side}/service.py"):
            raise RuntimeError("not here")
        return n
    costguard.measure(serve, inputs=[1])
"""


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    project = GitProject(tmp_path_factory.mktemp("against") / "project")
    project.commit(
        {
            ".gitignore": "__pycache__\nout\n",
            "pyproject.toml": CONFIGURATION.format(),
            "service.py": SERVICE.format(factor=1),
            "tests/test_shared.py": SHARED.format(size=10_000, added=""),
            "tests/test_base.py": ONLY_BASE,
            "tests/test_breaks.py": BREAKS.format(side="base"),
        }
    )
    project.git("checkout", "-q", "-b", "change")
    project.git("rm", "-q", "tests/test_base.py")
    project.commit(
        {
            "service.py": SERVICE.format(factor=5),
            "tests/test_shared.py": SHARED.format(size=11_000, added=ADDED),
        }
    )
    project.put({"tests/test_head.py": ONLY_HEAD})  # in no commit yet
    hooks = project.folder / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    hook = hooks / "post-checkout"
    hook.write_text("#!/bin/sh\ntouch hook-has-run\n")
    hook.chmod(0o755)
    before = project.git("status", "--porcelain"), project.git("rev-parse", "HEAD")
    code, output = project.measure()
    report = report_of(project.folder)
    after = project.git("status", "--porcelain"), project.git("rev-parse", "HEAD")
    return project, code, output, report, (before, after)


def verdicts(report):
    return {
        (one["workload"]["nodeid"].rpartition("::")[2], one["workload"].get("name", "")): {
            comparison["metric"]: comparison for comparison in one["comparisons"]
        }
        for one in report["verdicts"]
    }


def units(report, test):
    (found,) = [
        one for one in report["run"]["measurements"] if one["workload"]["nodeid"].endswith(test)
    ]
    return len(found["units"])


def test_a_real_regression_is_found_and_what_is_the_same_is_not_blamed(compared):
    _, code, output, report, _ = compared
    found = verdicts(report)
    assert code == 1, output
    assert found["test_slower", ""]["mean"]["verdict"] == "regressed", output
    assert 2 < found["test_slower", ""]["mean"]["ratio"] < 50
    assert found["test_same", ""]["mean"]["verdict"] == "unchanged", output
    assert found["test_slower", ""]["mean"]["units"] >= 6
    assert "Compared side by side with base (main, " in output


def test_what_is_on_one_side_only_is_new_or_missing(compared):
    _, _, output, report, _ = compared
    found = verdicts(report)
    assert found["test_new", ""]["mean"]["verdict"] == "new", output
    assert found["test_several", "added"]["mean"]["verdict"] == "new", output
    assert found["test_not_yet", ""]["mean"]["verdict"] == "new", output
    assert units(report, "test_not_yet") == 6
    assert found["test_several", "old"]["mean"]["verdict"] == "unchanged", output
    assert [one["nodeid"] for one in report["missing"]] == ["tests/test_base.py::test_gone"]


def test_other_inputs_are_named(compared):
    _, _, _, report, _ = compared
    changed = [
        one["workload"]["nodeid"].rpartition("::")[2]
        for one in report["verdicts"]
        if one["inputs_changed"]
    ]
    assert changed == ["test_inputs"]


def test_a_workload_that_fails_on_base_is_an_error_of_its_test(compared):
    _, _, output, report, _ = compared
    (failure,) = report["run"]["failures"]
    assert failure["workload"]["nodeid"] == "tests/test_breaks.py::test_breaks"
    assert failure["reason"].startswith("on base: it raised RuntimeError")
    assert "FAILED tests/test_breaks.py::test_breaks" in output


def test_the_checkout_is_untouched_and_nothing_is_left(compared):
    project, _, _, _, (before, after) = compared
    assert before == after
    assert len(project.git("worktree", "list").splitlines()) == 1
    assert not list(project.folder.rglob("hook-has-run"))


def test_the_stored_comparison_repeats_its_verdicts(compared):
    project, code, _, _, _ = compared
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "report", "out/report.json"],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "decided again" not in done.stderr
    assert "Compared side by side with base" in done.stdout


def test_an_unknown_revision_is_refused_before_anything_is_measured(compared):
    project, *_ = compared
    code, output = project.measure(revision="nowhere")
    assert code == 4
    assert "nowhere" in output
    assert "remedy" in output


def test_a_base_that_cannot_be_imported_fails_its_tests_and_says_so(tmp_path):
    project = GitProject(tmp_path / "project")
    files = {
        ".gitignore": "__pycache__\nout\n",
        "pyproject.toml": CONFIGURATION.format(),
        "service.py": "import nothing_that_exists\n" + SERVICE.format(factor=1),
        "tests/test_new.py": ONLY_HEAD,
    }
    project.commit(files)
    project.git("checkout", "-q", "-b", "change")
    project.commit({"service.py": SERVICE.format(factor=1)})
    code, output = project.measure()
    assert code == 1, output
    assert "on base: " in output
    assert "nothing_that_exists" in output
    assert "unchanged" not in output
