"""Baselines in git: on a branch of their own that many jobs write, or as a commit has them."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from pytest_costguard.baselines.git_repository import GitFailed, GitRepository
from pytest_costguard.baselines.run_store import Edit, Key
from pytest_costguard.errors import ConfigError, StoreError

_FOLDER = "baselines"
_TRIES = 100
_PATIENCE_SECONDS = 120.0
_LONGEST_WAIT_SECONDS = 3.0
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,150}", re.ASCII)
_OTHERS_WERE_QUICKER = re.compile(
    r"\[rejected\]|fetch first|non-fast-forward|cannot lock ref|failed to update ref"
    r"|incorrect old value|reference already exists|stale info"
)


class BranchFiles:
    """The files of an orphan branch, each change a commit on its tip; implements `RunFiles`.

    With a remote `origin` the branch is there: it is fetched before it is read and pushed after
    each change, and where another job was quicker the change is made again on the new tip. So
    twenty jobs at once lose nothing. Without a remote the branch is the repository's own.

    Args:
        repository: of the project.
        branch: it is made by the first change.
        cached: whether what was fetched before is good enough where the remote is out of reach.
        sleep: waits some seconds.
        clock: seconds, for the patience.
        chance: a number from 0 to 1.

    Raises:
        ConfigError: the branch's name is not one.
    """

    def __init__(
        self,
        repository: GitRepository,
        branch: str,
        *,
        cached: bool = True,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if not _BRANCH.fullmatch(branch) or ".." in branch or branch.endswith(("/", ".lock", ".")):
            raise ConfigError(
                f"{branch!r} is not the name of a branch",
                remedy="write the store as git:costguard-baselines",
            )
        self._repository = repository
        self._branch = branch
        self._ref = f"refs/{'costguard' if repository.has_remote else 'heads'}/{branch}"
        self._fetched = False
        self._cached = cached
        self._sleep, self._clock, self._chance = sleep, clock, chance

    @property
    def place(self) -> str:
        """See `RunFiles.place`."""
        return f"branch {self._branch}"

    def listed(self) -> Mapping[str, tuple[str, ...]]:
        """See `RunFiles.listed`."""
        return _by_name(self._paths(), folder=_FOLDER)

    def contents(self, keys: Iterable[Key]) -> list[bytes | None]:
        """See `RunFiles.contents`."""
        return _contents(self._repository, self._paths(), keys, folder=_FOLDER)

    def change(self, edit: Callable[[], Edit], *, message: str) -> None:
        """See `RunFiles.change`."""
        end = self._clock() + _PATIENCE_SECONDS
        for number in range(_TRIES):
            self._fetched = False
            before = self._tip()
            wanted = edit()
            if not wanted:
                return
            try:
                self._publish(wanted, before=before, message=message)
            except GitFailed as error:
                told = str(error)
                if not _OTHERS_WERE_QUICKER.search(told):
                    raise self._refused("written", told) from error
                if self._clock() > end:
                    break
                self._sleep(self._chance() * min(_LONGEST_WAIT_SECONDS, 0.05 * 2 ** min(number, 9)))
            else:
                return
        raise StoreError(
            f"{self.place}: others were quicker for {_PATIENCE_SECONDS:.0f} seconds",
            remedy="run this again; nothing was written, and nothing of theirs was lost",
        )

    def _publish(self, wanted: Edit, *, before: str | None, message: str) -> None:
        commit = self._repository.committed(
            parent=before,
            written={_path(key, folder=_FOLDER): data for key, data in wanted.written.items()},
            removed=tuple(_path(key, folder=_FOLDER) for key in wanted.removed),
            message=message,
        )
        if self._repository.has_remote:
            self._repository.push(commit, self._branch)
            with suppress(GitFailed):  # it is there; who reads next fetches it
                self._repository.move(self._ref, commit, before=before)
        else:
            self._repository.move(self._ref, commit, before=before)

    def _paths(self) -> dict[str, str]:
        tip = self._tip()
        return {} if tip is None else self._repository.files(tip, _FOLDER)

    def _tip(self) -> str | None:
        """Return the newest commit of the branch; None before the first."""
        if self._repository.has_remote and not self._fetched:
            try:
                there = self._repository.fetch(self._branch, ref=self._ref)
            except GitFailed as error:
                # What a step with a token has fetched before is good enough for one without.
                if not self._cached or self._repository.commit(self._ref) is None:
                    raise self._refused("read", str(error)) from error
                there = True
            self._fetched = True
            if not there:
                return None
        return self._repository.commit(self._ref)

    def _refused(self, what: str, told: str) -> StoreError:
        first = told.splitlines()[0] if told else "git says no"
        return StoreError(
            f"{self.place}: could not be {what}: {first}",
            remedy="give the job `contents: write` and a token (COSTGUARD_TOKEN), or credentials"
            " that git knows; see docs/ci.md",
        )


class CommitFiles:
    """The committed baselines of a project as one commit has them; implements `RunFiles`.

    A pull request can change the files of its own checkout, and not those of its base.

    Args:
        repository: of the project.
        commit: its full name.
        root: the folder with `baselines` in it, usually `.costguard` of the project.
    """

    def __init__(self, repository: GitRepository, commit: str, *, root: Path) -> None:
        self._repository = repository
        self._commit = commit
        self._folder = f"{repository.relative(root)}/{_FOLDER}"

    @property
    def place(self) -> str:
        """See `RunFiles.place`."""
        return f"{self._folder} of commit {self._commit[:12]}"

    def listed(self) -> Mapping[str, tuple[str, ...]]:
        """See `RunFiles.listed`."""
        return _by_name(self._paths(), folder=self._folder)

    def contents(self, keys: Iterable[Key]) -> list[bytes | None]:
        """See `RunFiles.contents`."""
        return _contents(self._repository, self._paths(), keys, folder=self._folder)

    def change(self, edit: Callable[[], Edit], *, message: str) -> None:  # noqa: ARG002 - the port's
        """Refuse: a commit is what it is."""
        raise StoreError(
            f"{message}: {self.place} cannot be changed",
            remedy="write to another store: a folder, or git:costguard-baselines",
        )

    def _paths(self) -> dict[str, str]:
        try:
            return self._repository.files(self._commit, self._folder)
        except GitFailed as error:
            raise StoreError(
                f"{self.place}: could not be read: {error}",
                remedy="fetch that commit: git fetch origin, or `fetch-depth: 0` in the checkout",
            ) from error


def _path(key: Key, *, folder: str) -> str:
    return f"{folder}/{key[0]}/{key[1]}"


def _by_name(paths: Iterable[str], *, folder: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for path in paths:
        inside = PurePosixPath(path).relative_to(folder).parts
        if len(inside) == 2 and inside[1].endswith(".json"):
            found.setdefault(inside[0], []).append(inside[1])
    return {name: tuple(sorted(files)) for name, files in found.items()}


def _contents(
    repository: GitRepository, paths: Mapping[str, str], keys: Iterable[Key], *, folder: str
) -> list[bytes | None]:
    blobs = [paths.get(_path(key, folder=folder)) for key in keys]
    found = iter(repository.contents([blob for blob in blobs if blob is not None]))
    return [None if blob is None else next(found) for blob in blobs]
