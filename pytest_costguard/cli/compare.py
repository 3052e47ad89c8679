"""`costguard compare`: the stored rule applied to two records."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_costguard.cli.endings import exit_code_of

if TYPE_CHECKING:
    from pytest_costguard.records import FailOn


@click.command(short_help="Compare two records; nothing is measured.")
@click.argument("base")
@click.argument("head", type=click.Path(path_type=Path))
@click.option(
    "--fail-on",
    default="regression",
    show_default=True,
    metavar="SET",
    help="What makes the exit code 1: a list with commas, strict for all, never for none.",
)
@click.option("--allow", metavar="PERCENT", help="How much worse mean and peak memory may get.")
@click.option("--catch", metavar="PERCENT", help="What must not be missed; above --allow.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown", "json"]),
    default="terminal",
    show_default=True,
    help="How to show the result.",
)
@click.option("-v", "--verbose", is_flag=True, help="Every metric, sensor and assumption.")
@click.pass_context
def compare(
    context: click.Context,
    *,
    base: str,
    head: Path,
    fail_on: str,
    allow: str | None,
    catch: str | None,
    form: str,
    verbose: bool,
) -> None:
    """Compare HEAD with BASE by the rule for stored baselines; nothing is measured.

    BASE is the name of a baseline, a folder, or a file: a run, a report or a baseline run. HEAD is
    a run or a report. Limits are those stored in HEAD, or 2 % allowed and 5 % caught.

    Exit code 1 on a regression, or on whatever --fail-on names; 130 if the run was interrupted.

    \b
    Examples:
      costguard compare main .costguard/reports/report.json
      costguard compare old/report.json new/report.json --allow 5% --catch 10%
    """  # noqa: D301 - click takes the backspace itself for "leave this paragraph as it is"
    from pytest_costguard.app.baselines import project_root
    from pytest_costguard.app.comparing import compare as compared
    from pytest_costguard.app.stores import configured
    from pytest_costguard.cli.report import rendered
    from pytest_costguard.config.quantities import parse_percent
    from pytest_costguard.config.words import optional

    rootdir = project_root(Path.cwd())
    result = compared(
        base,
        head,
        rootdir=rootdir,
        store=configured(None, rootdir=rootdir),
        fail_on=_fail_on(fail_on),
        allow=optional(allow, parse_percent, origin="command line", key="--allow"),
        catch=optional(catch, parse_percent, origin="command line", key="--catch"),
    )
    click.echo(rendered(result, form=form, verbosity=int(verbose)), nl=False)
    context.exit(exit_code_of(result))


def _fail_on(text: str) -> tuple[FailOn, ...]:
    from pytest_costguard.config.words import parse_choice, parse_words
    from pytest_costguard.errors import ConfigError
    from pytest_costguard.records import FailOn

    words = parse_words(text, origin="command line", key="--fail-on")
    for word in words:
        parse_choice(
            word, (*map(str, FailOn), "strict", "never"), origin="command line", key="--fail-on"
        )
    if not words or ({"strict", "never"} & set(words) and len(set(words)) > 1):
        raise ConfigError(
            f"--fail-on={text!r} is not a set of causes",
            remedy="write causes with commas between, or strict or never alone",
        )
    return tuple(cause for cause in FailOn if cause in words or "strict" in words)
