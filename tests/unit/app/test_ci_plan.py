"""What a job compares with, and what is told of it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from factories.judged import head, judged, series
from factories.judging import gates, regression

from pytest_costguard.app import ci
from pytest_costguard.config.cascade import resolve
from pytest_costguard.config.ci_options import MODES
from pytest_costguard.errors import ConfigError
from pytest_costguard.forges.events import job
from pytest_costguard.records import FailOn, WorkloadId, to_json

PULL_REQUEST = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "acme/ranker",
    "GITHUB_RUN_ID": "1",
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_BASE_REF": "main",
}
PUSH = {
    **PULL_REQUEST,
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_REF_NAME": "main",
    "GITHUB_REF_TYPE": "branch",
}
OF_PULL = {
    "pull_request": {"number": 7, "head": {"sha": "abc", "repo": {"full_name": "acme/ranker"}}},
    "repository": {"default_branch": "main"},
}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_PROJECT_PATH": "acme/ranker",
    "CI_API_V4_URL": "https://gitlab.example/api/v4",
    "CI_SERVER_URL": "https://gitlab.example",
    "CI_PIPELINE_ID": "77",
    "CI_DEFAULT_BRANCH": "main",
}


NOWHERE = Path("no such folder")


def planned(environ, event=None, *, mode="auto", record_on=(), rootdir=NOWHERE):
    found = job(environ, event or {"repository": {"default_branch": "main"}})
    return ci.plan(found, mode=mode, record_on=record_on, environ=environ, rootdir=rootdir)


def test_a_pull_request_is_measured_side_by_side_with_its_base():
    plan = planned(PULL_REQUEST, OF_PULL)
    assert (plan.mode, plan.arguments) == ("side-by-side", ("--costguard-against=auto",))
    assert "pull request 7" in plan.because


def test_a_revision_that_was_named_is_compared_with():
    plan = planned({**PULL_REQUEST, "COSTGUARD_AGAINST": "v1.0"}, OF_PULL)
    assert (plan.mode, plan.arguments) == ("side-by-side", ("--costguard-against=v1.0",))


def test_a_push_to_the_default_branch_is_recorded():
    plan = planned(PUSH)
    assert (plan.mode, plan.arguments, plan.record_as) == ("record", (), "main")


def test_a_run_by_hand_of_the_default_branch_is_recorded():
    assert planned({**PUSH, "GITHUB_EVENT_NAME": "workflow_dispatch"}).mode == "record"


def test_a_schedule_runs_on_the_default_branch_and_its_event_does_not_say_so():
    event = {"schedule": "17 3 * * *"}
    assert planned({**PUSH, "GITHUB_EVENT_NAME": "schedule"}, event).mode == "record"


def test_a_group_of_the_merge_queue_is_measured_beside_what_it_follows():
    event = {"merge_group": {"base_sha": "a" * 40, "head_sha": "b" * 40}}
    plan = planned({**PUSH, "GITHUB_EVENT_NAME": "merge_group"}, event)
    assert (plan.mode, plan.arguments) == ("side-by-side", (f"--costguard-against={'a' * 40}",))


def test_an_event_whose_checkout_is_base_is_refused():
    with pytest.raises(ConfigError, match="pull_request_target"):
        planned({**PULL_REQUEST, "GITHUB_EVENT_NAME": "pull_request_target"}, OF_PULL)


def test_a_push_to_another_branch_is_compared_and_not_recorded():
    plan = planned({**PUSH, "GITHUB_REF_NAME": "feature"})
    assert (plan.mode, plan.arguments) == ("stored", ())
    assert "feature" in plan.because


def test_branches_that_are_named_are_recorded_and_no_others():
    release = {**PUSH, "GITHUB_REF_NAME": "release/1"}
    assert planned(release, record_on=("release/1",)).mode == "record"
    assert planned(PUSH, record_on=("release/1",)).mode == "stored"


@pytest.mark.parametrize(("protected", "warned"), [("true", False), ("false", True)])
def test_a_branch_that_anybody_may_push_to_is_named(protected, warned):
    assert bool(planned({**PUSH, "GITHUB_REF_PROTECTED": protected}).warning) is warned


def test_the_name_to_record_under_can_be_said():
    assert planned({**PUSH, "COSTGUARD_SAVE": "weekly"}).record_as == "weekly"


def test_what_is_recorded_is_not_saved_by_the_tests_session(tmp_path):
    session = Session()
    ci.measure(
        planned(PUSH),
        arguments=[],
        environ={"COSTGUARD_SAVE": "weekly", "COSTGUARD_REPORT": str(tmp_path)},
        start=session,
        python="python",
    )
    assert "COSTGUARD_SAVE" not in session.environ


def test_a_tag_is_compared_and_not_recorded():
    assert planned({**PUSH, "GITHUB_REF_TYPE": "tag"}).mode == "stored"


def test_gitlab_knows_merge_requests_and_its_default_branch():
    assert planned({**GITLAB, "CI_MERGE_REQUEST_IID": "5"}).mode == "side-by-side"
    assert planned({**GITLAB, "CI_COMMIT_BRANCH": "main"}).mode == "record"
    assert planned({**GITLAB, "CI_COMMIT_BRANCH": "feature"}).mode == "stored"


def test_outside_of_a_ci_the_stored_baseline_is_compared_with():
    assert planned({}).mode == "stored"


@pytest.mark.parametrize("mode", MODES[1:])
def test_a_mode_that_was_asked_for_is_taken_where_it_may_be(mode):
    assert planned(PUSH, mode=mode).mode == mode


@pytest.mark.parametrize(
    ("environ", "event"),
    [
        (PULL_REQUEST, OF_PULL),
        ({**PULL_REQUEST, "GITHUB_EVENT_NAME": "workflow_run"}, {"workflow_run": {"id": 1}}),
        ({**PUSH, "GITHUB_REF_NAME": "feature"}, None),
        ({**GITLAB, "CI_MERGE_REQUEST_IID": "5"}, None),
    ],
)
def test_a_change_never_records_the_baseline_that_judges_it(environ, event):
    with pytest.raises(ConfigError, match="nothing is recorded"):
        planned(environ, event, mode="record")


class Session:
    """Stands for pytest: leaves a report, and remembers how it was started."""

    def __init__(self, report=None, *, exit_code=0):
        self.report, self.exit_code = report, exit_code
        self.command: tuple[str, ...] = ()
        self.environ: dict[str, str] = {}

    def __call__(self, command, environ):
        self.command, self.environ = tuple(command), dict(environ)
        if self.report is not None:
            folder = Path(command[4].partition("=")[2])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "new").write_bytes(to_json(self.report))
            (folder / "new").replace(folder / "report.json")
        return self.exit_code


def measured(session, folder, **environ):
    return ci.measure(
        planned(PUSH, mode="stored"),
        arguments=["tests/perf", "-k", "rerank"],
        environ={"COSTGUARD_REPORT": str(folder), **environ},
        start=session,
        python="python",
    )


def slower():
    return judged(head(0.0012), series(0.001), gates=gates(regression()))


def test_what_the_user_says_comes_last(tmp_path):
    session = Session(slower(), exit_code=1)
    measured(session, tmp_path)
    assert session.command[:4] == ("python", "-m", "pytest", "--costguard")
    assert session.command[-3:] == ("tests/perf", "-k", "rerank")


@pytest.mark.parametrize(
    "name",
    [
        *("COSTGUARD_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN", "COSTGUARD_SAVE"),
        *("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH"),
    ],
)
def test_tests_get_no_token_and_no_way_to_command_the_runner(tmp_path, name):
    session = Session()
    measured(session, tmp_path, **{name: "x", "OTHER": "kept"})
    assert name not in session.environ
    assert session.environ["OTHER"] == "kept"


def test_a_report_of_an_earlier_run_is_not_taken_for_this_ones(tmp_path):
    measured(Session(slower()), tmp_path)
    assert measured(Session(exit_code=4), tmp_path).report is None


@pytest.mark.parametrize(
    ("report", "exit_code", "outcome"),
    [
        (slower, 1, "failed"),
        (lambda: judged(head(), None), 0, "passed"),
        (lambda: judged(head(), None), 1, "failed"),
        (lambda: judged(head(), None), 3, "error"),
        (lambda: None, 4, "error"),
        (lambda: None, 0, "error"),
    ],
)
def test_the_outcome_is_the_reports_unless_pytest_failed_elsewhere(
    tmp_path, report, exit_code, outcome
):
    assert measured(Session(report(), exit_code=exit_code), tmp_path).outcome == outcome


@pytest.mark.parametrize("exit_code", [0, 5])
def test_nothing_measured_is_no_pass(tmp_path, exit_code):
    assert measured(Session(exit_code=exit_code), tmp_path).exit_code == ci.MEASURED_NOTHING


def test_a_report_somewhere_else_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="--costguard-report"):
        ci.measure(
            planned(PUSH, mode="stored"),
            arguments=["--costguard-report=elsewhere"],
            environ={},
            start=Session(),
            python="python",
        )


def test_a_revision_is_for_jobs_that_measure_side_by_side(tmp_path):
    session = Session()
    measured(session, tmp_path, COSTGUARD_AGAINST="v1.0")
    assert "COSTGUARD_AGAINST" not in session.environ


def test_outputs_and_summary_go_where_github_wants_them(tmp_path):
    output, summary = tmp_path / "output", tmp_path / "summary"
    output.write_text("earlier=1\n")
    done = measured(Session(slower(), exit_code=1), tmp_path / "reports")
    environ = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
    plan = planned(PUSH, mode="stored")
    ci.tell_github(plan, done, environ=environ, with_summary=True, secret="5ecret")

    values = read_outputs(output.read_text().removeprefix("earlier=1\n"))
    assert values["outcome"] == "failed"
    assert values["exit-code"] == "1"
    assert json.loads(values["counts"])["regressed"] == 1
    assert Path(values["report-json"]).is_file()
    assert "regressed" in summary.read_text()


def read_outputs(text: str) -> dict[str, str]:
    """Read what a step has written as the runner does."""
    values, lines = {}, iter(text.splitlines())
    for line in lines:
        name, _, delimiter = line.partition("<<")
        value = []
        for inner in lines:
            if inner == delimiter:
                break
            value.append(inner)
        values[name] = "\n".join(value)
    return values


def test_without_a_report_the_summary_and_the_annotation_say_so(tmp_path):
    done = measured(Session(exit_code=4), tmp_path)
    assert "exit code 4" in ci.summary(done, limit=10_000)
    assert ci.annotation_commands(done)[0].startswith("::error title=pytest-costguard::")


def test_a_summary_is_the_whole_report_and_not_a_comments_hundred_rows(tmp_path):
    done = measured(Session(many_regressed(150), exit_code=1), tmp_path)
    text = ci.summary(done, limit=1_000_000)
    assert all(f"test_number_{number}" in text for number in range(150))


def many_regressed(count):
    one = slower()
    (verdict,) = one.verdicts
    verdicts = tuple(
        msgspec.structs.replace(
            verdict, workload=WorkloadId(nodeid=f"tests/test_many.py::test_number_{number}")
        )
        for number in range(count)
    )
    return msgspec.structs.replace(one, verdicts=verdicts)


def test_a_summary_keeps_to_the_room_that_is_left(tmp_path):
    done = measured(Session(slower(), exit_code=1), tmp_path)
    assert len(ci.summary(done, limit=700).encode()) < 700


def settled(plan, *, arguments=(), addopts=(), rootdir=NOWHERE, **environ):
    """Resolve what pytest would be told: `addopts` and arguments are its flags."""
    flags = [word.partition("=") for word in (*addopts, *plan.arguments, *arguments)]
    cli = {word.removeprefix("--costguard-").replace("-", "_"): value for word, _, value in flags}
    child = ci.session_environ(plan, arguments=arguments, environ=environ)
    return resolve(cli=cli, environ=child, rootdir=rootdir)


def test_what_the_job_says_outranks_addopts_and_the_arguments_outrank_it():
    plan = planned(PUSH, mode="stored")
    addopts = ("--costguard-fail-on=never", "--costguard-deep=true", "--costguard-units=4")
    said = {"COSTGUARD_FAIL_ON": " strict ", "COSTGUARD_DEEP": "no", "COSTGUARD_UNITS": ""}

    found = settled(plan, addopts=addopts, **said)
    assert (len(found.fail_on), found.deep, found.units) == (7, False, 4)

    found = settled(plan, addopts=addopts, arguments=("--costguard-fail-on=budget",), **said)
    assert found.fail_on == (FailOn.BUDGET,)


def test_a_price_of_the_job_takes_the_place_of_a_target_in_addopts():
    plan = planned(PUSH, mode="stored")
    found = settled(plan, addopts=("--costguard-target=prod",), COSTGUARD_PRICE="2")
    assert (found.price_usd_per_hour, found.target_name) == (2, None)

    found = settled(plan, arguments=("--costguard-target=prod",), COSTGUARD_PRICE="2")
    assert (found.price_usd_per_hour, found.target_name) == (None, "prod")


def test_one_workflow_may_name_a_stored_baseline_for_its_pushes():
    said = {"COSTGUARD_BASELINE": "weekly", "COSTGUARD_ESCALATE": "true"}
    beside = settled(planned(PULL_REQUEST, OF_PULL), **said)
    assert (beside.against, beside.escalate) == ("auto", False)
    pushed = settled(planned(PUSH), **said)
    assert (pushed.baseline, pushed.escalate) == ("weekly", True)


def test_what_may_hold_a_password_is_no_argument(tmp_path):
    secret = "https://user:token@index.example"
    session = Session()
    measured(session, tmp_path, COSTGUARD_BUILD=f"pip install --index-url {secret} .")
    assert secret not in " ".join(session.command)
    assert secret in session.environ["COSTGUARD_BUILD"]


@pytest.mark.parametrize(
    ("event", "store"),
    [
        ({"GITHUB_EVENT_NAME": "pull_request"}, "commit:auto:perf"),
        ({"GITHUB_EVENT_NAME": "merge_group"}, f"commit:{'a' * 40}:perf"),
    ],
)
def test_stored_numbers_are_read_as_base_has_them_in_whichever_folder(tmp_path, event, store):
    (tmp_path / ".git").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.costguard]\nstore = "perf"\n')
    told = {**OF_PULL, "merge_group": {"base_sha": "a" * 40}}
    if event["GITHUB_EVENT_NAME"] == "pull_request":
        del told["merge_group"]
    plan = planned({**PULL_REQUEST, **event}, told, mode="stored", rootdir=tmp_path)
    assert plan.arguments == (f"--costguard-store={store}",)


def test_a_folder_outside_of_the_checkout_is_shared_and_not_looked_for_in_base(tmp_path):
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    (project / "pyproject.toml").write_text('[tool.costguard]\nstore = "../kept"\n')
    plan = planned(PULL_REQUEST, OF_PULL, mode="stored", rootdir=project)
    assert plan.arguments == ()
    assert "name it in the workflow" in plan.warning
