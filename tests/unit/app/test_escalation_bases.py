"""Which commit a baseline measured, and in what it can no longer be measured as it was then."""

from __future__ import annotations

import os

import msgspec
import pytest
from factories.git_repositories import GitProject
from factories.judging import MACHINE, WORKLOAD, declaration, run, stored_run, stored_workload

from pytest_costguard.app.escalation_bases import (
    caveats_after,
    caveats_before,
    commit_here,
    newest,
)
from pytest_costguard.errors import RevisionError
from pytest_costguard.host.revision import lock_digest
from pytest_costguard.records import Commit, WorkloadId
from pytest_costguard.revisions.repository import Repository

OTHER = WorkloadId(nodeid="tests/test_other.py::test_other")


def stored(day=0, *, sha="a" * 40, dirty=False, workload=WORKLOAD, **changes):
    commit = None if sha is None else Commit(sha=sha, dirty=dirty)
    measured = stored_workload({"mean": [0.001]}, workload=workload)
    return stored_run(measured, day=day, commit=commit, **changes)


@pytest.fixture
def project(tmp_path):
    return GitProject(tmp_path / "project")


def before(project, then, now, *, below="."):
    """The caveats of one stored run, in a project below the repository's top or at it."""
    rootdir = project.folder / below
    repository = Repository(rootdir, environ=os.environ)
    origin = newest(WORKLOAD, [then])
    sha = commit_here(origin.commit, repository=repository)
    return caveats_before(origin, sha=sha, run=now, repository=repository, rootdir=rootdir)


def test_the_newest_run_that_holds_the_workload_and_knows_its_commit_is_base():
    runs = [
        stored(1, sha="a" * 40),
        stored(2, sha="b" * 40),
        stored(3, sha=None),
        stored(4, sha="d" * 40, workload=OTHER),
    ]

    assert newest(WORKLOAD, runs).commit.sha == "b" * 40
    assert newest(OTHER, runs).commit.sha == "d" * 40
    assert newest(WORKLOAD, runs[2:]) is None


def test_a_commit_that_is_not_here_is_named_with_what_fetches_it(project):
    project.commit({"a.py": ""})

    with pytest.raises(RevisionError, match="bbbbbbb is not in this clone") as caught:
        commit_here(Commit(sha="b" * 40), repository=Repository(project.folder, environ=os.environ))

    assert f"git fetch origin {'b' * 40}" in caught.value.remedy


def test_a_name_that_looks_like_an_option_is_no_commit(project):
    project.commit({"a.py": ""})

    with pytest.raises(RevisionError):
        commit_here(
            Commit(sha="--exec-path=/"), repository=Repository(project.folder, environ=os.environ)
        )


@pytest.mark.parametrize("below", [".", "service"])
def test_what_was_measured_as_it_is_here_has_no_caveat(project, below):
    files = {"uv.lock": "one\n", "requirements/dev.txt": "two\n", "docs/uv.lock": "not read\n"}
    sha = project.commit({f"{below}/{name}": text for name, text in files.items()})
    digest = lock_digest(project.folder / below)
    project.commit({f"{below}/more.py": ""})

    found = before(
        project, stored(sha=sha, lock_digest=digest), run(lock_digest=digest), below=below
    )

    assert digest is not None
    assert found == ()


def test_uncommitted_changes_are_named(project):
    sha = project.commit({"a.py": ""})

    (told,) = before(project, stored(sha=sha, dirty=True), run())

    assert told == f"it was measured with changes that are not in commit {sha[:7]}"


def test_lock_files_that_are_not_the_commits_own_are_named(project):
    sha = project.commit({"uv.lock": "committed\n"})
    project.put({"uv.lock": "changed\n"})
    digest = lock_digest(project.folder)

    (told,) = before(project, stored(sha=sha, lock_digest=digest), run(lock_digest=digest))

    assert told == f"its lock files were not those of commit {sha[:7]}"


def test_a_lock_file_that_git_ignores_is_no_difference(project):
    sha = project.commit({".gitignore": "uv.lock\n"})
    project.put({"uv.lock": "ignored\n"})
    digest = lock_digest(project.folder)

    assert before(project, stored(sha=sha, lock_digest=digest), run(lock_digest=digest)) == ()


def test_other_dependencies_than_heads_are_named_and_who_runs_with_what(project):
    sha = project.commit({"uv.lock": "old\n"})
    then = lock_digest(project.folder)
    project.commit({"uv.lock": "new\n"})
    here = msgspec.structs.replace(MACHINE, packages={"torch": "2.6.0"}, driver="another")

    (told,) = before(
        project,
        stored(sha=sha, lock_digest=then),
        run(lock_digest=lock_digest(project.folder), fingerprint=here),
    )

    assert told == (
        "its dependencies were others (by the lock files, torch 2.5.0 then, 2.6.0 here); side by"
        " side, both run with the packages that are installed here"
    )


def test_another_machine_is_no_caveat(project):
    sha = project.commit({"a.py": ""})
    elsewhere = msgspec.structs.replace(MACHINE, cpu_model="EPYC", cores=64, os="another")

    assert before(project, stored(sha=sha), run(fingerprint=elsewhere)) == ()


def test_another_model_and_other_inputs_at_the_commit_are_named():
    then = stored_workload({"mean": [0.001]}, model_digest="sha256:" + "1" * 64)
    origin = newest(WORKLOAD, [stored_run(then, commit=Commit(sha="a" * 40))])
    same = declaration(model_digest="sha256:" + "1" * 64)
    other = declaration(model_digest="sha256:" + "2" * 64, input_digest="inputs-b")
    unknown = declaration(model_digest=None)

    assert caveats_after(origin, same) == ()
    assert caveats_after(origin, unknown) == ()
    assert caveats_after(origin, other) == (
        "the digest of its model was 111111111111 and is 222222222222 at that commit now",
        "the digest of its inputs was inputs-a and is inputs-b at that commit now",
    )
