"""`--costguard-escalate` on a real repository: from a stored verdict in doubt to side by side."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from factories.git_repositories import (
    GitProject,
    report_of,
    run_plain,
)

CONFIGURATION = """
[project]
name = "service"
version = "1"
[tool.pytest.ini_options]
testpaths = ["tests"]
[tool.costguard]
isolate = "suite"
units = 1
unit_time = "5ms"
[tool.costguard.regression]
mean = { allow = "30%", catch = "150%" }
peak_memory = "off"
"""
"""One unit only: every stored verdict is inconclusive, whatever the machine is doing."""
SERVICE = """
def same(n):
    return sum(range(n))
def changed(n):
    return sum(range(FACTOR * n))
"""
SAME = """
import service

def test_same(costguard):
    costguard.measure(service.same, inputs=[20_000])
"""
SLOWER = """
import service

def test_slower(costguard):
    costguard.measure(service.changed, inputs=[20_000])
"""
BREAKS = """
import service

def test_breaks_on_SIDE(costguard):
    def serve(n):
        if service.__file__.endswith("SIDE/service.py"):
            raise RuntimeError("not here")
        return n
    costguard.measure(serve, inputs=[1])
"""
INTERRUPTS = """
import os, signal, service

def test_interrupts(costguard):
    def serve(n):
        if service.__file__.endswith("head/service.py"):
            os.kill(os.getppid(), signal.SIGINT)
        return sum(range(n))
    costguard.measure(serve, inputs=[20_000])
"""
INPUTS = """
import service

def test_inputs(costguard):
    size = 10_000 if service.__file__.endswith("base/service.py") else 20_000
    costguard.measure(service.same, inputs=[size])
"""
COMMAND = "from pytest_costguard.cli.main import main; main()"


def decided_again(folder: Path) -> tuple[int, str]:
    """What `costguard report` makes of the stored report."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "report", "out/report.json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def verdicts(report: dict) -> dict[str, dict]:
    return {one["workload"]["nodeid"].rpartition("::")[2]: one for one in report["verdicts"]}


def mean_of(report: dict, test: str) -> dict:
    (comparison,) = verdicts(report)[test]["comparisons"]
    return comparison


def stored_files(folder: Path) -> list[Path]:
    return sorted((folder / ".costguard" / "baselines" / "main").glob("*.json"))


def edit_baseline(folder: Path, **changes) -> None:
    (file,) = stored_files(folder)
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def repository(folder: Path, tests: dict[str, str]) -> GitProject:
    """A repository with these tests and one stored run of its first commit."""
    project = GitProject(folder)
    project.commit(
        {
            ".gitignore": "__pycache__\nout\n.costguard\n",
            "pyproject.toml": CONFIGURATION,
            "service.py": SERVICE.replace("FACTOR", "1"),
            **{f"tests/test_{name}.py": text for name, text in tests.items()},
        }
    )
    code, output = run_plain(folder, "--costguard-save", "--costguard-fail-on=never")
    assert code == 0, output
    return project


@pytest.fixture(scope="module")
def escalated(tmp_path_factory):
    project = repository(
        tmp_path_factory.mktemp("escalated") / "project",
        {
            "same": SAME,
            "slower": SLOWER,
            "inputs": INPUTS,
            "base": BREAKS.replace("SIDE", "base"),
            "head": BREAKS.replace("SIDE", "head"),
        },
    )
    base = project.git("rev-parse", "HEAD")
    project.commit({"service.py": SERVICE.replace("FACTOR", "3")})
    code, output = run_plain(project.folder, "--costguard-escalate")
    return project, base, code, output, report_of(project.folder)


def test_an_unchanged_workload_in_doubt_becomes_unchanged(escalated):
    _, _, _, output, report = escalated
    found = mean_of(report, "test_same")
    assert found["verdict"] == "unchanged", output
    assert found["escalated_from"] == "inconclusive"
    assert found["units"] >= 6
    assert "escalated: the stored baseline said inconclusive" in found["reason"]


def test_a_slowed_workload_in_doubt_becomes_regressed_and_fails_its_test(escalated):
    _, _, code, output, report = escalated
    found = mean_of(report, "test_slower")
    assert code == 1
    assert found["verdict"] == "regressed", output
    assert found["lower"] > 1.3
    assert "FAILED tests/test_slower.py::test_slower" in output
    assert "FAILED tests/test_same.py" not in output


def test_progress_and_report_name_both_references(escalated):
    _, base, _, output, _ = escalated
    assert f"5 workloads are in doubt, measuring them side by side with {base[:7]}, " in output
    told = " ".join(output.split())
    assert "Compared with baseline main: 1 run" in told
    assert f"3 workloads in doubt measured again side by side with base {base[:12]}" in told


def test_a_base_that_fails_leaves_the_stored_verdict_and_names_the_failure(escalated):
    _, _, _, output, report = escalated
    found = verdicts(report)["test_breaks_on_base"]
    assert found["comparisons"][0]["verdict"] == "inconclusive"
    assert "on base: it raised RuntimeError" in found["comparisons"][0]["reason"]
    assert any("on base: it raised RuntimeError" in warning for warning in found["warnings"])
    assert "FAILED tests/test_base.py" not in output


def test_a_head_that_fails_side_by_side_is_an_error_of_its_test(escalated):
    _, _, _, output, report = escalated
    (failure,) = report["run"]["failures"]
    assert failure["workload"]["nodeid"] == "tests/test_head.py::test_breaks_on_head"
    assert failure["reason"].startswith("side by side: it raised RuntimeError")
    assert "FAILED tests/test_head.py" in output


def test_other_inputs_at_the_commit_than_the_baselines_are_named(escalated):
    _, _, _, _, report = escalated
    found = verdicts(report)["test_inputs"]
    assert "the digest of its inputs was" in found["comparisons"][0]["reason"]
    assert any("the digest of its inputs was" in warning for warning in found["warnings"])


def test_the_stored_report_repeats_its_verdicts(escalated):
    project, _, code, _, _ = escalated
    again, output = decided_again(project.folder)
    assert again == code, output
    assert "decided again" not in output
    assert "in doubt measured again side by side" in " ".join(output.split())


def test_nothing_is_left_behind(escalated):
    project, *_ = escalated
    assert len(project.git("worktree", "list").splitlines()) == 1
    assert project.git("status", "--porcelain") == ""


def test_an_interruption_leaves_a_valid_report_with_the_stored_verdicts(tmp_path):
    project = repository(tmp_path / "project", {"interrupts": INTERRUPTS, "same": SAME})
    code, output = run_plain(project.folder, "--costguard-escalate")
    report = report_of(project.folder)
    assert code == 2, output
    assert report["run"]["complete"] is False
    for test in ("test_interrupts", "test_same"):
        found = mean_of(report, test)
        assert found["verdict"] == "inconclusive"
        assert found["reason"].endswith("it was interrupted"), found["reason"]
    assert decided_again(project.folder)[0] == 130
    assert len(project.git("worktree", "list").splitlines()) == 1


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """One unchanged workload, with a stored run of the commit that is checked out."""
    return repository(tmp_path_factory.mktemp("stored") / "project", {"same": SAME})


@pytest.fixture
def project(stored, tmp_path):
    """A copy of it: each test may spoil its own."""
    shutil.copytree(stored.folder, tmp_path / "project")
    return GitProject(tmp_path / "project")


def refused(project: GitProject) -> str:
    """Escalate; return the reason of the verdict that stays as the baseline left it."""
    code, output = run_plain(project.folder, "--costguard-escalate")
    assert code == 0, output
    assert "side by side with" not in output
    found = verdicts(report_of(project.folder))["test_same"]
    assert found["comparisons"][0]["verdict"] == "inconclusive"
    assert any("not measured side by side: " in warning for warning in found["warnings"])
    return found["comparisons"][0]["reason"]


def test_a_commit_that_is_not_in_this_clone_is_named_with_its_remedy(project):
    edit_baseline(project.folder, commit={"sha": "b" * 40})
    reason = refused(project)
    assert "the baseline's commit bbbbbbb is not in this clone" in reason
    assert f"git fetch origin {'b' * 40}" in reason


def test_a_project_in_no_checkout_is_told_so(project):
    shutil.rmtree(project.folder / ".git")
    assert "is in no git checkout" in refused(project)


def test_a_baseline_that_knows_no_commit_is_told_so(project):
    edit_baseline(project.folder, commit=None)
    assert "no run of baseline 'main' says which commit it measured" in refused(project)


def test_a_dirty_baseline_on_another_machine_escalates_and_says_both(project):
    (file,) = stored_files(project.folder)
    run = json.loads(file.read_text())
    run["fingerprint"]["cpu_model"] = "Another CPU"
    run["commit"]["dirty"] = True
    edit_baseline(project.folder, **run)
    code, output = run_plain(project.folder, "--costguard-escalate")
    found = verdicts(report_of(project.folder))["test_same"]
    assert code == 0, output
    assert found["comparisons"][0]["verdict"] == "unchanged", output
    assert found["comparisons"][0]["escalated_from"] == "not comparable"
    assert "it was measured with changes that are not in commit" in " ".join(found["warnings"])


def faster_baseline(project: GitProject) -> None:
    """Make the stored run a hundred times faster than anything here can be: regressed, surely."""
    (file,) = stored_files(project.folder)
    run = json.loads(file.read_text())
    for workload in run["workloads"]:
        workload["metrics"]["mean"] = [value / 100 for value in workload["metrics"]["mean"]]
    edit_baseline(project.folder, **run)


def test_a_regression_that_the_code_did_not_make_is_taken_back(project):
    faster_baseline(project)
    plain, _ = run_plain(project.folder, "--costguard-units=2")
    code, output = run_plain(project.folder, "--costguard-units=2", "--costguard-escalate")
    found = mean_of(report_of(project.folder), "test_same")
    assert (plain, code) == (1, 0), output
    assert found["verdict"] == "unchanged"
    assert found["escalated_from"] == "regressed"


def test_a_regression_stands_where_the_dependencies_are_others(project):
    project.put({"uv.lock": "new\n"})
    faster_baseline(project)
    edit_baseline(project.folder, lock_digest="sha256:" + 64 * "0")
    code, output = run_plain(project.folder, "--costguard-units=2", "--costguard-escalate")
    found = mean_of(report_of(project.folder), "test_same")
    assert code == 1, output
    assert found["verdict"] == "regressed"
    assert "its dependencies were others (by the lock files)" in found["reason"]
    assert "in doubt" not in output


def test_without_a_baseline_there_is_nothing_to_escalate(project):
    shutil.rmtree(project.folder / ".costguard")
    code, output = run_plain(project.folder, "--costguard-escalate")
    assert code == 0, output
    assert "--costguard-escalate had nothing to do" in " ".join(output.split())


def test_escalating_a_run_that_is_side_by_side_already_is_a_usage_error(project):
    code, output = run_plain(project.folder, "--costguard-escalate", "--costguard-against=HEAD")
    assert code == 4
    assert "leave out --costguard-escalate or --costguard-against" in output
