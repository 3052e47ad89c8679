"""From what a person writes after `--costguard-against` to a commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_costguard.errors import RevisionError
from pytest_costguard.revisions.repository import CommandFailed, Repository

_MERGE_BASE = "merge-base:"
_BASE_BRANCHES = (
    "GITHUB_BASE_REF",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME",
    "BUILDKITE_PULL_REQUEST_BASE_BRANCH",
    "BITBUCKET_PR_DESTINATION_BRANCH",
    "SYSTEM_PULLREQUEST_TARGETBRANCH",
    "CHANGE_TARGET",
)
"""Where GitHub, GitLab, Buildkite, Bitbucket, Azure and Jenkins name a pull request's target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A commit and how it was found, in words."""

    sha: str
    asked: str
    found_as: str


def resolve(asked: str, *, repository: Repository, environ: Mapping[str, str]) -> Revision:
    """Find the commit to compare with.

    Args:
        asked: a commit, branch or tag; `merge-base:BRANCH` for the commit at which this branch
            left another; `auto` for the base of the pull request that the CI's environment names.
        repository: the checkout of head.
        environ: the environment variables.

    Raises:
        RevisionError: there is no such commit here; the remedy tells how to get it.
    """
    asked = asked.strip()
    if asked == "auto":
        return _automatic(repository, environ)
    if asked.startswith(_MERGE_BASE):
        return _merge_base(asked.removeprefix(_MERGE_BASE).strip(), asked, repository)
    return Revision(sha=_commit(asked, repository), asked=asked, found_as=asked)


def _automatic(repository: Repository, environ: Mapping[str, str]) -> Revision:
    branch = next((environ[name] for name in _BASE_BRANCHES if environ.get(name)), "")
    if not branch:
        raise RevisionError(
            "--costguard-against=auto: the environment names no pull request's base ("
            + ", ".join(_BASE_BRANCHES)
            + ")",
            remedy="name the base: --costguard-against=merge-base:main",
        )
    branch = branch.removeprefix("refs/heads/")
    # A CI job of a pull request usually checks out its merge into the target: that commit's first
    # parent is the target as it was then, exactly what the merge changes.
    if len(repository.ask("rev-list", "--parents", "-n1", "HEAD").split()) == 3:
        return Revision(
            sha=_commit("HEAD^1", repository),
            asked="auto",
            found_as=f"the first parent of the merge into {branch}",
        )
    if repository.shallow and commit_named("HEAD^1", repository) is None:
        raise _too_shallow("auto")
    return _merge_base(branch, "auto", repository)


def _merge_base(branch: str, asked: str, repository: Repository) -> Revision:
    candidates = [f"refs/remotes/origin/{branch}", branch] if branch else []
    if asked != "auto":
        candidates.reverse()
    other = next((name for name in candidates if commit_named(name, repository)), None)
    if other is None:
        raise _unknown(asked if asked != "auto" else branch, repository)
    try:
        sha = repository.ask("merge-base", "HEAD", other)
    except CommandFailed as error:
        if repository.shallow:
            raise _too_shallow(asked) from error
        raise RevisionError(
            f"HEAD and {branch} have no common commit",
            remedy="name a commit of this history: --costguard-against=COMMIT",
        ) from error
    return Revision(sha=sha, asked=asked, found_as=f"the merge base with {branch}")


def _commit(name: str, repository: Repository) -> str:
    found = commit_named(name, repository)
    if found is None:
        raise _unknown(name, repository)
    return found


def commit_named(name: str, repository: Repository) -> str | None:
    """Return the commit that a commit, branch or tag names; None where it is not here."""
    try:
        return repository.ask(
            "rev-parse", "--verify", "--quiet", "--end-of-options", name + "^{commit}"
        )
    except CommandFailed:
        return None


def _unknown(name: str, repository: Repository) -> RevisionError:
    if repository.shallow:
        return _too_shallow(name)
    return RevisionError(
        f"--costguard-against: there is no commit, branch or tag {name!r} in {repository.top}",
        remedy="fetch it (git fetch origin BRANCH), or name another: see git log --oneline",
    )


def _too_shallow(name: str) -> RevisionError:
    return RevisionError(
        f"--costguard-against={name}: this clone is shallow, and does not reach back to it",
        remedy="deepen it: git fetch --unshallow, or in GitHub's checkout step `fetch-depth: 0`",
    )
