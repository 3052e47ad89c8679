"""The folder that holds both trees: claimed while it is used, cleared after a killed run."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pytest_costguard.revisions.repository import CommandFailed, Repository

_PREFIX = "costguard-sides-"
_CLAIM = "claimed"


@contextmanager
def claimed(parent: Path) -> Iterator[Path]:
    """Make a folder that is this process's for as long as it lives, and remove it in the end."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)).resolve()
    try:
        with (folder / _CLAIM).open("w") as claim:
            _lock(claim)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_leftovers(repository: Repository) -> None:
    """Remove the work trees of runs that were killed; those of a running one stay."""
    for entry in repository.ask("worktree", "list", "--porcelain").split("\n\n"):
        tree = Path(entry.partition("\n")[0].removeprefix("worktree "))
        if not tree.parent.name.startswith(_PREFIX) or _in_use(tree.parent):
            continue
        # git takes away its note of a tree that is gone as well.
        shutil.rmtree(tree, ignore_errors=True)
        with contextlib.suppress(CommandFailed):
            repository.ask("worktree", "remove", "--force", "--force", str(tree))
        if not any(child.name != _CLAIM for child in _children(tree.parent)):
            shutil.rmtree(tree.parent, ignore_errors=True)


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _in_use(folder: Path) -> bool:
    """Whether a living process has claimed the folder; its death gives the lock back."""
    try:
        with (folder / _CLAIM).open("r+") as claim:
            return not _lock(claim)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _lock(claim: IO[str]) -> bool:
    """Lock the file if nobody else has; closing it, or dying, gives it back."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(claim.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # Windows only
        else:
            import fcntl

            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
