"""Baselines out of the base branch's own runs: nothing pushed, nothing of a later commit."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from factories import artifacts as made
from factories.judged import head, judged
from fakes.forge_server import TOKEN, github, serving

from pytest_costguard.app.fetching import age, fetch_artifacts
from pytest_costguard.app.stores import artifact_store, opened
from pytest_costguard.errors import StoreError
from pytest_costguard.forges.events import job
from pytest_costguard.forges.github import transport
from pytest_costguard.records import Commit, to_json

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
ENVIRON = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "acme/ranker",
    "GITHUB_RUN_ID": "900",
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_BASE_REF": "main",
    "GITHUB_WORKFLOW_REF": "acme/ranker/.github/workflows/costguard.yml@refs/pull/7/merge",
}
RUNS = "/repos/acme/ranker/actions/workflows/costguard.yml/runs"


@pytest.fixture
def forge():
    with serving(github) as (server, state):
        yield state, transport(TOKEN, api=server.url, sleep=lambda _: None)


def report_of(run_id, sha, days):
    run = msgspec.structs.replace(
        head(), run_id=run_id, commit=Commit(sha=sha), created=NOW - dt.timedelta(days=days)
    )
    return made.packed({"report.json": to_json(judged(run))})


def keep(state, *runs):
    """Let GitHub have these runs, the newest first: number, commit, what it left or None."""
    state.answers[RUNS] = {"workflow_runs": [{"id": n, "head_sha": sha} for n, sha, _ in runs]}
    for number, _, data in runs:
        entries = [] if data is None else [made.listed(number, "costguard-report", data)]
        state.answers[f"/repos/acme/ranker/actions/runs/{number}/artifacts"] = {
            "artifacts": entries
        }
        state.answers[f"/repos/acme/ranker/actions/artifacts/{number}/zip"] = (200, data, {})


def fetched(connection, rootdir, *, past=("a", "b", "c"), wanted=10):
    found = job(ENVIRON, {"pull_request": {"number": 7}})
    return fetch_artifacts(
        found,
        connection=connection,
        artifact="costguard-report",
        branch=found.base_branch,
        workflow=found.workflow,
        wanted=wanted,
        is_ancestor=lambda sha: sha in past,
        store=artifact_store("costguard-report", rootdir=rootdir, environ={}),
    )


def test_the_reports_of_the_base_branchs_own_runs_become_a_baseline(forge, tmp_path):
    state, connection = forge
    keep(state, (3, "c", report_of("r3", "c", 1)), (2, "b", report_of("r2", "b", 2)))
    found = fetched(connection, tmp_path)
    assert [run.run_id for run in found.runs] == ["r2", "r3"]
    assert found.newest.commit.sha == "c"
    query = state.seen[0].query
    assert (query["branch"], query["event"], query["status"]) == ("main", "push", "success")
    store = opened("artifact:costguard-report", rootdir=tmp_path, environ={})
    assert store.run_ids("main") == {"r2", "r3"}


def test_a_run_that_is_not_in_bases_past_is_left_out(forge, tmp_path):
    state, connection = forge
    keep(state, (3, "later", report_of("r3", "later", 1)), (2, "b", report_of("r2", "b", 2)))
    found = fetched(connection, tmp_path)
    assert [run.run_id for run in found.runs] == ["r2"]
    assert "none of base's past" in found.left_out[0]


def test_no_more_than_wanted_are_fetched_the_newest_first(forge, tmp_path):
    state, connection = forge
    keep(state, *((n, "a", report_of(f"r{n}", "a", 9 - n)) for n in (3, 2, 1)))
    assert len(fetched(connection, tmp_path, wanted=2).runs) == 2


def test_one_without_a_sound_report_is_left_out_with_the_reason(forge, tmp_path):
    state, connection = forge
    broken = made.packed({"report.json": b"{}"})
    keep(state, (3, "c", None), (2, "b", broken), (1, "a", report_of("r1", "a", 3)))
    found = fetched(connection, tmp_path)
    assert len(found.runs) == 1
    assert "no artifact" in found.left_out[0]
    assert "run 2" in found.left_out[1]


def test_what_a_checkout_brought_along_is_not_what_the_runs_have_left(forge, tmp_path):
    state, connection = forge
    store = artifact_store("costguard-report", rootdir=tmp_path, environ={})
    keep(state, (1, "a", report_of("forged", "a", 1)))
    fetched(connection, tmp_path)
    keep(state, (2, "b", report_of("r2", "b", 2)))
    fetched(connection, tmp_path)
    assert store.run_ids("main") == {"r2"}


def test_links_that_a_checkout_brought_along_lead_nowhere(forge, tmp_path):
    state, connection = forge
    forged = tmp_path / "forged" / "baselines" / "main"
    forged.mkdir(parents=True)
    (forged / "x.json").write_text("{}")
    store = artifact_store("costguard-report", rootdir=tmp_path, environ={})
    store.root.parent.mkdir(parents=True)
    store.root.symlink_to(tmp_path / "forged")
    keep(state, (2, "b", report_of("r2", "b", 2)))
    fetched(connection, tmp_path)
    assert store.run_ids("main") == {"r2"}
    assert [path.name for path in forged.iterdir()] == ["x.json"]


def test_in_a_job_they_lie_outside_of_the_checkout(tmp_path):
    environ = {"RUNNER_TEMP": str(tmp_path / "runner")}
    store = artifact_store("costguard-report", rootdir=tmp_path / "checkout", environ=environ)
    assert store.root.is_relative_to(tmp_path / "runner")


def test_where_no_run_has_left_any_there_is_no_baseline_yet(forge, tmp_path):
    state, connection = forge
    keep(state)
    assert fetched(connection, tmp_path).runs == ()
    assert opened("artifact:costguard-report", rootdir=tmp_path, environ={}).names() == ()


def test_before_the_first_fetch_the_store_says_how(tmp_path):
    with pytest.raises(StoreError, match="nothing was fetched") as caught:
        opened("artifact:costguard-report", rootdir=tmp_path, environ={})
    assert "costguard baseline fetch" in caught.value.remedy


@pytest.mark.parametrize(("hours", "said"), [(3, "3 h old"), (47, "47 h old"), (96, "4 days old")])
def test_the_age_is_told(hours, said):
    run = msgspec.structs.replace(head(), created=NOW - dt.timedelta(hours=hours))
    assert age(run, now=NOW) == said
