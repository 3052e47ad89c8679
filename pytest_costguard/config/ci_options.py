"""The options of a job in CI, and the inputs of the action.

What measuring depends on is in `options.OPTIONS`, and reaches pytest by its environment variables.
"""

from __future__ import annotations

from collections.abc import Mapping

from pytest_costguard.config.options import Option, Scope

MODES = ("auto", "side-by-side", "stored", "record")
WHEN = ("auto", "always", "changes", "failures", "never")
"""When a first comment is made; the values of `app.commenting.When`, which a test holds them to."""

_IN_JOBS: frozenset[Scope] = frozenset({"environment", "action", "flag"})
_ACTION: frozenset[Scope] = frozenset({"action"})

CI_OPTIONS: tuple[Option, ...] = (
    Option(
        key="mode",
        kind="text",
        metavar="auto|side-by-side|stored|record",
        choices=MODES,
        default="auto",
        scopes=_IN_JOBS,
        help="What to compare with: side-by-side with the base of the pull request, the stored "
        "baseline, or that and then record this run in it. auto is side-by-side in a pull request, "
        "record on a branch of record_on, and stored elsewhere.",
    ),
    Option(
        key="record_on",
        kind="words",
        metavar="BRANCHES",
        scopes=_IN_JOBS,
        help="The branches whose runs are recorded in the baseline; the default branch where none "
        "is named. A pull request never is.",
    ),
    Option(
        key="pytest_args",
        kind="text",
        metavar="LINES",
        scopes=_IN_JOBS,
        help="What to run, and more arguments for pytest, one a line.",
    ),
    Option(
        key="summary",
        kind="switch",
        default="true",
        scopes=_IN_JOBS,
        help="Write the whole report to the step's summary.",
    ),
    Option(
        key="annotations",
        kind="switch",
        default="true",
        scopes=_IN_JOBS,
        help="Annotate the tests with what was found, at most ten errors and ten warnings.",
    ),
)
"""Of `costguard ci`."""

COMMENT_OPTIONS: tuple[Option, ...] = (
    Option(
        key="comment",
        kind="text",
        metavar="auto|always|changes|failures|never",
        choices=WHEN,
        default="auto",
        scopes=_ACTION,
        help="When a first comment is made at the pull request; one that is there is kept up to "
        "date. auto: where something needs action, or nothing could be compared.",
    ),
    Option(
        key="comment_key",
        kind="name",
        metavar="NAME",
        default="costguard",
        scopes=_ACTION,
        help="Tells the comments of several suites or matrix legs in one pull request apart.",
    ),
)
"""Of `costguard comment`, by other names: `--when` and `--key`."""

ACTION_OPTIONS: tuple[Option, ...] = (
    Option(
        key="working_directory",
        kind="text",
        metavar="FOLDER",
        default=".",
        scopes=_ACTION,
        help="The folder to run in.",
    ),
    Option(
        key="python_version",
        kind="text",
        metavar="VERSION",
        scopes=_ACTION,
        help="The Python to set up; without it the one that is there is used, which is what a "
        "container or a self-hosted runner wants.",
    ),
    Option(
        key="install",
        kind="text",
        metavar="action|none|VERSION",
        default="action",
        scopes=_ACTION,
        help="The pytest-costguard to install: the one that this action belongs to, none where it "
        "is installed already, or a version.",
    ),
    Option(
        key="artifact_name",
        kind="name",
        metavar="NAME",
        default="costguard-report",
        scopes=_ACTION,
        help="The artifact with report.json and report.md; none where it is empty. In a matrix, "
        "give each leg its own: costguard-report-LEG.",
    ),
    Option(
        key="token",
        kind="text",
        metavar="TOKEN",
        default="${{ github.token }}",
        scopes=_ACTION,
        help="What comments are written with; it needs pull-requests: write. It goes to the API's "
        "origin, and never to the tests.",
    ),
)
"""Of the action alone."""

CI_BY_KEY: Mapping[str, Option] = {
    option.key: option for option in (*CI_OPTIONS, *COMMENT_OPTIONS, *ACTION_OPTIONS)
}


def ci_flag(option: Option) -> str:
    """Return the flag of `costguard ci`, `--record-on`."""
    return f"--{option.key.replace('_', '-')}"


def action_input(option: Option) -> str:
    """Return the name of the action's input, `record-on`."""
    return option.key.replace("_", "-")
