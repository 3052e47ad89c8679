"""Baselines on a branch of their own, and as a commit has them: what goes beyond the contract."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from contracts.store import StoreContract
from factories.baselines import baseline_run
from factories.git_repositories import ENVIRON, bare_server, git

from pytest_costguard.app.jobs import git_credentials
from pytest_costguard.app.stores import opened, store_of
from pytest_costguard.baselines.git_repository import GitRepository
from pytest_costguard.baselines.git_stores import BranchFiles
from pytest_costguard.baselines.run_store import RunStore
from pytest_costguard.errors import ConfigError, RecordError, RevisionError, StoreError

BRANCH = "costguard-baselines"


@pytest.fixture(autouse=True)
def _no_configuration_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"):
        monkeypatch.setenv(name, ENVIRON[name])


def cloned(bare: Path, name: str) -> Path:
    folder = bare.parent / name
    git(bare.parent, "clone", "--quiet", str(bare), str(folder))
    return folder


def on_branch(folder: Path, **how) -> RunStore:
    return RunStore(BranchFiles(GitRepository(folder), BRANCH, **how))


class TestBranchOfARemote(StoreContract):
    def make(self, where):
        bare = where / "server.git"
        if not bare.exists():
            bare_server(where)
        name = f"clone-{len(list(where.iterdir()))}"
        return on_branch(cloned(bare, name))


class TestBranchWithoutARemote(StoreContract):
    def make(self, where):
        if not (where / ".git").exists():
            git(where, "init", "--quiet", "-b", "main")
        return on_branch(where)


@pytest.fixture
def bare(tmp_path):
    return bare_server(tmp_path)


def test_the_branch_shares_nothing_with_the_code_and_only_grows(bare):
    store = on_branch(cloned(bare, "a"))
    store.add("main", baseline_run("r1"))
    store.add("main", baseline_run("r2", hours=1))
    assert git(bare, "rev-list", "--count", BRANCH) == "2"
    assert git(bare, "ls-tree", "-r", "--name-only", BRANCH).count("baselines/main/") == 2
    with pytest.raises(subprocess.CalledProcessError):
        git(bare, "merge-base", "main", BRANCH)


def test_the_checkout_its_index_and_its_branches_stay_as_they_are(bare):
    folder = cloned(bare, "a")
    (folder / "staged.py").write_text("x = 1\n")
    git(folder, "add", "staged.py")
    on_branch(folder).add("main", baseline_run())
    assert git(folder, "status", "--porcelain", "--branch") == "## main...origin/main\nA  staged.py"
    assert git(folder, "branch", "--list", "--format=%(refname:short)") == "main"


def test_no_hook_of_the_checkout_runs(bare):
    folder = cloned(bare, "a")
    for hook in ("pre-push", "reference-transaction", "post-commit"):
        path = folder / ".git" / "hooks" / hook
        path.write_text("#!/bin/sh\nexit 1\n")
        path.chmod(0o755)
    on_branch(folder).add("main", baseline_run())
    assert len(on_branch(cloned(bare, "b")).series("main")) == 1


def test_a_writer_whose_tip_is_old_loses_nothing(bare):
    early, late = on_branch(cloned(bare, "a")), on_branch(cloned(bare, "b"))
    assert (early.series("main"), late.series("main")) == ((), ())
    early.add("main", baseline_run("r1"))
    late.add("main", baseline_run("r2"))
    assert {run.run_id for run in on_branch(cloned(bare, "c")).series("main")} == {"r1", "r2"}


TWENTY = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from factories.baselines import baseline_run
from pytest_costguard.baselines.git_repository import GitRepository
from pytest_costguard.baselines.git_stores import BranchFiles
from pytest_costguard.baselines.run_store import RunStore
folder, number = Path(sys.argv[1]), sys.argv[2]
store = RunStore(BranchFiles(GitRepository(folder), {BRANCH!r}))
sys.stdin.readline()
store.add("main", baseline_run("r" + number))
"""


def test_twenty_jobs_at_once_lose_nothing(bare):
    jobs = []
    for number in range(20):
        folder = cloned(bare, f"job-{number}")
        command = [sys.executable, "-c", TWENTY, str(folder), str(number)]
        jobs.append(subprocess.Popen(command, stdin=subprocess.PIPE, env=ENVIRON))
    for job in jobs:
        job.communicate(b"go\n")
    assert [job.returncode for job in jobs] == [0] * 20
    found = {run.run_id for run in on_branch(cloned(bare, "reader")).series("main")}
    assert found == {f"r{number}" for number in range(20)}


def test_patience_ends_with_an_error_and_nothing_written(bare, monkeypatch):
    folder, rival = cloned(bare, "a"), cloned(bare, "b")
    numbers = iter(range(1000))

    def others_write(_: float) -> None:
        on_branch(rival).add("main", baseline_run(f"rival-{next(numbers)}"))

    clock: Iterator[float] = iter([0.0, 0.0, 200.0])
    store = on_branch(folder, sleep=others_write, clock=lambda: next(clock))
    git(folder, "fetch", "--quiet")
    original = GitRepository.push

    def late(self, commit, branch):
        if self._folder.is_relative_to(folder):
            others_write(0.0)
        original(self, commit, branch)

    monkeypatch.setattr(GitRepository, "push", late)
    with pytest.raises(StoreError, match="quicker"):
        store.add("main", baseline_run("mine"))
    assert "mine" not in on_branch(rival).run_ids("main")


def test_what_was_fetched_before_is_read_where_the_remote_cannot_be_reached(bare):
    folder = cloned(bare, "a")
    on_branch(folder).add("main", baseline_run())
    git(folder, "remote", "set-url", "origin", str(bare.parent / "gone.git"))
    assert len(on_branch(folder).series("main")) == 1
    with pytest.raises(StoreError, match="could not be written") as caught:
        on_branch(folder).add("main", baseline_run("r2"))
    assert "COSTGUARD_TOKEN" in caught.value.remedy


def test_a_remote_that_cannot_be_reached_is_no_empty_store(bare):
    folder = cloned(bare, "a")
    git(folder, "remote", "set-url", "origin", str(bare.parent / "gone.git"))
    with pytest.raises(StoreError, match="could not be read"):
        on_branch(folder).series("main")


def test_a_corrupt_run_is_an_error_until_it_is_discarded(bare):
    folder = cloned(bare, "a")
    store = on_branch(folder)
    store.add("main", baseline_run())
    git(folder, "checkout", "--quiet", "-b", "mend", f"refs/costguard/{BRANCH}")
    (folder / "baselines" / "main" / "broken.json").write_text("{")
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", "break")
    git(folder, "push", "--quiet", "origin", f"HEAD:{BRANCH}")
    store = on_branch(folder)
    with pytest.raises(RecordError, match=r"broken\.json"):
        store.series("main")
    assert store.discard_corrupt("main") == ("broken.json",)
    assert len(store.series("main")) == 1


@pytest.mark.parametrize("branch", ["", "a b", "../x", "-x", "x.lock", "a..b", "x/"])
def test_what_is_no_name_of_a_branch_is_refused(bare, branch):
    with pytest.raises(ConfigError, match="not the name of a branch"):
        BranchFiles(GitRepository(cloned(bare, "a")), branch)


def test_outside_of_a_checkout_the_remedy_is_a_folder(tmp_path):
    with pytest.raises(StoreError, match="in no git checkout") as caught:
        opened("git:x", rootdir=tmp_path, environ={})
    assert "store = .costguard" in caught.value.remedy


def test_a_token_reaches_git_by_its_environment_alone():
    environ = {
        "COSTGUARD_TOKEN": "t0ken",
        "GITHUB_SERVER_URL": "https://git.acme.example",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "user.name",
        "GIT_CONFIG_VALUE_0": "x",
    }
    found = git_credentials(environ)
    assert found["GIT_CONFIG_COUNT"] == "3"
    assert found["GIT_CONFIG_KEY_1"] == "http.https://git.acme.example/.extraheader"
    assert found["GIT_CONFIG_VALUE_1"] == ""
    assert found["GIT_CONFIG_VALUE_2"] == "AUTHORIZATION: basic eC1hY2Nlc3MtdG9rZW46dDBrZW4="


@pytest.mark.parametrize(
    "environ",
    [
        {"GITHUB_SERVER_URL": "https://github.com"},
        {"COSTGUARD_TOKEN": "t", "GITHUB_SERVER_URL": "http://plain.example"},
        {"COSTGUARD_TOKEN": "t"},
        {"GITLAB_TOKEN": "t", "GITHUB_SERVER_URL": "https://github.com"},
    ],
)
def test_without_a_token_or_an_encrypted_server_there_are_no_credentials(environ):
    assert git_credentials(environ) == {}


def test_a_commit_has_the_baselines_that_were_committed(tmp_path):
    git(tmp_path, "init", "--quiet", "-b", "main")
    store_of(tmp_path).add("main", baseline_run("r1"))
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "--quiet", "-m", "a baseline")
    store_of(tmp_path).add("main", baseline_run("forged", hours=1))
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "--quiet", "-m", "a change that judges itself")

    before = opened("commit:HEAD^", rootdir=tmp_path, environ={})
    assert [run.run_id for run in before.series("main")] == ["r1"]
    assert before.names() == ("main",)
    with pytest.raises(StoreError, match="cannot be changed"):
        before.add("main", baseline_run())


def test_a_commit_of_a_project_below_the_top_of_the_checkout(tmp_path):
    git(tmp_path, "init", "--quiet", "-b", "main")
    project = tmp_path / "services" / "ranker"
    store_of(project).add("main", baseline_run("r1"))
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "--quiet", "-m", "a baseline")
    assert len(opened("commit:HEAD", rootdir=project, environ={}).series("main")) == 1


def test_a_link_in_a_commit_is_no_baseline(tmp_path):
    git(tmp_path, "init", "--quiet", "-b", "main")
    folder = store_of(tmp_path).folder("main")
    folder.mkdir(parents=True)
    (folder / "x.json").symlink_to("/etc/passwd")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "--quiet", "-m", "a link")
    assert opened("commit:HEAD", rootdir=tmp_path, environ={}).names() == ()


def test_a_commit_that_is_not_here_names_the_store(tmp_path):
    git(tmp_path, "init", "--quiet", "-b", "main")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "begin")
    with pytest.raises(RevisionError, match="store commit:nowhere"):
        opened("commit:nowhere", rootdir=tmp_path, environ={})


def test_a_repository_apart_takes_nothing_from_who_works_here(bare, tmp_path, monkeypatch):
    template = tmp_path / "template"
    template.mkdir()
    (template / "config").write_text("[http]\n\tproxy = http://127.0.0.1:9\n")
    settings = tmp_path / "gitconfig"
    settings.write_text(f"[init]\n\ttemplateDir = {template}\n[http]\n\tsslVerify = false\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    with GitRepository.apart(str(bare)) as repository:
        found = repository._text("config", "--list")
    assert "proxy" not in found
    assert "sslverify" not in found.lower()
