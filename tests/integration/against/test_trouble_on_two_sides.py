"""What goes wrong on one of two sides is an error of its test, and of no other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from factories.git_repositories import (
    ONE_UNIT,
    GitProject,
    against,
    plugin_environ,
    report_of,
)
from factories.processes import patience

CONFIGURATION = """
[project]
name = "service"
version = "1"
[tool.pytest.ini_options]
testpaths = ["tests"]
addopts = "-q"
[tool.costguard]
isolate = "suite"
[tool.costguard.regression]
mean = { allow = "50%", catch = "300%" }
peak_memory = "off"
"""
SERVICE = """
import os, sys, time
SIDE = "{side}"

def same(n):
    return sum(range(n))

def dies(n):
    if SIDE == "head":
        print("last words of head", flush=True)
        os._exit(7)
    return same(n)

def hangs(n):
    if SIDE == "base":
        time.sleep(600)
    return same(n)

def prints(n):
    sys.stdout.write("noise " * 50)
    os.write(1, b"more noise\\n")
    os.write(2, b"and on the other pipe\\n")
    return same(n)
"""
TESTS = """
import os
import service

def test_sound(costguard):
    costguard.measure(service.same, inputs=[20_000])

def test_dies(costguard):
    costguard.measure(service.dies, inputs=[20_000])

def test_hangs(costguard):
    costguard.measure(service.hangs, inputs=[20_000])

def test_prints(costguard):
    costguard.measure(service.prints, inputs=[20_000])

def test_fails_on_base(costguard):
    assert service.SIDE == "head", "not ready yet"
    costguard.measure(service.same, inputs=[20_000])

def test_differs_from_run_to_run(costguard):
    name = f"process-{os.getpid()}"
    costguard.measure(service.same, inputs=[20_000], name=name)
"""
QUIET = """
import service

def test_sound(costguard):
    costguard.measure(service.same, inputs=[20_000])
"""
UNPINNABLE = """
import os

def refuse(*_):
    raise PermissionError("not allowed here")

os.sched_setaffinity = refuse
"""


def environment(tmp):
    return plugin_environ(TMPDIR=str(tmp))


def measure(project, tmp, *words, prefix=()):
    code, output = project.measure(*words, prefix=prefix, environ=environment(tmp))
    return code, output, report_of(project.folder)


def a_project(folder, tests, **more):
    made = GitProject(folder)
    common = {".gitignore": "__pycache__\nout\n", "pyproject.toml": CONFIGURATION, **more}
    made.commit({**common, "service.py": SERVICE.format(side="base"), "tests/test_it.py": tests})
    made.git("checkout", "-q", "-b", "change")
    made.commit({"service.py": SERVICE.format(side="head")})
    return made


@pytest.fixture(scope="module")
def troubled(tmp_path_factory):
    project = a_project(tmp_path_factory.mktemp("trouble") / "project", TESTS)
    waits = f"--costguard-timeout={patience(at_least=6)}s"
    return measure(project, tmp_path_factory.mktemp("tmp"), waits)


def failures(report):
    return {
        one["workload"]["nodeid"].rpartition("::")[2]: one
        for one in report["run"].get("failures", [])
    }


def verdict(report, test):
    (found,) = [
        one for one in report["verdicts"] if one["workload"]["nodeid"].endswith(f"::{test}")
    ]
    (mean,) = found["comparisons"]
    return mean["verdict"]


def test_a_worker_that_dies_is_named_with_its_side_and_its_last_words(troubled):
    code, output, report = troubled
    assert code == 1, output
    reason = failures(report)["test_dies"]["reason"]
    assert reason.startswith("on head: the worker process"), reason
    assert "last words of head" in reason


def test_a_worker_that_hangs_is_stopped_and_named_with_its_side(troubled):
    _, _, report = troubled
    assert failures(report)["test_hangs"]["reason"].startswith("on base: no answer for ")


def test_what_a_workload_prints_disturbs_nothing(troubled):
    _, output, report = troubled
    assert "test_prints" not in failures(report), output
    assert verdict(report, "test_prints") == "unchanged", output


def test_a_test_that_differs_from_run_to_run_says_so(troubled):
    _, _, report = troubled
    found = failures(report)["test_differs_from_run_to_run"]
    assert found["side"] == "both"
    assert "it was reached before, and not in unit" in found["reason"], found


def test_a_test_that_fails_on_base_makes_nothing_new_and_green(troubled):
    _, output, report = troubled
    reason = failures(report)["test_fails_on_base"]["reason"]
    assert reason.startswith("on base: the test failed before"), output


def test_in_turns_a_test_that_fails_on_base_is_no_new_one_either(tmp_path):
    project = a_project(tmp_path / "project", TESTS)
    words = ("--costguard-pairing=restart", "-k", "fails_on_base")
    code, output, report = measure(project, tmp_path, *words)
    assert code == 1, output
    failure = failures(report)["test_fails_on_base"]
    assert failure["reason"].startswith("on base: the test failed before"), output
    assert failure["side"] == "base"


def test_a_file_that_one_side_cannot_collect_fails_its_own_tests_alone(tmp_path):
    broken = "import service\nassert service.SIDE == 'head'\n" + QUIET
    project = a_project(tmp_path / "project", QUIET, **{"tests/test_a_broken.py": broken})
    code, output, report = measure(project, tmp_path, ONE_UNIT)
    assert code == 1, output
    assert verdict(report, "test_sound") == "inconclusive", output
    (failure,) = report["run"]["failures"]
    assert failure["workload"]["nodeid"] == "tests/test_a_broken.py::test_sound", output
    assert failure["reason"].startswith("on base: the worker session ended with status 2 while")
    assert ": AssertionError" in failure["reason"].splitlines()[0]
    assert "git worktree add ../base REV" in failure["remedy"]


def test_time_that_ends_within_a_unit_fails_nothing(tmp_path):
    slow = QUIET.replace("    costguard", "    time.sleep(0.3)\n    costguard").replace(
        "import service", "import time\nimport service"
    )
    several = "\n".join(slow.replace("test_sound", f"test_{name}") for name in "abc")
    project = a_project(tmp_path / "project", several)
    _, output, report = measure(project, tmp_path, "--costguard-suite-time=4s")
    assert report["run"].get("failures", []) == [], output
    assert len(report["verdicts"]) == 3
    assert "suite_time is 4 s: what is undecided then is inconclusive" in output


def test_the_others_are_judged_all_the_same(troubled):
    _, output, report = troubled
    assert verdict(report, "test_sound") == "unchanged", output


@pytest.mark.skipif(sys.platform != "linux", reason="only there can processes be pinned")
def test_without_leave_to_pin_the_run_goes_on_and_says_so(tmp_path):
    project = a_project(tmp_path / "project", QUIET, **{"tests/conftest.py": UNPINNABLE})
    _, output, report = measure(project, tmp_path, ONE_UNIT)
    (found,) = report["verdicts"]
    (warning,) = [said for said in found["warnings"] if "refused to pin" in said]
    assert "on base" not in warning, output


@pytest.mark.skipif(sys.platform != "linux", reason="only there can processes be pinned")
def test_one_core_is_enough(tmp_path):
    project = a_project(tmp_path / "project", QUIET)
    core = min(os.sched_getaffinity(0))
    _, output, report = measure(project, tmp_path, prefix=("taskset", "-c", str(core)))
    assert report["against"]["cores"] == [core]
    assert verdict(report, "test_sound") == "unchanged", output


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_the_trees_of_a_killed_run_are_removed_by_the_next(tmp_path):
    project = a_project(tmp_path / "project", QUIET)
    room = tmp_path / "room"
    room.mkdir()
    running = subprocess.Popen(
        against("main"),
        cwd=project.folder,
        env=environment(room),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    # Not asked of git, whose `worktree list` fails while a tree is being added.
    notes = project.folder / ".git/worktrees"
    deadline = time.monotonic() + patience(at_least=60)
    try:
        while sum(note.stat().st_size > 0 for note in notes.glob("*/gitdir")) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    assert len(list(notes.iterdir())) == 2
    _, output, report = measure(project, room, ONE_UNIT)
    assert len(report["verdicts"]) == 1, output
    assert len(project.git("worktree", "list").splitlines()) == 1
    assert list(room.iterdir()) == []
