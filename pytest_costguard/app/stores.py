"""Where the baselines of a project are: the store that its configuration names, by its scheme."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pytest_costguard.baselines.folder import FOLDER_NAME, FolderStore
from pytest_costguard.baselines.store import Store, checked_name, without_password
from pytest_costguard.config.words import did_you_mean
from pytest_costguard.errors import ConfigError, RevisionError, StoreError

if TYPE_CHECKING:
    from pytest_costguard.forges.events import Job

Open = Callable[[str, Path, Mapping[str, str]], Store]

_FILE = "file"
_SCHEME = re.compile(r"[a-z]{2,}")
"""One letter is a drive of Windows."""

READ_ONLY = ("commit:", "artifact:")
"""Stores that nothing is recorded in: what they hold is there already."""


def store_of(rootdir: Path) -> FolderStore:
    """Return the store in the project's own folder, `.costguard`."""
    return FolderStore(rootdir / FOLDER_NAME)


def artifact_store(artifact: str, *, rootdir: Path, environ: Mapping[str, str]) -> FolderStore:
    """Return where `costguard baseline fetch` puts what artifacts of that name hold.

    In a job that is the runner's temporary folder: a change can commit whatever it likes into the
    checkout, and choose there which folder is pytest's root directory.

    Raises:
        ConfigError: it is no name for a folder.
    """
    temporary = environ.get("RUNNER_TEMP", "")
    cache = Path(temporary) / "costguard" if temporary else rootdir / FOLDER_NAME / "cache"
    return FolderStore(cache / "artifacts" / checked_name(artifact))


def opened(spec: str, *, rootdir: Path, environ: Mapping[str, str]) -> Store:
    """Return the store that a text names.

    Args:
        spec: a folder, relative to `rootdir`; `git:BRANCH`; `commit:REV` or `commit:REV:FOLDER`;
            `artifact:NAME`; or an address with a scheme that fsspec knows.
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
    if "://" in spec:
        return _at_address(spec)
    if colon and _SCHEME.fullmatch(scheme):
        raise ConfigError(
            without_password(f"store {spec!r}: {scheme}: is no kind of store"),
            remedy=did_you_mean(scheme, _SCHEMES),
        )
    return FolderStore(rootdir / spec)


@contextmanager
def lent(spec: str, *, job: Job, environ: Mapping[str, str]) -> Iterator[Store]:
    """Lend the store that a text names to a job without a checkout.

    Args:
        spec: `git:BRANCH`, or an address.
        job: knows the repository.
        environ: holds credentials.

    Raises:
        ConfigError: it names none that is there for other jobs.
        StoreError: it cannot be opened.
    """
    scheme, _, branch = spec.partition(":")
    if "://" in spec:
        yield opened(spec, rootdir=Path.cwd(), environ=environ)
        return
    if scheme != "git":
        raise ConfigError(
            f"store {spec}: what is recorded there would end with this job",
            remedy="name a branch, git:costguard-baselines, or an address such as s3://bucket/path",
        )
    from pytest_costguard.app.jobs import git_credentials
    from pytest_costguard.baselines.git_repository import GitRepository
    from pytest_costguard.baselines.git_stores import BranchFiles
    from pytest_costguard.baselines.run_store import RunStore

    address = f"{job.server}/{job.repository}.git"
    with GitRepository.apart(address, credentials=git_credentials(environ)) as repository:
        yield RunStore(BranchFiles(repository, branch))


def in_checkout(spec: str, *, rootdir: Path) -> bool:
    """Whether a text names a folder of the checkout, which every job has for itself.

    Args:
        spec: of the store.
        rootdir: the project, which may be a part of the checkout.
    """
    scheme, colon, _ = spec.partition(":")
    if colon and (scheme in _SCHEMES or "://" in spec):
        return False
    root = rootdir.resolve()
    top = next((one for one in (root, *root.parents) if (one / ".git").exists()), root)
    return (root / spec).resolve().is_relative_to(top)


def require_writable(spec: str, environ: Mapping[str, str], *, rootdir: Path) -> None:
    """Raise `ConfigError` where a change would write what judges it, and others.

    Args:
        spec: of the store.
        environ: of the job.
        rootdir: the project.
    """
    if in_checkout(spec, rootdir=rootdir):
        return  # it ends with the checkout, or is in the change's own diff
    from pytest_costguard.app.jobs import current_job

    job = current_job(environ)
    if job is not None and job.of_a_change:
        raise ConfigError(
            f"a job about a change ({job.event}) writes nothing to"
            f" {without_password(spec)}: a change must not"
            " choose the baseline that judges it",
            remedy="write it in a job on the branch that it is merged into",
        )


def fresh_branch(branch: str, *, rootdir: Path, environ: Mapping[str, str]) -> Store:
    """Return the store on a branch, which is fetched now or not at all.

    Raises:
        StoreError: on reading, where the remote is out of reach.
    """
    return _on_branch(branch, rootdir, environ, cached=False)


def _on_branch(
    branch: str, rootdir: Path, environ: Mapping[str, str], *, cached: bool = True
) -> Store:
    from pytest_costguard.app.jobs import git_credentials
    from pytest_costguard.baselines.git_repository import GitRepository
    from pytest_costguard.baselines.git_stores import BranchFiles
    from pytest_costguard.baselines.run_store import RunStore

    repository = GitRepository(rootdir, credentials=git_credentials(environ))
    return RunStore(BranchFiles(repository, branch, cached=cached))


def _of_commit(named: str, rootdir: Path, environ: Mapping[str, str]) -> Store:
    from pytest_costguard.baselines.git_repository import GitRepository
    from pytest_costguard.baselines.git_stores import CommitFiles
    from pytest_costguard.baselines.run_store import RunStore
    from pytest_costguard.revisions.naming import is_of_pull_request, resolve
    from pytest_costguard.revisions.repository import Repository

    repository = Repository(rootdir, environ=environ)
    # No revision has a colon in its name.
    revision, _, folder = named.partition(":")
    asked = revision or "auto"
    if asked == "auto" and not is_of_pull_request(environ):
        asked = "HEAD"  # without a base, what is committed is what counts
    try:
        found = resolve(asked, repository=repository, environ=environ)
    except RevisionError as error:
        raise RevisionError(
            f"store commit:{revision}: {error.message}", remedy=error.remedy
        ) from error
    root = rootdir / (folder or FOLDER_NAME)
    files = CommitFiles(GitRepository(rootdir), found.sha, root=root)
    return RunStore(files)


def _of_artifacts(artifact: str, rootdir: Path, environ: Mapping[str, str]) -> Store:
    store = artifact_store(artifact, rootdir=rootdir, environ=environ)
    if not store.root.is_dir():
        raise StoreError(
            f"store artifact:{artifact}: nothing was fetched",
            remedy="run `costguard baseline fetch` first, in a job with a token; the action does",
        )
    return store


def _at_address(address: str) -> Store:
    scheme, _, place = address.partition("://")
    if not scheme or not place.strip("/"):
        raise ConfigError(
            f"store {address!r} names no place",
            remedy="write an address with a bucket or a folder, such as s3://bucket/path",
        )
    if scheme == _FILE:
        parts = urlsplit(address)
        if parts.netloc not in ("", "localhost"):
            raise ConfigError(
                f"store {address!r}: a file's address has no host",
                remedy="write file:///folder, with three slashes, or the folder as it is",
            )
        return FolderStore(Path(url2pathname(parts.path)))
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
            if repository.shallow:
                raise RevisionError(
                    "this clone is shallow: which runs are in base's past cannot be told",
                    remedy="`fetch-depth: 0` in GitHub's checkout step brings all of it",
                )
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
