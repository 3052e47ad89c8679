"""What both trees get from the checkout, since git ignores it: model weights, data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_costguard.errors import RevisionError
from pytest_costguard.revisions.repository import Repository


def shared(repository: Repository, patterns: Sequence[str]) -> list[Path]:
    """Return the files and folders that patterns find and git ignores.

    What git tracks each side has in its own version, and what it would track is a change of head's
    alone: of a folder that holds such files come the others. git's own files are left out.

    Args:
        repository: the checkout.
        patterns: relative to its top.

    Raises:
        RevisionError: a pattern finds nothing.
    """
    if not patterns:
        return []
    names = repository.listed("ls-files", "-z", "--recurse-submodules")
    names += repository.listed("ls-files", "-z", "--others", "--exclude-standard")
    seen = {repository.top / name for name in names}
    holding = {folder for path in seen for folder in path.parents}
    found: dict[Path, None] = {}
    for pattern in patterns:
        matched = [
            path
            for match in sorted(repository.top.glob(pattern.rstrip("/")))
            if ".git" not in match.relative_to(repository.top).parts
            for path in _ignored(match, seen=seen, holding=holding)
        ]
        if not matched:
            raise RevisionError(
                f"--costguard-share: {pattern!r} finds nothing in {repository.top} that git"
                " ignores",
                remedy="mend the pattern, let git ignore what it finds, or fetch the files first:"
                " both sides need them",
            )
        found |= dict.fromkeys(matched)
    return [path for path in found if found.keys().isdisjoint(path.parents)]


def _ignored(path: Path, *, seen: set[Path], holding: set[Path]) -> Iterator[Path]:
    if path.name == ".git" or path in seen:
        return
    if path in holding:
        for child in sorted(path.iterdir()):
            yield from _ignored(child, seen=seen, holding=holding)
    else:
        yield path
