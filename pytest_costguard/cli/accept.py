"""`costguard accept`: a regression that is wanted, written down where reviewers see it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

_DAYS = 90


@click.command(short_help="Write down that a regression is accepted.")
@click.argument(
    "report_path", metavar="[REPORT.json]", required=False, type=click.Path(path_type=Path)
)
@click.option("--reason", required=True, help="Why, for those who review it.")
@click.option("--workload", metavar="NODEID", help="Without a report: the test.")
@click.option("--metric", default="mean", show_default=True, help="Without a report: the metric.")
@click.option("--up-to", metavar="PERCENT", help="How much worse; with a report: what it says.")
@click.option("--by", metavar="WHO", help="Who accepts it; by default the author git knows.")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    help=f"The last day on which it counts; by default {_DAYS} days from today.",
)
@click.option(
    "--ahead",
    is_flag=True,
    help="Before the change that it is about: on base it then counts for every change until its"
    " last day.",
)
@click.pass_context
def accept(
    context: click.Context,
    *,
    report_path: Path | None,
    reason: str,
    workload: str | None,
    metric: str,
    up_to: str | None,
    by: str | None,
    until: dt.datetime | None,
    ahead: bool,
) -> None:
    """Add an entry to .costguard/accepted.yaml: commit it with the change that it is about.

    With a report, all that regressed in it is accepted, each up to the whole per cent above what
    was measured. A change that is surely worse than what was accepted fails as before, and so does
    one after the last day. What is accepted is still shown in every report.

    \b
    Examples:
      costguard accept .costguard/reports/report.json --reason "beam search, see #412"
      costguard accept --workload tests/test_x.py::test_rerank --up-to 12% --reason "fp32 for now"
    """  # noqa: D301 - click takes the backspace itself for "leave this paragraph as it is"
    import os

    from pytest_costguard.app import accepting
    from pytest_costguard.app.baselines import project_root
    from pytest_costguard.baselines.reading import read_record
    from pytest_costguard.config.quantities import parse_percent
    from pytest_costguard.config.words import optional, parse_text
    from pytest_costguard.errors import ConfigError
    from pytest_costguard.records import Report
    from pytest_costguard.reports.acceptable import AcceptableChange

    if (report_path is None) == (workload is None):
        raise click.UsageError("give a report, or --workload with --up-to", context)
    limit = optional(up_to, parse_percent, origin="command line", key="--up-to")
    if workload is not None:
        if limit is None:
            raise click.UsageError("--workload needs --up-to", context)
        changes: tuple[AcceptableChange, ...] = (
            AcceptableChange(nodeid=workload, metric=metric, up_to=limit),
        )
    else:
        assert report_path is not None, "one of the two is given"
        found = accepting.regressions_of(read_record(report_path, Report))
        changes = tuple(
            AcceptableChange(
                nodeid=one.nodeid, metric=one.metric, up_to=one.up_to if limit is None else limit
            )
            for one in found
        )
    if not changes:
        raise ConfigError(
            f"{report_path}: nothing in it regressed", remedy="there is nothing to accept"
        )
    rootdir = project_root(Path.cwd())
    last_day = _last_day(until)
    path = accepting.accept(
        changes,
        said=accepting.Said(
            reason=parse_text(reason, origin="command line", key="--reason"),
            by=by or accepting.author(rootdir, environ=os.environ),
            until=last_day,
            ahead=ahead,
        ),
        rootdir=rootdir,
    )
    for one in changes:
        click.echo(f"accepted: {one.nodeid} {one.metric} up to {one.percent}")
    click.echo(f"until {last_day.isoformat()}, in {click.format_filename(path)}: commit it")


def _last_day(given: dt.datetime | None) -> dt.date:
    from pytest_costguard.errors import ConfigError

    today = dt.datetime.now(tz=dt.UTC).date()
    if given is None:
        return today + dt.timedelta(days=_DAYS)
    if given.date() < today:
        raise ConfigError(
            f"--until {given.date().isoformat()} is over: nothing would be accepted, and what an"
            " older entry accepts no longer",
            remedy="give a day that is to come",
        )
    return given.date()
