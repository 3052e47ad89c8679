"""From what a person writes after `--costguard-against` to a commit."""

from __future__ import annotations

import re
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


_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ABBREVIATED = re.compile(r"[0-9a-f]{4,64}")
_LEADS_ELSEWHERE = re.compile(r"[~^@:]")
"""Where the name of a commit ends, and the way from it to another one begins."""


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
        branch = asked.removeprefix(_MERGE_BASE).strip()
        if not branch:
            raise RevisionError(
                f"--costguard-against={asked} names no branch",
                remedy="name the one that this branch is to be merged into:"
                " --costguard-against=merge-base:main",
            )
        return _merge_base(branch, asked, repository)
    return Revision(sha=_commit(asked, repository), asked=asked, found_as=asked)


def is_of_pull_request(environ: Mapping[str, str]) -> bool:
    """Whether the CI's environment names the branch that a pull request is to be merged into."""
    return any(environ.get(name) for name in _BASE_BRANCHES)


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
    if _merged_by_the_ci(branch, repository, environ):
        return Revision(
            sha=_commit("HEAD^1", repository),
            asked="auto",
            found_as=f"the first parent of the merge into {branch}",
        )
    if repository.shallow and commit_named("HEAD^1", repository) is None:
        raise _too_shallow("auto")
    return _merge_base(branch, "auto", repository)


def _merged_by_the_ci(branch: str, repository: Repository, environ: Mapping[str, str]) -> bool:
    """Whether HEAD is the CI's own merge; in one of the change's, its parent is no base."""
    _, *parents = repository.ask("rev-list", "--parents", "-n1", "HEAD").split()
    if len(parents) != 2:
        return False
    of_github = environ.get("GITHUB_REF", "").endswith("/merge")
    if of_github and environ.get("GITHUB_SHA") == repository.ask("rev-parse", "HEAD"):
        return True
    if parents[0] == environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_SHA"):  # GitLab's merged results
        return True
    names = (f"refs/remotes/origin/{branch}", branch)
    target = next((name for name in names if commit_named(name, repository)), None)
    if target is None:
        return False
    try:
        repository.ask("merge-base", "--is-ancestor", parents[0], target)
    except CommandFailed:
        return False
    return True


def _merge_base(branch: str, asked: str, repository: Repository) -> Revision:
    candidates = [f"refs/remotes/origin/{branch}", branch]
    if asked != "auto":
        candidates.reverse()
    other = next((name for name in candidates if commit_named(name, repository)), None)
    if other is None:
        raise _unknown(branch, repository)
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
    found = _parsed(name + "^{commit}", repository)
    # An exclusion and a range are parsed as well, to other things than one commit.
    return found if _SHA.fullmatch(found) else None


def _parsed(name: str, repository: Repository) -> str:
    """What git makes of a name; nothing where it knows none such."""
    try:
        return repository.ask("rev-parse", "--verify", "--quiet", "--end-of-options", name)
    except CommandFailed:
        return ""


def _unknown(name: str, repository: Repository) -> RevisionError:
    """Say why a name leads to no commit, and what to do about that."""
    if not _parsed("HEAD", repository):
        return RevisionError(
            f"--costguard-against={name}: {repository.top} has no commit yet",
            remedy="commit what base is to be, then change it",
        )
    if _parsed(name, repository):
        return RevisionError(
            f"--costguard-against={name}: this is not one commit, branch or tag",
            remedy="name one: --costguard-against=main; see git log --oneline",
        )
    stem = _LEADS_ELSEWHERE.split(name)[0]
    reaches_back = stem != name and commit_named(stem, repository) is not None
    if repository.shallow and (reaches_back or _ABBREVIATED.fullmatch(stem)):
        return _too_shallow(name)
    remedy = "fetch it (git fetch origin BRANCH), or name another: see git log --oneline"
    if repository.shallow:
        remedy += "; this clone is shallow: `fetch-depth: 0` in GitHub's checkout step brings all"
        remedy += " branches"
    return RevisionError(
        f"--costguard-against: there is no commit, branch or tag {name!r} in {repository.top}",
        remedy=remedy,
    )


def _too_shallow(name: str) -> RevisionError:
    return RevisionError(
        f"--costguard-against={name}: this clone is shallow, and does not reach back to it",
        remedy="deepen it: git fetch --unshallow, or in GitHub's checkout step `fetch-depth: 0`",
    )
