"""The commit that is measured, and a digest of the files that lock its dependencies."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from pytest_costguard.records import Commit

LOCK_FILES = (
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "conda-lock.yml",
    "pixi.lock",
    "pylock*.toml",
    "requirements*.txt",
    "requirements/*.txt",
)
"""Names and patterns, relative to the project's folder."""

# Asking must neither run the repository's programs nor write to it: `status` and `diff` would
# otherwise start a file-system monitor, or refresh the index and run a hook after that.
_SAFE = [f"core.hooksPath={os.devnull}", "core.fsmonitor=false"]


def commit_of(root: Path) -> Commit | None:
    """Return the commit that is checked out at or above `root`, or None where there is none.

    `dirty` tells of changes to tracked files, staged or not; a file that is not tracked does not
    count, since CI jobs leave many. `branch` is "" on a detached head. None also where git is not
    installed, refuses (a folder of another user's), or there is no commit yet.
    """
    try:
        import git
    except ImportError:  # GitPython's answer to a missing git program
        return None
    try:
        with git.Repo(root, search_parent_directories=True, expand_vars=False) as repo:
            if repo.bare:
                return None
            # GitPython hands these on as `git --no-optional-locks -c … COMMAND`.
            ask = repo.git(no_optional_locks=True, c=_SAFE)
            sha = ask.rev_parse("HEAD", verify=True)
            changes = repo.git(no_optional_locks=True, c=_SAFE).status(
                porcelain=True, untracked_files="no", ignore_submodules="dirty"
            )
            branch = repo.git(no_optional_locks=True, c=_SAFE).branch(show_current=True)
    except (git.GitError, OSError, ValueError):
        return None
    return Commit(sha=str(sha).strip(), dirty=bool(changes.strip()), branch=str(branch).strip())


def place_in_checkout(root: Path) -> str:
    """Return the way from the top of the checkout that holds `root`, "" where there is none."""
    try:
        import git
    except ImportError:
        return ""
    try:
        with git.Repo(root, search_parent_directories=True, expand_vars=False) as repo:
            top = repo.working_tree_dir
        inside = None if top is None else root.resolve().relative_to(Path(top).resolve())
    except (git.GitError, OSError, ValueError):
        return ""
    return "" if inside is None or inside == Path() else inside.as_posix()


def lock_digest(root: Path) -> str | None:
    """Return a digest over names and contents of the lock files, or None where there are none.

    Returns:
        See `contents_digest`.
    """
    return files_digest(root, {path for pattern in LOCK_FILES for path in root.glob(pattern)})


def files_digest(root: Path, paths: Iterable[Path]) -> str | None:
    """Return a digest over names and contents of files, or None where none can be read.

    Args:
        root: what the names are relative to.
        paths: files below it, in any order.

    Returns:
        See `contents_digest`.
    """
    contents: dict[str, bytes] = {}
    for path in paths:
        # What may not be read, or is a folder of that name, says nothing.
        with contextlib.suppress(OSError):
            contents[path.relative_to(root).as_posix()] = path.read_bytes()
    return contents_digest(contents)


def is_lock_file(path: str) -> bool:
    """Tell whether a path, relative to the project's folder, is one that `lock_digest` reads."""
    one = PurePosixPath(path)
    return any(
        one.match(pattern) and len(one.parts) == len(PurePosixPath(pattern).parts)
        for pattern in LOCK_FILES
    )


def contents_digest(contents: Mapping[str, bytes]) -> str | None:
    """Return a digest over files' relative paths and contents, or None where there are none.

    Line ends are made equal, so that a checkout on Windows has the digest of one on Linux.

    Returns:
        `sha256:` and 64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for path in sorted(contents, key=PurePosixPath):
        content = contents[path].replace(b"\r\n", b"\n")
        name = path.encode("utf-8", errors="surrogateescape")
        # Each length before its bytes: moving text from one file to the next is a change.
        for part in (name, content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return f"sha256:{digest.hexdigest()}" if contents else None
