"""Whether a verdict holds although the load generator was late."""

from __future__ import annotations

import math

from pytest_costguard.records import Regression, Verdict
from pytest_costguard.stats.lateness import NOT_MOVED, Moved

ALTHOUGH = "that holds although"
"""Between a reason and what is wrong with the load, and cannot have made the verdict."""


def holds(
    verdict: Verdict,
    *,
    lower: float | None,
    upper: float | None,
    regression: Regression,
    head: Moved,
    base: Moved = NOT_MOVED,
) -> bool | None:
    """Whether a comparison says the same once its bounds give way to what lateness may have done.

    Args:
        verdict: that is to be given.
        lower: of log(head ÷ base), above 0 worse; None: not bounded.
        upper: of the same.
        regression: what is allowed, and what must be caught.
        head: how far head's figure may be off.
        base: how far base's may be, which moves the ratio the other way.

    Returns:
        None where the verdict does not rest on these bounds, so that they say nothing of it.
    """
    allow, catch = math.log1p(regression.allow), math.log1p(regression.catch)
    better = math.log1p(regression.accepted.allow if regression.accepted else regression.allow)
    below, above = worse_by(head, base=base), worse_by(base, base=head)
    if verdict is Verdict.REGRESSED and lower is not None and lower > allow:
        return lower - below > allow
    if verdict is Verdict.IMPROVED and upper is not None and upper < -better:
        return upper + above < -better
    if verdict is Verdict.UNCHANGED and upper is not None and upper < catch:
        # Worse than what is allowed, and surely so, had been called regressed.
        worse = lower is not None and lower + above > allow
        return upper + above < catch and not worse
    return None


def worse_by(head: Moved, *, base: Moved) -> float:
    """Return by how much lateness may have made head look worse beside base, as a logarithm."""
    return _log1p(base.more) - _log1p(-head.less)


def _log1p(share: float) -> float:
    return -math.inf if share <= -1 else math.log1p(share)
