"""A job about a pull request writes no baseline that judges others, and reads base's own."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from factories.baselines import baseline_run
from factories.git_repositories import ENVIRON, GitProject, bare_server, git

from pytest_costguard.app.stores import ancestry, in_checkout, opened, require_writable
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


@pytest.fixture(autouse=True)
def _nobodys_settings_of_git(monkeypatch):
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"):
        monkeypatch.setenv(name, ENVIRON[name])


def cloned(tmp_path):
    """Return a clone of a server that has one commit."""
    bare = bare_server(tmp_path)
    git(tmp_path, "clone", "--quiet", str(bare), "project")
    return tmp_path / "project"


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


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "checkout" / ".git").mkdir(parents=True)
    (tmp_path / "checkout" / "service").mkdir()
    return tmp_path / "checkout"


@pytest.mark.parametrize("spec", [*SHARED, "../../kept", "/kept"])
def test_a_pull_request_writes_to_no_store_of_others(pull_request, checkout, spec):
    rootdir = checkout / "service"
    with pytest.raises(ConfigError, match="must not choose the baseline"):
        require_writable(spec, pull_request, rootdir=rootdir)
    require_writable(spec, PUSH, rootdir=rootdir)
    require_writable(spec, {}, rootdir=rootdir)


@pytest.mark.parametrize("event", ["merge_group", "issue_comment"])
def test_nor_does_any_other_job_that_may_run_a_changes_code(checkout, event):
    with pytest.raises(ConfigError, match="must not choose the baseline"):
        require_writable("git:kept", {**PUSH, "GITHUB_EVENT_NAME": event}, rootdir=checkout)


def test_a_folder_of_the_checkout_ends_with_it(pull_request, checkout):
    for spec in (".costguard", "../perf", "C:\\baselines"):
        assert in_checkout(spec, rootdir=checkout / "service")
        require_writable(spec, pull_request, rootdir=checkout / "service")
    assert not any(in_checkout(spec, rootdir=checkout) for spec in SHARED)


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
    folder = cloned(tmp_path)
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
    folder = cloned(tmp_path)
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


def test_a_fetch_that_reaches_nobody_does_not_pass_for_one(tmp_path, monkeypatch):
    folder = cloned(tmp_path)
    opened("git:kept", rootdir=folder, environ={}).add("main", baseline_run("r1"))
    monkeypatch.chdir(folder)
    git(folder, "remote", "set-url", "origin", str(tmp_path / "nowhere"))
    silent = dict.fromkeys(("GITHUB_ACTIONS", "GITLAB_CI"))
    words = ["baseline", "--store", "git:kept"]
    assert CliRunner().invoke(main, [*words, "list"], env=silent).exit_code == 0
    assert CliRunner().invoke(main, [*words, "fetch"], env=silent).exit_code == 13


def test_a_corrupt_run_of_another_baseline_is_told_and_fails_no_fetch(tmp_path, monkeypatch):
    project = GitProject(tmp_path / "project")
    project.commit({"a": "1"})
    project.git("checkout", "-q", "--orphan", "kept")
    project.commit({"baselines/old/x.json": "{", "baselines/old/a\n::error::x.json": "{"})
    project.git("checkout", "-q", "main")
    opened("git:kept", rootdir=project.folder, environ={}).add("main", baseline_run("r1"))
    monkeypatch.chdir(project.folder)
    silent = dict.fromkeys(("GITHUB_ACTIONS", "GITLAB_CI"))
    words = ["baseline", "--store", "git:kept"]
    done = CliRunner().invoke(main, [*words, "fetch"], env=silent)
    assert done.exit_code == 0, done.output
    assert "warning: branch kept: old/" in done.output
    assert "main: 1 run." in done.output
    gone = CliRunner().invoke(main, [*words, "prune", "old", "--corrupt"], env=silent)
    assert gone.exit_code == 0, gone.output
    assert not any(line.startswith("::") for line in gone.output.splitlines())
