"""`costguard report`: every report, and the verdict, made again from one record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_costguard.cli.endings import exit_code_of

if TYPE_CHECKING:
    from pytest_costguard.records import Report


@click.command(short_help="Show a run again, its verdict decided anew.")
@click.argument("report_path", metavar="REPORT.json", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown", "json"]),
    default="terminal",
    show_default=True,
    help="What to make: text for a terminal, the pull request comment, or the record.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file instead of printing.",
)
@click.option("-v", "--verbose", is_flag=True, help="Every metric, sensor and assumption.")
@click.option("-q", "--quiet", is_flag=True, help="The headline and what fails, nothing else.")
@click.pass_context
def report(
    context: click.Context,
    *,
    report_path: Path,
    form: str,
    output: Path | None,
    verbose: bool,
    quiet: bool,
) -> None:
    """Decide again about the run in REPORT.json, and show it.

    Everything comes from the file: measurements, baseline, limits and prices. Nothing is measured
    and nothing is looked up. A verdict that differs from the stored one is named on stderr.

    Exit code 1 if the gate fails, 130 if the run was interrupted.

    \b
    Examples:
      costguard report .costguard/reports/report.json
      costguard report report.json --format markdown --output comment.md
    """  # noqa: D301 - click takes the backspace itself for "leave this paragraph as it is"
    from pytest_costguard.app.reporting import disagreements, remake
    from pytest_costguard.baselines.files import write_atomically
    from pytest_costguard.baselines.reading import read_record
    from pytest_costguard.records import Report
    from pytest_costguard.reports.escaping import plain

    stored = read_record(report_path, Report)
    remade = remake(stored)
    for text in disagreements(stored, remade):
        click.echo(f"warning: {plain(text, limit=500)}", err=True)
    verbosity = int(verbose) - int(quiet)
    to_terminal = form == "terminal" and output is None
    text = rendered(remade, form=form, verbosity=verbosity, colour=to_terminal and is_terminal())
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomically(output, text.encode())
    context.exit(exit_code_of(remade))


def rendered(report: Report, *, form: str, verbosity: int = 0, colour: bool = False) -> str:
    """Return a report in one of the forms, as wide as the terminal where that matters."""
    import shutil

    from pytest_costguard.records import to_json
    from pytest_costguard.reports import markdown, terminal

    if form == "json":
        return to_json(report).decode() + "\n"
    if form == "markdown":
        return markdown.render(report)
    width = max(60, shutil.get_terminal_size().columns)
    return terminal.render(report, width=width, colour=colour, verbosity=verbosity)


def is_terminal() -> bool:
    """Whether colour is wanted: a terminal, and NO_COLOR (no-color.org) not set."""
    import os
    import sys

    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
