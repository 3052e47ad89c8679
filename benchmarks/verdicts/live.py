"""Whole runs through the plugin, in a git repository with an unchanged head and a slower one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.verdicts.entries import Condition, LiveCase, LiveRun, circumstances
from benchmarks.verdicts.journal import Journal
from benchmarks.verdicts.recording import paired_seconds
from benchmarks.verdicts.workloads import ROOT, Workload, environ, write_project
from pytest_costguard.errors import WorkerError
from pytest_costguard.records import Report, WorkloadVerdict

LEVELS = (0, 5)
_BRANCHES = {0: "unchanged", 5: "slower"}
_REPORTED = frozenset({0, 1})
"""pytest's exit statuses where all was measured: nothing fails, or something has regressed."""


SUITE_OF_TEN = ("numpy_cache", "onnx_mlp")
"""Workloads whose start takes at most 0.6 s, each in five tests: the suite of the goal."""
SUITE_TESTS = 5


def journal(data: Path, condition: Condition) -> Journal[LiveRun]:
    """The file of a condition."""
    return Journal(data / f"live-{condition}.jsonl.gz", LiveRun)


def suite_journal(data: Path, condition: Condition) -> Journal[LiveRun]:
    """The file of a condition's runs of ten unchanged tests."""
    return Journal(data / f"suite-{condition}.jsonl.gz", LiveRun)


def long_journal(data: Path, condition: Condition) -> Journal[LiveRun]:
    """The file of a condition's runs of requests of seconds."""
    return Journal(data / f"long-{condition}.jsonl.gz", LiveRun)


def next_level(runs: Sequence[LiveRun], *, unchanged: int, slower: int) -> int | None:
    """Return the level whose runs are most behind; None where all are there.

    Args:
        runs: so far.
        unchanged: wanted of those.
        slower: wanted of those with 5 % more work.
    """
    wanted = {0: unchanged, 5: slower}
    done = {level: sum(run.level == level for run in runs) for level in LEVELS}
    open_levels = [level for level in LEVELS if done[level] < wanted[level]]
    return min(open_levels, key=lambda level: done[level] / wanted[level], default=None)


def write_repository(folder: Path) -> None:
    """Make the repository: `main`, and a branch for each level that differs from it in one file."""
    if (folder / ".git").exists():
        return
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        made = Path(place) / folder.name
        write_project(made, onnx_layers=[100 + level for level in LEVELS])
        (made / ".gitignore").write_text("__pycache__\nout\n", encoding="utf-8")
        _git(made, "init", "-q", "-b", "main")
        _commit(made, "base")
        for level, branch in _BRANCHES.items():
            _git(made, "checkout", "-q", "-b", branch, "main")
            write_project(made, added=level)
            with (made / "depth.py").open("a", encoding="utf-8") as file:
                file.write(f"\n# {branch}\n")
            _commit(made, branch)
        shutil.move(made, folder)  # a repository that is there is a whole one


def live_run(
    *,
    folder: Path,
    level: int,
    condition: Condition,
    workloads: Sequence[Workload],
    tests: int = 1,
    options: Sequence[str] = (),
) -> LiveRun:
    """Check one branch out and measure it against `main`, as a pull request's job would.

    Args:
        folder: of the repository.
        level: of head's branch.
        condition: what runs beside it; the caller sees to that.
        workloads: to measure.
        tests: of each workload; all do the same.
        options: of pytest, beyond the two that measure side by side; for tests.

    Raises:
        WorkerError: pytest ended in another way than by its verdicts.
    """
    about = circumstances(condition, root=ROOT)
    _git(folder, "checkout", "-q", _BRANCHES[level])
    report = folder / "out" / "report.json"
    report.unlink(missing_ok=True)
    began = time.monotonic()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "pytest_costguard.plugin"),
            *("-p", "no:cacheprovider", "--costguard", "--costguard-against=main"),
            *("--costguard-report=out", *options, *(workload.file for workload in workloads)),
        ],
        cwd=folder,
        env=_git_environ() | environ(levels=range(tests)),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    if done.returncode not in _REPORTED or not report.exists():
        raise WorkerError(
            f"pytest ended with {done.returncode}:\n{done.stdout}{done.stderr}",
            remedy=f"run it by hand in {folder}",
        )
    read = msgspec.json.decode(report.read_bytes(), type=Report)
    for failure in read.run.failures:  # pytest ends with 1 then, too
        raise WorkerError(f"{failure.workload}: {failure.reason}", remedy=failure.remedy)
    return LiveRun(
        about=about,
        level=level,
        seconds=round(seconds, 3),
        exit_status=done.returncode,
        cases=tuple(_case(verdict, read) for verdict in read.verdicts),
    )


def _case(verdict: WorkloadVerdict, report: Report) -> LiveCase:
    assert report.against is not None, "it was measured side by side"
    comparisons = {one.metric: one for one in verdict.comparisons}
    mean, memory = comparisons["mean"], comparisons.get("peak_memory")
    units = [
        unit
        for run in (report.run, report.against.run)
        for measurement in run.measurements
        if measurement.workload == verdict.workload
        for unit in measurement.units
    ]
    name = verdict.workload.nodeid.partition("::test_")[2].partition("[")[0]
    return LiveCase(
        workload=name,
        verdict=mean.verdict.value,
        memory_verdict="" if memory is None else memory.verdict.value,
        units=len(units) // 2,
        seconds=round(report.against.seconds.get(str(verdict.workload), 0.0), 3),
        paired_seconds=round(paired_seconds(units), 3),
        ratio=mean.ratio,
    )


def _commit(folder: Path, message: str) -> None:
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "--allow-empty", "-m", message)


def _git(folder: Path, *words: str) -> None:
    done = subprocess.run(
        ["git", *words], cwd=folder, env=_git_environ(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise WorkerError(
            f"git {' '.join(words)} failed in {folder}: {done.stderr}",
            remedy="remove the folder; the next run makes it anew",
        )


def _git_environ() -> dict[str, str]:
    """An environment without the machine's own git configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Evidence",
        "GIT_AUTHOR_EMAIL": "evidence@example.invalid",
        "GIT_COMMITTER_NAME": "Evidence",
        "GIT_COMMITTER_EMAIL": "evidence@example.invalid",
    }
