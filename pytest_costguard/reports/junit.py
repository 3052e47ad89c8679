"""A workload's verdict as JUnit properties: names and values that other tools can read."""

from __future__ import annotations

from decimal import Decimal

from pytest_costguard.records import WorkloadVerdict
from pytest_costguard.reports.numbers import significant


def properties(verdict: WorkloadVerdict) -> list[tuple[str, str]]:
    """Return name and value pairs for one workload, in base units (s, B, items/s, USD).

    The values are plain numbers with six significant digits, for machines rather than people;
    what was not measured or not priced is absent or says so in words.
    """
    prefix = f"costguard.{verdict.workload.name}" if verdict.workload.name else "costguard"
    found: list[tuple[str, str]] = []
    for metric, figure in verdict.figures.items():
        found.append((f"{prefix}.{metric}", _number(figure.estimate)))
        found.append((f"{prefix}.{metric}.lower", _number(figure.lower)))
        found.append((f"{prefix}.{metric}.upper", _number(figure.upper)))
    for metric, reason in verdict.unsupported.items():
        found.append((f"{prefix}.{metric}.unsupported", reason))
    for comparison in verdict.comparisons:
        found.append((f"{prefix}.{comparison.metric}.verdict", str(comparison.verdict)))
        if comparison.ratio is not None:
            found.append((f"{prefix}.{comparison.metric}.ratio", _number(comparison.ratio)))
    for result in verdict.budgets:
        kind = f"{prefix}.{result.budget.metric}.{result.budget.kind}"
        found.append((kind, str(result.verdict)))
    if verdict.cost is not None:
        found.append((f"{prefix}.cost", verdict.cost.state))
    return found


def _number(value: float | Decimal) -> str:
    return significant(value, digits=6).replace(",", "").replace("\N{MINUS SIGN}", "-")
