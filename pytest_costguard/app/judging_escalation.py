"""What a stored baseline leaves in doubt, and what a second look, side by side, makes of it. Pure.

Each gate ends with one verdict: the stored one where it was not in doubt, else that of the second
look, whose data the first has not seen. Every one of them keeps to its share of the run's error,
so the run does; Holm's procedure, which would need all gates' p-values of one method, is not used.
docs/decisions/0007-what-escalates.md has the argument.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from pytest_costguard.app.judging_base import compare_with, measured_beside
from pytest_costguard.app.judging_comparisons import Terms
from pytest_costguard.app.judging_history import History, failed, history
from pytest_costguard.app.judging_hypotheses import Pairs, decide_pairs
from pytest_costguard.app.judging_notes import noted
from pytest_costguard.app.judging_subject import Subject
from pytest_costguard.records import (
    Comparison,
    Escalation,
    Gates,
    Measurement,
    Report,
    Run,
    Verdict,
    WorkloadId,
    WorkloadVerdict,
)
from pytest_costguard.stats.stored import ENOUGH_RUNS

INTERRUPTED = "it was interrupted"
_DECIDED = frozenset({Verdict.REGRESSED, Verdict.IMPROVED, Verdict.UNCHANGED})
_DOUBTFUL = frozenset({Verdict.INCONCLUSIVE, Verdict.REGRESSED, Verdict.NOT_COMPARABLE})
"""Failing verdicts too: what is to fail a run deserves the better method."""


def doubtful(stored: Comparison) -> bool:
    """Tell whether a stored verdict is one that side by side could better."""
    by_few_runs = stored.verdict is Verdict.IMPROVED and stored.runs < ENOUGH_RUNS
    return stored.verdict in _DOUBTFUL or by_few_runs


def already_decided(verdict: WorkloadVerdict) -> bool:
    """Tell whether the baseline has decided everything of a workload that is in doubt."""
    return all(one.verdict in _DECIDED for one in verdict.comparisons if doubtful(one))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One workload as it was measured side by side."""

    head: Subject
    past: History
    """Base as a baseline of one run."""
    pairs: Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconsidered:
    """All that an escalation knows of one workload."""

    measured: Measured | None
    refused: str
    caveats: tuple[str, ...]
    complete: bool

    def comparisons(self, stored: Sequence[Comparison], *, terms: Terms) -> tuple[Comparison, ...]:
        """Return the stored comparisons, each replaced where the second look says more."""
        if not any(map(doubtful, stored)):
            return tuple(stored)
        return tuple(self._reconsidered(one, terms=terms) for one in stored)

    def warnings(self, *, known: Measurement) -> tuple[str, ...]:
        """Say what a reader must know of the second look, or why there was none.

        Args:
            known: by the plain run, whose notes are told already.
        """
        if self.refused:
            return (f"not measured side by side: {self.refused}",)
        if self.measured is None:
            return ()
        head = self.measured.head.measurement
        notes = noted(head, base=self.measured.pairs.base.get(head.workload))
        return (
            *(
                f"side by side, base was not as the baseline measured it: {one}"
                for one in self.caveats
            ),
            *(f"side by side, {one}" for one in notes if one not in known.notes),
        )

    @property
    def past(self) -> History | None:
        """Base as it was measured beside head; None where it was not."""
        return None if self.measured is None else self.measured.past

    def _reconsidered(self, stored: Comparison, *, terms: Terms) -> Comparison:
        found = self.measured
        if found is None:
            if not doubtful(stored):
                return stored
            told = self.refused or (INTERRUPTED if not self.complete else "")
            return _with(stored, f"not measured side by side: {told}") if told else stored
        assert stored.regression is not None, "what is gated has a rule"
        second = compare_with(
            stored.regression,
            measured=found.head,
            past=found.past,
            terms=terms.beside(found.pairs.against),
            pairs=found.pairs,
        )
        return merged(stored, second, caveats=self.caveats, complete=self.complete)


def steps_that_alarm(escalation: Escalation | None) -> int:
    """Return in how many steps a gate may be called regressed; its error is shared among them.

    It is one, since a second look replaces what the first has said. Where the first's word may
    stand beside the second's, because base was another or the second was interrupted, it is two.
    """
    if escalation is None:
        return 1
    return 2 if escalation.caveats or not escalation.complete else 1


def in_doubt(report: Report) -> tuple[WorkloadVerdict, ...]:
    """Return the verdicts with a comparison that side by side could decide better.

    Workloads that could not be measured in full are errors already, and are left alone.
    """
    return tuple(
        verdict
        for verdict in report.verdicts
        if any(map(doubtful, verdict.comparisons))
        and not failed(verdict.workload, report.run.failures)
    )


def merged(
    stored: Comparison, second: Comparison, *, caveats: Sequence[str], complete: bool
) -> Comparison:
    """Return the verdict that holds of a stored one and the one of the second look.

    Args:
        stored: against the stored baseline.
        second: against the baseline's commit, side by side.
        caveats: in what base was not as the baseline measured it; what the baseline has decided
            about another base is then not taken back.
        complete: whether the second look came to its end; otherwise it counts only where it
            has decided.
    """
    if second.verdict not in _DECIDED:
        if not doubtful(stored):
            return stored
        if not complete:
            return _with(stored, f"not decided side by side: {INTERRUPTED}")
        if not second.units:
            return _with(stored, f"side by side: {second.reason}")
    contradicted = stored.verdict in _DECIDED and stored.verdict is not second.verdict
    if contradicted and caveats:
        told = f"side by side it is {second.verdict}, but base was not as the baseline measured it"
        return _with(stored, f"{told}: {'; '.join(caveats)}") if doubtful(stored) else stored
    reason = (
        f"escalated: the stored baseline said {stored.verdict} ({_in_short(stored.reason)});"
        f" {second.reason}"
    )
    if caveats:
        reason += f"; base was not as the baseline measured it: {'; '.join(caveats)}"
    return msgspec.structs.replace(second, reason=reason, escalated_from=stored.verdict)


def reconsidered(
    run: Run,
    escalation: Escalation,
    gates: Mapping[str, Gates],
    *,
    hypotheses: int,
    subject: Callable[[Measurement], Subject],
) -> dict[WorkloadId, Reconsidered]:
    """Return what an escalation knows of every workload of the run.

    Args:
        run: head's, as the stored baseline was compared with it.
        escalation: what was measured again.
        gates: by `str(workload)`.
        hypotheses: among which the whole run's error is shared.
        subject: reduces, prices and examines one measurement.
    """
    found: dict[WorkloadId, Measured] = {}
    for look in escalation.looks:
        head = msgspec.structs.replace(run, measurements=look.head)
        known = measured_beside(head, look.against)
        decided = decide_pairs(head, look.against, gates, hypotheses=hypotheses)
        pairs = dataclasses.replace(decided, all_together=frozenset())
        for one in look.head:
            past = history(one, known, fingerprint=run.fingerprint)
            found[one.workload] = Measured(head=subject(one), past=past, pairs=pairs)
    return {
        one.workload: Reconsidered(
            measured=found.get(one.workload),
            refused=escalation.refused.get(str(one.workload), ""),
            caveats=escalation.caveats.get(str(one.workload), ()),
            complete=escalation.complete,
        )
        for one in run.measurements
    }


def _with(stored: Comparison, told: str) -> Comparison:
    return msgspec.structs.replace(stored, reason=f"{stored.reason}; {told}")


def _in_short(reason: str) -> str:
    """The beginning of a reason that says what it rests on; remedies come after it."""
    return re.split(r"[:;]", reason, maxsplit=1)[0]
