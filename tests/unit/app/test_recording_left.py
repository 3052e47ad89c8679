"""Runs that the jobs of a push have left as reports, recorded by a job that has no checkout."""

from __future__ import annotations

import msgspec
import pytest
from factories import artifacts as made
from factories.git_repositories import bare_server, git
from factories.judged import head, judged
from fakes.forge_server import TOKEN, github, serving

from pytest_costguard.app.baselines import as_baseline
from pytest_costguard.app.recording_left import record_left
from pytest_costguard.app.stores import lent
from pytest_costguard.baselines.folder import FolderStore
from pytest_costguard.baselines.git_repository import GitRepository
from pytest_costguard.baselines.git_stores import BranchFiles
from pytest_costguard.baselines.run_store import RunStore
from pytest_costguard.errors import ConfigError, RecordError, StoreError
from pytest_costguard.forges.events import job
from pytest_costguard.forges.github import transport
from pytest_costguard.records import Against, Commit, to_json

SHA = "a" * 40
PUSH = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "acme/ranker",
    "GITHUB_RUN_ID": "900",
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_REF_NAME": "main",
    "GITHUB_REF_TYPE": "branch",
    "GITHUB_SHA": SHA,
}


@pytest.fixture
def forge():
    with serving(github) as (server, state):
        yield state, transport(TOKEN, api=server.url, sleep=lambda _: None)


def report_of(run_id="r1", *, sha=SHA, **changes):
    run = msgspec.structs.replace(head(), run_id=run_id, commit=Commit(sha=sha), **changes)
    return judged(run)


def keep(state, *reports):
    """Let this run have left reports: a name and its content each."""
    entries = []
    for number, (name, report) in enumerate(reports, 1):
        data = made.packed({"report.json": to_json(report)})
        entries.append(made.listed(number, name, data))
        state.answers[f"/repos/acme/ranker/actions/artifacts/{number}/zip"] = (200, data, {})
    state.answers["/repos/acme/ranker/actions/runs/900/artifacts"] = {"artifacts": entries}


def recorded(connection, store, *, environ=PUSH, event=None, record_on=()):
    return record_left(
        job(environ, event or {"repository": {"default_branch": "main"}}),
        connection=connection,
        artifact="costguard-report",
        name="main",
        record_on=record_on,
        store=store,
    )


def test_the_reports_of_all_legs_become_runs_of_the_baseline(forge, tmp_path):
    state, connection = forge
    keep(
        state,
        ("costguard-report-x86", report_of("r1")),
        ("costguard-report-arm", report_of("r2")),
        ("coverage", report_of("r3")),
    )
    store = FolderStore(tmp_path)
    found = recorded(connection, store)
    assert {one.run.run_id for one in found} == {"r1", "r2"}
    assert store.run_ids("main") == {"r1", "r2"}


@pytest.mark.parametrize(
    ("environ", "event"),
    [
        ({**PUSH, "GITHUB_EVENT_NAME": "pull_request"}, {"pull_request": {"number": 7}}),
        ({**PUSH, "GITHUB_EVENT_NAME": "workflow_run"}, {"workflow_run": {"id": 5}}),
        ({**PUSH, "GITHUB_REF_NAME": "feature"}, None),
        ({**PUSH, "GITHUB_REF_TYPE": "tag"}, None),
    ],
)
def test_only_runs_of_the_branches_that_are_recorded_are(forge, tmp_path, environ, event):
    state, connection = forge
    keep(state, ("costguard-report", report_of()))
    with pytest.raises(ConfigError, match="nothing is recorded"):
        recorded(connection, FolderStore(tmp_path), environ=environ, event=event)
    assert state.seen == []


def test_a_branch_that_is_named_is_recorded(forge, tmp_path):
    state, connection = forge
    keep(state, ("costguard-report", report_of()))
    release = {**PUSH, "GITHUB_REF_NAME": "release"}
    assert recorded(connection, FolderStore(tmp_path), environ=release, record_on=("release",))


def test_a_report_of_another_commit_is_refused_and_nothing_is_recorded(forge, tmp_path):
    state, connection = forge
    keep(
        state,
        ("costguard-report-arm", report_of("r1")),
        ("costguard-report-x86", report_of("r2", sha="b" * 40)),
    )
    store = FolderStore(tmp_path)
    with pytest.raises(RecordError, match="it measured commit bbbbbbbbbbbb"):
        recorded(connection, store)
    assert store.names() == ()


def test_no_report_is_an_error_and_no_silence(forge, tmp_path):
    state, connection = forge
    keep(state, ("coverage", report_of()))
    with pytest.raises(StoreError, match="left no artifact costguard-report"):
        recorded(connection, FolderStore(tmp_path))


def test_a_run_that_was_interrupted_or_measured_side_by_side_is_no_baseline(forge, tmp_path):
    state, connection = forge
    keep(state, ("costguard-report", report_of(complete=False)))
    with pytest.raises(StoreError, match="interrupted"):
        recorded(connection, FolderStore(tmp_path))
    whole = report_of()
    against = Against(requested="main", found_as="a branch", run=whole.run, looks=(6,))
    keep(state, ("costguard-report", msgspec.structs.replace(whole, against=against)))
    with pytest.raises(RecordError, match="side by side"):
        recorded(connection, FolderStore(tmp_path))


def test_a_branch_is_written_without_a_checkout_and_its_history_is_kept(tmp_path):
    bare = bare_server(tmp_path)
    for number in (1, 2):
        with GitRepository.apart(str(bare)) as repository:
            store = RunStore(BranchFiles(repository, "costguard-baselines"))
            store.add("main", as_baseline(report_of(f"r{number}").run))
            assert store.run_ids("main") == {f"r{n}" for n in range(1, number + 1)}
    assert git(bare, "rev-list", "--count", "costguard-baselines") == "2"


def test_the_address_is_the_forges_and_no_checkout_takes_part(tmp_path, monkeypatch):
    bare = bare_server(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{bare}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/acme/ranker.git")
    monkeypatch.chdir(tmp_path)
    with lent("git:costguard-baselines", job=job(PUSH), environ={}) as store:
        assert store.names() == ()
        assert store.location == "branch costguard-baselines"


@pytest.mark.parametrize("spec", [".costguard", "commit:auto", "artifact:costguard-report"])
def test_a_store_that_ends_with_the_job_is_refused(spec):
    with (
        pytest.raises(ConfigError, match="would end with this job"),
        lent(spec, job=job(PUSH), environ={}),
    ):
        pass
