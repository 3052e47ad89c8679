"""Which files of a tree say what its environment contains."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

DEPENDENCY_FILES = (
    "constraints*.txt",
    "environment.y*ml",
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
)
"""Beside lock files: what a command without one goes by."""
_REQUIREMENTS = (".txt", ".in")


def dependency_files(
    root: Path, *, top: Path, patterns: Iterable[str], commands: Sequence[Sequence[str]]
) -> tuple[Path, ...]:
    """Return the files that a command makes an environment from, as far as they can be known.

    They are those that match the patterns in `root` and the folders above it, and what the
    commands and the requirements files name: files, and all files of a folder, such as a
    package of the repository that is installed beside the project.

    Args:
        root: the folder that the commands run in.
        top: the tree's top, at or above `root`; nothing outside of it is looked at.
        patterns: names of lock files and the like.
        commands: what makes the environment.
    """
    top = top.resolve()
    root = root.resolve()
    above = [folder for folder in (root, *root.parents) if folder.is_relative_to(top)]
    waiting = [path for folder in above for pattern in patterns for path in folder.glob(pattern)]
    waiting += _named([word for command in commands for word in command], root, top=top)
    found: dict[Path, None] = {}
    while waiting:
        path = waiting.pop()
        if path in found or not path.is_file():
            continue
        found[path] = None
        if path.suffix in _REQUIREMENTS:
            waiting += _named(_words(path), path.parent, top=top)
    return tuple(sorted(found))


def _named(words: Iterable[str], folder: Path, *, top: Path) -> Iterator[Path]:
    """The files inside `top` that words name, and those below the folders that they name."""
    for word in words:
        path = _path(word, folder, top=top)
        # The project itself does not count: its code comes from its tree, whatever is installed.
        if path is None or not path.is_relative_to(top) or folder.is_relative_to(path):
            continue
        if path.is_file():
            yield path
        elif path.is_dir():
            yield from (below for below in path.rglob("*") if below.is_file())


def _path(word: str, folder: Path, *, top: Path) -> Path | None:
    """What a word may name: `-rfile`, `--requirement=file`, `./package[extra]`, `file:package`."""
    name = re.sub(r"^(?:--?[a-z-]+=|-[rce])", "", word).partition("[")[0].removeprefix("file:")
    name = name.replace("{tree}", str(top))
    if not name or name.startswith("-") or "://" in name or not name.isprintable():
        return None
    path = folder / name
    try:
        return path.resolve() if path.exists() else None
    except OSError:  # a word that is too long for a name
        return None


def _words(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [word for line in lines for word in line.partition(" #")[0].split()]
