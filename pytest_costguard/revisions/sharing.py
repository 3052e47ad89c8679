"""What both trees get from the checkout, since git ignores it: model weights, data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_costguard.errors import RevisionError
from pytest_costguard.revisions.repository import Repository


def shared(repository: Repository, patterns: Sequence[str]) -> list[Path]:
    """Return the files and folders that patterns find, less what git tracks: each side has its own.

    Of a folder that holds tracked files come its other files and folders. git's own are left out.

    Args:
        repository: the checkout.
        patterns: relative to its top.

    Raises:
        RevisionError: a pattern finds nothing.
    """
    if not patterns:
        return []
    names = repository.listed("ls-files", "-z", "--recurse-submodules")
    tracked = {repository.top / name for name in names}
    holding = {folder for path in tracked for folder in path.parents}
    found: dict[Path, None] = {}
    for pattern in patterns:
        matched = [
            path
            for match in sorted(repository.top.glob(pattern.rstrip("/")))
            if ".git" not in match.relative_to(repository.top).parts
            for path in _untracked(match, tracked=tracked, holding=holding)
        ]
        if not matched:
            raise RevisionError(
                f"--costguard-share: {pattern!r} finds nothing in {repository.top} that git does"
                " not track",
                remedy="mend the pattern, or fetch the files first: both sides need them",
            )
        found |= dict.fromkeys(matched)
    return [path for path in found if found.keys().isdisjoint(path.parents)]


def _untracked(path: Path, *, tracked: set[Path], holding: set[Path]) -> Iterator[Path]:
    if path.name == ".git" or path in tracked:
        return
    if path in holding:
        for child in sorted(path.iterdir()):
            yield from _untracked(child, tracked=tracked, holding=holding)
    else:
        yield path
