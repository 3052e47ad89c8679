"""The folder that holds both trees: claimed while it is used, cleared after a killed run."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_costguard.records import SIDES
from pytest_costguard.revisions.claims import in_use, lock
from pytest_costguard.revisions.repository import CommandFailed, Repository

_PREFIX = "costguard-sides-"
_CLAIM = "claimed"
_MARK = "pytest-costguard made this folder for one run, and removes it after that.\n"
"""What the claim says. A folder without these words is somebody's own, whatever its name is."""
_UNFINISHED = "initializing"
"""How git locks a tree while it makes it; any other lock is a user's."""


@contextmanager
def claimed(parent: Path) -> Iterator[Path]:
    """Make a folder that is this process's for as long as it lives, and remove it in the end."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)).resolve()
    try:
        with (folder / _CLAIM).open("w", encoding="utf-8") as claim:
            lock(claim)
            claim.write(_MARK)
            claim.flush()
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_leftovers(repository: Repository) -> None:
    """Remove the work trees of runs that were killed, and git's notes of them.

    Those of a running one stay, and so does whatever is not surely ours. A tree whose folder is
    not here may be in use in a container that shares the repository; git itself forgets it after
    three months.
    """
    trees = [tree for tree in _unlocked_trees(repository) if tree.name in SIDES]
    ours = [tree for tree in trees if _abandoned(tree.parent / _CLAIM)]
    for tree in ours:
        remove_tree(repository, tree)
    # The mark goes last: while it is there, another run can still tell what is ours.
    for folder in {tree.parent for tree in ours}:
        if not any((folder / side / ".git").exists() for side in SIDES):
            shutil.rmtree(folder, ignore_errors=True)


def remove_tree(repository: Repository, tree: Path) -> None:
    """Take a work tree of ours away, and git's note of it."""
    shutil.rmtree(tree, ignore_errors=True)
    try:
        # git takes away its note of a tree that is gone as well.
        repository.ask("worktree", "remove", "--force", "--force", str(tree))
    except CommandFailed:
        # Where git was killed while it made a tree, be it another, it can no longer do that.
        for note, noted in _noted_trees(repository):
            if noted == tree:
                shutil.rmtree(note, ignore_errors=True)


def _unlocked_trees(repository: Repository) -> list[Path]:
    found = []
    for note, tree in _noted_trees(repository):
        lock_told = _first_line(note / "locked")
        if lock_told is None or lock_told == _UNFINISHED:
            found.append(tree)
    return found


def _noted_trees(repository: Repository) -> Iterator[tuple[Path, Path]]:
    """Yield git's notes of work trees, each with its tree (gitrepository-layout, `worktrees`).

    Read rather than asked for: `git worktree list` fails while a tree is being made, by another run
    or by one that was killed in the midst of it.
    """
    common = repository.top / repository.ask("rev-parse", "--git-common-dir")
    for note in sorted(common.glob("worktrees/*")):
        link = _first_line(note / "gitdir")
        if link:
            yield note, Path(os.path.normpath(note / link)).parent


def _first_line(file: Path) -> str | None:
    """Return a file's first line: None where there is no such file, "" where it cannot be read."""
    try:
        return os.fsdecode(file.read_bytes()).partition("\n")[0]
    except FileNotFoundError:
        return None
    except OSError:
        return ""


def _abandoned(claim: Path) -> bool:
    """Whether this is a claim of ours that no living process holds."""
    try:
        ours = claim.read_text(encoding="utf-8") == _MARK
    except (OSError, UnicodeDecodeError):  # not there, or held on Windows
        return False
    return ours and not in_use(claim)
