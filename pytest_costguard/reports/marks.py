"""The marks and words of verdicts, and in which order they ask for attention.

Marks differ in shape, not only in colour, and a word always stands beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from pytest_costguard.records import BudgetVerdict, FailOn, Verdict

Tone = Literal["bad", "doubtful", "good", "quiet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How one kind of finding is shown, and which `fail-on` word makes it fail the run."""

    sign: str
    word: str
    tone: Tone
    urgency: int
    """0 comes first; `EVERYTHING_ELSE` and above needs no action."""
    fails_on: FailOn | None = None


EVERYTHING_ELSE = 100

FAILED = Mark(sign="!", word="failed", tone="bad", urgency=0)
REGRESSED = Mark(sign="✗", word="regressed", tone="bad", urgency=1, fails_on=FailOn.REGRESSION)
OVER = Mark(sign="✗", word="over budget", tone="bad", urgency=2, fails_on=FailOn.BUDGET)
MISSING = Mark(sign="○", word="missing", tone="doubtful", urgency=3, fails_on=FailOn.MISSING)
CHANGED = Mark(sign="≠", word="inputs changed", tone="doubtful", urgency=4, fails_on=FailOn.CHANGED)
NOT_COMPARABLE = Mark(
    sign="≠",
    word="not comparable",
    tone="doubtful",
    urgency=5,
    fails_on=FailOn.NOT_COMPARABLE,
)
INCONCLUSIVE = Mark(
    sign="?", word="inconclusive", tone="doubtful", urgency=6, fails_on=FailOn.INCONCLUSIVE
)
NOT_PRICED = Mark(
    sign="?", word="not priced", tone="doubtful", urgency=7, fails_on=FailOn.NOT_PRICED
)
NOT_MEASURED = Mark(sign="?", word="not measured", tone="doubtful", urgency=8)
NOT_JUDGED = Mark(sign="?", word="not judged", tone="doubtful", urgency=8)
"""A budget relative to a baseline's value, where there is none: what is missing is not a figure."""
ACCEPTED = Mark(sign="≈", word="accepted", tone="doubtful", urgency=8)
"""Worse than the rule allows, and no worse than somebody has accepted."""
IMPROVED = Mark(sign="★", word="improved", tone="good", urgency=9)
NEW = Mark(sign="+", word="new", tone="quiet", urgency=EVERYTHING_ELSE)
WITHIN = Mark(sign="✓", word="within budget", tone="good", urgency=EVERYTHING_ELSE + 2)
UNCHANGED = Mark(sign="=", word="unchanged", tone="quiet", urgency=EVERYTHING_ELSE + 1)
MEASURED = Mark(sign="·", word="measured", tone="quiet", urgency=EVERYTHING_ELSE + 3)

UNJUDGED = frozenset({NOT_PRICED, NOT_MEASURED, NOT_JUDGED})
"""Budgets that nothing is known of: they hide no verdict on what was measured."""

UNDECIDED = UNJUDGED | {INCONCLUSIVE, NOT_COMPARABLE}
"""What was asked for and is not known: a run that fails on none of it has not passed in full."""

OF_VERDICT: Mapping[Verdict, Mark] = MappingProxyType(
    {
        Verdict.REGRESSED: REGRESSED,
        Verdict.IMPROVED: IMPROVED,
        Verdict.UNCHANGED: UNCHANGED,
        Verdict.INCONCLUSIVE: INCONCLUSIVE,
        Verdict.NOT_COMPARABLE: NOT_COMPARABLE,
        Verdict.NEW: NEW,
        Verdict.MISSING: MISSING,
    }
)
OF_BUDGET: Mapping[BudgetVerdict, Mark] = MappingProxyType(
    {
        BudgetVerdict.WITHIN: WITHIN,
        BudgetVerdict.OVER: OVER,
        BudgetVerdict.INCONCLUSIVE: INCONCLUSIVE,
        BudgetVerdict.NOT_PRICED: NOT_PRICED,
        BudgetVerdict.NOT_MEASURED: NOT_MEASURED,
    }
)
