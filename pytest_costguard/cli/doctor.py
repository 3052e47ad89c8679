"""`costguard doctor`: what this machine can see, and what to mend first."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pytest_costguard.cli.endings import ended_in_order
from pytest_costguard.cli.pytest_arguments import TakesPytestArguments, pytest_arguments

if TYPE_CHECKING:
    from pytest_costguard.engine.coordinator import Progress
    from pytest_costguard.records import DoctorReport

_UNITS = 12
_QUICK_UNITS = 6
_SECONDS = 30.0
"""The time whose smallest change `--fail-above` is held against."""
_NARROWEST = 72


@click.command(
    cls=TakesPytestArguments, short_help="What this machine can see, and what to mend first."
)
@click.option("--units", type=int, metavar="N", help=f"Of the A/A run; {_UNITS} where not given.")
@click.option(
    "--quick",
    is_flag=True,
    help=f"{_QUICK_UNITS} units of one small workload: some 15 s, less sure.",
)
@click.option("--suite", is_flag=True, help="Measure the project's own tests, not the kernel.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option(
    "--fail-above",
    metavar="PERCENT",
    help=f"Exit code 1 if the smallest change seen side by side in {_SECONDS:.0f} s is above.",
)
@click.argument("tests", nargs=-1)
@click.pass_context
def doctor(
    context: click.Context,
    *,
    units: int | None,
    quick: bool,
    suite: bool,
    as_json: bool,
    fail_above: str | None,
    tests: tuple[str, ...],
) -> None:
    """Say what this machine can see: its settings, an A/A run, and what to mend first.

    The same code is measured on both sides, by the engine that gives the verdicts. What differs
    then is noise: it says which change is seen in 10 s, 30 s and 2 min a workload, side by side
    and against a stored baseline. TESTS are paths and node ids for --suite; without them the
    whole project is collected, and what stands after -- is pytest's. No setting of the machine is
    changed.

    Exit code 0 whatever is found, unless --fail-above asks otherwise.

    \b
    Examples:
      costguard doctor
      costguard doctor --quick
      costguard doctor --suite tests/test_rerank.py -- -k int8
      costguard doctor --json --fail-above 5%
    """  # noqa: D301 - click takes the backspace itself for "leave this paragraph as it is"
    import os

    from pytest_costguard.app.baselines import project_root
    from pytest_costguard.app.doctor import examine
    from pytest_costguard.config.quantities import parse_percent
    from pytest_costguard.config.words import optional

    if tests and not suite:
        raise click.UsageError(f"{tests[0]!r} is measured with --suite only: add --suite.")
    arguments = pytest_arguments(context)
    if arguments and not suite:
        raise click.UsageError("what stands after -- is for --suite only: add --suite.")
    if quick and units is not None:
        raise click.UsageError("--quick and --units exclude each other.")
    limit = optional(fail_above, parse_percent, origin="command line", key="--fail-above")
    line = _ProgressLine()
    with ended_in_order(), contextlib.closing(line):
        report = examine(
            units=units if units is not None else _QUICK_UNITS if quick else _UNITS,
            quick=quick,
            suite=tests if suite else None,
            arguments=arguments,
            rootdir=project_root(Path.cwd()),
            environ=os.environ,
            progress=line,
        )
    click.echo(_text(report, as_json=as_json), nl=False)
    context.exit(1 if limit is not None and _above(report, limit) else 0)


def _text(report: DoctorReport, *, as_json: bool) -> str:
    import shutil

    from pytest_costguard.cli.report import is_terminal
    from pytest_costguard.records import to_json
    from pytest_costguard.reports.doctor_page import render_doctor

    if as_json:
        return to_json(report).decode() + "\n"
    width = max(_NARROWEST, min(shutil.get_terminal_size().columns, 120))
    return render_doctor(report, width=width, colour=is_terminal())


def _above(report: DoctorReport, limit: float) -> bool:
    """Whether some workload needs a larger change; what is not decided in that time does."""
    return any(
        row.side_by_side is None or row.side_by_side > limit
        for row in report.visible
        if row.seconds == _SECONDS
    )


class _ProgressLine:
    """Tells on stderr how far it is: one line that is rewritten, or a line a workload in a log."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._open = False

    def __call__(self, progress: Progress) -> None:
        import shutil

        doing = progress.doing.partition(",")[0].rpartition("::")[2]
        text = f"costguard doctor: {doing}, unit {progress.unit + 1}/{progress.units}"
        if sys.stderr.isatty():
            left = progress.remaining_seconds
            told = text if left is None else f"{text}, about {left:.0f} s left"
            room = shutil.get_terminal_size().columns - 1
            click.echo(f"\r{told[:room]:<{room}}", nl=False, err=True)
            self._open = True
        elif doing not in self._told:
            click.echo(f"costguard doctor: measuring {doing}, {progress.units} units", err=True)
        self._told.add(doing)

    def close(self) -> None:
        """Leave the line empty, so that what follows begins on its own."""
        if self._open:
            import shutil

            click.echo(f"\r{'':<{shutil.get_terminal_size().columns - 1}}\r", nl=False, err=True)
