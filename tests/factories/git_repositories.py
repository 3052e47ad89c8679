"""Real git repositories for tests, made without the machine's own git configuration."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from factories.processes import heed_interrupts

ENVIRON = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A. Uthor",
    "GIT_AUTHOR_EMAIL": "author@example.invalid",
    "GIT_COMMITTER_NAME": "A. Uthor",
    "GIT_COMMITTER_EMAIL": "author@example.invalid",
}

ONE_UNIT = "--costguard-suite-time=1s"
"""No more than the first unit: for what does not need a verdict."""


def against(
    revision: str, *words: str, python: str | Path = sys.executable, prefix: Sequence[str] = ()
) -> list[str]:
    """Return the command that measures the checkout side by side with a revision of it."""
    return [*_command(python, prefix=prefix), f"--costguard-against={revision}", *words]


def _command(python: str | Path, *, prefix: Sequence[str] = ()) -> list[str]:
    return [
        *(*prefix, str(python), "-m", "pytest", "-p", "pytest_costguard.plugin"),
        *("-p", "no:cacheprovider", "--costguard", "--costguard-report=out"),
    ]


def plugin_environ(base: Mapping[str, str] = ENVIRON, **more: str) -> dict[str, str]:
    """Return the environment of a run in which the plugin is named, and no other is loaded.

    A unit measures a fifth of what it usually does: what tests tell apart differs by half and more.
    """
    quick = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COSTGUARD_UNIT_TIME": "100ms"}
    return {**base, **quick, **more}


def times_slower(folder: Path) -> float:
    """Return head's median latency as a multiple of base's, of a report's first workload."""
    report = report_of(folder)
    base, head = (
        statistics.median(run["measurements"][0]["units"][0]["latency_seconds"])
        for run in (report["against"]["run"], report["run"])
    )
    return float(head / base)


def run_plain(folder: Path, *words: str) -> tuple[int, str]:
    """Measure a folder's tests on one side; return the exit code and what was printed."""
    return _ran(folder, [*_command(sys.executable), *words], environ=plugin_environ())


def _ran(folder: Path, command: Sequence[str], *, environ: Mapping[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=heed_interrupts if os.name == "posix" else None,
    )
    return done.returncode, done.stdout + done.stderr


def report_of(folder: Path) -> Any:
    """Return the report that the last run left."""
    return json.loads((folder / "out" / "report.json").read_text())


def git(folder: Path, *words: str) -> str:
    """Run git in a folder and return what it prints."""
    done = subprocess.run(
        ["git", *words], cwd=folder, env=ENVIRON, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def bare_server(where: Path) -> Path:
    """Make a bare repository with a branch main, as a forge keeps it."""
    bare, first = where / "server.git", where / "first"
    git(where, "init", "--quiet", "--bare", "-b", "main", str(bare))
    git(where, "init", "--quiet", "-b", "main", str(first))
    git(first, "commit", "--quiet", "--allow-empty", "-m", "begin")
    git(first, "push", "--quiet", str(bare), "main")
    return bare


class GitProject:
    """A repository in `folder` whose files and commits a test makes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> str:
        """Run git in the repository and return what it prints."""
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *words],
            cwd=self.folder,
            env=ENVIRON,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def put(self, files: dict[str, str]) -> None:
        """Write files by their paths."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def commit(self, files: dict[str, str] | None = None, message: str = "change") -> str:
        """Write files, commit everything, and return the commit."""
        self.put(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def measure(
        self,
        *words: str,
        revision: str = "main",
        python: str | Path = sys.executable,
        prefix: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        """Measure the checkout beside a revision; return the exit code and what was printed."""
        command = against(revision, *words, python=python, prefix=prefix)
        return _ran(self.folder, command, environ=environ or plugin_environ())
