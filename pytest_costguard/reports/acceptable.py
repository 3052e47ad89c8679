"""What in a report could be accepted: each regression, and up to how much."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass

from pytest_costguard.records import METRICS, Report, Verdict

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptableChange:
    """A test may get worse in a metric, up to this fraction."""

    nodeid: str
    metric: str
    up_to: float

    @property
    def percent(self) -> str:
        """The size as options take it: `12%`."""
        return f"{self.up_to * 100:.10g}%"


def acceptable_changes(report: Report) -> tuple[AcceptableChange, ...]:
    """Return what regressed and is not accepted yet, each up to the whole per cent above it."""
    found: dict[tuple[str, str], float] = {}
    for verdict in report.verdicts:
        for one in verdict.comparisons:
            if one.verdict is not Verdict.REGRESSED or one.accepted or not one.ratio:
                continue
            worse = one.ratio if METRICS[one.metric].better == "lower" else 1 / one.ratio
            key = (verdict.workload.nodeid, one.metric)
            # The workloads of a test share its rules, so the worst of them counts.
            found[key] = max(found.get(key, 0.0), (math.floor((worse - 1) * 100) + 1) / 100)
    return tuple(
        AcceptableChange(nodeid=nodeid, metric=metric, up_to=up_to)
        for (nodeid, metric), up_to in found.items()
    )


def acceptance_commands(report: Report) -> tuple[str, ...]:
    """Return the commands that write down that the regressions of a report are accepted."""
    return tuple(
        shlex.join(
            [
                *("costguard", "accept", "--workload", one.nodeid, "--metric", one.metric),
                *("--up-to", one.percent, "--reason", "why it is worth it"),
            ]
        )
        for one in acceptable_changes(report)[:_SHOWN]
    )
