"""Use case: measure a baseline several times over, in separate sessions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.app.relaying import with_our_streams
from pytest_costguard.baselines.store import Store, checked_name
from pytest_costguard.errors import ConfigError, StoreError

Start = Callable[[Sequence[str]], int]
"""Starts a command, waits for its end and returns its exit code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """How far recording came: runs that were saved, sessions begun, exit code of the last one."""

    runs: int
    sessions: int
    exit_code: int


def start_process(command: Sequence[str]) -> int:
    """Run a command in the working folder with our own standard streams; return its exit code."""
    return with_our_streams(command, os.environ)


def start_quietly(command: Sequence[str]) -> int:
    """Run a command as `start_process` does; show what it prints only where it fails."""
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(command, check=False, stdout=output, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            output.seek(0)
            shutil.copyfileobj(output, sys.stdout.buffer)
            sys.stdout.flush()
    return done.returncode


def record(
    name: str,
    *,
    runs: int,
    arguments: Sequence[str],
    rootdir: Path,
    store: Store,
    start: Start = start_process,
    start_again: Start = start_quietly,
    progress: Callable[[int, int], None] = lambda _run, _runs: None,
) -> Recorded:
    """Measure the baseline `name` in `runs` pytest sessions, one after the other.

    A session of its own each, since the spread between sessions is what a later verdict rests on.
    They compare and gate nothing, so that a budget that is over does not stop the recording; a test
    that fails does, and what was saved until then stays, that session's own run included.
    `arguments` go to pytest, after our own.

    Args:
        name: The baseline.
        runs: How many sessions.
        arguments: For pytest: paths, `-k`, options.
        rootdir: The project.
        store: Where its sessions save to.
        start: How the first session is run.
        start_again: How the others are, which have the same to say.
        progress: Called before each session with its number, from 1, and with `runs`.

    Raises:
        ConfigError: The name is not one, or `runs` is below 1.
        StoreError: A session ended well and saved nothing here.
    """
    if runs < 1:
        raise ConfigError(f"cannot record {runs} runs", remedy="give --runs 1 or more")
    place = store.place(checked_name(name))
    for number in range(1, runs + 1):
        progress(number, runs)
        before = store.run_ids(name)
        exit_code = (start if number == 1 else start_again)(_command(name, arguments))
        saved = bool(store.run_ids(name) - before)
        if exit_code != 0:
            return Recorded(runs=number - 1 + saved, sessions=number, exit_code=exit_code)
        if not saved:
            raise StoreError(
                f"{place}: the session ended well, and saved nothing here",
                remedy="check that the tests use the `costguard` fixture, and that pytest's rootdir"
                f" is {rootdir} (else give --rootdir)",
            )
    return Recorded(runs=runs, sessions=runs, exit_code=0)


def _command(name: str, arguments: Sequence[str]) -> list[str]:
    return [
        *(sys.executable, "-m", "pytest"),
        *("--costguard", f"--costguard-save={name}"),
        *("--costguard-baseline=none", "--costguard-fail-on=never"),
        *arguments,
    ]
