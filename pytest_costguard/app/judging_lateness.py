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
) -> bool:
    """Whether a comparison says the same once its bounds give way to what lateness may have done.

    Args:
        verdict: that is to be given.
        lower: of log(head ÷ base), above 0 worse; None: not bounded.
        upper: of the same.
        regression: what is allowed, and what must be caught.
        head: how far head's figure may be off.
        base: how far base's may be, which moves the ratio the other way.
    """
    if head.less >= 1 or base.less >= 1:
        return False
    below = math.log1p(base.more) - math.log1p(-head.less)
    above = math.log1p(head.more) - math.log1p(-base.less)
    if verdict is Verdict.REGRESSED:
        return lower is not None and lower - below > math.log1p(regression.allow)
    if upper is None:
        return False
    if verdict is Verdict.IMPROVED:
        better = regression.accepted.allow if regression.accepted else regression.allow
        return upper + above < -math.log1p(better)
    return verdict is Verdict.UNCHANGED and upper + above < math.log1p(regression.catch)
