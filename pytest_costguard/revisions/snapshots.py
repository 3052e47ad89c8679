"""Work trees of two revisions, made the same way, beside the checkout and never in it.

Both are detached git work trees in one temporary folder, with paths of equal length: base at its
commit, head at the checkout's commit with its uncommitted changes copied over. No hook runs,
nothing is stashed, reset or checked out in place.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.errors import RevisionError, StoreError
from pytest_costguard.records import SideName
from pytest_costguard.revisions.checkout_paths import below
from pytest_costguard.revisions.large_files import bring, resolve_pointers
from pytest_costguard.revisions.leftovers import claimed, clear_leftovers, remove_tree
from pytest_costguard.revisions.naming import Revision
from pytest_costguard.revisions.repository import CommandFailed, Repository
from pytest_costguard.revisions.sharing import shared

_GITLINK = "160000"
_GITS_WORDS_FOR_FULL = ("unable to write file", "No space left on device")
"""In C's language, which `Repository` asks for; of a file that does not fit, git says no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One revision's tree on disk."""

    side: SideName
    tree: Path
    """Stands for the checkout's top folder."""
    sha: str
    dirty: bool
    """Whether changes that are in no commit were copied into it."""
    pointers: tuple[str, ...] = ()
    """Git LFS files whose content is not on this machine, relative to `tree`."""
    empty_submodules: tuple[str, ...] = ()
    """Submodules that the checkout has not initialised, so that they are empty here too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshots:
    """Both trees, and which files differ between them."""

    folder: Path
    """Holds both trees, and is removed with them."""
    base: Snapshot
    head: Snapshot
    changed: frozenset[str]
    """Files that were changed, added or removed, relative to the trees, with forward slashes."""


@contextmanager
def snapshots(
    repository: Repository, *, base: Revision, share: Sequence[str] = ()
) -> Iterator[Snapshots]:
    """Make both trees, and remove them in the end.

    Args:
        repository: the checkout of head.
        base: the commit to compare with.
        share: patterns, relative to the checkout's top, of files and folders that git ignores and
            both sides need, such as model weights; linked, or copied where links are not allowed.

    Raises:
        RevisionError: a commit of a submodule is not here, a pattern finds nothing, or git refuses.
        StoreError: there is no room for them.
    """
    clear_leftovers(repository)
    with ExitStack() as undo:
        try:
            folder = undo.enter_context(claimed(Path(tempfile.gettempdir())))
            head_sha = repository.ask("rev-parse", "HEAD")
            brought = shared(repository, share)
            taken = {
                "base": _take("base", folder, repository, base.sha, share=brought, undo=undo),
                "head": _take("head", folder, repository, head_sha, share=brought, undo=undo),
            }
        except CommandFailed as error:
            if any(words in str(error) for words in _GITS_WORDS_FOR_FULL):
                raise _no_room(f"{_free()}: {error}") from error
            raise RevisionError(
                f"git could not make a work tree of a revision: {error}",
                remedy="mend what git complains about; `git worktree add --detach PATH COMMIT` "
                "must work in this checkout",
            ) from error
        except OSError as error:
            raise _no_room(f": {error}") from error
        yield Snapshots(folder=folder, **taken, changed=_changed(repository, base.sha))


def _no_room(why: str) -> StoreError:
    return StoreError(
        f"the trees of both revisions could not be written{why}",
        remedy="free some space, or point TMPDIR to a folder with room for two checkouts",
    )


def _free() -> str:
    """Say how much room the temporary folder has, as far as the system tells."""
    folder = tempfile.gettempdir()
    with contextlib.suppress(OSError):
        return f" in {folder}, which has {shutil.disk_usage(folder).free / 2**20:.1f} MiB free"
    return f" in {folder}"


def _take(
    side: SideName,
    folder: Path,
    repository: Repository,
    sha: str,
    *,
    share: Sequence[Path],
    undo: ExitStack,
) -> Snapshot:
    tree = folder / side
    empty = _grow(tree, repository, sha, with_changes=side == "head", undo=undo)
    for source in share:
        bring(source, tree / source.relative_to(repository.top))
    _keep_links_inside(tree, repository)
    return Snapshot(
        side=side,
        tree=tree,
        sha=sha,
        dirty=side == "head" and bool(_uncommitted(repository)),
        pointers=resolve_pointers(tree, repository),
        empty_submodules=tuple(empty),
    )


def _grow(
    tree: Path, repository: Repository, sha: str, *, with_changes: bool, undo: ExitStack
) -> list[str]:
    """Make one work tree and those of its submodules; return the submodules left empty."""
    undo.callback(remove_tree, repository, tree)
    repository.ask("worktree", "add", "--detach", "--force", str(tree), sha)
    if with_changes:
        _copy_changes(repository, tree)
    empty = []
    for path, wanted in _submodules(repository, sha):
        if not (repository.top / path / ".git").exists():
            empty.append(path)
            continue
        inner = repository.submodule(path)
        commit = inner.ask("rev-parse", "HEAD") if with_changes else wanted
        _require_commit(inner, commit, path)
        (tree / path).mkdir(parents=True, exist_ok=True)
        below = _grow(tree / path, inner, commit, with_changes=with_changes, undo=undo)
        empty += [f"{path}/{name}" for name in below]
    return empty


def _keep_links_inside(tree: Path, repository: Repository) -> None:
    """Point links that name the checkout by its absolute path to the same place of the tree.

    What git ignores, such as weights, is only in the checkout: a link to that stays as it is.
    """
    top = repository.top.resolve()
    everything = ("ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in repository.listed("-C", str(tree), *everything):
        link = tree / name
        if not link.is_symlink() or not link.readlink().is_absolute():
            continue
        found = below(link.readlink(), top)
        if found is not None and tree / found != link and not repository.ignores(found):
            inside = tree / found
            link.unlink()
            link.symlink_to(inside, target_is_directory=inside.is_dir())


def _submodules(repository: Repository, sha: str) -> list[tuple[str, str]]:
    """The submodules of a commit: their paths and the commits that it wants of them."""
    found = []
    for entry in repository.listed("ls-tree", "-r", "-z", "--full-tree", sha):
        described, _, path = entry.partition("\t")
        mode, _, commit = described.split()
        if mode == _GITLINK:
            found.append((path, commit))
    return found


def _require_commit(inner: Repository, commit: str, path: str) -> None:
    try:
        inner.ask("cat-file", "-e", commit + "^{commit}")
    except CommandFailed as error:
        raise RevisionError(
            f"the base needs commit {commit[:12]} of the submodule {path}, which is not here",
            remedy=f"fetch it: git -C {path} fetch origin {commit}",
        ) from error


def _uncommitted(repository: Repository) -> list[str]:
    """What differs from the commit, untracked files included; ignored ones are not."""
    entries = repository.listed(
        *("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"),
        "--ignore-submodules=all",
    )
    return [entry[3:] for entry in entries]


def _copy_changes(repository: Repository, tree: Path) -> None:
    for path in _uncommitted(repository):
        source, target = repository.top / path, tree / path
        _clear(target)
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
        elif source.is_dir():  # a repository inside this one that is no submodule
            ignore = shutil.ignore_patterns(".git")
            shutil.copytree(source, target, symlinks=True, ignore=ignore)


def _clear(target: Path) -> None:
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    else:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            target.unlink()


def _changed(repository: Repository, base: str) -> frozenset[str]:
    tracked = repository.listed(
        "diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", base, "--"
    )
    return frozenset(tracked) | frozenset(_uncommitted(repository))
