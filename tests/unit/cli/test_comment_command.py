"""`costguard comment`: which job, which token, and what is said where there is none."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from factories.artifacts import listed, packed
from factories.judged import head, judged, series
from factories.judging import gates, regression
from fakes.forge_server import TOKEN, Fault, github, gitlab, serving

from pytest_costguard.cli.main import main
from pytest_costguard.records import to_json


@pytest.fixture(autouse=True)
def _no_bounds_on_the_tests_own_process(monkeypatch: pytest.MonkeyPatch) -> None:
    # Under a limit of CPU time Linux tells a process's CPU time in ticks, its children's too.
    monkeypatch.setattr("pytest_costguard.cli.comment._bound", lambda: None)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    path.write_bytes(to_json(judged(head(0.0012), series(0.001), gates=gates(regression()))))
    return path


def costguard(*words: object, **environ: str | None):
    silent = dict.fromkeys(("GITHUB_ACTIONS", "GITLAB_CI", "GITHUB_TOKEN", "GITLAB_TOKEN"))
    return CliRunner().invoke(main, [*map(str, words)], env={**silent, **environ})


def on_github(url: str, tmp_path: Path, **more: str) -> dict[str, str]:
    event = tmp_path / "event.json"
    head_of = {"sha": "abc", "repo": {"full_name": "acme/ranker"}}
    event.write_text(json.dumps({"pull_request": {"number": 7, "head": head_of}}))
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "acme/ranker",
        "GITHUB_RUN_ID": "123",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_API_URL": url,
        "GITHUB_TOKEN": TOKEN,
        **more,
    }


def test_a_job_of_github_leaves_a_comment(record, tmp_path):
    with serving(github) as (server, state):
        done = costguard("comment", record, **on_github(server.url, tmp_path))

    assert done.exit_code == 0, done.output
    assert done.output == "Comment at acme/ranker 7: created.\n"
    assert "regressed" in state.bodies()[0]


def test_a_job_of_gitlab_leaves_a_note(record):
    with serving(gitlab) as (server, state):
        environ = {
            "GITLAB_CI": "true",
            "CI_PROJECT_PATH": "acme/ranker",
            "CI_API_V4_URL": server.url,
            "CI_SERVER_URL": "https://gitlab.example",
            "CI_PIPELINE_ID": "77",
            "CI_MERGE_REQUEST_IID": "5",
            "GITLAB_TOKEN": TOKEN,
        }
        done = costguard("comment", record, **environ)

    assert done.exit_code == 0, done.output
    assert "regressed" in state.bodies()[0]


def test_a_dry_run_prints_the_comment_and_needs_no_job(record):
    done = costguard("comment", record, "--dry-run")
    assert done.exit_code == 0
    assert done.output.startswith("### Inference latency, memory and cost")


def test_a_job_about_no_pull_request_posts_nothing(record, tmp_path):
    with serving(github) as (server, state):
        environ = on_github(server.url, tmp_path, GITHUB_EVENT_NAME="push")
        done = costguard("comment", record, **environ)
    assert (done.exit_code, state.seen) == (0, [])
    assert "about no pull request" in done.output


def test_without_a_token_the_remedy_names_where_it_comes_from(record, tmp_path):
    done = costguard("comment", record, **on_github("http://x", tmp_path, GITHUB_TOKEN=""))
    assert done.exit_code == 11
    assert "github.token" in done.stderr


def test_outside_of_a_ci_a_dry_run_is_the_remedy(record):
    done = costguard("comment", record)
    assert done.exit_code == 11
    assert "--dry-run" in done.stderr


def test_a_wrong_token_is_an_error_that_does_not_show_it(record, tmp_path):
    with serving(github) as (server, _):
        environ = on_github(server.url, tmp_path, GITHUB_TOKEN="wrong-token")
        done = costguard("comment", record, **environ)
    assert done.exit_code == 19
    assert "401" in done.stderr
    assert "wrong-token" not in done.output + done.stderr


def after_another_run(url: str, tmp_path: Path, **more: str) -> dict[str, str]:
    event = tmp_path / "event.json"
    source = {"full_name": "mallory/ranker", "owner": {"login": "mallory"}}
    run = {
        "id": 5,
        "run_attempt": 1,
        "event": "pull_request",
        "head_sha": "abc",
        "head_branch": "faster",
        "head_repository": source,
    }
    environ = on_github(url, tmp_path, GITHUB_EVENT_NAME="workflow_run", **more)
    event.write_text(json.dumps({"workflow_run": run}))
    return environ


def with_an_artifact(state, data: bytes) -> None:
    state.answers["/repos/acme/ranker/pulls"] = [
        {"number": 7, "head": {"sha": "abc", "repo": {"full_name": "mallory/ranker"}}}
    ]
    state.answers["/repos/acme/ranker/actions/runs/5/artifacts"] = {
        "artifacts": [listed(1, "costguard-report", data)]
    }
    state.answers["/repos/acme/ranker/actions/artifacts/1/zip"] = (200, data, {})


def test_the_second_half_for_forks_comments_from_data_alone(record, tmp_path):
    output = tmp_path / "output"
    with serving(github) as (server, state):
        with_an_artifact(state, packed({"report.json": record.read_bytes()}))
        environ = after_another_run(server.url, tmp_path, GITHUB_OUTPUT=str(output))
        done = costguard("comment", "--artifact", "costguard-report", **environ)

    assert done.exit_code == 0, done.output
    assert done.output == "Comment at acme/ranker 7: created.\n"
    assert "Measured by a job of the fork" in state.bodies()[0]
    assert "run=5 attempt=1" in state.bodies()[0].splitlines()[0]
    assert "comment-outcome<<" in output.read_text()


def test_a_hostile_artifact_is_an_error_and_no_comment(tmp_path):
    with serving(github) as (server, state):
        with_an_artifact(state, packed({"../../report.json": b"{}"}))
        environ = after_another_run(server.url, tmp_path)
        done = costguard("comment", "--artifact", "costguard-report", **environ)
    assert done.exit_code == 12
    assert state.bodies() == []


def test_a_run_that_has_left_nothing_gets_no_comment(tmp_path):
    with serving(github) as (server, state):
        state.answers["/repos/acme/ranker/actions/runs/5/artifacts"] = {"artifacts": []}
        state.answers["/repos/acme/ranker/pulls"] = [
            {"number": 7, "head": {"sha": "abc", "repo": {"full_name": "mallory/ranker"}}}
        ]
        environ = after_another_run(server.url, tmp_path)
        done = costguard("comment", "--artifact", "costguard-report", **environ)
    assert done.exit_code == 0
    assert done.output == "Comment at acme/ranker 7: quiet: there is no report.\n"


def test_a_session_without_a_report_lets_no_old_verdict_stand(record, tmp_path):
    with serving(github) as (server, state):
        environ = on_github(server.url, tmp_path)
        costguard("comment", record, **environ)
        done = costguard("comment", "--no-report", **{**environ, "GITHUB_RUN_ID": "124"})
    assert done.output == "Comment at acme/ranker 7: updated.\n"
    assert "No verdict" in state.bodies()[0]


def test_troubles_of_the_forge_can_be_forgiven_and_are_told(record, tmp_path):
    with serving(github) as (server, state):
        state.faults.append(Fault(status=401, times=9, message="x\n::error::##[add-mask]y"))
        environ = on_github(server.url, tmp_path)
        done = costguard("comment", record, "--forgive", **environ)
    assert done.exit_code == 0
    assert done.output.startswith("no comment: GET /user: 401")
    assert "##[" not in done.output


@pytest.mark.parametrize(
    "words", [(), ("report.json", "--artifact", "x"), ("--artifact", "x", "--no-report")]
)
def test_either_files_or_an_artifact_or_nothing(words):
    assert costguard("comment", *words).exit_code == 2


def test_a_leg_that_left_no_report_is_said(record):
    done = costguard("comment", record, "--dry-run", "--expect", "3")
    assert "2 targets of 3 left no report" in done.output


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_a_hostile_report_costs_no_more_than_its_process():
    code = """
from pytest_costguard.cli.comment import _bound
_bound()
bytearray(64 << 30)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MemoryError" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_a_report_that_takes_too_long_ends_its_process():
    code = """
from pytest_costguard.cli import comment
comment._CPU_SECONDS = 1
comment._bound()
while True:
    pass
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == -signal.SIGXCPU


def test_the_report_that_was_written_last_is_taken(record, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = tmp_path / ".costguard" / "reports" / "report.json"
    there.parent.mkdir(parents=True)
    record.rename(there)
    done = costguard("comment", "--dry-run")
    assert done.exit_code == 0, done.output
    assert "regressed" in done.output


@pytest.mark.parametrize("token", ["tok\u2026SECRET", "SECRET\ttok"])
def test_a_token_that_is_none_is_named_and_not_shown(record, tmp_path, token):
    done = costguard("comment", record, **on_github("http://x", tmp_path, GITHUB_TOKEN=token))
    assert done.exit_code == 11
    assert "GITHUB_TOKEN" in done.stderr
    assert "SECRET" not in done.output + done.stderr


def test_a_token_that_was_pasted_with_its_line_is_taken(record, tmp_path):
    with serving(github) as (server, _):
        environ = on_github(server.url, tmp_path, GITHUB_TOKEN=f"{TOKEN}\n")
        assert costguard("comment", record, **environ).exit_code == 0


def test_a_forks_merge_request_is_told_nothing_of_github(record):
    with serving(gitlab) as (server, state):
        state.faults.append(Fault(status=403, headers={}, message=""))
        environ = {
            "GITLAB_CI": "true",
            "CI_PROJECT_PATH": "them/ranker",
            "CI_API_V4_URL": server.url,
            "CI_SERVER_URL": server.url,
            "CI_PIPELINE_ID": "77",
            "CI_MERGE_REQUEST_IID": "5",
            "CI_MERGE_REQUEST_PROJECT_PATH": "acme/ranker",
            "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "them/ranker",
            "GITLAB_TOKEN": TOKEN,
        }
        done = costguard("comment", record, **environ)
    assert "a fork's pipeline may not comment" in done.output, done.output
    assert "github" not in done.output.lower()
