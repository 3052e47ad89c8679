"""A collected test: what its markers say, what it is held to, and what its workers are told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_costguard.config.acceptances import AcceptedChange, accepted_gates
from pytest_costguard.config.gates import MarkerSettings, gates_for, threads_for
from pytest_costguard.config.model import Rule, Settings
from pytest_costguard.engine.opening import CollectedTest
from pytest_costguard.records import OF_OWN_PROCESS, QUANTILES, Gates
from pytest_costguard.stats.percentiles import requests_needed, unit_requests_needed


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredTest:
    """A collected test that measures, with what its markers say."""

    nodeid: str
    path: Path
    marker: MarkerSettings
    line: int | None = None
    """Of its file, from 1; None where pytest does not know it."""

    def held_to(
        self, settings: Settings, *, accepted: Sequence[AcceptedChange], today: dt.date
    ) -> Gates:
        """Return the budgets and rules of the test, with what was accepted laid over them.

        Args:
            settings: of the run.
            accepted: the entries that count.
            today: the day of the run.

        Raises:
            ConfigError: what markers and rules say together cannot be.
        """
        return accepted_gates(
            gates_for(self.nodeid, settings, self.marker),
            nodeid=self.nodeid,
            accepted=accepted,
            today=today,
        )

    def collected(self, settings: Settings, *, gates: Gates) -> CollectedTest:
        """Return what the engine must know of the test, given what it is held to."""
        asked = {budget.metric for budget in gates.budgets}
        asked |= {regression.metric for regression in gates.regressions}
        needed = [
            _requests_needed(metric, units=settings.units) for metric in asked & QUANTILES.keys()
        ]
        return CollectedTest(
            nodeid=self.nodeid,
            path=self.path,
            threads=threads_for(self.nodeid, settings, self.marker)[0],
            min_requests=max(needed, default=0),
            needs_own_process=not asked.isdisjoint(OF_OWN_PROCESS),
            metrics=frozenset(asked),
        )


def told_in_vain(rule: Rule) -> str:
    """Say that a rule applies to no test."""
    labels = ", ".join(f"{name}={value}" for name, value in rule.labels.items())
    said = [f"workload {rule.workload!r}"] if rule.workload else []
    said += [f"labels {labels}"] if labels else []
    what = f" ({' and '.join(said)})" if said else ""
    return (
        f"{rule.origin}{what} matched no test that measures: mend its pattern or its labels,"
        " or remove it"
    )


def _requests_needed(metric: str, *, units: int) -> int:
    """Requests a unit, so that the samples of all units support a percentile."""
    return max(unit_requests_needed(metric), -(-requests_needed(metric) // units))
