"""Where the baselines of a project are: the store that its configuration names, by its scheme."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from pytest_costguard.baselines.folder import FOLDER_NAME, FolderStore
from pytest_costguard.baselines.store import Store, checked_name
from pytest_costguard.errors import RevisionError, StoreError

Open = Callable[[str, Path, Mapping[str, str]], Store]

_FILE = "file://"


def store_of(rootdir: Path) -> FolderStore:
    """Return the store in the project's own folder, `.costguard`."""
    return FolderStore(rootdir / FOLDER_NAME)


def artifact_store(artifact: str, *, rootdir: Path) -> FolderStore:
    """Return where `costguard baseline fetch` puts what artifacts of that name hold.

    Raises:
        ConfigError: it is no name for a folder.
    """
    return FolderStore(rootdir / FOLDER_NAME / "cache" / "artifacts" / checked_name(artifact))


def opened(spec: str, *, rootdir: Path, environ: Mapping[str, str]) -> Store:
    """Return the store that a text names.

    Args:
        spec: a folder, relative to `rootdir`; `git:BRANCH`; `commit:REV`; `artifact:NAME`; or an
            address with a scheme that fsspec knows.
        rootdir: the project.
        environ: holds credentials, and the base of a pull request.

    Raises:
        ConfigError: it names none.
        RevisionError: there is no such commit here.
        StoreError: it cannot be opened.
    """
    scheme, colon, rest = spec.partition(":")
    if colon and scheme in _SCHEMES:
        return _SCHEMES[scheme](rest, rootdir, environ)
    if spec.startswith(_FILE):
        return FolderStore(Path(spec.removeprefix(_FILE)))
    if "://" in spec:
        return _at_address(spec)
    return FolderStore(rootdir / spec)


def _on_branch(branch: str, rootdir: Path, environ: Mapping[str, str]) -> Store:
    from pytest_costguard.app.jobs import git_credentials
    from pytest_costguard.baselines.git_repository import GitRepository
    from pytest_costguard.baselines.git_stores import BranchFiles
    from pytest_costguard.baselines.run_store import RunStore

    repository = GitRepository(rootdir, credentials=git_credentials(environ))
    return RunStore(BranchFiles(repository, branch))


def _of_commit(revision: str, rootdir: Path, environ: Mapping[str, str]) -> Store:
    from pytest_costguard.baselines.git_repository import GitRepository
    from pytest_costguard.baselines.git_stores import CommitFiles
    from pytest_costguard.baselines.run_store import RunStore
    from pytest_costguard.revisions.naming import resolve
    from pytest_costguard.revisions.repository import Repository

    try:
        found = resolve(
            revision or "auto", repository=Repository(rootdir, environ=environ), environ=environ
        )
    except RevisionError as error:
        told = error.message.replace("--costguard-against", "store = commit")
        raise RevisionError(f"store commit:{revision}: {told}", remedy=error.remedy) from error
    files = CommitFiles(GitRepository(rootdir), found.sha, root=rootdir / FOLDER_NAME)
    return RunStore(files)


def _of_artifacts(artifact: str, rootdir: Path, _environ: Mapping[str, str]) -> Store:
    store = artifact_store(artifact, rootdir=rootdir)
    if not store.root.is_dir():
        raise StoreError(
            f"store artifact:{artifact}: nothing was fetched",
            remedy="run `costguard baseline fetch` first, in a job with a token; the action does",
        )
    return store


def _at_address(address: str) -> Store:
    from pytest_costguard.baselines.object_store import ObjectFiles
    from pytest_costguard.baselines.run_store import RunStore

    return RunStore(ObjectFiles(address))


_SCHEMES: Mapping[str, Open] = MappingProxyType(
    {"git": _on_branch, "commit": _of_commit, "artifact": _of_artifacts}
)


def ancestry(
    rootdir: Path, *, environ: Mapping[str, str], pull_request: bool
) -> Callable[[str], bool]:
    """Return what tells whether a commit is in the past of what this job is compared with.

    Args:
        rootdir: the project.
        environ: names the base of a pull request.
        pull_request: whether the job is about one; else HEAD's own past counts.

    Raises:
        RevisionError: the base is not known here.
    """
    from pytest_costguard.revisions.naming import commit_named, resolve
    from pytest_costguard.revisions.repository import CommandFailed, Repository

    repository = Repository(rootdir, environ=environ)
    asked = "auto" if pull_request else "HEAD"
    base = resolve(asked, repository=repository, environ=environ).sha

    def is_ancestor(sha: str) -> bool:
        if commit_named(sha, repository) is None:
            return False
        try:
            repository.ask("merge-base", "--is-ancestor", sha, base)
        except CommandFailed:
            return False
        return True

    return is_ancestor


def configured(given: str | None, *, rootdir: Path) -> Store:
    """Return the store of a project as a command of ours finds it: given, or configured.

    Raises:
        ConfigError: the configuration is not understood.
    """
    spec = configured_spec(given, rootdir=rootdir)
    return opened(spec, rootdir=rootdir, environ=os.environ)


def configured_spec(given: str | None, *, rootdir: Path) -> str:
    """Return how the store of a project is written: given, or configured.

    Raises:
        ConfigError: the configuration is not understood.
    """
    from pytest_costguard.config.cascade import resolve

    cli = {} if given is None else {"store": given}
    return resolve(cli=cli, environ=os.environ, rootdir=rootdir).store
