"""Paths into the checkout, and what stands for them in a side's own tree."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_OF_THE_SHELL = ("VIRTUAL_ENV", "_", "OLDPWD", "TMPDIR", "TEMP", "TMP", "PYTHONHOME", "PYTHONPATH")
"""Where programs and temporary files are; what a workload reads is not named by these."""
_OF_TOOLS = ("PYTEST_", "COSTGUARD_", "COV_", "COVERAGE_")
_HOMES = ("HOME", "USERPROFILE")
"""Caches are below it, so that it stays, in the checkout too."""


def below(path: Path, folder: Path) -> Path | None:
    """Return an absolute path relative to a folder that it is in, by whatever links it is named.

    Args:
        path: its own last part may be a link; it is not followed.
        folder: with its links resolved.

    Returns:
        The relative path; None where it is elsewhere.
    """
    for parent in (path, *path.parents):
        if os.path.realpath(parent) == str(folder):
            return path.relative_to(parent)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutPaths:
    """Which texts name paths of the checkout, and which of those are in the trees.

    A text is a path, or several with the system's separator between them. What one of both trees
    has is found in a side's own tree, be it there or not; the rest, such as weights that git
    ignores, is only in the checkout.
    """

    checkout: Path
    """Its top, with its links resolved."""
    trees: tuple[Path, ...]

    def in_tree(self, value: Any, tree: Path) -> Any:
        """Return an option's value as it is on a side."""
        if isinstance(value, str):
            return os.pathsep.join(self._entry(entry, tree) for entry in _paths(value)) or value
        if isinstance(value, list | tuple):
            return type(value)(self.in_tree(one, tree) for one in value)
        return value

    def environ(self, environ: Mapping[str, str], tree: Path) -> dict[str, str]:
        """Return the environment variables as they are on a side."""
        return {
            name: value if name in _HOMES or _is_tools(name) else self.in_tree(value, tree)
            for name, value in environ.items()
        }

    def left(self, environ: Mapping[str, str], options: Mapping[str, Any]) -> tuple[str, ...]:
        """Name the variables and options that name what is only in the checkout."""
        variables = (
            name
            for name, value in environ.items()
            if name != "PATH" and not _is_tools(name) and self._only_there(value)
        )
        chosen = (f"option {dest}" for dest, value in options.items() if self._only_there(value))
        return (*variables, *chosen)

    def _entry(self, entry: str, tree: Path) -> str:
        found = self._found(entry)
        if found is None or not self._in_a_tree(found):
            return entry
        return str(tree / found)

    def _only_there(self, value: Any) -> bool:
        if isinstance(value, list | tuple):
            return any(self._only_there(one) for one in value)
        paths = _paths(value) if isinstance(value, str) else ()
        found = [self._found(path) for path in paths]
        return any(
            one is not None and not self._in_a_tree(one) and (self.checkout / one).exists()
            for one in found
        )

    def _found(self, entry: str) -> Path | None:
        """Where in the checkout it is; an interpreter's own files are not the checkout's."""
        if not entry or Path(entry).is_relative_to(sys.prefix):
            return None
        return below(Path(entry), self.checkout)

    def _in_a_tree(self, found: Path) -> bool:
        return any(os.path.lexists(tree / found) for tree in self.trees)


def _is_tools(name: str) -> bool:
    return name in _OF_THE_SHELL or name.startswith(_OF_TOOLS)


def _paths(text: str) -> list[str]:
    """The absolute paths that a text consists of; none where it is anything else."""
    entries = text.split(os.pathsep)
    return entries if all(not entry or Path(entry).is_absolute() for entry in entries) else []
