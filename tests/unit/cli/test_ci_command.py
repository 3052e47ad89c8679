"""`costguard ci`: what would be run, and that its options and variables are those of the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_costguard.cli.main import main
from pytest_costguard.config.ci_options import CI_OPTIONS, ci_flag

SILENT = dict.fromkeys(("GITHUB_ACTIONS", "GITLAB_CI", "RUNNER_DEBUG", "COSTGUARD_MODE"))


def ci(*words: str, **environ: str | None):
    return CliRunner().invoke(main, ["ci", *words], env={**SILENT, **environ})


@pytest.fixture
def pull_request(tmp_path: Path) -> dict[str, str]:
    event = tmp_path / "event.json"
    head = {"sha": "abc", "repo": {"full_name": "acme/ranker"}}
    event.write_text(json.dumps({"pull_request": {"number": 7, "head": head}}), encoding="utf-8")
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "acme/ranker",
        "GITHUB_RUN_ID": "1",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(event),
    }


def test_a_dry_run_prints_the_plan_and_the_command_and_runs_nothing(pull_request):
    done = ci("--dry-run", "--", "tests/perf", "-k", "a b", **pull_request)
    assert done.exit_code == 0, done.output
    plan, command = done.output.splitlines()
    assert plan == "costguard: side-by-side, since this job is about pull request 7"
    assert command.endswith("--costguard-against=auto tests/perf -k 'a b'")


def test_a_job_that_is_debugged_shows_the_command(tmp_path, monkeypatch, pull_request):
    monkeypatch.chdir(tmp_path)
    words = ("--mode", "stored", "--no-gate", "--", "no_such_test.py")
    quiet = ci(*words, **pull_request).output
    loud = ci(*words, **{**pull_request, "RUNNER_DEBUG": "1"}).output
    assert "-m pytest --costguard" not in quiet
    assert "-m pytest --costguard" in loud


def test_stored_numbers_of_a_pull_request_are_those_that_base_has_committed(
    tmp_path, monkeypatch, pull_request
):
    monkeypatch.chdir(tmp_path)
    done = ci("--mode", "stored", "--dry-run", **pull_request)
    assert done.output.splitlines()[1].endswith("--costguard-store=commit:auto")


def test_a_store_that_the_workflow_names_is_taken(tmp_path, monkeypatch, pull_request):
    monkeypatch.chdir(tmp_path)
    done = ci("--mode", "stored", "--dry-run", COSTGUARD_STORE="git:kept", **pull_request)
    assert "--costguard-store" not in done.output  # it stays in its variable
    assert "warning" not in done.output


def test_a_store_that_the_change_itself_names_is_warned_of(tmp_path, monkeypatch, pull_request):
    (tmp_path / "pyproject.toml").write_text('[tool.costguard]\nstore = "git:kept"\n')
    monkeypatch.chdir(tmp_path)
    done = ci("--mode", "stored", "--dry-run", **pull_request)
    assert "name it in the workflow" in done.output


def test_arguments_come_one_a_line_from_the_variable(pull_request):
    lines = "tests/perf\n  -k  \n\na b\n"
    done = ci("--dry-run", COSTGUARD_PYTEST_ARGS=lines, **pull_request)
    assert done.output.splitlines()[1].endswith("tests/perf -k 'a b'")


def test_a_blank_variable_is_not_set(pull_request):
    blank = {option.variable: "" for option in CI_OPTIONS}
    assert ci("--dry-run", **pull_request, **blank).output.startswith("costguard: side-by-side")


def test_a_mode_that_is_none_is_an_error_of_the_command_line():
    assert ci("--mode", "side").exit_code == 2


def test_a_pull_request_records_nothing(pull_request):
    done = ci("--mode", "record", "--dry-run", **pull_request)
    assert done.exit_code == 11
    assert "a change must not choose" in done.stderr


def test_the_help_names_every_option():
    text = ci("--help").output
    for option in CI_OPTIONS:
        assert ci_flag(option) in text


def test_the_exit_code_is_pytests_and_a_report_that_was_not_made_is_told(
    tmp_path, monkeypatch, pull_request
):
    monkeypatch.chdir(tmp_path)
    output, summary = tmp_path / "output", tmp_path / "summary"
    environ = {**pull_request, "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
    done = ci("--mode", "stored", "--", "no_such_test.py", **environ)
    assert done.exit_code == 4
    assert "::error title=pytest-costguard::the session ended with exit code 4" in done.output
    assert "outcome<<" in output.read_text(encoding="utf-8")
    assert "exit code 4" in summary.read_text(encoding="utf-8")


def test_without_the_gate_the_exit_code_is_an_output_alone(tmp_path, monkeypatch, pull_request):
    monkeypatch.chdir(tmp_path)
    output = tmp_path / "output"
    words = ("--mode", "stored", "--no-gate", "--no-annotations", "--", "no_such_test.py")
    done = ci(*words, **pull_request, GITHUB_OUTPUT=str(output))
    assert done.exit_code == 0
    assert "::error" not in done.output
    assert "exit-code<<" in output.read_text(encoding="utf-8")
