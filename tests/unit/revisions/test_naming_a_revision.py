"""What may stand after `--costguard-against`, and what is said where it leads nowhere."""

from __future__ import annotations

import pytest
from factories.git_repositories import ENVIRON, GitProject

from pytest_costguard.errors import RevisionError
from pytest_costguard.revisions.naming import resolve
from pytest_costguard.revisions.repository import Repository


def found(asked, repository, **environ):
    return resolve(asked, repository=repository, environ=environ)


@pytest.fixture
def branched(project, repository):
    """`feature` left `main` at its first commit; both went on; `feature` is checked out."""
    fork = project.git("rev-parse", "HEAD")
    project.git("checkout", "-q", "-b", "feature")
    project.commit({"model.py": "SPEED = 2\n"}, "feature")
    project.git("checkout", "-q", "main")
    project.commit({"other.py": "\n"}, "main goes on")
    project.git("checkout", "-q", "feature")
    return fork


def test_a_commit_a_branch_and_a_tag_are_found(project, repository):
    sha = project.git("rev-parse", "HEAD")
    project.git("tag", "-a", "v1", "-m", "first release")

    asked = (sha, sha[:8], "main", "v1", "HEAD")
    assert {found(name, repository).sha for name in asked} == {sha}


def test_the_merge_base_is_where_the_branch_left(repository, branched):
    revision = found("merge-base:main", repository)

    assert (revision.sha, revision.found_as) == (branched, "the merge base with main")


def test_automatic_takes_the_base_branch_from_the_ci(repository, branched):
    assert found("auto", repository, GITHUB_BASE_REF="main").sha == branched
    assert found("auto", repository, SYSTEM_PULLREQUEST_TARGETBRANCH="refs/heads/main").sha == (
        branched
    )


def test_automatic_prefers_the_remote_branch_to_a_stale_local_one(project, repository, branched):
    newer = project.git("rev-parse", "feature")
    project.git("update-ref", "refs/remotes/origin/main", newer)

    assert found("auto", repository, GITHUB_BASE_REF="main").sha == newer


def test_automatic_takes_the_first_parent_of_a_merge_checkout(project, repository, branched):
    project.git("checkout", "-q", "--detach", "main")
    project.git("merge", "-q", "--no-ff", "-m", "merge", "feature")

    revision = found("auto", repository, GITHUB_BASE_REF="main")

    assert revision.sha == project.git("rev-parse", "main")
    assert revision.found_as == "the first parent of the merge into main"


def test_a_branch_into_which_the_target_was_merged_is_not_its_own_base(
    project, repository, branched
):
    project.git("merge", "-q", "--no-ff", "-m", "main into feature", "main")

    revision = found("auto", repository, GITHUB_BASE_REF="main")

    assert revision.sha == project.git("rev-parse", "main")
    assert revision.found_as == "the merge base with main"


@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_the_cis_own_merge_is_known_without_the_target_branch(project, repository, branched, forge):
    project.git("checkout", "-q", "--detach", "main")
    base = project.git("rev-parse", "HEAD")
    project.git("merge", "-q", "--no-ff", "-m", "merge", "feature")
    environ = {
        "github": {
            "GITHUB_BASE_REF": "gone",
            "GITHUB_REF": "refs/pull/7/merge",
            "GITHUB_SHA": project.git("rev-parse", "HEAD"),
        },
        "gitlab": {
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "gone",
            "CI_MERGE_REQUEST_TARGET_BRANCH_SHA": base,
        },
    }[forge]
    assert found("auto", repository, **environ).sha == base


def test_automatic_outside_of_a_pull_request_asks_for_a_name(repository):
    with pytest.raises(RevisionError, match="names no pull request's base") as caught:
        found("auto", repository)

    assert "merge-base:main" in caught.value.remedy


@pytest.mark.parametrize(
    "asked", ["nowhere", "merge-base:nowhere", "", "--output=x", "HEAD~9", "HEAD..HEAD"]
)
def test_an_unknown_revision_is_named_with_the_remedy(repository, asked):
    with pytest.raises(RevisionError, match="no commit, branch or tag") as caught:
        found(asked, repository)

    assert "git fetch origin" in caught.value.remedy


@pytest.mark.parametrize(
    "asked", ["^HEAD", "HEAD^{tree}", "HEAD:model.py", "merge-base:HEAD^{tree}"]
)
def test_what_is_not_one_commit_is_said_to_be_none(repository, asked):
    with pytest.raises(RevisionError, match="not one commit, branch or tag") as caught:
        found(asked, repository)

    assert "fetch" not in caught.value.remedy


def test_a_merge_base_with_nothing_asks_for_a_branch(repository):
    with pytest.raises(RevisionError, match="names no branch") as caught:
        found("merge-base:", repository)

    assert "merge-base:main" in caught.value.remedy


def test_a_repository_without_a_commit_is_said_to_have_none(project):
    with pytest.raises(RevisionError, match="has no commit yet") as caught:
        found("HEAD", Repository(project.folder, environ=ENVIRON))

    assert "fetch" not in caught.value.remedy


def test_histories_without_a_common_commit_are_refused(project, repository):
    project.git("checkout", "-q", "--orphan", "other")
    project.commit({"new.py": "\n"})

    with pytest.raises(RevisionError, match="no common commit"):
        found("merge-base:main", repository)


@pytest.fixture
def shallow(project, repository, tmp_path):
    project.commit({"model.py": "SPEED = 2\n"})
    clone = GitProject(tmp_path / "clone")
    clone.git("fetch", "-q", "--depth=1", project.folder.as_uri(), "main")
    clone.git("checkout", "-q", "--detach", "FETCH_HEAD")
    return Repository(clone.folder, environ=ENVIRON)


@pytest.mark.parametrize(
    ("asked", "environ"),
    [("auto", {"GITHUB_BASE_REF": "main"}), ("HEAD~1", {}), ("0123abcd", {})],
)
def test_a_shallow_clone_says_how_to_deepen_it(shallow, asked, environ):
    with pytest.raises(RevisionError, match="shallow") as caught:
        found(asked, shallow, **environ)

    assert "fetch-depth: 0" in caught.value.remedy


@pytest.mark.parametrize("asked", ["mian", "merge-base:mian"])
def test_in_a_shallow_clone_an_unknown_name_is_unknown_first(shallow, asked):
    with pytest.raises(RevisionError, match="no commit, branch or tag 'mian'") as caught:
        found(asked, shallow)

    assert "fetch-depth: 0" in caught.value.remedy


def test_a_folder_without_a_repository_is_refused(tmp_path):
    with pytest.raises(RevisionError, match="in no git checkout"):
        Repository(tmp_path, environ={**ENVIRON, "GIT_CEILING_DIRECTORIES": str(tmp_path)})


def test_a_machine_without_git_is_told_what_works_there(project):
    with pytest.raises(RevisionError, match="git, which was not found") as caught:
        Repository(project.folder, environ={"PATH": "/nonexistent"})

    assert "--costguard-baseline" in caught.value.remedy


def test_the_variables_of_a_git_hook_do_not_mislead(project, repository, tmp_path):
    other = GitProject(tmp_path / "other")
    environ = {**ENVIRON, "GIT_DIR": str(other.folder / ".git"), "GIT_INDEX_FILE": "nowhere"}

    inside_a_hook = Repository(project.folder, environ=environ)

    assert inside_a_hook.ask("rev-parse", "HEAD") == project.git("rev-parse", "HEAD")
