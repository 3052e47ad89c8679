"""This package for an interpreter that may have none, or another version: both sides run the same.

Only the package itself is brought there. What it needs must be in that interpreter's own
environment, since compiled packages of another one would not do.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest_costguard
from pytest_costguard.errors import StoreError
from pytest_costguard.revisions.large_files import bring

PLUGIN = "pytest_costguard.plugin"
_ENTRY_POINT = "costguard"
_DISTRIBUTION = "pytest-costguard"


def bring_own_package(folder: Path) -> Path:
    """Make this package, and nothing else, importable from `folder`; return `folder`.

    Raises:
        StoreError: it can neither be linked nor copied there.
    """
    package = Path(pytest_costguard.__file__).resolve().parent
    try:
        bring(package, folder / package.name)
    except OSError as error:
        raise StoreError(
            f"{folder}: pytest-costguard could not be linked there: {error.strerror or error}",
            remedy="free some space, or point TMPDIR to a folder that can be written",
        ) from error
    return folder


def path_with(folder: Path, before: str) -> str:
    """Return `PYTHONPATH` with `folder` as the first entry."""
    return os.pathsep.join(filter(None, [str(folder), before]))


def plugins_for(
    plugins: tuple[str, ...], *, installed: frozenset[str], autoload: bool
) -> tuple[str, ...]:
    """Return the modules to give to pytest's `-p`, so that ours is loaded exactly once.

    Args:
        plugins: what the user gives.
        installed: names of what is installed there, normalised.
        autoload: whether pytest loads the plugins of what is installed.
    """
    others = tuple(name for name in plugins if name not in (PLUGIN, _ENTRY_POINT))
    return others if autoload and _DISTRIBUTION in installed else (PLUGIN, *others)
