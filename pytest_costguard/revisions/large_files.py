"""Files that git does not hold itself: what Git LFS keeps beside it, and what git ignores."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

from pytest_costguard.revisions.repository import CommandFailed, Repository

_POINTER_BYTES = 1024
"""The specification's limit on a pointer file."""
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-.*\n)*oid sha256:([0-9a-f]{64})\n"
)


def bring(source: Path, target: Path) -> None:
    """Link a file or folder into a tree, or copy it where links are not allowed.

    What the tree has already stays: a tracked file goes before a shared one. A folder that it has
    gets what is missing in it.
    """
    if target.exists() or target.is_symlink():
        if source.is_dir() and target.is_dir() and not target.is_symlink():
            for child in source.iterdir():
                bring(child, target / child.name)
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):  # the tree has a file in its place
        return
    try:
        target.symlink_to(source, target_is_directory=source.is_dir())
    except OSError:  # Windows without the privilege, or a file system without links
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copy2(source, target)


def resolve_pointers(tree: Path, repository: Repository) -> tuple[str, ...]:
    """Put the content in the place of Git LFS pointers, and name those that have none here.

    The content comes from the repository's LFS store or, where the checkout's file is the very
    one that is meant, from there. Nothing is fetched.

    Args:
        tree: a work tree of `repository`.
        repository: the checkout.
    """
    try:
        paths = repository.listed("-C", str(tree), "ls-files", "-z", "--", ":(attr:filter=lfs)")
        store = Path(repository.ask("rev-parse", "--path-format=absolute", "--git-common-dir"))
    except CommandFailed:  # a git that knows no such pathspec
        return ()
    unresolved = []
    for path in paths:
        digest = pointer_digest(tree / path)
        if digest is None:
            continue
        held = store / "lfs" / "objects" / digest[:2] / digest[2:4] / digest
        ours = repository.top / path
        source = held if held.is_file() else ours if _sha256(ours) == digest else None
        if source is None:
            unresolved.append(path)
            continue
        (tree / path).unlink()
        bring(source, tree / path)
    return tuple(unresolved)


def pointer_digest(path: Path) -> str | None:
    """Return the SHA-256 that a Git LFS pointer names, or None where the file is no pointer."""
    try:
        if path.is_symlink() or path.stat().st_size > _POINTER_BYTES:
            return None
        matched = _POINTER.match(path.read_bytes())
    except OSError:
        return None
    return matched[1].decode() if matched else None


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
