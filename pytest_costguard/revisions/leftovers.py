"""The folder that holds both trees: claimed while it is used, cleared after a killed run."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_costguard.revisions.claims import in_use, lock
from pytest_costguard.revisions.repository import CommandFailed, Repository

_PREFIX = "costguard-sides-"
_CLAIM = "claimed"


@contextmanager
def claimed(parent: Path) -> Iterator[Path]:
    """Make a folder that is this process's for as long as it lives, and remove it in the end."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)).resolve()
    try:
        with (folder / _CLAIM).open("w") as claim:
            lock(claim)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_leftovers(repository: Repository) -> None:
    """Remove the work trees of runs that were killed; those of a running one stay."""
    for entry in repository.ask("worktree", "list", "--porcelain").split("\n\n"):
        tree = Path(entry.partition("\n")[0].removeprefix("worktree "))
        if not tree.parent.name.startswith(_PREFIX) or in_use(tree.parent / _CLAIM):
            continue
        # git takes away its note of a tree that is gone as well.
        shutil.rmtree(tree, ignore_errors=True)
        with contextlib.suppress(CommandFailed):
            repository.ask("worktree", "remove", "--force", "--force", str(tree))
        if not any((child / ".git").exists() for child in _children(tree.parent)):
            shutil.rmtree(tree.parent, ignore_errors=True)


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
