"""The file `action/action.yml`, made from the tables of options.

`python -m pytest_costguard.config.action_file > action/action.yml` refreshes it. Inputs travel
through the environment: nothing of `${{ }}` stands in a script.
"""

from __future__ import annotations

import json
import sys

from pytest_costguard.config.ci_options import (
    ACTION_OPTIONS,
    CI_OPTIONS,
    COMMENT_OPTIONS,
    action_input,
)
from pytest_costguard.config.options import FORMS, OPTIONS, Option

SETUP_PYTHON = "actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0"
UPLOAD_ARTIFACT = "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2"

_HEAD = """\
# Made by `python -m pytest_costguard.config.action_file`; a test fails when it is out of date.
name: pytest-costguard
description: >-
  Measures what your tests declare as inference workloads, compares latency, throughput, memory and
  cost with the base of the pull request side by side, and fails, or reports, when budgets regress.
branding:
  icon: activity
  color: green
"""

_OUTPUTS: tuple[tuple[str, str, str], ...] = (
    (
        "outcome",
        "measure",
        "passed, failed, interrupted, no verdict, or error: no report was made.",
    ),
    ("exit-code", "measure", "pytest's own, with which the action ends."),
    ("mode", "measure", "side-by-side, stored or record: what was compared with."),
    ("record-as", "measure", "The baseline that this run becomes part of; empty: of none."),
    ("counts", "measure", "How many of each verdict, as JSON in one line."),
    (
        "cost-change-usd-per-month",
        "measure",
        "What all sure changes mean at the declared traffic, in US dollars; empty: not known.",
    ),
    ("base-commit", "measure", "The commit that was compared with, where that is known."),
    ("report-json", "measure", "The path of the report as data."),
    ("report-md", "measure", "The path of the report as Markdown."),
    (
        "comment-outcome",
        "comment",
        "created, updated, unchanged, outdated, quiet or not allowed; empty: none was to be made.",
    ),
    ("comment-id", "comment", "Of the comment, where there is one."),
)
"""Name, step and meaning."""

_STEPS = f"""\
runs:
  using: composite
  steps:
    - name: Set up Python
      if: inputs.python-version != ''
      uses: {SETUP_PYTHON}
      with:
        python-version: ${{{{ inputs.python-version }}}}
    - name: Install pytest-costguard
      if: inputs.install != 'none'
      shell: bash
      env:
        INSTALL: ${{{{ inputs.install }}}}
      run: '"$GITHUB_ACTION_PATH/install.sh" "$INSTALL"'
    - name: Fetch the baseline
      shell: bash
      working-directory: ${{{{ inputs.working-directory }}}}
      env:
        COSTGUARD_TOKEN: ${{{{ inputs.token }}}}
        COSTGUARD_STORE: ${{{{ inputs.store }}}}
        COSTGUARD_MODE: ${{{{ inputs.mode }}}}
        COSTGUARD_RECORD_ON: ${{{{ inputs.record-on }}}}
      run: costguard baseline fetch --if-needed
    - name: Measure
      id: measure
      shell: bash
      working-directory: ${{{{ inputs.working-directory }}}}
      env:
%(environment)s
      run: costguard ci --no-gate --no-record
    - name: Comment
      id: comment
      if: >-
        ${{{{ !cancelled() && steps.measure.outputs.outcome != '' &&
        inputs.comment != 'never' }}}}
      shell: bash
      working-directory: ${{{{ inputs.working-directory }}}}
      env:
        COSTGUARD_TOKEN: ${{{{ inputs.token }}}}
        REPORT: ${{{{ steps.measure.outputs.report-json }}}}
        WHEN: ${{{{ inputs.comment }}}}
        KEY: ${{{{ inputs.comment-key }}}}
      # GitHub's own troubles, and a fork's token, are no reason to fail the gate.
      run: costguard comment "${{REPORT:---no-report}}" --forgive --when "$WHEN" --key "$KEY"
    - name: Record
      # Recorded whatever the verdict: what is on that branch is what the next change starts from.
      if: >-
        ${{{{ !cancelled() && steps.measure.outputs.record-as != '' &&
        contains(fromJSON('["push", "schedule", "workflow_dispatch"]'), github.event_name) }}}}
      shell: bash
      working-directory: ${{{{ inputs.working-directory }}}}
      env:
        COSTGUARD_TOKEN: ${{{{ inputs.token }}}}
        COSTGUARD_STORE: ${{{{ inputs.store }}}}
        REPORT: ${{{{ steps.measure.outputs.report-json }}}}
        NAME: ${{{{ steps.measure.outputs.record-as }}}}
      run: costguard baseline import "$REPORT" --name "$NAME"
    - name: Keep the reports
      if: always() && steps.measure.outputs.report-json != '' && inputs.artifact-name != ''
      uses: {UPLOAD_ARTIFACT}
      with:
        name: ${{{{ inputs.artifact-name }}}}
        path: |
          ${{{{ steps.measure.outputs.report-json }}}}
          ${{{{ steps.measure.outputs.report-md }}}}
        include-hidden-files: true
        if-no-files-found: error
        overwrite: true
    - name: Gate
      if: always() && steps.measure.outputs.exit-code != ''
      shell: bash
      env:
        EXIT_CODE: ${{{{ steps.measure.outputs.exit-code }}}}
      run: exit "$EXIT_CODE"
"""


def action_file() -> str:
    """Return the whole file."""
    options = [*_measuring(), *CI_OPTIONS, *COMMENT_OPTIONS, *ACTION_OPTIONS]
    inputs = "inputs:\n" + "".join(map(_input, sorted(options, key=_importance)))
    told = "outputs:\n" + "".join(
        f"  {name}:\n    description: {_text(meaning)}\n"
        f"    value: ${{{{ steps.{step}.outputs.{name} }}}}\n"
        for name, step, meaning in _OUTPUTS
    )
    environment = "\n".join(
        f"        {option.variable}: ${{{{ inputs.{action_input(option)} }}}}"
        for option in (*CI_OPTIONS, *_measuring())
    )
    return _HEAD + inputs + told + _STEPS % {"environment": environment}


def _measuring() -> list[Option]:
    return [option for option in OPTIONS if {"action", "environment"} <= option.scopes]


def _importance(option: Option) -> tuple[bool, ...]:
    """What a job is about comes first, then what is measured."""
    return (option in OPTIONS, option in ACTION_OPTIONS)


def _input(option: Option) -> str:
    # Blank is "not set": then the configuration file and the defaults of the table hold.
    default = "" if option in OPTIONS else option.default or ""
    form = f"one of {', '.join(option.choices)}" if option.choices else FORMS.get(option.kind, "")
    told = f"{option.help} Takes {form}." if form else option.help
    return (
        f"  {action_input(option)}:\n"
        f"    description: {_text(told)}\n"
        "    required: false\n"
        f"    default: {_text(default)}\n"
    )


def _text(value: str) -> str:
    """Return a YAML text: JSON's are."""
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    sys.stdout.write(action_file())
