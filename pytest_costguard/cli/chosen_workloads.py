"""Which workloads of a report a command is about: by name, else by pattern, else by part of it."""

from __future__ import annotations

import difflib
import fnmatch
from typing import TYPE_CHECKING

from pytest_costguard.errors import ConfigError

if TYPE_CHECKING:
    from pytest_costguard.records import Report, WorkloadVerdict


def chosen(report: Report, wanted: str, *, origin: str) -> tuple[WorkloadVerdict, ...]:
    """Return the workloads that are asked for.

    Args:
        report: that has them.
        wanted: a node id, a part of one, or a pattern with * and ?.
        origin: what the report is called in errors.

    Raises:
        ConfigError: there is none.
    """
    names = {str(verdict.workload): verdict for verdict in report.verdicts}
    if wanted in names:
        return (names[wanted],)
    # Node ids hold brackets of their own, so only * and ? are wild.
    pattern = wanted.replace("[", "[[]")
    found = tuple(
        verdict
        for name, verdict in names.items()
        if wanted in name or fnmatch.fnmatchcase(name, pattern)
    )
    if found:
        return found
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.4)
    raise ConfigError(
        f"{origin}: no workload is called {wanted!r}",
        remedy=f"did you mean {near[0]!r}?" if near else "leave WORKLOAD out to see all of them",
    )
