"""One side of an experiment as a person describes it, and which tests they name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_costguard import __version__
from pytest_costguard.engine.launch import Side
from pytest_costguard.errors import ConfigError
from pytest_costguard.records import SideName

LETTERS: Mapping[SideName, str] = {"base": "A", "head": "B"}
"""What a person calls the engine's sides."""
PLUGIN = "pytest_costguard.plugin"
_TAKES_A_WORD = frozenset({"-k", "-m", "-p", "-o", "-c", "-W", "--override-ini"})
_OURS_TO_GIVE = ("--costguard", "--rootdir", "--import-mode", "--capture")
_DISTURBING = ("-n", "--numprocesses", "--dist", "--cov", "--pdb", "--collect-only", "--co")
_NAMES_THREADS = re.compile(r"THREADS", re.IGNORECASE)
_PROBE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What a person says of one side."""

    folder: Path
    python: str = sys.executable
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def threads_asked(self) -> int:
        """The most threads that a variable of this side asks for in so many words; 0 for none."""
        numbers = [
            int(value)
            for name, value in self.variables.items()
            if _NAMES_THREADS.search(name) and value.isascii() and value.isdigit()
        ]
        return max(numbers, default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which tests: paths and node ids, and options for pytest."""

    words: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @classmethod
    def of(cls, arguments: Sequence[str]) -> Selection:
        """Sort what was written for pytest.

        Raises:
            ConfigError: an option that would disturb the measuring, or is ours to give.
        """
        words: list[str] = []
        options: list[str] = []
        waiting = iter(arguments)
        for word in waiting:
            if not word.startswith("-"):
                words.append(word)
                continue
            _refuse(word)
            options.append(word)
            if word in _TAKES_A_WORD:
                options += [next(waiting, "")]
        return cls(words=tuple(words), options=tuple(options))


def environment(variant: Variant) -> dict[str, str]:
    """Return the environment of a side's workers: ours, its variables, no bytecode written."""
    return {"PYTHONDONTWRITEBYTECODE": "1", **os.environ, **variant.variables}


def plugins(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return what pytest must be told to load: this plugin, where entry points are off."""
    return (PLUGIN,) if environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") else ()


def side_of(name: SideName, variant: Variant, *, root: Path, invocation: Path) -> Side:
    """Return a side that is as a person has described it.

    Raises:
        ConfigError: the folder or the interpreter is missing, or cannot take part.
    """
    require_folder(name, variant.folder)
    environ = environment(variant)
    return Side(
        name=name,
        python=_interpreter(name, variant, environ=environ),
        rootdir=root,
        invocation_dir=invocation,
        plugins=plugins(environ),
        environ=environ,
    )


def require_folder(name: SideName, folder: Path) -> None:
    """Raise where a side's folder is missing, or is none.

    Raises:
        ConfigError: it is.
    """
    if not folder.is_dir():
        problem = f"{folder} is no folder" if folder.exists() else f"there is no folder {folder}"
        raise ConfigError(
            f"{LETTERS[name]}: {problem}",
            remedy="costguard ab DIR_A DIR_B takes two folders that hold the same tests",
        )


def _interpreter(name: SideName, variant: Variant, *, environ: Mapping[str, str]) -> str:
    """The interpreter of a side, asked whether it can take part."""
    if variant.python == sys.executable:
        return variant.python
    found = shutil.which(variant.python)
    if found is None:
        raise ConfigError(
            f"{LETTERS[name]}: there is no interpreter {variant.python}",
            remedy="give the path of a python, for example .venv-b/bin/python",
        )
    python = str(Path(found).absolute())
    asked = "import pytest, pytest_costguard; print(pytest_costguard.__version__)"
    try:
        done = subprocess.run(
            [python, "-c", asked],
            cwd=variant.folder,
            env=dict(environ),
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
        said = (done.stdout.split() or [""])[-1] if done.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    if said != __version__:
        has = f"has pytest-costguard {said}" if said else "cannot import pytest_costguard"
        raise ConfigError(
            f"{LETTERS[name]}: {python} {has}, this is {__version__}",
            remedy=f"{python} -m pip install pytest-costguard=={__version__}",
        )
    return python


def _refuse(option: str) -> None:
    name = option.partition("=")[0]
    if name.startswith(_OURS_TO_GIVE):
        raise ConfigError(
            f"{option} is not for the tests of an experiment",
            remedy="leave it out: costguard ab gives what measuring needs",
        )
    if name in _DISTURBING or name.startswith("--cov") or re.fullmatch(r"-n\d+", name):
        raise ConfigError(f"{option} would disturb the measuring", remedy="leave it out")
