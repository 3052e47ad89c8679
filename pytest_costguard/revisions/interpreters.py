"""Another interpreter, asked once before anything is measured: is it one, and what has it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

from pytest_costguard.errors import RevisionError
from pytest_costguard.revisions.project_metadata import normalised

OLDEST = (3, 11)
NEEDED: Mapping[str, tuple[int, int]] = {"pytest": (8, 0), "numpy": (1, 26), "msgspec": (0, 19)}
"""What a worker imports beside this package, and the oldest version that will do."""
_LIMIT_SECONDS = 120.0
_ANSWER = "@costguard "
_QUESTION = """
import json, sys
answer = {"version": list(sys.version_info[:3])}
if sys.version_info >= (3, 11):
    import importlib, importlib.metadata, sysconfig
    found, broken = {}, {}
    for one in importlib.metadata.distributions():
        try:
            found.setdefault(one.metadata["Name"] or "", one.version or "")
        except Exception:
            pass
    for name in sys.argv[1:]:
        try:
            importlib.import_module(name)
        except BaseException as error:
            broken[name] = "%s: %s" % (type(error).__name__, error)
    answer["implementation"] = sys.implementation.name
    answer["platform"] = sysconfig.get_platform()
    answer["prefix"] = sys.prefix
    answer["virtual"] = sys.prefix != sys.base_prefix
    answer["distributions"] = found
    answer["broken"] = broken
sys.stdout.write("\\n@costguard " + json.dumps(answer) + "\\n")
"""
"""Runs in any Python, also in one that is too old to measure: that is what it has to tell."""


class Interpreter(msgspec.Struct, frozen=True, kw_only=True):
    """What an interpreter has told of itself."""

    version: tuple[int, int, int]
    implementation: str = ""
    platform: str = ""
    prefix: str = ""
    virtual: bool = False
    """Whether it is that of a virtual environment."""
    distributions: dict[str, str] = {}
    """Versions of what is installed, by the name in the metadata."""
    broken: dict[str, str] = {}
    """Modules that were asked for and do not import, and why."""

    @property
    def packages(self) -> dict[str, str]:
        """Versions of what is installed, by the normalised name (PEP 503)."""
        return {normalised(name): version for name, version in self.distributions.items() if name}

    @property
    def release(self) -> str:
        """The version of Python as it is written."""
        return ".".join(map(str, self.version))


def located(asked: str, *, environ: Mapping[str, str]) -> str:
    """Return the path of an interpreter, its links left as they are: a venv's python is one.

    Args:
        asked: a path, or a name to look for on PATH.
        environ: the environment variables.

    Raises:
        RevisionError: there is nothing there that can be run.
    """
    if Path(asked).name == asked and (found := shutil.which(asked, path=environ.get("PATH"))):
        return str(Path(found).absolute())
    path = Path(asked).absolute()
    if path.is_dir():
        raise _refused(
            asked, "is a folder", remedy=f"name the interpreter in it: {path}/bin/python"
        )
    if not path.exists():
        raise _refused(asked, "is not there", remedy="give the path of a Python interpreter")
    if shutil.which(str(path)) is None:
        raise _refused(asked, "may not be executed", remedy=f"chmod +x {path}, or name another")
    return str(path)


def ask(python: str, *, environ: Mapping[str, str], folder: Path) -> Interpreter:
    """Return what an interpreter has, with the environment and the path of a worker.

    Raises:
        RevisionError: it does not run, is no Python, or an older one than 3.11.
    """
    try:
        done = subprocess.run(
            [python, "-c", _QUESTION, *NEEDED],
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIMIT_SECONDS,
            check=False,
        )
    except OSError as error:
        raise _refused(
            python,
            f"could not be started: {error.strerror or error}",
            remedy="name a Python interpreter of this machine",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise _refused(
            python,
            f"did not answer within {_LIMIT_SECONDS:g} s",
            remedy="name a Python interpreter, and see what it does at its start",
        ) from error
    interpreter = _read(done.stdout.decode(errors="replace"))
    if interpreter is None:
        told = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise _refused(
            python,
            "does not answer as Python does" + (f": {told[-500:]}" if told else ""),
            remedy="name a Python interpreter; `PATH -c 'import sys'` must work",
        )
    if interpreter.version[:2] < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise _refused(
            python,
            f"is Python {interpreter.release}, and measuring needs {oldest} or newer",
            remedy=f"name an interpreter of Python {oldest} or newer",
        )
    return interpreter


def require_measurable(interpreter: Interpreter, python: str, *, remedy: str) -> None:
    """Raise where a worker could not run in it.

    Args:
        interpreter: what it has told.
        python: its path, for the error.
        remedy: how what is missing gets there.

    Raises:
        RevisionError: a package is missing, broken or too old.
    """
    problems = []
    for name, oldest in NEEDED.items():
        version = interpreter.packages.get(name, "")
        if name in interpreter.broken:
            state = f"{name} {version}" if version else name
            problems.append(f"{state} does not import ({interpreter.broken[name]})")
        elif version and _below(version, oldest):
            problems.append(f"{name} {version} is older than {'.'.join(map(str, oldest))}")
    if problems:
        raise RevisionError(
            f"base's interpreter {python} lacks what a worker needs: {'; '.join(problems)}",
            remedy=remedy,
        )


def _read(output: str) -> Interpreter | None:
    """The answer, among whatever the interpreter prints when it starts."""
    for line in reversed(output.splitlines()):
        if line.startswith(_ANSWER):
            try:
                return msgspec.json.decode(line.removeprefix(_ANSWER), type=Interpreter)
            except msgspec.MsgspecError:
                return None
    return None


def _below(version: str, oldest: tuple[int, int]) -> bool:
    matched = re.match(r"(?:\d+!)?(\d+)(?:\.(\d+))?", version)
    return matched is not None and (int(matched[1]), int(matched[2] or 0)) < oldest


def _refused(python: str, why: str, *, remedy: str) -> RevisionError:
    return RevisionError(f"the interpreter for base, {python}, {why}", remedy=remedy)
