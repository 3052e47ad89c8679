"""A git repository as a place for files, whose checkout, index and hooks are left alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_costguard.baselines.reading import SIZE_LIMIT_BYTES
from pytest_costguard.errors import StoreError

if TYPE_CHECKING:
    from git import Repo

REMOTE = "origin"
_REGULAR = frozenset({"100644", "100755"})
_TIMEOUT_SECONDS = 120.0
_AUTHOR = {
    "GIT_AUTHOR_NAME": "pytest-costguard",
    "GIT_AUTHOR_EMAIL": "costguard@users.noreply.invalid",
    "GIT_COMMITTER_NAME": "pytest-costguard",
    "GIT_COMMITTER_EMAIL": "costguard@users.noreply.invalid",
}


class GitFailed(Exception):
    """Git refused a command; the message is git's own."""


class GitRepository:
    """Trees are read and commits made with git's plumbing.

    Args:
        folder: a folder of the checkout.
        credentials: variables that let git speak with the remote; they reach git alone.
        depth: how many commits of a branch are brought; None: all of them.

    Raises:
        StoreError: the folder is in no checkout, or git is not installed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        credentials: Mapping[str, str] | None = None,
        depth: int | None = None,
    ) -> None:
        from git import Repo
        from git.exc import InvalidGitRepositoryError, NoSuchPathError

        try:
            with Repo(folder, search_parent_directories=True) as repo:
                self._folder = Path(repo.git_dir)
                self._top = Path(repo.working_tree_dir or repo.git_dir)
                self.has_remote = any(remote.name == REMOTE for remote in repo.remotes)
        except (InvalidGitRepositoryError, NoSuchPathError) as error:
            raise StoreError(
                f"{folder} is in no git checkout",
                remedy="run in a checkout, or keep baselines in a folder: store = .costguard",
            ) from error
        self._depth = () if depth is None else ("--depth", str(depth))
        self._environ = {
            # What git sets for its hooks would lead elsewhere.
            "GIT_DIR": str(self._folder),
            "GIT_WORK_TREE": str(self._top),
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C.UTF-8",
            **_AUTHOR,
            **(credentials or {}),
        }

    def relative(self, path: Path) -> str:
        """Return the way from the checkout's top to a path, as git writes it."""
        return Path(os.path.relpath(path.resolve(), self._top.resolve())).as_posix()

    def commit(self, name: str) -> str | None:
        """Return the commit that a name stands for; None where there is none."""
        try:
            return self._text(
                "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
            )
        except GitFailed:
            return None

    def files(self, commit: str, folder: str) -> dict[str, str]:
        """Return the regular files below a folder of a commit: path to the id of the content."""
        words = ("ls-tree", "-r", "-l", "-z", "--full-tree", commit, "--", f"{folder}/")
        entries = self._text(*words)
        found = {}
        for entry in filter(None, entries.split("\0")):
            kind, _, path = entry.partition("\t")
            mode, _, blob, size = kind.split()
            if mode not in _REGULAR:
                continue
            if int(size) > SIZE_LIMIT_BYTES:
                raise StoreError(
                    f"{path} has {size} bytes, which no run has", remedy="remove it from the branch"
                )
            found[path] = blob
        return found

    def contents(self, blobs: list[str]) -> list[bytes]:
        """Return contents by their ids, in order."""
        with self._opened() as repo:
            # One after the other: all streams are of one process.
            return [bytes(repo.odb.stream(bytes.fromhex(blob)).read()) for blob in blobs]

    def fetch(self, branch: str, *, ref: str) -> bool:
        """Bring a branch of the remote into a ref of ours; return whether there is such a branch.

        Raises:
            GitFailed: the remote cannot be reached, or refuses.
        """
        wanted = f"refs/heads/{branch}"
        if not self._text("ls-remote", REMOTE, wanted):
            return False
        self._text(
            *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"),
            *(*self._depth, REMOTE, f"+{wanted}:{ref}"),
        )
        return True

    def committed(
        self,
        *,
        parent: str | None,
        written: Mapping[str, bytes],
        removed: tuple[str, ...],
        message: str,
    ) -> str:
        """Return a new commit on `parent`, or a first one, with files written and removed."""
        with tempfile.TemporaryDirectory(prefix="costguard-git-") as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self._text("read-tree", parent or "--empty", environ=index)
            entries = [f"0 {'0' * 40}\t{path}" for path in removed]
            entries += [f"100644 {self._stored(data)}\t{path}" for path, data in written.items()]
            lines = "".join(f"{entry}\0" for entry in entries).encode()
            self._text("update-index", "-z", "--index-info", environ=index, given=lines)
            tree = self._text("write-tree", environ=index)
        parents = () if parent is None else ("-p", parent)
        return self._text("commit-tree", tree, *parents, "-m", message)

    def push(self, commit: str, branch: str) -> None:
        """Make a commit the tip of a branch of the remote, if it follows the tip that is there.

        Raises:
            GitFailed: it does not, or the remote refuses.
        """
        self._text("push", "--quiet", "--no-verify", REMOTE, f"{commit}:refs/heads/{branch}")

    def move(self, ref: str, commit: str, *, before: str | None) -> None:
        """Let a ref of ours name a commit, if it still names what it did before.

        Raises:
            GitFailed: it does not.
        """
        self._text("update-ref", "--no-deref", ref, commit, before or "0" * 40)

    @classmethod
    @contextmanager
    def apart(
        cls, address: str, *, credentials: Mapping[str, str] | None = None
    ) -> Iterator[GitRepository]:
        """Lend a repository that knows one remote, by its address, and is gone afterwards.

        No checkout takes part, so nothing that code has left in one does: settings, hooks, files.
        """
        from git import Git, Repo

        # Settings of whoever works here, and a template that they name, could lead the credentials
        # elsewhere.
        own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_TEMPLATE_DIR": ""}
        with tempfile.TemporaryDirectory(prefix="costguard-git-") as folder:
            Git(folder).execute(["git", "init", "--quiet", "--bare", "--template="], env=own)
            with Repo(folder) as repo:
                repo.create_remote(REMOTE, address)
            # The newest commit holds every run, and what follows it can be pushed.
            yield cls(Path(folder), credentials={**own, **(credentials or {})}, depth=1)

    def _stored(self, data: bytes) -> str:
        return self._text("hash-object", "-w", "--stdin", given=data)

    @contextmanager
    def _opened(self) -> Iterator[Repo]:
        from git import Repo

        with Repo(self._folder) as repo:
            yield repo

    def _text(
        self, *words: str, environ: Mapping[str, str] | None = None, given: bytes = b""
    ) -> str:
        from git.exc import GitCommandError, GitCommandNotFound

        with tempfile.TemporaryFile() as standard_input, self._opened() as repo:
            standard_input.write(given)
            standard_input.seek(0)
            try:
                printed = repo.git.execute(
                    ["git", "-c", f"core.hooksPath={os.devnull}", *words],
                    istream=standard_input,
                    env={**self._environ, **(environ or {})},
                    kill_after_timeout=_TIMEOUT_SECONDS if os.name == "posix" else None,
                )
            except GitCommandNotFound as error:
                raise StoreError(
                    "baselines in a git branch need git, which was not found",
                    remedy="install git, or keep baselines in a folder: store = .costguard",
                ) from error
            except GitCommandError as error:
                told = (
                    str(error.stderr or "").strip() or f"git {words[0]} ended with {error.status}"
                )
                raise GitFailed(told) from error
        return str(printed)
