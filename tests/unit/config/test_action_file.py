"""The action's file and the tables of options say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import yaml

from pytest_costguard.app.ci import Mode
from pytest_costguard.app.commenting import When
from pytest_costguard.config.action_file import SETUP_PYTHON, action_file
from pytest_costguard.config.ci_options import CI_BY_KEY, CI_OPTIONS, MODES, WHEN
from pytest_costguard.config.options import BY_KEY, OPTIONS

ROOT = Path(__file__).parents[3]
ACTION = ROOT / "action" / "action.yml"


def test_the_file_is_the_one_that_the_tables_make():
    assert ACTION.read_text(encoding="utf-8") == action_file()


def test_the_words_of_the_options_are_those_of_the_code():
    assert get_args(When) == WHEN
    assert {"auto", *get_args(Mode)} == set(MODES)


def test_every_option_for_actions_is_an_input_and_reaches_the_step_by_its_variable():
    content = yaml.safe_load(action_file())
    measure = next(step for step in content["runs"]["steps"] if step.get("id") == "measure")
    for option in OPTIONS:
        if "action" in option.scopes:
            name = option.key.replace("_", "-")
            assert content["inputs"][name]["default"] == ""
            assert measure["env"][option.variable] == f"${{{{ inputs.{name} }}}}"
    for option in CI_OPTIONS:
        assert option.variable in measure["env"]


def test_no_key_of_a_job_is_a_key_of_measuring():
    assert not CI_BY_KEY.keys() & BY_KEY.keys()


def test_every_output_is_one_that_a_step_writes():
    from pytest_costguard.app.ci import Measured, Plan, output_values

    plan = Plan(mode="stored", because="")
    written = output_values(plan, Measured(exit_code=0, report=None, folder=Path("x")))
    told = yaml.safe_load(action_file())["outputs"]
    of_measure = {name for name, one in told.items() if "steps.measure." in one["value"]}
    assert of_measure == written.keys()


def test_no_script_holds_an_expression_and_every_action_is_pinned():
    for path in sorted(ROOT.glob("action/**/action.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for step in content["runs"]["steps"]:
            assert "${{" not in step.get("run", ""), step
            if "uses" in step:
                assert re.search(r"@[0-9a-f]{40}$", step["uses"]), step
        assert SETUP_PYTHON in path.read_text(encoding="utf-8")


def test_no_step_that_runs_tests_has_the_token():
    content = yaml.safe_load(action_file())
    holders = [step["name"] for step in content["runs"]["steps"] if "token" in str(step.get("env"))]
    assert holders == ["Fetch the baseline", "Comment", "Record"]
