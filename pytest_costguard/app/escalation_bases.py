"""The commit that a baseline measured, and in what it can no longer be measured as it was then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.errors import RevisionError
from pytest_costguard.host.revision import contents_digest, is_lock_file
from pytest_costguard.records import (
    BaselineRun,
    BaselineWorkload,
    Commit,
    Declaration,
    Run,
    WorkloadId,
    differences,
)
from pytest_costguard.revisions.naming import commit_named
from pytest_costguard.revisions.repository import CommandFailed, Repository

_SHORT = 7
_NOT_PACKAGES = frozenset(
    {"cpu_model", "cores", "gpus", "memory_bytes", "driver", "os", "container_limits"}
)
"""What may differ: side by side, base runs on the machine that head runs on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a baseline has a workload from: the run, and the commit that it measured."""

    workload: WorkloadId
    run: BaselineRun
    entry: BaselineWorkload
    commit: Commit


def newest(workload: WorkloadId, runs: Sequence[BaselineRun]) -> Origin | None:
    """Return the newest run that holds a workload and knows its commit; None where none does.

    Args:
        workload: what to look for.
        runs: oldest first.
    """
    for run in reversed(runs):
        entry = next((one for one in run.workloads if one.workload == workload), None)
        if entry is not None and run.commit is not None:
            return Origin(workload=workload, run=run, entry=entry, commit=run.commit)
    return None


def commit_here(commit: Commit, *, repository: Repository) -> str:
    """Return the full name of a baseline's commit.

    Raises:
        RevisionError: it is not in this clone.
    """
    found = commit_named(commit.sha, repository)
    if found is None:
        raise RevisionError(
            f"the baseline's commit {commit.sha[:_SHORT]} is not in this clone",
            remedy=f"git fetch origin {commit.sha}, or git fetch --unshallow",
        )
    return found


def caveats_before(
    origin: Origin,
    *,
    sha: str,
    run: Run,
    repository: Repository,
    rootdir: Path,
    own_environment: bool = False,
) -> tuple[str, ...]:
    """Say in what the commit, measured here and now, is not what the baseline measured.

    Args:
        origin: the baseline's.
        sha: the commit's full name.
        run: head's, with the digest of its lock files and its packages.
        repository: the checkout.
        rootdir: the project, in which the lock files are.
        own_environment: whether base runs with packages of its own.

    Raises:
        RevisionError: git refuses to list the commit's files.
    """
    found = []
    if origin.commit.dirty:
        found.append(f"it was measured with changes that are not in commit {sha[:_SHORT]}")
    locked = origin.run.lock_digest
    if locked is not None:
        committed = _committed_locks(sha, repository=repository, rootdir=rootdir)
        if committed not in (None, locked):
            found.append(f"its lock files were not those of commit {sha[:_SHORT]}")
    dependencies = _other_dependencies(origin.run, run)
    if dependencies and not own_environment:
        found.append(
            f"its dependencies were others ({', '.join(dependencies)}); side by side, both run"
            " with the packages that are installed here"
        )
    return tuple(found)


def caveats_after(origin: Origin, base: Declaration) -> tuple[str, ...]:
    """Say where base, as it was measured again, served other things than the baseline's run."""
    then = origin.entry.declaration
    pairs = (
        ("model", then.model_digest, base.model_digest),
        ("inputs", then.input_digest, base.input_digest),
    )
    return tuple(
        f"the digest of its {what} was {_digits(before)} and is {_digits(now)} at that commit now"
        for what, before, now in pairs
        if before and now and before != now
    )


def _other_dependencies(then: BaselineRun, now: Run) -> list[str]:
    named = [
        f"{one.field} {one.theirs} then, {one.ours} here"
        for one in differences(now.fingerprint, then.fingerprint)
        if one.field not in _NOT_PACKAGES
    ]
    if then.lock_digest != now.lock_digest and then.lock_digest and now.lock_digest:
        named.insert(0, "by the lock files")
    return named


def _committed_locks(sha: str, *, repository: Repository, rootdir: Path) -> str | None:
    """Return the digest of a commit's own lock files; None where it has none."""
    below = rootdir.resolve().relative_to(repository.top.resolve()).as_posix()
    prefix = "" if below == "." else f"{below}/"
    try:
        listed = repository.listed("ls-tree", "-r", "-z", "--name-only", "--full-tree", sha)
        below_root = [path.removeprefix(prefix) for path in listed if path.startswith(prefix)]
        return contents_digest(
            {
                path: repository.content(sha, prefix + path)
                for path in below_root
                if is_lock_file(path)
            }
        )
    except CommandFailed as error:
        raise RevisionError(
            f"git could not read the lock files of {sha[:_SHORT]}: {error}",
            remedy="mend what git complains about: the clone may be partial or damaged",
        ) from error


def _digits(digest: str | None) -> str:
    return (digest or "").removeprefix("sha256:")[:12]
