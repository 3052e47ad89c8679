"""The commands that a project declares, run in a revision's tree: no shell, no variable of ours."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pytest_costguard.errors import RevisionError
from pytest_costguard.revisions.repository import outside_of_hooks

LIMIT_SECONDS = 1800.0
"""How long one command may take: an environment with torch takes minutes, a hung one for ever."""
_LAST_LINES = 20
_LAST_BYTES = 1 << 14
_OURS = ("PYTEST_", "COSTGUARD_", "COV_", "COVERAGE_")
_OF_THIS_PYTHON = ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__")


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """Where and for what commands are run."""

    whom: str
    """For the error: `--costguard-build, on base`."""
    folder: Path
    environ: Mapping[str, str]
    values: Mapping[str, str]
    """What the placeholders stand for, by their names."""
    remedy: str
    limit_seconds: float = LIMIT_SECONDS


def of_no_interpreter(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment less what is meant for this Python, its pytest, or git's hooks."""
    return {
        name: value
        for name, value in outside_of_hooks(environ).items()
        if name not in _OF_THIS_PYTHON and not name.startswith(_OURS)
    }


def run(commands: Sequence[Sequence[str]], errand: Errand) -> None:
    """Run the commands one after the other; what they print is shown where one fails.

    Raises:
        RevisionError: a program is not there, fails, or takes too long.
    """
    for command in commands:
        words = [_filled(word, errand.values) for word in command]
        with tempfile.TemporaryFile() as output:
            try:
                status = _run(words, errand, output)
            except subprocess.TimeoutExpired as error:
                limit = f"was stopped after {errand.limit_seconds:g} s"
                raise _failed(errand, words, limit, output) from error
            except OSError as error:
                raise RevisionError(
                    f"{errand.whom}: {words[0]} could not be started: {error.strerror or error}",
                    remedy="install it, give its path, or put it on PATH",
                ) from error
            if status != 0:
                raise _failed(errand, words, f"ended with status {status}", output)


def _run(words: Sequence[str], errand: Errand, output: IO[bytes]) -> int:
    process = subprocess.Popen(
        words,
        cwd=errand.folder,
        env={**of_no_interpreter(errand.environ), "PWD": str(errand.folder)},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=os.name == "posix",
    )
    with _ended_with_us(process):
        return process.wait(errand.limit_seconds)


@contextlib.contextmanager
def _ended_with_us(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kill it and what it has started where the waiting ends otherwise: time limit, Ctrl-C."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()
        raise


def _filled(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def _failed(errand: Errand, words: Sequence[str], how: str, output: IO[bytes]) -> RevisionError:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _LAST_BYTES))
    lines = output.read().decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
    told = "".join(f"\n    {line}" for line in lines) or " and printed nothing"
    return RevisionError(f"{errand.whom}: `{shlex.join(words)}` {how}{told}", remedy=errand.remedy)
