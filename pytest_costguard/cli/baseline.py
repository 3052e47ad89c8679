"""`costguard baseline …`: look at, make and look after stored baselines."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from pytest_costguard.app import baselines
from pytest_costguard.app.recording import record as record_runs
from pytest_costguard.app.stores import configured, configured_spec, fresh_branch, require_writable
from pytest_costguard.baselines.series import Summary, hardware_name, moment, summaries
from pytest_costguard.baselines.store import DEFAULT_NAME, Store, without_password
from pytest_costguard.cli.baseline_in_jobs import (
    fetch_from_artifacts,
    import_artifacts,
    measures_side_by_side,
    short_commit,
    tell_branch,
)
from pytest_costguard.config.options import BY_KEY
from pytest_costguard.records import BaselineRun
from pytest_costguard.reports.escaping import logged, plain
from pytest_costguard.reports.numbers import ABSENT, counted, percent, quantity, scale_for

_WIDTH_OF_A_PIPE = 160
_SHOWN = ("mean", "throughput", "peak_memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The project, and the store that was named for it on the command line."""

    rootdir: Path
    given: str | None

    @property
    def store(self) -> Store:
        """The store, opened; raises where it cannot be."""
        return configured(self.given, rootdir=self.rootdir)

    @property
    def written(self) -> Store:
        """The store, to be written; raises where this job must not."""
        import os

        spec = configured_spec(self.given, rootdir=self.rootdir)
        require_writable(spec, os.environ, rootdir=self.rootdir)
        return self.store


@click.group
@click.option(
    "--rootdir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The project; by default the nearest folder from here upwards that looks like one.",
)
@click.option(
    "--store", metavar=BY_KEY["store"].metavar, help="Where they are; by default as configured."
)
@click.pass_context
def baseline(context: click.Context, rootdir: Path | None, store: str | None) -> None:
    """Look at, make and look after stored baselines."""
    context.obj = Place(rootdir=rootdir or baselines.project_root(Path.cwd()), given=store)


@baseline.command("list")
@click.pass_obj
def list_(place: Place) -> None:
    """List every baseline: on which hardware, how many runs, from when."""
    found = baselines.overview(place.store)
    if found.series:
        _table(
            ("Name", "Hardware", ">Runs", ">Workloads", "First", "Last", "Commit"),
            [
                (
                    one.name,
                    hardware_name(one.runs[-1].fingerprint),
                    str(len(one.runs)),
                    str(len(summaries(one.runs))),
                    _day(one.runs[0]),
                    _day(one.runs[-1]),
                    short_commit(one.runs[-1]),
                )
                for one in found.series
            ],
        )
    elif not found.problems:
        click.echo(f"No baseline yet in {found.location}.")
        click.echo("Make one: costguard baseline record --runs 8")
    for problem in found.problems[1:]:
        click.echo(logged(f"error: {problem}"), err=True)
    if found.problems:
        raise found.problems[0]


@baseline.command
@click.argument("name", default=DEFAULT_NAME)
@click.pass_obj
def show(place: Place, name: str) -> None:
    """Show the runs and the figures of one baseline."""
    for one in baselines.series_of(name, store=place.store):
        click.echo(f"{one.name} on {plain(hardware_name(one.runs[-1].fingerprint))}")
        _table(
            ("Made (UTC)", "Run", "Commit", ">Workloads", "Measured by"),
            [
                (
                    moment(run.created).strftime("%Y-%m-%d %H:%M"),
                    run.run_id,
                    short_commit(run),
                    str(len(run.workloads)),
                    run.source,
                )
                for run in one.runs
            ],
        )
        _figures(summaries(one.runs))


@baseline.command(context_settings={"ignore_unknown_options": True})
@click.option("--name", default=DEFAULT_NAME, show_default=True, help="The baseline.")
@click.option(
    "--runs", type=click.IntRange(min=1), default=8, show_default=True, help="How many sessions."
)
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def record(context: click.Context, name: str, runs: int, pytest_arguments: tuple[str, ...]) -> None:
    """Measure a baseline in separate pytest sessions; further arguments go to pytest.

    The first session is shown; of the others, which say the same, only what fails.
    """
    done = record_runs(
        name,
        runs=runs,
        arguments=_saving_there(context.obj) + pytest_arguments,
        rootdir=context.obj.rootdir,
        store=context.obj.written,
        progress=lambda number, of: click.echo(f"costguard: session {number} of {of}", err=True),
    )
    click.echo(f"Recorded {counted(done.runs, 'run')} of {runs} in baseline {name!r}.")
    click.echo(f"See them: costguard baseline show {name}")
    if done.exit_code != 0:
        click.echo(
            f"error: session {done.sessions} ended with exit code {done.exit_code}; what was"
            " recorded stays. Mend the tests and record the rest.",
            err=True,
        )
        context.exit(done.exit_code)


@baseline.command
@click.argument("source")
@click.argument("target", default=DEFAULT_NAME)
@click.pass_obj
def promote(place: Place, source: str, target: str) -> None:
    """Make the runs of SOURCE the reference of TARGET.

    On the same hardware they take the place of what TARGET had of the same workloads; other
    workloads, and runs on other hardware, stay.
    """
    promoted = place.written.promote(source, target)
    click.echo(f"Promoted {counted(len(promoted), 'run')} from {source!r} to {target!r}.")


@baseline.command
@click.argument("name", default=DEFAULT_NAME)
@click.option("--keep", type=click.IntRange(min=0), help="Keep the last N of each hardware.")
@click.option(
    "--older-than", type=click.IntRange(min=0, max=36_500), metavar="DAYS", help="Remove by age."
)
@click.option("--corrupt", is_flag=True, help="Remove files that cannot be read.")
@click.pass_obj
def prune(place: Place, name: str, keep: int | None, older_than: int | None, corrupt: bool) -> None:
    """Remove old runs or corrupt files of one baseline."""
    gone = baselines.prune(
        name,
        store=place.written,
        keep=keep,
        older_than=None if older_than is None else dt.timedelta(days=older_than),
        corrupt=corrupt,
        now=dt.datetime.now(tz=dt.UTC),
    )
    for path in gone.files:
        click.echo(f"Removed corrupt file {logged(path)}.")
    click.echo(f"Removed {counted(len(gone.run_ids), 'run')} from {name!r}.")


@baseline.command("import")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--artifact",
    metavar="NAME",
    help="On GitHub, instead of a file: the reports that other jobs of this run have kept as the"
    " artifacts NAME and NAME-…, into a branch or an address. Needs no checkout.",
)
@click.option("--name", default=DEFAULT_NAME, show_default=True, help="The baseline.")
@click.pass_obj
def import_(place: Place, file: Path | None, artifact: str | None, name: str) -> None:
    """Add a JSON file of pytest-benchmark, or a run of pytest-costguard, to a baseline."""
    if (file is None) == (artifact is None):
        raise click.UsageError("give a file, or --artifact")
    if file is None:
        assert artifact is not None, "one of the two is given"
        spec = configured_spec(place.given, rootdir=place.rootdir)
        import_artifacts(spec, artifact, name=name)
        return
    run, path = baselines.import_file(file, name, store=place.written)
    workloads = counted(len(run.workloads), "workload")
    click.echo(f"Imported {workloads} into {name!r}: {logged(path)}")


@baseline.command
@click.option(
    "--branch", help="With artifact:NAME: whose runs; by default the pull request's base."
)
@click.option("--workflow", metavar="FILE", help="With artifact:NAME: by default this job's own.")
@click.option(
    "--runs",
    type=click.IntRange(1, 50),
    default=10,
    show_default=True,
    help="With artifact:NAME: how many, at most.",
)
@click.option("--if-needed", is_flag=True, help="Not in a job that measures side by side anyway.")
@click.pass_obj
def fetch(
    place: Place, branch: str | None, workflow: str | None, runs: int, if_needed: bool
) -> None:
    """Bring baselines that are kept elsewhere here, so that measuring needs no token.

    For stores of git:BRANCH and artifact:NAME, in a job of the CI; for others there is nothing to
    do. The token comes from COSTGUARD_TOKEN or GITHUB_TOKEN.
    """
    if if_needed and measures_side_by_side(place.rootdir):
        click.echo("This job measures side by side: no baseline is needed.")
        return
    import os

    spec = configured_spec(place.given, rootdir=place.rootdir)
    scheme, _, artifact = spec.partition(":")
    if scheme == "artifact":
        fetch_from_artifacts(place.rootdir, artifact, branch=branch, workflow=workflow, runs=runs)
    elif scheme == "git":
        tell_branch(fresh_branch(artifact, rootdir=place.rootdir, environ=os.environ))
    else:
        click.echo(f"store {without_password(spec)}: nothing to fetch.")


def _saving_there(place: Place) -> tuple[str, ...]:
    return () if place.given is None else (f"{BY_KEY['store'].flag}={place.given}",)


def _figures(found: Sequence[Summary]) -> None:
    metrics = [m for m in _SHOWN if any(m in summary.figures for summary in found)]
    scales = {m: scale_for(m, [summary.figures.get(m) for summary in found]) for m in metrics}
    titles = {"mean": "Mean latency", "throughput": "Throughput", "peak_memory": "Peak memory"}
    _table(
        (
            "Workload",
            ">Runs",
            *(f">{titles[m]} ({scales[m].unit})" for m in metrics),
            ">Run-to-run spread",
        ),
        [
            (
                str(summary.workload),
                str(summary.runs),
                *(quantity(summary.figures.get(m), scales[m]) for m in metrics),
                ABSENT if summary.spread is None else percent(summary.spread),
            )
            for summary in found
        ],
    )


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; a title that begins with `>` heads a column that is set to the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        right = title.startswith(">")
        table.add_column(
            title.removeprefix(">"), justify="right" if right else "left", overflow="fold"
        )
    for row in rows:
        # Text, not markup: names come from other people's files.
        table.add_row(*(Text(plain(cell)) for cell in row))
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE).print(table)
    click.echo()


def _day(run: BaselineRun) -> str:
    return moment(run.created).date().isoformat()
