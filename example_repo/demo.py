"""From nothing to the verdict: measures this example, makes it worse, and sees the gate fail.

Run it with `make demo`. It works on a copy in `.demo/`, records a baseline of its own there, since
one from another machine is not comparable, and uses no network.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).resolve().parent
COPY = EXAMPLE.parent / ".demo"
BAD_CHANGE = EXAMPLE / "bad_change.patch"
NOT_COPIED = (
    "demo.py",
    "__pycache__",
    ".pytest_cache",
    ".costguard",
    "reports",
    ".benchmarks",
    BAD_CHANGE.name,
)
BASELINE_RUNS = 2
FASTER = ("--costguard-units=4", "--costguard-unit-time=300ms")
"""Less than the default, to be done sooner: the change is a large one."""

AT_MOST = "--costguard-time=45s"
"""A workload side by side: what is not decided then, on a noisy machine, is said to be so."""

SLOWER = ("test_reading_digits[1]", "test_reading_digits[32]")
SIDE_BY_SIDE = (
    "tests/test_digits.py::test_reading_digits[1]",
    "tests/test_digits.py::test_model_alone",
)
"""Of these, the bad change touches the first only."""
AS_BEFORE = ("test_model_alone", "test_finding_speech")


class DemoFailed(Exception):
    """Something did not go as it should."""


def main() -> int:
    started = time.monotonic()
    try:
        make_copy()
        record_baseline()
        apply_bad_change()
        status = measure_again()
        judge(status, read_report("reports"))
        judge_side_by_side(compare_with_parent("5. The same change, side by side with its parent"))
        show_comment("6. The comment for the pull request (side-by-side/report.md)")
        change_nothing()
        require_quiet(compare_with_parent("8. That change, side by side with its parent"))
    except DemoFailed as problem:
        print(f"\nThe demo did not go as it should: {problem}")
        return 1
    print("\nThe gate failed for the bad change, side by side at the latest, and")
    print(f"passed what changes nothing, in {time.monotonic() - started:.0f} s altogether.")
    print(f"Look around in {COPY.name}/: the reports are in reports/ and side-by-side/.")
    return 0


def make_copy() -> None:
    """Copy the example to `.demo/`, as a git repository with one commit."""
    with step("1. A repository with a service in it: digits read from scans, speech from audio"):
        shutil.rmtree(COPY, ignore_errors=True)
        shutil.copytree(EXAMPLE, COPY, ignore=shutil.ignore_patterns(*NOT_COPIED))
        git("init", "--quiet", "--initial-branch=main")
        commit("Read digits and find speech")
        print(f"copied to {COPY.name}/")


def record_baseline() -> None:
    """Measure the service as it is, and store the figures as the baseline `main`."""
    with step(f"2. Measure it as it is, {BASELINE_RUNS} times, and keep that as the baseline"):
        for number in range(1, BASELINE_RUNS + 1):
            options = ("--costguard-save=main", "--costguard-baseline=none")
            command = pytest_command("--costguard", *options, *FASTER)
            if number == 1:
                show(command)
            done = subprocess.run(
                command, cwd=COPY, env=environment(), capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                print(done.stdout + done.stderr)
                raise DemoFailed("the service as it is does not pass")
            if number == 1:
                print(report_in(done.stdout))
            print(f"baseline run {number} of {BASELINE_RUNS} is stored", flush=True)


def apply_bad_change() -> None:
    """Apply a change that a reviewer could well approve, and show that the tests still pass."""
    with step("3. Somebody means well: scans are prepared at a finer resolution"):
        git("apply", str(BAD_CHANGE))
        print(git("diff", "--color=always" if sys.stdout.isatty() else "--color=never"))
        commit("Keep thin strokes together")
        print("The ordinary tests do not mind, and the digits are read as well as before:")
        command = pytest_command("--quiet")
        show(command)
        if subprocess.run(command, cwd=COPY, env=environment(), check=False).returncode != 0:
            raise DemoFailed("the changed service should still pass its ordinary tests")


def measure_again() -> int:
    """Measure the changed service against the baseline; return pytest's exit code."""
    with step("4. Measure again"):
        command = pytest_command("--costguard", "--costguard-report=reports", *FASTER)
        show(command)
        status = subprocess.run(command, cwd=COPY, env=environment(), check=False).returncode
        print(f"exit code: {status}")
        return status


def compare_with_parent(title: str) -> int:
    """Measure the last commit and the one before it side by side; return pytest's exit code."""
    with step(title):
        options = ("--costguard", "--costguard-against=HEAD~1", "--costguard-report=side-by-side")
        command = pytest_command(*options, AT_MOST, *SIDE_BY_SIDE)
        show(command)
        status = subprocess.run(command, cwd=COPY, env=environment(), check=False).returncode
        print(f"exit code: {status}")
        return status


def change_nothing() -> None:
    """Commit a change that no workload can feel."""
    with step("7. Somebody changes the documentation of the code, and nothing else"):
        module = COPY / "src" / "digits_service" / "preprocess.py"
        text = module.read_text(encoding="utf-8")
        module.write_text(f"# Scans come from the archive.\n{text}", encoding="utf-8")
        commit("Say where scans come from")


def judge_side_by_side(status: int) -> None:
    """Raise unless the gate failed for what got slower, and for nothing else."""
    slower, as_before = SIDE_BY_SIDE
    found = mean_verdicts("side-by-side")
    if found.get(slower) != "regressed":
        raise DemoFailed(f"{slower} should have regressed, but is {found.get(slower)}")
    if found.get(as_before) == "regressed":
        raise DemoFailed(f"{as_before} did not change, but regressed")
    if status != 1:
        raise DemoFailed(f"the exit code of a failed gate is 1, got {status}")


def require_quiet(status: int) -> None:
    """Raise where a change that changes nothing was held against anybody."""
    found = mean_verdicts("side-by-side")
    if status != 0 or found.keys() != set(SIDE_BY_SIDE):
        raise DemoFailed(f"nothing changed, but exit code {status} and {found}")


def mean_verdicts(folder: str) -> dict[str, str]:
    """Return the verdict on the mean latency, by node id."""
    return {
        verdict["workload"]["nodeid"]: comparison["verdict"]
        for verdict in read_report(folder)["verdicts"]
        for comparison in verdict["comparisons"]
        if comparison["metric"] == "mean"
    }


def read_report(folder: str) -> dict[str, Any]:
    """Return the content of a folder's report.json."""
    return json.loads((COPY / folder / "report.json").read_text(encoding="utf-8"))


def show_comment(title: str) -> None:
    """Print what the pull request would be told."""
    with step(title):
        comment = COPY / "side-by-side" / "report.md"
        if not comment.is_file():
            raise DemoFailed("no report was written")
        print(comment.read_text(encoding="utf-8"))


def judge(status: int, report: dict[str, Any]) -> None:
    """Raise unless the gate failed, for what got slower and for nothing else.

    A stored baseline may not know, on a machine that was disturbed; side by side comes next.

    Args:
        status: pytest's exit code.
        report: the content of report.json.
    """
    verdicts = {v["workload"]["nodeid"].split("::")[-1]: v for v in report["verdicts"]}
    if absent := {*SLOWER, *AS_BEFORE} - verdicts.keys():
        raise DemoFailed(f"not measured: {', '.join(sorted(absent))}")
    stored = {
        name: next(
            (c["verdict"] for c in verdicts[name]["comparisons"] if c["metric"] == "mean"), None
        )
        for name in SLOWER
    }
    for name, verdict in stored.items():
        if verdict == "inconclusive":
            print(f"\n{name} is inconclusive by the stored baseline; side by side will tell.")
        elif verdict != "regressed":
            raise DemoFailed(f"{name} should have regressed, but is {verdict}")
    for name in AS_BEFORE:
        if verdicts[name]["failing"]:
            raise DemoFailed(f"{name} did not change, but failed: {verdicts[name]['failing'][0]}")
    if status != int("regressed" in stored.values()):
        raise DemoFailed(f"the exit code {status} does not follow from {stored}")


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print a title before and the time taken after what happens inside."""
    started = time.monotonic()
    print(f"\n{title}\n{'-' * len(title)}", flush=True)
    yield
    print(f"({time.monotonic() - started:.0f} s)", flush=True)


def pytest_command(*options: str) -> list[str]:
    """Return the command that runs the tests; those with torch are left out, it starts slowly."""
    return [sys.executable, "-m", "pytest", "-m", "not torch", *options]


def show(command: list[str]) -> None:
    """Print a command as a person would type it."""
    words = [f"'{word}'" if " " in word else word for word in command[2:]]
    print(f"$ {' '.join(words)}", flush=True)


def environment() -> dict[str, str]:
    """Return the environment of a fresh project: of pytest's plugins, only this one is there."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return kept | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_PLUGINS": "pytest_costguard.plugin",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def report_in(output: str) -> str:
    """Return the report's part of what pytest printed."""
    lines = output.splitlines()
    first = next((i for i, line in enumerate(lines) if line.strip("= ") == "costguard"), 0)
    return "\n".join(lines[first:])


def git(*arguments: str) -> str:
    """Run git in the copy, without anyone's own hooks and settings; return what it printed."""
    settings = ("user.name=demo", "user.email=demo@localhost", "commit.gpgsign=false")
    flags = [word for setting in settings for word in ("-c", setting)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *flags, "-c", f"core.hooksPath={os.devnull}", *arguments],
        cwd=COPY,
        env=kept | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise DemoFailed(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def commit(message: str) -> None:
    """Commit everything in the copy."""
    git("add", "--all")
    git("commit", "--quiet", "--message", message)


if __name__ == "__main__":
    sys.exit(main())
