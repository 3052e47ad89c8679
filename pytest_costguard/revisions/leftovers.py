"""The folder that holds both trees: claimed while it is used, cleared after a killed run."""

from __future__ import annotations

import contextlib
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
_UNFINISHED = "locked initializing"
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
        # git takes away its note of a tree that is gone as well.
        shutil.rmtree(tree, ignore_errors=True)
        with contextlib.suppress(CommandFailed):
            repository.ask("worktree", "remove", "--force", "--force", str(tree))
    # The mark goes last: while it is there, another run can still tell what is ours.
    for folder in {tree.parent for tree in ours}:
        if not any((folder / side / ".git").exists() for side in SIDES):
            shutil.rmtree(folder, ignore_errors=True)


def _unlocked_trees(repository: Repository) -> list[Path]:
    # Without -z, which git knows from 2.36 on. A path with a line break is cut short by this, and
    # what is left of it names no folder with our mark.
    found = []
    for entry in repository.ask("worktree", "list", "--porcelain").split("\n\n"):
        place, *attributes = entry.split("\n")
        if all(not said.startswith("locked") or said == _UNFINISHED for said in attributes):
            found.append(Path(place.removeprefix("worktree ")))
    return found


def _abandoned(claim: Path) -> bool:
    """Whether this is a claim of ours that no living process holds."""
    try:
        ours = claim.read_text(encoding="utf-8") == _MARK
    except (OSError, UnicodeDecodeError):  # not there, or held on Windows
        return False
    return ours and not in_use(claim)
