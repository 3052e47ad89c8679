"""`costguard plan`: replicas and the monthly bill, from a report and a traffic."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_costguard.cli.plan_options import (
    figures_of,
    names_of,
    plan_options,
    require_some,
    terms_of,
)

if TYPE_CHECKING:
    from pytest_costguard.app.plan_befores import Before
    from pytest_costguard.records import Report

_BASE = "base"
_NARROWEST, _WIDEST = 60, 100


@click.command(short_help="Replicas and the monthly bill of a traffic.")
@click.argument("report_path", metavar="REPORT.json", type=click.Path(path_type=Path))
@click.argument("workloads", metavar="[WORKLOAD...]", nargs=-1)
@plan_options
@click.option(
    "--compare",
    "before",
    metavar="BEFORE.json|base",
    help="Say what changes from the plan of that report to this one's; base: from the base that"
    " this report was measured side by side with.",
)
@click.option(
    "--plot",
    metavar="FILE.svg",
    type=click.Path(path_type=Path),
    help="Draw traffic and replicas over time.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def plan(
    *,
    report_path: Path,
    workloads: tuple[str, ...],
    before: str | None,
    plot: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Say how many replicas a traffic needs and what a month of them costs; nothing is measured.

    Throughput, times of requests, cold start and price come from the report. Where a replica
    serves one request at a time, Erlang C says how many keep the SLO at the peak; else goodput
    times utilisation. The month is told with the peak's replicas all the time, and autoscaled.
    WORKLOAD is a node id; without any all workloads are planned.

    \b
    Examples:
      costguard plan report.json --traffic 3M/day --slo p95=50ms
      costguard plan report.json --traffic week.csv --autoscaler keda --plot plan.svg
      costguard plan report.json --compare base
      costguard plan after.json --compare before.json --json
    """  # noqa: D301 - click takes the backspace itself for "leave this paragraph as it is"
    from pytest_costguard.app.plan_changes import compare_plans
    from pytest_costguard.app.planning import plan_report
    from pytest_costguard.app.reporting import read_remade
    from pytest_costguard.baselines.files import write_atomically
    from pytest_costguard.records import to_json
    from pytest_costguard.reports import plan as text
    from pytest_costguard.reports import plan_plot
    from pytest_costguard.reports.plan_change import render_change

    terms = terms_of(**given)
    report = read_remade(report_path)
    chosen = names_of(report, workloads, origin=str(report_path))
    with figures_of(report_path):
        found = plan_report(report, terms=terms, chosen=chosen)
        require_some(found.plan, origin=str(report_path))
        picture = "" if plot is None else plan_plot.render(found.tracks)
        width = max(_NARROWEST, min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST))
        shown = text.render(found.plan, width=width)
        if as_json:
            shown = to_json(found.plan).decode() + "\n"
    if before is not None:
        earlier = _before(before, after=report, path=report_path)
        others = () if before == _BASE else (Path(before),)
        with figures_of(report_path, *others):
            change = compare_plans(earlier, report, terms=terms, chosen=chosen)
            if as_json:
                shown = to_json(change).decode() + "\n"
            else:
                shown += (
                    f"\nfrom {before} to {report_path}:\n\n{render_change(change, width=width)}"
                )
    if plot is not None:
        write_atomically(plot, picture.encode())
    click.echo(shown, nl=False)


def _before(before: str, *, after: Report, path: Path) -> Before:
    """Return what a report is compared with: its own base, or another report."""
    from pytest_costguard.app.plan_befores import base_of, report_before
    from pytest_costguard.app.reporting import read_remade

    if before == _BASE:
        return base_of(after, origin=str(path))
    return report_before(read_remade(Path(before)), after=after)
