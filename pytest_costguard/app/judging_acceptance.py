"""What somebody has accepted: a change is held to that, and shown for what it is."""

from __future__ import annotations

import math

import msgspec

from pytest_costguard.records import METRICS, Acceptance, Comparison, Verdict
from pytest_costguard.reports.numbers import percent


def with_acceptance(comparison: Comparison) -> Comparison:
    """Return a comparison that was decided by the limits of an acceptance, in plain words.

    Its rule allows what was accepted, so "regressed" means more than that, and "unchanged" no more
    than that: accepted, where it is surely worse than the rule itself allows; not known, where it
    may be.
    """
    accepted = None if comparison.regression is None else comparison.regression.accepted
    if accepted is None:
        return comparison
    told = _told(accepted)
    if comparison.verdict is Verdict.REGRESSED:
        reason = f"{comparison.reason}; {told}, and it is more than that"
        return msgspec.structs.replace(comparison, reason=reason)
    if comparison.verdict is Verdict.INCONCLUSIVE:
        return msgspec.structs.replace(comparison, reason=f"{comparison.reason}; {told}")
    if comparison.verdict is not Verdict.UNCHANGED:
        return comparison
    least, most = _worse(comparison)
    reason = f"{told}; {comparison.reason}"
    if least > math.log1p(accepted.allow):
        return msgspec.structs.replace(
            comparison, verdict=Verdict.REGRESSED, accepted=True, reason=reason
        )
    if most < math.log1p(accepted.catch):
        return comparison
    return msgspec.structs.replace(comparison, verdict=Verdict.INCONCLUSIVE, reason=reason)


def _told(accepted: Acceptance) -> str:
    return (
        f"up to {percent(accepted.up_to)} worse is accepted by {accepted.by} until"
        f" {accepted.until.isoformat()} ({accepted.reason})"
    )


def _worse(comparison: Comparison) -> tuple[float, float]:
    """Return between which logarithms the metric got worse; nothing is known without bounds."""
    if not comparison.lower or not comparison.upper:
        return -math.inf, math.inf
    bounds = math.log(comparison.lower), math.log(comparison.upper)
    if METRICS[comparison.metric].better == "higher":
        return -bounds[1], -bounds[0]
    return bounds
