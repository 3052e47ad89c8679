from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_costguard.host.revision import commit_of, lock_digest, place_in_checkout

git = pytest.importorskip("git")


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A repository with one commit, made without the user's own configuration."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "no-such-file"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    folder = tmp_path / "project"
    with git.Repo.init(folder, initial_branch="trunk") as repo:
        repo.git.config("user.name", "A")
        repo.git.config("user.email", "a@example.org")
        (folder / "model.py").write_text("x = 1\n")
        repo.git.add(".")
        repo.git.commit(message="first")
    return folder


def head(folder: Path) -> str:
    with git.Repo(folder) as repo:
        return str(repo.git.rev_parse("HEAD"))


def test_a_clean_checkout_has_its_commit_and_branch(repository):
    commit = commit_of(repository)
    assert commit is not None
    assert (commit.sha, commit.dirty, commit.branch) == (head(repository), False, "trunk")


def test_a_folder_inside_belongs_to_the_repository(repository):
    (repository / "tests").mkdir()
    commit = commit_of(repository / "tests")
    assert commit is not None
    assert commit.sha == head(repository)


def test_a_changed_file_makes_it_dirty(repository):
    (repository / "model.py").write_text("x = 2\n")
    commit = commit_of(repository)
    assert commit is not None
    assert commit.dirty


def test_a_file_that_is_not_tracked_does_not(repository):
    (repository / "report.json").write_text("{}")
    commit = commit_of(repository)
    assert commit is not None
    assert not commit.dirty


def test_a_detached_head_has_no_branch(repository):
    with git.Repo(repository) as repo:
        repo.git.checkout("--detach")
    commit = commit_of(repository)
    assert commit is not None
    assert (commit.sha, commit.branch) == (head(repository), "")


def test_a_folder_that_is_no_repository_has_no_commit(tmp_path):
    assert commit_of(tmp_path) is None


def test_a_folder_that_does_not_exist_has_no_commit(tmp_path):
    assert commit_of(tmp_path / "nowhere") is None


def test_a_repository_without_a_commit_has_none(tmp_path):
    with git.Repo.init(tmp_path):
        pass
    assert commit_of(tmp_path) is None


def test_a_broken_repository_has_no_commit(repository):
    shutil.rmtree(repository / ".git/objects")
    assert commit_of(repository) is None


def test_without_the_git_program_there_is_no_commit(repository, monkeypatch):
    monkeypatch.setenv("PATH", str(repository))
    assert commit_of(repository) is None


def test_the_repositorys_own_programs_are_not_run(repository, tmp_path):
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho run >> '{ran}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    for hook in ("post-index-change", "fsmonitor-watchman", "reference-transaction"):
        shutil.copy(program, repository / ".git/hooks" / hook)
    with git.Repo(repository) as repo:
        repo.git.config("core.fsmonitor", str(program))
    (repository / "model.py").touch()
    ran.unlink(missing_ok=True)
    commit_of(repository)
    assert not ran.exists()


def test_the_index_is_not_written(repository):
    before = (repository / ".git/index").stat().st_mtime_ns
    (repository / "model.py").touch()
    commit_of(repository)
    assert (repository / ".git/index").stat().st_mtime_ns == before


def test_a_project_is_found_below_the_top_of_its_checkout(repository, tmp_path):
    (repository / "services" / "ranker").mkdir(parents=True)
    assert place_in_checkout(repository / "services" / "ranker") == "services/ranker"
    assert place_in_checkout(repository) == ""
    assert place_in_checkout(tmp_path) == ""
    assert place_in_checkout(tmp_path / "no-such-folder") == ""


def test_a_project_without_lock_files_has_no_digest(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    assert lock_digest(tmp_path) is None


def test_the_digest_changes_with_a_pinned_version(tmp_path):
    (tmp_path / "requirements-dev.txt").write_text("numpy==2.0\n")
    before = lock_digest(tmp_path)
    (tmp_path / "requirements-dev.txt").write_text("numpy==2.1\n")
    assert before is not None
    assert lock_digest(tmp_path) != before


def test_the_digest_changes_with_the_name(tmp_path):
    (tmp_path / "uv.lock").write_text("x")
    before = lock_digest(tmp_path)
    (tmp_path / "uv.lock").rename(tmp_path / "poetry.lock")
    assert lock_digest(tmp_path) != before


def test_the_digest_is_the_same_with_line_ends_of_windows(tmp_path):
    (tmp_path / "uv.lock").write_bytes(b"a\nb\n")
    before = lock_digest(tmp_path)
    (tmp_path / "uv.lock").write_bytes(b"a\r\nb\r\n")
    assert lock_digest(tmp_path) == before


@given(one=st.binary(max_size=8), other=st.binary(max_size=8))
def test_moving_text_between_two_files_changes_the_digest(tmp_path_factory, one, other):
    folder = tmp_path_factory.mktemp("locks")
    (folder / "poetry.lock").write_bytes(one + b"#")
    (folder / "uv.lock").write_bytes(other)
    before = lock_digest(folder)
    (folder / "poetry.lock").write_bytes(one)
    (folder / "uv.lock").write_bytes(b"#" + other)
    assert lock_digest(folder) != before
