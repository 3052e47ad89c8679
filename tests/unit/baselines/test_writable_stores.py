"""A job about a pull request writes no baseline that judges others, and reads base's own."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from factories.baselines import baseline_run
from factories.git_repositories import ENVIRON, GitProject, bare_server, git

from pytest_costguard.app.stores import ancestry, is_folder, opened, require_writable
from pytest_costguard.cli.main import main
from pytest_costguard.errors import ConfigError, RevisionError

PUSH = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "acme/ranker",
    "GITHUB_RUN_ID": "1",
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_REF_NAME": "main",
    "GITHUB_REF_TYPE": "branch",
}
SHARED = ["git:kept", "s3://bucket/path", "artifact:costguard-report"]


@pytest.fixture
def pull_request(tmp_path):
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7, "head": {"sha": "abc"}}}))
    return {
        **PUSH,
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_BASE_REF": "main",
        "GITHUB_EVENT_PATH": str(event),
    }


@pytest.mark.parametrize("spec", SHARED)
def test_a_pull_request_writes_to_no_store_of_others(pull_request, spec):
    with pytest.raises(ConfigError, match="must not choose the baseline"):
        require_writable(spec, pull_request)
    require_writable(spec, PUSH)
    require_writable(spec, {})


def test_a_folder_ends_with_the_checkout(pull_request):
    require_writable(".costguard", pull_request)
    assert is_folder("C:\\baselines")
    assert not any(map(is_folder, SHARED))


@pytest.mark.parametrize(
    "words", [("promote", "a", "b"), ("prune", "main", "--keep", "1"), ("import", "report.json")]
)
def test_the_commands_that_write_refuse(tmp_path, monkeypatch, pull_request, words):
    monkeypatch.chdir(tmp_path)
    silent = dict.fromkeys(("GITLAB_CI", "GITHUB_TOKEN"))
    done = CliRunner().invoke(
        main, ["baseline", "--store", "git:kept", *words], env={**silent, **pull_request}
    )
    assert done.exit_code == 11
    assert "must not choose the baseline" in done.stderr


def test_base_as_the_pull_request_names_it_is_read_and_not_head(tmp_path, monkeypatch):
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"):
        monkeypatch.setenv(name, ENVIRON[name])
    bare = bare_server(tmp_path)
    git(tmp_path, "clone", "--quiet", str(bare), "project")
    folder = tmp_path / "project"
    opened(".costguard", rootdir=folder, environ={}).add("main", baseline_run("of-base"))
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "baseline")
    git(folder, "push", "-q", "origin", "HEAD:main")
    git(folder, "fetch", "-q", "origin")
    git(folder, "checkout", "-q", "-b", "change")
    opened(".costguard", rootdir=folder, environ={}).add("main", baseline_run("of-head", hours=1))
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "mine")

    environ = {**ENVIRON, "GITHUB_BASE_REF": "main"}
    store = opened("commit:auto", rootdir=folder, environ=environ)
    assert store.run_ids("main") == {"of-base"}


def test_what_is_in_bases_past_is_told_and_a_shallow_clone_does_not_guess(tmp_path):
    project = GitProject(tmp_path / "project")
    first, second = project.commit({"a": "1"}), project.commit({"a": "2"})
    project.git("checkout", "-q", first)
    is_ancestor = ancestry(project.folder, environ=ENVIRON, pull_request=False)
    assert is_ancestor(first)
    assert not is_ancestor(second)
    assert not is_ancestor("f" * 40)
    project.git("clone", "-q", "--depth", "1", f"file://{project.folder}", str(tmp_path / "short"))
    shallow = ancestry(tmp_path / "short", environ=ENVIRON, pull_request=False)
    with pytest.raises(RevisionError, match="shallow"):
        shallow("f" * 40)


def test_what_is_fetched_from_a_branch_is_told_with_its_commit_and_age(tmp_path, monkeypatch):
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"):
        monkeypatch.setenv(name, ENVIRON[name])
    bare = bare_server(tmp_path)
    git(tmp_path, "clone", "--quiet", str(bare), "project")
    folder = tmp_path / "project"
    opened("git:kept", rootdir=folder, environ={}).add("main", baseline_run("r1"))
    monkeypatch.chdir(folder)
    silent = dict.fromkeys(("GITHUB_ACTIONS", "GITLAB_CI"))
    done = CliRunner().invoke(main, ["baseline", "--store", "git:kept", "fetch"], env=silent)
    assert done.exit_code == 0, done.output
    first, second, third = done.output.splitlines()
    assert first == "Baselines in branch kept: main."
    assert second == "main: 1 run."
    assert third.startswith("The newest is of commit ")
    assert third.endswith(" days old.")
