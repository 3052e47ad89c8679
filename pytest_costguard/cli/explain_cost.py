"""`costguard explain-cost`: how each cost in a report came about."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("explain-cost")
@click.argument("report_path", metavar="REPORT.json", type=click.Path(path_type=Path))
@click.argument("workload", required=False)
def explain_cost(report_path: Path, workload: str | None) -> None:
    """Print the arithmetic of every cost per 1k in a report, line by line.

    Price with its source and date, discount, share of the instance, throughput with its interval,
    basis, and the sum itself: everything needed to do it again on paper. WORKLOAD is a node id, a
    part of one, or a pattern with * and ?; without it all workloads are explained.

    \b
    Examples:
      costguard explain-cost .costguard/reports/report.json
      costguard explain-cost report.json test_rerank
      costguard explain-cost report.json "tests/test_search.py::*"
    """  # noqa: D301 - click takes the backspace itself for "leave this paragraph as it is"
    from pytest_costguard.app.reporting import read_remade
    from pytest_costguard.cli.chosen_workloads import chosen
    from pytest_costguard.cost.arithmetic import explain

    report = read_remade(report_path)
    parts = []
    wanted = report.verdicts
    if workload is not None:
        wanted = chosen(report, workload, origin=str(report_path))
    for verdict in wanted:
        lines = explain(
            verdict.cost,
            target=report.target,
            target_problem=report.target_problem,
            throughput=verdict.figures.get("throughput"),
            figures=verdict.figures,
        )
        parts.append("\n".join((str(verdict.workload), *(f"  {line}" for line in lines))))
    if workload is None:
        parts += [f"{one.workload}\n  not measured: {one.reason}" for one in report.run.failures]
    click.echo("\n\n".join(_printable(part) for part in parts) or "no workload was measured")


def _printable(text: str) -> str:
    """Return a text of a foreign report without what would steer the terminal."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in text
    )
