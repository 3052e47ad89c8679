"""The action in workflows, run by act: own pull requests, a fork's, a rerun, a second half."""

from __future__ import annotations

import sys
import zipfile

import pytest
from factories.artifacts import listed, packed
from factories.git_repositories import bare_server, git
from factories.workflow_runs import REPOSITORY, Workflows, pull_request
from fakes.forge_server import Fault, github, serving

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="act runs on Linux here")

PROJECT = """\
def work(request):
    return sum(range(request))
"""
TEST = """\
from work import work


def test_work(costguard):
    costguard.measure(work, inputs=[2_000, 2_000])
"""
BASE_ONLY = "--costguard-suite-time=1s"
WORKFLOW = """\
name: Inference cost
on: [pull_request, push]
permissions: {}
jobs:
  costguard:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v5
      - id: cost
        uses: pytest-costguard/pytest-costguard/action@main
        with:
          install: none
          token: ${{ secrets.GITHUB_TOKEN }}
          pytest-args: |
            -p
            no:cacheprovider
            LIMIT
      - if: always()
        env:
          OUTCOME: ${{ steps.cost.outputs.outcome }}
          MODE: ${{ steps.cost.outputs.mode }}
          COMMENT: ${{ steps.cost.outputs.comment-outcome }}
        run: echo "told=$OUTCOME/$MODE/$COMMENT"
"""
REPORT = """\
name: Inference cost comment
on: workflow_run
permissions: {}
jobs:
  comment:
    runs-on: ubuntu-24.04
    steps:
      - uses: pytest-costguard/pytest-costguard/action/report@main
        with:
          install: none
          python-version: ""
          token: ${{ secrets.GITHUB_TOKEN }}
"""


MATRIX = """\
name: Inference cost
on: pull_request
permissions: {}
jobs:
  measure:
    strategy:
      fail-fast: false
      max-parallel: 1
      matrix:
        target: [x86, arm]
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v5
      - uses: pytest-costguard/pytest-costguard/action@main
        with:
          install: none
          artifact-name: costguard-report-${{ matrix.target }}
          comment: never
          token: ${{ secrets.GITHUB_TOKEN }}
          pytest-args: |
            -p
            no:cacheprovider
            --costguard-suite-time=1s
  comment:
    needs: measure
    if: always()
    runs-on: ubuntu-24.04
    steps:
      - uses: pytest-costguard/pytest-costguard/action/report@main
        with:
          install: none
          python-version: ""
          expect: "3"
          comment: always
          token: ${{ secrets.GITHUB_TOKEN }}
"""


@pytest.fixture
def forge():
    with serving(github) as (server, state):
        yield server, state


@pytest.fixture
def workflows(tmp_path, forge):
    made = Workflows(tmp_path, api=forge[0].url)
    files = {
        "pytest.ini": "[pytest]\npythonpath = .\n",
        "work.py": PROJECT,
        "test_work.py": TEST,
        ".github/workflows/cost.yml": WORKFLOW.replace("LIMIT", BASE_ONLY),
        ".github/workflows/comment.yml": REPORT,
    }
    made.project.commit(files)
    made.project.git("remote", "add", "origin", f"https://github.com/{REPOSITORY}.git")
    made.project.git("branch", "-M", "main")
    made.project.git("checkout", "--quiet", "-b", "change")
    return made


def changed(workflows, times=1):
    body = PROJECT.replace("sum(range(request))", f"sum(range(request * {times}))")
    workflows.project.commit({"work.py": f"{body}\n# changed\n"})


def told(run):
    return next(line for line in run.lines() if line.startswith("told=")).removeprefix("told=")


def test_a_regression_fails_the_job_after_all_was_told(workflows, forge):
    _, state = forge
    workflows.project.put({".github/workflows/cost.yml": WORKFLOW.replace("LIMIT", "-q")})
    changed(workflows, times=4)
    run = workflows.run("pull_request", pull_request(), workflow="cost.yml", GITHUB_BASE_REF="main")

    assert run.exit_code == 1, run.log
    assert told(run) == "failed/side-by-side/created"
    (body,) = state.bodies()
    assert "**regressed**" in body
    with zipfile.ZipFile(run.uploads / "costguard-report.zip") as archive:
        assert sorted(archive.namelist()) == ["report.json", "report.md"]


def test_a_pull_request_that_fails_nothing_passes_and_a_rerun_keeps_one_comment(workflows, forge):
    _, state = forge
    state.add("<!-- costguard key=costguard run=1 attempt=1 -->\nplanted", author="mallory")
    changed(workflows)
    for attempt in ("1", "2"):
        run = workflows.run(
            "pull_request",
            pull_request(),
            workflow="cost.yml",
            GITHUB_BASE_REF="main",
            GITHUB_RUN_ATTEMPT=attempt,
        )
        assert run.exit_code == 0, run.log
    (body,) = state.bodies()
    assert body.startswith("<!-- costguard key=costguard run=1 attempt=2 -->")
    assert state.bodies("mallory") == ["<!-- costguard key=costguard run=1 attempt=1 -->\nplanted"]


def test_a_fork_whose_token_may_not_comment_is_told_so_and_not_failed(workflows, forge):
    _, state = forge
    state.faults.append(
        Fault(method="POST", times=9, status=403, message="Resource not accessible by integration")
    )
    changed(workflows)
    event = pull_request(repository="mallory/ranker")
    run = workflows.run("pull_request", event, workflow="cost.yml", GITHUB_BASE_REF="main")
    assert run.exit_code == 0, run.log
    assert told(run).endswith("/not allowed")
    assert state.bodies() == []


def test_the_legs_of_a_matrix_share_a_comment_and_one_that_is_missing_is_said(workflows, forge):
    _, state = forge
    uploads = workflows.folder.parent / "uploads"
    path = f"/repos/{REPOSITORY}/actions"

    def kept():
        files = sorted(uploads.glob("*.zip"))
        for number, file in enumerate(files, 1):
            state.answers[f"{path}/artifacts/{number}/zip"] = (200, file.read_bytes(), {})
        listing = [listed(n, file.stem, file.read_bytes()) for n, file in enumerate(files, 1)]
        return {"total_count": len(listing), "artifacts": listing}

    state.answers[f"{path}/runs/1/artifacts"] = kept
    workflows.project.put({".github/workflows/matrix.yml": MATRIX})
    changed(workflows)
    run = workflows.run(
        "pull_request", pull_request(), workflow="matrix.yml", GITHUB_BASE_REF="main"
    )
    assert run.exit_code == 0, run.log
    (body,) = state.bodies()
    assert "on 2 targets" in body
    assert "1 target of 3 left no report" in body


def of_run(number=5):
    source = {"full_name": "mallory/ranker", "owner": {"login": "mallory"}}
    return {
        "workflow_run": {
            "id": number,
            "run_attempt": 1,
            "event": "pull_request",
            "head_sha": "abc",
            "head_branch": "faster",
            "head_repository": source,
        },
        "repository": pull_request()["repository"],
    }


def left_behind(state, data):
    state.answers[f"/repos/{REPOSITORY}/pulls"] = [
        {"number": 7, "head": {"sha": "abc", "repo": {"full_name": "mallory/ranker"}}}
    ]
    state.answers[f"/repos/{REPOSITORY}/actions/runs/5/artifacts"] = {
        "artifacts": [listed(1, "costguard-report", data)]
    }
    state.answers[f"/repos/{REPOSITORY}/actions/artifacts/1/zip"] = (200, data, {})


def test_what_the_first_half_left_is_what_the_second_half_comments(workflows, forge):
    _, state = forge
    changed(workflows)
    first = workflows.run(
        "pull_request", pull_request(), workflow="cost.yml", GITHUB_BASE_REF="main"
    )
    state.comments.clear()
    left_behind(state, (first.uploads / "costguard-report.zip").read_bytes())
    second = workflows.run("workflow_run", of_run(), workflow="comment.yml")
    assert second.exit_code == 0, second.log
    assert "Measured by a job of the fork" in state.bodies()[0]


@pytest.mark.parametrize(
    "data", [packed({"../report.json": b"{}"}), packed({"report.json": b"0" * 9_000_000}), b"PK"]
)
def test_a_hostile_archive_makes_no_comment(workflows, forge, data):
    _, state = forge
    left_behind(state, data)
    run = workflows.run("workflow_run", of_run(), workflow="comment.yml")
    assert run.exit_code != 0
    assert "error: artifact 1: " in run.log
    assert state.bodies() == []
    assert not (workflows.folder.parent / "report.json").exists()


NIGHTLY = """\
name: Inference cost, nightly
on: push
permissions: {}
jobs:
  measure:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v5
      - id: cost
        uses: pytest-costguard/pytest-costguard/action@main
        with:
          install: none
          mode: stored
          token: ${{ secrets.GITHUB_TOKEN }}
          pytest-args: |
            -p
            no:cacheprovider
            --costguard-units=2
      - if: always()
        env:
          OUTCOME: ${{ steps.cost.outputs.outcome }}
          MODE: ${{ steps.cost.outputs.mode }}
          COMMENT: ${{ steps.cost.outputs.record-as }}
        run: echo "told=$OUTCOME/$MODE/$COMMENT"
  record:
    needs: measure
    if: ${{ !cancelled() }}
    runs-on: ubuntu-24.04
    steps:
      - uses: pytest-costguard/pytest-costguard/action/record@main
        with:
          install: none
          python-version: ""
          token: ${{ secrets.GITHUB_TOKEN }}
"""


def test_what_a_push_has_measured_is_recorded_by_a_job_without_a_checkout(workflows, forge):
    _, state = forge
    uploads = workflows.folder.parent / "uploads"
    bare = bare_server(workflows.folder.parent)
    path = f"/repos/{REPOSITORY}/actions"

    def kept():
        data = (uploads / "costguard-report.zip").read_bytes()
        state.answers[f"{path}/artifacts/1/zip"] = (200, data, {})
        return {"artifacts": [listed(1, "costguard-report", data)]}

    state.answers[f"{path}/runs/1/artifacts"] = kept
    workflows.project.put({".github/workflows/nightly.yml": NIGHTLY})
    workflows.project.git("checkout", "--quiet", "main")
    sha = workflows.project.commit()
    event = {"ref": "refs/heads/main", "repository": pull_request()["repository"], "after": sha}
    run = workflows.run(
        "push",
        event,
        workflow="nightly.yml",
        GIT_CONFIG_COUNT="1",
        GIT_CONFIG_KEY_0=f"url.{bare}.insteadOf",
        GIT_CONFIG_VALUE_0=f"https://github.example.invalid/{REPOSITORY}.git",
    )
    assert run.exit_code == 0, run.log
    assert told(run) == "passed/stored/"
    files = git(bare, "ls-tree", "-r", "--name-only", "costguard-baselines").splitlines()
    assert len(files) == 1
    assert files[0].startswith("baselines/main/")
