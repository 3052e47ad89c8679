"""Which pull request a job is about, from what GitHub and GitLab say of it."""

from __future__ import annotations

import pytest

from pytest_costguard.errors import ConfigError
from pytest_costguard.forges.events import job

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "acme/ranker",
    "GITHUB_RUN_ID": "123",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_SHA": "merge",
    "GITHUB_API_URL": "https://git.acme.example/api/v3",
    "GITHUB_SERVER_URL": "https://git.acme.example",
}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_PROJECT_PATH": "acme/ranker",
    "CI_API_V4_URL": "https://gitlab.example/api/v4",
    "CI_SERVER_URL": "https://gitlab.example",
    "CI_PIPELINE_ID": "77",
    "CI_MERGE_REQUEST_IID": "5",
    "CI_MERGE_REQUEST_PROJECT_PATH": "acme/ranker",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "acme/ranker",
    "CI_COMMIT_SHA": "abc",
}


def pull(repository="acme/ranker"):
    head = {"sha": "abc", "repo": repository and {"full_name": repository}}
    return {"pull_request": {"number": 7, "head": head}}


def test_outside_of_a_ci_there_is_no_job():
    assert job({}) is None


def test_a_pull_request_of_the_repository_itself():
    found = job(GITHUB, pull())
    assert (found.repository, found.number, found.head_sha) == ("acme/ranker", 7, "abc")
    assert (found.run, found.attempt, found.from_fork) == (123, 2, False)
    assert found.api == "https://git.acme.example/api/v3"
    assert found.run_url == "https://git.acme.example/acme/ranker/actions/runs/123"


@pytest.mark.parametrize("repository", ["mallory/ranker", None])
def test_a_pull_request_of_a_fork_also_of_one_that_is_gone(repository):
    assert job(GITHUB, pull(repository)).from_fork is True


def test_a_push_is_about_no_pull_request():
    push = {"GITHUB_EVENT_NAME": "push", "GITHUB_REF_NAME": "main", "GITHUB_REF_TYPE": "branch"}
    found = job({**GITHUB, **push}, {"pull_request": {"number": 7}})
    assert (found.number, found.from_fork, found.branch) == (None, False, "main")


def test_a_merge_request():
    found = job(GITLAB)
    assert (found.forge, found.repository, found.number) == ("gitlab", "acme/ranker", 5)
    assert (found.run, found.head_sha, found.from_fork) == (77, "abc", False)
    assert found.run_url == "https://gitlab.example/acme/ranker/-/pipelines/77"


def test_a_merge_request_of_a_fork_is_one_of_the_target():
    source = {"CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "mallory/ranker"}
    found = job({**GITLAB, **source, "CI_PROJECT_PATH": "mallory/ranker"})
    assert (found.repository, found.from_fork) == ("acme/ranker", True)


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({**GITHUB, "GITHUB_REPOSITORY": ""}, "GITHUB_REPOSITORY"),
        ({**GITHUB, "GITHUB_RUN_ID": "x"}, "GITHUB_RUN_ID"),
        ({**GITLAB, "CI_PIPELINE_ID": ""}, "CI_PIPELINE_ID"),
    ],
)
def test_a_variable_that_the_ci_always_sets_is_named_where_it_is_missing(environ, name):
    with pytest.raises(ConfigError, match=name):
        job(environ)


@pytest.mark.parametrize(
    "name", ["pull_request_review", "pull_request_review_comment", "pull_request_target"]
)
def test_whatever_is_about_a_pull_request_is_known_for_it(name):
    found = job({**GITHUB, "GITHUB_EVENT_NAME": name}, pull())
    assert found is not None
    assert (found.number, found.of_a_change) == (7, True)


def test_without_a_sound_event_the_ref_tells_the_pull_request():
    found = job({**GITHUB, "GITHUB_REF": "refs/pull/12/merge"}, {"pull_request": {"number": "7"}})
    assert found is not None
    assert found.number == 12


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"pull_request": 7},
        {"pull_request": {"number": "7"}},
        {"pull_request": {"number": True}},
    ],
)
def test_a_pull_request_of_which_nothing_is_known_is_no_branch(event):
    with pytest.raises(ConfigError, match="GITHUB_EVENT_PATH"):
        job(GITHUB, event)


@pytest.mark.parametrize("name", ["x", "../../x", "acme/..", "acme/a b", "a/b/c"])
def test_a_repository_that_is_none_is_named(name):
    with pytest.raises(ConfigError, match="GITHUB_REPOSITORY"):
        job({**GITHUB, "GITHUB_REPOSITORY": name}, pull())


@pytest.mark.parametrize("number", ["x", "9" * 5000])
def test_a_merge_request_that_is_no_number_is_named(number):
    with pytest.raises(ConfigError, match="CI_MERGE_REQUEST_IID"):
        job({**GITLAB, "CI_MERGE_REQUEST_IID": number})
